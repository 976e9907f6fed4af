"""Encryption, by the package ``cryptography``; the extra ``pyflow-swf[encryption]`` brings it."""

import secrets
from collections.abc import Mapping
from typing import Any

from pyflow.exceptions import PayloadException, PyflowException

_NONCE_SIZE = 12


class EncryptionCodec:
    """
    Encrypt with AES-GCM: nobody without the key reads a payload, or changes it unnoticed.

    Data is the key id's length and the key id, a random nonce of 96 bits, and the ciphertext with its tag; the id is
    authenticated too. One key is good for some four thousand million payloads.

    Args:
        keys: keys of 16, 24 or 32 bytes by their ids (1 to 64 characters of ASCII); the first one encrypts, all decrypt. To
            rotate, first give every side the new key behind the old one, then put it in front.

    Raises:
        PyflowException: ``cryptography`` is not installed.
        ValueError: no key, a bad id, or a key of another length.

    Source:
        NIST SP 800-38D, section 8.3 (random nonces).
    """

    name = "aes-gcm"

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        try:
            from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - optional
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415
        except ImportError as error:
            raise PyflowException("EncryptionCodec needs cryptography: pip install 'pyflow-swf[encryption]'") from error
        if not keys:
            raise ValueError("EncryptionCodec needs a key: EncryptionCodec({'k1': EncryptionCodec.new_key()})")
        for key_id in keys:
            if not (1 <= len(key_id) <= 64 and key_id.isascii()):
                raise ValueError(f"a key id is 1 to 64 characters of ASCII, not {key_id!r}")
        self._invalid_tag: Any = InvalidTag
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self._current = next(iter(keys))
        self._keys = dict(keys)

    def __reduce__(self) -> Any:
        return EncryptionCodec, (self._keys,)

    @staticmethod
    def new_key() -> bytes:
        """Return a random key of 256 bits. Keep it where secrets are kept: what it encrypted is lost without it."""
        return secrets.token_bytes(32)

    def encode(self, data: bytes) -> bytes:
        """Return the data encrypted with the first key."""
        head = bytes([len(self._current)]) + self._current.encode()
        nonce = secrets.token_bytes(_NONCE_SIZE)
        return head + nonce + self._ciphers[self._current].encrypt(nonce, data, head)

    def decode(self, data: bytes) -> bytes:
        """
        Return what was encrypted.

        Raises:
            PayloadException: there is no key of its id, or the data was changed.
        """
        size = 1 + (data[0] if data else 0)
        head, nonce, rest = data[:size], data[size : size + _NONCE_SIZE], data[size + _NONCE_SIZE :]
        key_id = head[1:].decode("ascii", "replace")
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise PayloadException(
                f"a payload is encrypted with the key {key_id!r}, which this side does not have "
                f"(it has {', '.join(self._ciphers)}): add it to EncryptionCodec's keys",
                codec=self.name,
                key=key_id,
            )
        try:
            plain: bytes = cipher.decrypt(nonce, rest, head)
        except (self._invalid_tag, ValueError):
            raise PayloadException(
                f"a payload was changed, or encrypted with another key that is called {key_id!r} too",
                codec=self.name,
                key=key_id,
            ) from None
        return plain
