"""
Recorded values: what a function gave when it was called, as the text of a marker, and read again from there.
"""

from collections.abc import Callable
from typing import Any, Final

from .converter import DATA_MAX, DataConverter, cut
from .exceptions import SerializationException
from .failures import format_traceback
from .future import InvocationFuture
from .replay.invocations import Failure
from .replay.tables import State

RECORDED_MAX: Final = DATA_MAX // 8
"""Characters of a recorded failure's details: JSON escapes can make a text up to six times as long."""


class RecordedFuture(InvocationFuture[Any]):
    """The future of a recorded value: its marker says whether the call succeeded."""

    def _read(self, result: str) -> None:
        value = self._host.converter.decode(result)
        if not isinstance(value, dict) or "succeeded" not in value:
            raise ValueError(f"the marker holds no recorded value: {value!r}")
        if not value["succeeded"]:
            self._state = State.FAILED
            self._failure = Failure(value.get("reason"), value.get("details"))
        self._value = value.get("result")
        if self._hint is not None and self._value is not None:
            self._value = self._host.converter.rebuild(self._value, self._hint, "the recorded value")


def record(
    converter: DataConverter, callable: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> str:
    """Call it and return the marker's text, a failure included: what happened is recorded either way."""
    try:
        return converter.encode({"succeeded": True, "result": callable(*args, **kwargs)}, "the value to record")
    except SerializationException as error:
        failure = {
            "succeeded": False,
            "reason": "The value cannot be recorded",
            "details": cut(str(error), RECORDED_MAX),
        }
    except Exception as error:
        failure = {
            "succeeded": False,
            "reason": "Exception raised while invoking callable",
            "details": cut(format_traceback(error), RECORDED_MAX),
        }
    return converter.encode(failure, "the failure to record")
