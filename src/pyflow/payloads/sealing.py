"""
The seal: what codecs and a payload store make of a JSON text, and the way back.

A sealed text says what made it, so that whoever lacks a codec or the store is told which. No JSON text begins like it::

    pyflow.payload/1 codecs=zlib,aes-gcm data=<base64>
    pyflow.payload/1 codecs=zlib,aes-gcm sha256=<digest> bytes=1234567      (kept in the store, under its digest)
"""

import base64
import binascii
import hashlib
import re
from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock
from typing import Any, Final, Protocol

from pyflow.exceptions import PayloadException, PayloadStoreException

MARK: Final = "pyflow.payload/"
_VERSION: Final = f"{MARK}1"
_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,32}")
_SEALED: Final = re.compile(
    rf"{re.escape(_VERSION)} codecs=([A-Za-z0-9._,-]*) (?:data=([A-Za-z0-9+/]*=*)|sha256=([0-9a-f]{{64}}) bytes=([0-9]+))"
)
_HEAD_MAX: Final = 128
_CODEC_MORE: Final = 256
"""Characters of a header, and bytes by which a codec is taken to make things longer: only to spare trials that cannot fail."""

CACHE_BYTES: Final = 64 << 20


class Codec(Protocol):
    """
    One step between JSON and what SWF keeps: compression, encryption, or your own.

    Attributes:
        name: stands in each text it made, 1 to 32 letters, digits, ``.``, ``_`` and ``-``; never change what it means.
    """

    @property
    def name(self) -> str:
        """Its name."""

    def encode(self, data: bytes) -> bytes | None:
        """Return what stands for the data; None leaves it as it is."""

    def decode(self, data: bytes) -> bytes:
        """
        Return what was encoded.

        Raises:
            PayloadException: it cannot be had: a key is missing, or the data was changed.
        """


class PayloadStore(Protocol):
    """
    Where payloads are kept that are too long for SWF.

    Both are called from many threads. What they raise, but for KeyError, is taken for trouble that passes.
    """

    def put(self, key: str, data: bytes) -> None:
        """Keep data under a key, for as long as histories that name it are read; the same key comes with the same data."""

    def get(self, key: str) -> bytes:
        """
        Return the data of a key.

        Raises:
            KeyError: there is none.
        """


