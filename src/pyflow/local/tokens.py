"""
Task tokens and page tokens: opaque texts that only this service can have made.

A token names what it is for and carries a keyed digest, so nothing is stored for it. That it is spent is known from the
state of its task: a task's started event exists once.
"""

import base64
import binascii
import hashlib
import hmac
import json
from typing import Any

from . import faults

DIGEST_BYTES = 16


class Tokens:
    """
    Makes and reads tokens.

    Args:
        secret: hexadecimal text; kept in the database, so that tokens outlive the process.
    """

    def __init__(self, secret: str) -> None:
        self._key = bytes.fromhex(secret)

    def seal(self, *parts: Any) -> str:
        """Return a token that holds these values."""
        text = json.dumps(parts, separators=(",", ":")).encode("ascii")
        return base64.urlsafe_b64encode(self._digest(text) + text).decode("ascii")

    def unseal(self, token: str, purpose: str) -> list[Any]:
        """
        Return the values of a token whose first one is ``purpose``.

        Raises:
            ServiceFault: ValidationException, ``Invalid token``: this service has not made it, or for something else.
        """
        try:
            raw = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
        except (binascii.Error, UnicodeEncodeError):
            raise faults.invalid("Invalid token") from None
        digest, text = raw[:DIGEST_BYTES], raw[DIGEST_BYTES:]
        if not hmac.compare_digest(digest, self._digest(text)):
            raise faults.invalid("Invalid token")
        parts: list[Any] = json.loads(text)
        if parts[0] != purpose:
            raise faults.invalid("Invalid token")
        return parts[1:]

    def _digest(self, text: bytes) -> bytes:
        return hashlib.blake2b(text, key=self._key, digest_size=DIGEST_BYTES).digest()
