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

    def _settle(self, outcome: State, result: str | None, failure: Failure | None, event_id: int) -> None:
        value: Any = None
        if result is not None:
            outcome, value, failure = self._read(result)
            self._host.characters += len(result)
        self._value = value
        super()._settle(outcome, None, failure, event_id)

    def _read(self, marker: str) -> tuple[State, Any, Failure | None]:
        """Return the outcome that a marker tells of."""
        converter = self._host.converter
        try:
            told = converter.decode(marker)
            if not isinstance(told, dict) or "succeeded" not in told:
                raise ValueError(f"the marker holds no recorded value: {told!r}")  # noqa: TRY301 - no JSON, or not ours
            value = told.get("result")
            if self._hint is not None and value is not None:
                value = converter.rebuild(value, self._hint, "the recorded value")
        except ValueError as error:
            return State.FAILED, None, Failure(self._undecodable(), str(error))
        if told["succeeded"]:
            return State.SUCCEEDED, value, None
        return State.FAILED, value, Failure(told.get("reason"), told.get("details"))


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
