"""
Values to text and back, within SWF's lengths.

What is inside of that is in ``payloads``. Source: SWF API Reference, the type Data (0 to 32,768 characters); RFC 8259.
"""

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from .exceptions import SerializationException
from .payloads.compression import ZlibCodec
from .payloads.hints import rebuild
from .payloads.plain import plain_key, to_plain
from .payloads.sealing import CACHE_BYTES, MARK, Codec, PayloadStore, Seal

__all__ = ["DATA_MAX", "JSON", "REASON_MAX", "DataConverter", "cut", "duration", "sendable"]

DATA_MAX: Final = 32_768
"""Characters of an input, a result, details, a marker."""

REASON_MAX: Final = 256
DURATION_MAX_S: Final = 31_536_000
"""A year: the longest that anything in SWF may last."""

DEPTH_MAX: Final = 200
"""Lists and dicts in each other: what every reader of JSON can read."""

ZLIB: Final = ZlibCodec()
"""Read by everyone, whether they write it or not: it needs no key, and nothing but the standard library."""


def _json_encoder(default: Callable[[Any], Any]) -> Callable[[Any, int], Iterable[str]]:
    """Return what json.dumps(allow_nan=False, default=default) joins, without the encoder that it would make anew each time."""
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        plain = json.JSONEncoder(allow_nan=False, default=default)
        return lambda value, _level: plain.iterencode(value)
    encoder: Callable[[Any, int], Iterable[str]] = make(
        None, default, json.encoder.encode_basestring_ascii, None, ": ", ", ", False, False, False
    )
    return encoder


def _read_first(text: str) -> Any:
    """Read a JSON text by msgspec, which is imported now: that takes as long as the replay of a short run."""
    global _read, _write  # noqa: PLW0603 - the one reader of this process
    import msgspec  # noqa: PLC0415 - as said

    _read = msgspec.json.Decoder().decode
    _write = msgspec.json.Encoder().encode
    return _read(text)


_read: Callable[[str], Any] = _read_first
"""
Gives what json.loads gives, in a third of the time, or raises a ValueError: that also for a few texts which json.loads reads, for
NaN, Infinity, a number beyond the floats or half of a surrogate pair is in them.
"""
_write: Callable[[Any], bytes]
"""Gives JSON for nobody but ourselves, to see whether two values are alike; set by the first ``_read``."""
_UNREAD: Final = object()
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_SCALARS: Final = frozenset({str, int, float, bool, type(None)})
_CUT_MARK: Final = "... [cut]"


