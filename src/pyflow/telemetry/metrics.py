"""
Metrics, taken where interceptors stand, and handed to whatever keeps them.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any, Protocol

from pyflow.exceptions import ActivityCanceledException
from pyflow.interceptors import Interceptor
from pyflow.replay.reserved import PARK
from pyflow.swf.client import as_fault
from pyflow.tasks import ActivityTask

from . import instruments
from .instruments import Instrument


class Sink(Protocol):
    """Where measurements go; its methods are called from any thread."""

    def count(self, instrument: Instrument, labels: tuple[str, ...]) -> None:
        """Count one more; ``labels`` are values in the instrument's order."""

    def record(self, instrument: Instrument, labels: tuple[str, ...], value: float) -> None:
        """Record a value of a histogram."""

    def watch(self, instrument: Instrument, labels: tuple[str, ...], read: Callable[[], float]) -> None:
        """Read a gauge whenever somebody asks for it."""


class Metrics(Interceptor):
    """
    Measures calls, decisions and activity bodies.

    Args:
        sinks: ``PrometheusSink``, ``OpenTelemetrySink``, or your own.
    """

    def __init__(self, *sinks: Sink) -> None:
        self._sinks = sinks

    def call(self, operation: str, request: dict[str, Any], proceed: Callable[[], Any]) -> Any:
        """Count a call by its outcome, and time it."""
        started_s = perf_counter()
        outcome = "ok"
        try:
            reply = proceed()
            if operation.startswith("PollFor") and not reply.get("taskToken"):
                outcome = "empty"
        except Exception as error:
            fault = as_fault(error, operation)
            outcome = type(error).__name__ if fault is None else fault.code
            raise
        else:
            if operation == "RespondDecisionTaskCompleted" and _parks(request):
                self._count(instruments.PARKED)
        finally:
            self._count(instruments.CALLS, operation, outcome)
            self._record(instruments.CALL_SECONDS, perf_counter() - started_s, operation)
        return reply

    def decide(self, task: dict[str, Any], proceed: Callable[[], Any]) -> Any:
        """Count a decision task by its outcome, time it, and record how long the history is."""
        workflow = task["workflowType"]["name"]
        started_s = perf_counter()
        outcome = "memory"
        try:
            decided = proceed()
            if not decided.from_memory:
                outcome = "replay"
        except Exception as error:
            outcome = type(error).__name__
            raise
        finally:
            self._count(instruments.DECISION_TASKS, workflow, outcome)
            self._record(instruments.DECISION_SECONDS, perf_counter() - started_s, workflow)
            self._record(instruments.HISTORY_EVENTS, task["startedEventId"], workflow)
        return decided

    @contextmanager
    def perform(self, task: ActivityTask) -> Iterator[None]:
        """Count an activity body by its outcome, and time it."""
        started_s = perf_counter()
        outcome = "failed"
        try:
            yield
            outcome = "completed"
        except ActivityCanceledException:
            outcome = "canceled"
            raise
        finally:
            self._count(instruments.ACTIVITY_TASKS, task.activity_type, outcome)
            self._record(instruments.ACTIVITY_SECONDS, perf_counter() - started_s, task.activity_type)

    def watch(self, instrument: Instrument, read: Callable[[], float], *labels: str) -> None:
        """Let a gauge be read whenever somebody asks for it; ``labels`` are values in the instrument's order."""
        for sink in self._sinks:
            sink.watch(instrument, labels, read)

    def _count(self, instrument: Instrument, *labels: str) -> None:
        for sink in self._sinks:
            sink.count(instrument, labels)

    def _record(self, instrument: Instrument, value: float, *labels: str) -> None:
        for sink in self._sinks:
            sink.record(instrument, labels, value)


def _parks(response: dict[str, Any]) -> bool:
    """Tell whether a decision task is answered by parking its run."""
    markers = (each.get("recordMarkerDecisionAttributes", {}) for each in response["decisions"])
    return any(marker.get("markerName", "").startswith(PARK) for marker in markers)
