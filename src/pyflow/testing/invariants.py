"""What must hold in every schedule: it replays, no signal is lost, and what the author says."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pyflow.exceptions import PyflowException, WorkflowCanceledException
from pyflow.run import Run

from .stage import Ran, Stage

__all__ = ["Check", "Invariants", "SignalLostException"]

__tracebackhide__ = True

Check = Callable[[Any, list[dict[str, Any]]], object]


class SignalLostException(PyflowException):
    """
    Signals came, and the code never received them.

    Args:
        lost: how many, by name.
    """

    def __init__(self, lost: dict[str, int]) -> None:
        self.lost = lost
        told = ", ".join(f"{name!r} ({count})" for name, count in lost.items())
        super().__init__(
            f"signals came and were never received: {told}. Receive them before run returns or continues as new, or hand them "
            f"on in its input"
        )


@dataclass
class Invariants:
    """
    What must hold in every schedule.

    Attributes:
        check: the author's.
        all_signals_received: no signal comes that the code never receives.
        replay: every history replays.
    """

    check: Check | None
    all_signals_received: bool
    replay: bool

    def hold(self, stage: Stage, ran: Ran) -> None:
        """
        Look at a schedule that has come to its end.

        Raises:
            Exception: they do not hold.
        """
        if self.replay:
            stage.started.check()
        if self.all_signals_received:
            lost = _lost_signals(stage)
            if lost:
                raise SignalLostException(lost)
        if self.check is not None:
            self.check(ran.result, stage.main.history)
        elif isinstance(ran.result, Exception) and not isinstance(ran.result, WorkflowCanceledException):
            raise ran.result


def _lost_signals(stage: Stage) -> dict[str, int]:
    """Return the signals that the code of any run never received, by name."""
    lost: dict[str, int] = {}
    for workflow, workflow_id, run_id, events in stage.started.recorded():
        if workflow is None or stage.workers.served.is_stand_in(workflow):
            continue
        run = Run(workflow, workflow_id, run_id, logs="never", converter=stage.workers.converter)
        run.read_ahead(events)
        try:
            for event in events:
                if event["eventType"] == "DecisionTaskStarted" and not run.returned:
                    run.advance(events[run.last_event_id : event["eventId"]], event["eventId"])
            for name, count in run.runtime.inbox.left().items():
                lost[name] = lost.get(name, 0) + count
            for event in events[run.last_event_id :] if run.returned else []:
                if event["eventType"] == "WorkflowExecutionSignaled":
                    name = event["workflowExecutionSignaledEventAttributes"]["signalName"]
                    lost[name] = lost.get(name, 0) + 1
        finally:
            run.close()
    return lost
