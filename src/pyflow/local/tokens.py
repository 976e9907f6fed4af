"""
Task tokens and page tokens: opaque texts that only this service can have made.

A token names what it is for and carries a keyed digest, so nothing is stored for it. That it is spent is known from the
state of its task: a task's started event exists once.
"""

import hashlib
from functools import lru_cache
from hmac import compare_digest

from . import faults

DIGEST_BYTES = 16


class Tokens:
    """
    Makes and reads tokens.

    Args:
        secret: hexadecimal text; kept in the database, so that tokens outlive the process.
    """

    def __init__(self, secret: str) -> None:
        self._keyed = hashlib.blake2b(key=bytes.fromhex(secret), digest_size=DIGEST_BYTES)
        # What is handed out comes back, mostly soon.
        self._digest = lru_cache(1_024)(self._make_digest)

    def seal(self, purpose: str, *numbers: int) -> str:
        """Return a token for a purpose (text without ``~``) that holds these numbers."""
        text = "~".join((purpose, *map(str, numbers)))
        return f"{text}~{self._digest(text)}"

    def unseal(self, token: str, purpose: str) -> list[int]:
        """
        Return the numbers of a token that was made for a purpose.

        Raises:
            ServiceFault: ValidationException, ``Invalid token``: this service has not made it, or for something else.
        """
        text, _, digest = token.rpartition("~")
        made_for, *numbers = text.split("~")
        # compare_digest takes no other text than ASCII, and our own tokens are nothing else.
        if made_for != purpose or not token.isascii() or not compare_digest(digest, self._digest(text)):
            raise faults.invalid("Invalid token")
        return list(map(int, numbers))

    def _make_digest(self, text: str) -> str:
        keyed = self._keyed.copy()
        keyed.update(text.encode())
        return keyed.hexdigest()
