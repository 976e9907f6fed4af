"""
Live runs kept between decision tasks, and the fence that says when one may go on.

A kept run costs its task only what is new. It may be out of step: another decider may have taken a task in between, or a
response may have been lost. So it goes on only if it stands exactly where the task goes on; otherwise the history is
replayed cold. Being wrong here would be worse than being slow.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from pyflow.replay.rules import names_rules
from pyflow.run import Run


class RunCache:
    """
    The live runs of one thread, least recently used out.

    Args:
        runs_max: how many to keep; 0 keeps none.
    """

    def __init__(self, runs_max: int) -> None:
        self._runs_max = runs_max
        self._runs: OrderedDict[str, Run] = OrderedDict()

    def take(self, run_id: str, events: Sequence[dict[str, Any]]) -> Run | None:
        """
        Take out the run that the events continue; None, and it is closed, if they do not.

        Args:
            run_id: the task's run.
            events: the task's history; ids are dense.
        """
        run = self._runs.pop(run_id, None)
        if run is not None and not continues(run, events):
            run.close()
            return None
        return run

    def keep(self, run: Run) -> None:
        """Keep a run that waits; one that has returned, or is too many, is closed."""
        if run.returned:
            run.close()
            return
        self._runs[run.run_id] = run
        while len(self._runs) > self._runs_max:
            _, oldest = self._runs.popitem(last=False)
            oldest.close()

    def forget(self, run_id: str) -> None:
        """Close a run whose response did not arrive."""
        run = self._runs.pop(run_id, None)
        if run is not None:
            run.close()

    def close(self) -> None:
        """Close all of them."""
        while self._runs:
            self._runs.popitem()[1].close()


def continues(run: Run, events: Sequence[dict[str, Any]]) -> bool:
    """
    Tell whether a live run may go on with these events: the fence.

    What follows the last event it applied must be there without a gap and hold the completion of the very decision task
    where it stands. ``previousStartedEventId`` is not trusted: after a timeout SWF does not promise what it is. A task that
    2.0.0 completed is no completion of what this run did, if it did what 2.0.0 would not have done.
    """
    if not events:
        return False
    position = run.last_event_id + 1 - int(events[0]["eventId"])
    if not 0 <= position < len(events) or events[position]["eventId"] != run.last_event_id + 1:
        return False
    for index in range(position, len(events)):
        event = events[index]
        if event["eventType"] == "DecisionTaskCompleted":
            completed = event["decisionTaskCompletedEventAttributes"]
            if run.is_unlike_2_0_0 and not names_rules(completed):
                return False
            return bool(completed["startedEventId"] == run.started_event_id)
    return False