class DataConverter:
    """
    What values become on their way through SWF: JSON, then codecs, then a payload store for what is too long.

    Give the same one to everyone who shares executions: ``Decider``, ``ActivityWorker``, ``start_workflow``, ``handle``.
    Plain JSON values become the JSON that pyflow 2.0.0 wrote, and rich ones (dataclasses, pydantic models, datetime, Decimal,
    UUID, Enum, bytes, sets, ...) the JSON that workers in any language read. For types of your own override ``to_plain`` and
    ``from_plain``. Many threads may use it.

    Args:
        codecs: applied in this order to what is sent: ``[ZlibCodec(), EncryptionCodec(keys)]``.
        retired: codecs that only read: what older histories were made with.
        store: where payloads are kept that are over SWF's length even then: ``FileStore(path)``, ``S3Store(bucket)``.
        cache_bytes: how much of the store's payloads is kept in memory, so that a replay does not fetch them all again.

    Raises:
        ValueError: a codec's name is none, or two have one name.
    """

    def __init__(
        self,
        *,
        codecs: Sequence[Codec] = (),
        retired: Sequence[Codec] = (ZLIB,),
        store: PayloadStore | None = None,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        retired = [codec for codec in retired if codec is not ZLIB or all(one.name != ZLIB.name for one in codecs)]
        self._seal = Seal(codecs, retired, store, cache_bytes)
        self._pieces = _json_encoder(self.to_plain)
        self.seals = bool(self._seal.codecs or store is not None)
        """Whether anything but JSON is ever sent."""

    # -- to override ---------------------------------------------------------------------------------------------------

    def to_plain(self, value: Any) -> Any:
        """
        Return what stands in JSON for a value that JSON does not have; what is inside of that may be rich again.

        Args:
            value: no text, number, boolean, None, list, tuple or dict.

        Raises:
            TypeError: it cannot be sent; so do what you do not know: ``return super().to_plain(value)``.
        """
        return to_plain(value)

    def from_plain(self, type: type, value: Any) -> Any:
        """
        Return the object of a class that a JSON value stands for.

        Args:
            type: a class in a type hint that is none of those that are known anyway.
            value: the decoded JSON.

        Returns:
            An object of the class; as it comes, the JSON value itself.

        Raises:
            ValueError, TypeError: the value does not fit.
        """
        return value

    # -- values and their JSON -----------------------------------------------------------------------------------------

    def encode(
        self, value: Any, what: str, name: str | None = None, *, limit: int = DATA_MAX, sealable: bool = True
    ) -> str:
        """
        Return the JSON text of a value, if it can be sent; stores nothing, and asks nobody.

        Args:
            value: what to send.
            what, name: what it is called in an error, such as ``the input of activity``, ``charge``.
            limit: characters that SWF takes for it.
            sealable: codecs and the store may be used; not for what a Lambda function gets.

        Raises:
            SerializationException: it is not JSON, or too long.
        """
        problem: Exception | None = None
        try:
            try:
                text = "".join(self._pieces(value, 0))
            except TypeError as error:
                if "keys must be" not in str(error):
                    raise
                text = "".join(self._pieces(_with_plain_keys(value, self), 0))
            if len(text) > 2 * DEPTH_MAX or "\\ud" in text:
                _refuse_unreadable(text, value)
        except (TypeError, ValueError, RecursionError) as error:
            problem = error
        if problem is not None:  # raised out here, so that the author's traceback does not show the encoder's
            raise SerializationException(
                f"{_called(what, name)} cannot be sent as JSON: {problem} (its type is {type(value).__qualname__}). "
                f"Send numbers, texts, booleans, None, lists and dicts of them, dataclasses, dates, decimals, ..."
            )
        if len(text) > limit or self.seals:
            self.refuse_too_long(text, what, name, limit=limit, sealable=sealable)
        return text

    def refuse_too_long(
        self, text: str, what: str, name: str | None = None, *, limit: int = DATA_MAX, sealable: bool = True
    ) -> None:
        """Raise SerializationException if a JSON text is too long to be sent; the parameters are those of ``encode``."""
        fits = self._seal.fits(text, limit) if sealable else len(text) <= limit
        if not fits:
            raise SerializationException(_too_long(_called(what, name), len(text), limit, sealable=sealable))

    def decode(self, text: str | None, hint: Any = None, what: str = "the value") -> Any:
        """
        Return the value of a text, whichever side and codecs made it; None for no text.

        Args:
            text: JSON, or sealed.
            hint: a type hint; None: JSON's own value.
            what: what it is, in an error.

        Raises:
            ValueError: the text is not JSON.
            SerializationException: the value does not fit the hint.
            PayloadException: it cannot be opened; PayloadStoreException: its store does not answer.
        """
        if text is None:
            return None
        try:
            value = _read(text)
        except (ValueError, RecursionError):
            value = _UNREAD
        if value is _UNREAD:  # out here, so that no traceback shows msgspec's error
            if text.startswith(MARK):
                return self.decode(self._seal.open(text), hint, what)
            try:
                value = json.loads(text)
            except RecursionError:
                raise SerializationException(f"{what} is nested too deeply to be read") from None
        return value if hint is None else self.rebuild(value, hint, what)

    def is_surely(self, value: Any, text: str | None) -> bool:
        """
        Tell whether a text is that of a value: without the doubt that a type of the author's, or another spelling, leaves.

        Costs a third of what ``encode`` does. Where it says False the two may be the same all the same.

        Args:
            value: None stands for no text.
            text: JSON, or None.
        """
        if value is None or text is None:
            return value is text
        try:
            read = _read(text)
            # Equal, and not as 1 is True: written, these differ. What only we can write does not get that far.
            if value == read:
                return _write(value) == _write(read)
        except Exception:  # an author's ``__eq__`` may raise anything
            return False
        return False

    def rebuild(self, value: Any, hint: Any, what: str) -> Any:
        """
        Return what a decoded value stands for by a type hint.

        Raises:
            SerializationException: it does not fit.
        """
        return rebuild(value, hint, what, self.from_plain)

    def rebuild_argument(self, hints: Mapping[str, Any], what: str, name: str, value: Any) -> Any:
        """
        Return what the decoded value of an argument stands for.

        Args:
            hints: the rich hints of the parameters, by name.
            what: whose argument it is, in an error.
            name, value: the argument.

        Raises:
            SerializationException: it does not fit its hint.
        """
        hint = hints.get(name)
        return value if hint is None else self.rebuild(value, hint, f"argument {name!r} of {what}")

    # -- JSON and what is sent -----------------------------------------------------------------------------------------

    def seal(self, text: str, limit: int = DATA_MAX) -> str:
        """
        Return what is sent for a JSON text: codecs are applied, and what is too long is put into the store.

        Args:
            text: what ``encode`` gave; a sealed one stays as it is.
            limit: characters that SWF takes for it.

        Raises:
            PayloadStoreException: the store did not take it.
        """
        return self._seal.close(text, limit) if self.seals else text

    def open(self, text: str) -> str:
        """
        Return the JSON of a text, whichever codecs made it.

        Raises:
            PayloadException: it cannot be opened; PayloadStoreException: its store does not answer.
        """
        return self._seal.open(text) if text.startswith(MARK) else text

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_pieces"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._pieces = _json_encoder(self.to_plain)


def _called(what: str, name: str | None) -> str:
    return what if name is None else f"{what} {name!r}"


def _too_long(who: str, size: int, limit: int, *, sealable: bool) -> str:
    store = "Keep it in a payload store: give all sides DataConverter(store=FileStore(...)), or S3Store(...). Or send"
    way = store if sealable else "Send"
    return f"{who} is {size:,} characters of JSON; SWF takes {limit:,}. {way} a reference to where the data is instead."


def _refuse_unreadable(text: str, value: Any) -> None:
    """Raise ValueError for JSON that others could not read: nested very deeply, or with half of a surrogate pair."""
    if text.count("[") + text.count("{") > DEPTH_MAX and _is_deep(text, value):
        raise ValueError(f"it is nested more than {DEPTH_MAX} deep")
    if "\\ud" in text and _LONE_SURROGATE.search(json.dumps(json.loads(text), ensure_ascii=False)):
        raise ValueError("it holds half of a surrogate pair, which no UTF-8 text has")


def _is_deep(text: str, value: Any) -> bool:
    """Look through a value level by level; where it is rich, through what was made of it."""
    level: list[Any] = [[value]]
    for _ in range(DEPTH_MAX + 1):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if type(inner) not in _SCALARS
        ]
        if not level:
            return False
        if not all(isinstance(inner, (list, tuple, dict)) for inner in level):
            return _is_deep(text, json.loads(text))
    return True


