"""
Does code fit a recorded history? Replay it from every prefix, cold and going on from memory, and in one go.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from pyflow.converter import JSON, DataConverter, cut
from pyflow.exceptions import NondeterminismException
from pyflow.guard import Mode, install
from pyflow.replay.drift import Drift
from pyflow.run import Run
from pyflow.swf.events import attributes_of
from pyflow.workflow import Workflow

Event = dict[str, Any]

BATCHES_MAX: Final = 20_100
"""Batches that the cold replays of one history apply at most, in all: those of each prefix of 200 decision tasks."""

SHOWN_MAX: Final = 200
"""Characters of a payload in a message."""


class DriftException(NondeterminismException):
    """
    Code and history match, but an input or a duration is another one than was recorded.

    Args:
        drift: what differs; ``drift.recorded`` is history's, ``drift.asked`` the code's.
        where: ``file:line in function`` of the code that asked.
    """

    def __init__(self, drift: Drift, where: str | None) -> None:
        self.drift = drift
        super().__init__(
            f"{drift.who} with {drift.what} {drift.recorded!r}",
            f"it with {drift.asked!r}",
            event_id=drift.event_id,
            where=where,
        )


def check(
    workflow_class: type[Workflow],
    workflow_id: str,
    run_id: str,
    events: Sequence[Event],
    *,
    converter: DataConverter = JSON,
    drift: bool = True,
    batches_max: int = BATCHES_MAX,
    guard: Mode = "warn",
) -> None:
    """
    Replay a recorded history: a run that is kept from task to task, a cold one from each prefix, and the tail.

    A cold run is closed where it waits, as a decider does that needs its memory: ``finally`` and ``with`` bodies run at every
    wait of the history. Recorded values are read from the whole history, so nothing that ``invoke_once`` called is called
    again.

    Args:
        workflow_class: the code.
        workflow_id, run_id: the execution that the history is of.
        events: the whole history in the API's form, open or closed.
        converter: the one of the workers that made it.
        drift: raise for inputs and durations that differ, too.
        batches_max: how many batches all cold runs together may replay. A history of up to 200 decision tasks is replayed from
            each prefix; of a longer one prefixes are left out, evenly, so that the cost grows with its length, not its square.
        guard: that of the deciders which made the history: a strict one gives values that replay.

    Raises:
        NondeterminismException: the code does not fit, or does not do the same twice. A note says where the code stood that
            recorded what differs.
        DriftException: it fits, but an input or a duration differs.
        HistoryException: the history is not sound.
    """
    install(guard)
    try:
        run = partial(_run, workflow_class, workflow_id, run_id, events, converter, guard)
        _check(run, events, batches_max, drift=drift)
    except NondeterminismException as error:
        recorded_at = _recorded_at(events, error.event_id)
        if recorded_at is not None:
            error.add_note(f"history's side was recorded by code that went on to wait at {recorded_at}")
        raise


def _check(make: Callable[[], Run], events: Sequence[Event], batches_max: int, *, drift: bool) -> None:
    started_ids = [event["eventId"] for event in events if event["eventType"] == "DecisionTaskStarted"]
    every = 1 + len(started_ids) * (len(started_ids) + 1) // 2 // batches_max
    kept = make()
    try:
        for number, started in enumerate(started_ids, 1):
            kept.advance(events[kept.last_event_id : started], started)
            if number % every and number != len(started_ids):
                continue
            cold = make()
            try:
                cold.advance(events[:started], started)
                _compare(kept, cold, started)
            finally:
                cold.close()
        kept.advance(events, None)
        for difference in kept.drifts if drift else []:
            raise DriftException(difference, kept.place_of(difference))
    finally:
        kept.close()


def _recorded_at(events: Sequence[Event], event_id: int | None) -> str | None:
    """Return where the code that made an event waited after it, as its response's execution context says."""
    for event in reversed(events[:event_id]):
        if event["eventType"] == "DecisionTaskCompleted":
            context = attributes_of(event).get("executionContext", "")
            return next((line[11:] for line in context.splitlines() if line.startswith("waiting at ")), None)
    return None


def _run(
    workflow_class: type[Workflow],
    workflow_id: str,
    run_id: str,
    events: Sequence[Event],
    converter: DataConverter,
    guard: Mode,
) -> Run:
    run = Run(workflow_class, workflow_id, run_id, logs="never", converter=converter, guard=guard)
    run.read_ahead(events)
    return run


def _compare(kept: Run, cold: Run, started: int) -> None:
    """The same history must give the same decisions, whether the code ran in one go or in steps."""
    stepwise, at_once = kept.decisions(), cold.decisions()
    if stepwise != at_once:
        different = next(
            (pair for pair in zip(stepwise, at_once, strict=False) if pair[0] != pair[1]),
            (stepwise[len(at_once) :], at_once[len(stepwise) :]),
        )
        raise NondeterminismException(
            f"(the first time{'' if (waiting := kept.where()) is None else f', waiting at {waiting}'}) {_said(different[0])}",
            f"(the second time) {_said(different[1])}",
            event_id=started,
            where=cold.where(),
        )


def _said(decisions: Any) -> str:
    """Tell what was decided, without the whole of long payloads."""
    if isinstance(decisions, list):
        return ", ".join(map(_said, decisions)) or "nothing"
    ((_, attributes),) = [each for each in decisions.items() if each[0] != "decisionType"]
    shown = {name: cut(value, SHOWN_MAX) if isinstance(value, str) else value for name, value in attributes.items()}
    return f"{decisions['decisionType']} {shown}"