class Seal:
    """
    Codecs, in the order in which they are applied, and a store.

    Args:
        codecs: for what is sent, and to read.
        retired: to read only: what made the texts of older histories.
        store: None: what is too long is refused.
        cache_bytes: how much of what went to the store and came from it is kept in memory.

    Raises:
        ValueError: a codec's name is none, or two have one name.
    """

    def __init__(
        self, codecs: Sequence[Codec], retired: Sequence[Codec], store: PayloadStore | None, cache_bytes: int
    ) -> None:
        self.codecs = tuple(codecs)
        self.store = store
        self._readers = {codec.name: codec for codec in (*retired, *codecs)}
        if len(self._readers) < len(retired) + len(self.codecs):
            raise ValueError(f"codecs need names of their own: {[codec.name for codec in (*codecs, *retired)]}")
        for name in self._readers:
            if _NAME.fullmatch(name) is None:
                raise ValueError(f"a codec's name is 1 to 32 letters, digits, '.', '_' and '-', not {name!r}")
        self._kept = _Cache(cache_bytes)

    def fits(self, text: str, limit: int) -> bool:
        """Tell whether a text can be sent: as it is, by its codecs, or by the store. Stores nothing."""
        if self.store is not None:
            return True
        if not self.codecs:
            return len(text) <= limit
        if (len(text) + _CODEC_MORE * len(self.codecs)) * 4 // 3 + _HEAD_MAX <= limit and text.isascii():
            return True
        names, data = self._encode(text)
        return len(_inline(names, data) if names else text) <= limit

    def close(self, text: str, limit: int) -> str:
        """
        Return what is sent for a text; what is too long is put into the store.

        Raises:
            PayloadException: it is too long, and there is no store.
            PayloadStoreException: the store failed.
        """
        if text.startswith(MARK):
            return text  # from history, and going back to it as it is
        names, data = self._encode(text)
        sealed = _inline(names, data) if names else text
        if len(sealed) <= limit:
            return sealed
        if self.store is None:
            raise PayloadException(
                f"a payload of {len(sealed):,} characters is too long for SWF, and there is no store"
            )
        key = hashlib.sha256(data).hexdigest()
        sealed = f"{_VERSION} codecs={','.join(names)} sha256={key} bytes={len(data)}"
        if self._kept.get(sealed) is None:
            try:
                self.store.put(key, data)
            except Exception as error:
                raise PayloadStoreException(
                    f"the payload store {self.store!r} did not take {len(data):,} bytes: {_told(error)}", key=key
                ) from error
            self._kept.put(sealed, text)
        return sealed

    def open(self, sealed: str) -> str:
        """
        Return the text that was sealed.

        Raises:
            PayloadException: a codec, a key or the store is missing, or what is there was changed.
            PayloadStoreException: the store did not answer.
        """
        parts = _SEALED.fullmatch(sealed)
        if parts is None:
            shown = f"{sealed[:80]!r}{'...' if len(sealed) > 80 else ''}"
            raise PayloadException(f"a payload is in a form that this pyflow does not know: {shown}")
        names, inline, key, size = parts.groups()
        if key is None:
            try:
                return self._decode(names, base64.b64decode(inline, validate=True))
            except binascii.Error as error:
                raise PayloadException(f"a payload was cut or changed: {error}") from None
        text = self._kept.get(sealed)
        if text is None:
            text = self._decode(names, self._fetch(key, int(size)))
            self._kept.put(sealed, text)
        return text

    def _fetch(self, key: str, size: int) -> bytes:
        if self.store is None:
            raise PayloadException(
                f"a payload of {size:,} bytes is in a payload store, under {key}; this side has none: give it the "
                f"DataConverter(store=...) of the side that sent it",
                key=key,
            )
        try:
            data = self.store.get(key)
        except KeyError:
            raise PayloadException(f"the payload store {self.store!r} has nothing under {key}", key=key) from None
        except Exception as error:
            raise PayloadStoreException(
                f"the payload store {self.store!r} did not give {key}: {_told(error)}", key=key
            ) from error
        if hashlib.sha256(data).hexdigest() != key:
            raise PayloadException(
                f"what the payload store {self.store!r} has under {key} is not what was put there: {len(data):,} bytes "
                f"of another digest, where {size:,} were put",
                key=key,
            )
        return data

    def _encode(self, text: str) -> tuple[list[str], bytes]:
        names = []
        data = text.encode()
        for codec in self.codecs:
            encoded = codec.encode(data)
            if encoded is not None:
                names.append(codec.name)
                data = encoded
        return names, data

    def _decode(self, names: str, data: bytes) -> str:
        for name in reversed(names.split(",") if names else []):
            codec = self._readers.get(name)
            if codec is None:
                raise PayloadException(
                    f"a payload was made with the codec {name!r}, which this side does not have "
                    f"(it has {', '.join(self._readers) or 'none'}): give it DataConverter(codecs=...) of the side that sent it",
                    codec=name,
                )
            try:
                data = codec.decode(data)
            except PayloadException:
                raise
            except Exception as error:
                raise PayloadException(
                    f"the codec {name!r} cannot read a payload: {_told(error)}", codec=name
                ) from error
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise PayloadException(f"a payload is no text when it is opened: {error}") from None


def describe(sealed: str) -> str:
    """Say for people what a sealed text is: ``(sealed by zlib, aes-gcm, 1,234 bytes)``, ``(in the payload store, ...)``."""
    parts = _SEALED.fullmatch(sealed)
    if parts is None:
        return "(sealed in a form that this pyflow does not know)"
    names, inline, key, size = parts.groups()
    what = [f"sealed by {', '.join(names.split(','))}"] if names else []
    what += ["in the payload store"] if key is not None else []
    bytes_sealed = len(inline) * 3 // 4 - inline.count("=") if key is None else int(size)
    return f"({', '.join(what)}, {bytes_sealed:,} bytes)"


def _inline(names: list[str], data: bytes) -> str:
    return f"{_VERSION} codecs={','.join(names)} data={base64.b64encode(data).decode()}"


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


class _Cache:
    """Texts by what stands for them, the least recently used out, within so many characters; for many threads."""

    def __init__(self, characters: int) -> None:
        self._room = characters
        self._lock = Lock()
        self._texts: OrderedDict[str, str] = OrderedDict()

    def get(self, key: str) -> str | None:
        with self._lock:
            text = self._texts.get(key)
            if text is not None:
                self._texts.move_to_end(key)
            return text

    def put(self, key: str, text: str) -> None:
        with self._lock:
            self._room += len(self._texts.pop(key, ""))
            self._texts[key] = text
            self._room -= len(text)
            while self._room < 0:
                _, oldest = self._texts.popitem(last=False)
                self._room += len(oldest)

    def __reduce__(self) -> Any:
        """In another process it begins empty; so a converter can be sent there."""
        return _Cache, (self._room + sum(map(len, self._texts.values())),)