def _with_plain_keys(value: Any, converter: DataConverter) -> Any:
    """Return a value with its dicts' keys as JSON has them: where there are rich ones, this is how they get there."""
    if isinstance(value, dict):
        return {plain_key(key): _with_plain_keys(inner, converter) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_with_plain_keys(inner, converter) for inner in value]
    if value is None or isinstance(value, (str, int, float)):
        return value
    return _with_plain_keys(converter.to_plain(value), converter)


JSON: Final = DataConverter()
"""What is used where no other converter is given."""


def duration(value: float | str | timedelta | None, what: str, *, default: str | None = None) -> str | None:
    """
    Return a duration in SWF's form: a string of whole seconds.

    Args:
        value: seconds, a timedelta, or 2.0.0's string of seconds; fractions are rounded up. None: ``default``.
        what: its name in an error.
        default: the text for None; ``"NONE"`` where SWF has that, or None to leave it out.

    Raises:
        ValueError: negative, not finite, over a year (31,536,000 s), or not a number.
    """
    if value is None:
        return default
    try:
        seconds = value.total_seconds() if isinstance(value, timedelta) else float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{what} must be a number of seconds or a timedelta, not {value!r}") from None
    if not 0 <= seconds <= DURATION_MAX_S:
        raise ValueError(f"{what} must be from 0 to {DURATION_MAX_S:,} seconds (a year), not {value!r}")
    return str(math.ceil(seconds))


def cut(text: str, length: int = DATA_MAX) -> str:
    """Shorten prose to a length, with a mark where it was cut. Never for data."""
    return text if len(text) <= length else text[: length - len(_CUT_MARK)] + _CUT_MARK


def sendable(text: str, length: int = DATA_MAX) -> str:
    """Make prose fit: cut where it is too long, and nothing in it that UTF-8 does not have."""
    return cut(text.encode("utf-8", "replace").decode("utf-8"), length)
