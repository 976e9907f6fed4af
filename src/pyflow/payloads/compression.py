"""Compression, by the standard library."""

import zlib
from typing import Final

from pyflow.exceptions import PayloadException

_MIN_SIZE: Final = 1_000
_MAX_SIZE: Final = 256 << 20


class ZlibCodec:
    """
    Compress with zlib what is not short; JSON becomes a fifth or less.

    What would not get shorter stays as it is, readable for workers in other languages.

    Args:
        level: 1 (fast) to 9 (small).
        min_size: bytes under which nothing is compressed.
        max_size: bytes over which nothing is decompressed: a text of 32,768 characters can hold 25 MB, one in a store more.
    """

    name = "zlib"

    def __init__(self, level: int = 6, *, min_size: int = _MIN_SIZE, max_size: int = _MAX_SIZE) -> None:
        self._level = level
        self._min_size = min_size
        self._max_size = max_size

    def encode(self, data: bytes) -> bytes | None:
        """Return the data compressed; None if it is short, or would not get shorter by what base64 makes it longer."""
        if len(data) < self._min_size:
            return None
        compressed = zlib.compress(data, self._level)
        return compressed if len(compressed) * 4 < len(data) * 3 else None

    def decode(self, data: bytes) -> bytes:
        """
        Return what was compressed.

        Raises:
            PayloadException: it was cut or changed, or is over ``max_size``.
        """
        inflate = zlib.decompressobj()
        try:
            plain = inflate.decompress(data, self._max_size)
        except zlib.error as error:
            raise PayloadException(f"a compressed payload was changed: {error}", codec=self.name) from None
        if inflate.unconsumed_tail:
            raise PayloadException(f"a payload is over {self._max_size:,} bytes when decompressed", codec=self.name)
        if not inflate.eof:
            raise PayloadException("a compressed payload was cut", codec=self.name)
        return plain
