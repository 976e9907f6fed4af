"""
Does code fit a recorded history? Replay it from every prefix, cold and going on from memory, and in one go.
"""

from collections.abc import Sequence
from typing import Any

from pyflow.converter import JSON, DataConverter
from pyflow.exceptions import NondeterminismException
from pyflow.replay.drift import Drift
from pyflow.run import Run
from pyflow.workflow import Workflow

Event = dict[str, Any]


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
) -> None:
    """
    Replay a recorded history: a run that is kept from task to task, a cold one from each prefix, and the tail.

    Recorded values are read from the whole history, so nothing that ``invoke_once`` called is called again.

    Args:
        workflow_class: the code.
        workflow_id, run_id: the execution that the history is of.
        events: the whole history in the API's form, open or closed.
        converter: the one of the workers that made it.

    Raises:
        NondeterminismException: the code does not fit, or does not do the same twice.
        DriftException: it fits, but an input or a duration differs.
        HistoryException: the history is not sound.
    """
    kept = _run(workflow_class, workflow_id, run_id, events, converter)
    try:
        for started in [event["eventId"] for event in events if event["eventType"] == "DecisionTaskStarted"]:
            kept.advance(events, started)
            cold = _run(workflow_class, workflow_id, run_id, events, converter)
            try:
                cold.advance(events, started)
                _compare(kept, cold, started)
            finally:
                cold.close()
        kept.advance(events, None)
        for drift in kept.drifts:
            raise DriftException(drift, kept.place_of(drift))
    finally:
        kept.close()


def _run(
    workflow_class: type[Workflow], workflow_id: str, run_id: str, events: Sequence[Event], converter: DataConverter
) -> Run:
    run = Run(workflow_class, workflow_id, run_id, logs="never", converter=converter)
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
            f"(the first time) {different[0]}",
            f"(the second time) {different[1]}",
            event_id=started,
            where=cold.where(),
        )
