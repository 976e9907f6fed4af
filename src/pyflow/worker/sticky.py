"""
Live runs kept between decision tasks, and the fence that says when one may go on.

A kept run costs its task only what is new. It may be out of step: another decider may have taken a task in between, or a
response may have been lost. So it goes on only if it stands exactly where the task goes on; otherwise the history is
replayed cold. Being wrong here would be worse than being slow.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from pyflow.replay.rules import names_rules
from pyflow.run import Run

RUN_BYTES: Final = 25_000
"""What a run with one fiber takes before its author's data, as `make bench` measures it."""
FIBER_BYTES: Final = 8_000
"""What a further fiber takes."""
CHARACTER_BYTES: Final = 4
"""What one character of an input, result or details takes once code has decoded it: text grows as it becomes objects."""


class RunCache:
    """
    The live runs of one thread, least recently used out.

    How large a run is cannot be known without walking everything its code holds. It is estimated: what any run takes, what its
    fibers take, and the texts that its code was given and gave. Code that keeps less of it is counted too high, code that makes
    more of it too low.

    Args:
        runs_max: how many to keep; 0 keeps none.
        bytes_max: how much they may take together, as estimated; None: no bound.

    Attributes:
        bytes: how much they take, as estimated.
        close_run: lets go of a run.
    """

    def __init__(self, runs_max: int, bytes_max: int | None = None) -> None:
        self._runs_max = runs_max
        self._bytes_max = math.inf if bytes_max is None else bytes_max
        self._runs: dict[str, tuple[Run, int]] = {}  # with their sizes, the least recently used first
        self.bytes = 0
        self.close_run: Callable[[Run], None] = Run.close

    def __len__(self) -> int:
        return len(self._runs)

    def __iter__(self) -> Iterator[Run]:
        return iter([run for run, _ in list(self._runs.values())])

    def take(self, run_id: str, events: Sequence[dict[str, Any]]) -> Run | None:
        """
        Take out the run that the events continue; None, and it is closed, if they do not.

        Args:
            run_id: the task's run.
            events: the task's history; ids are dense.
        """
        kept = self._runs.pop(run_id, None)
        if kept is None:
            return None
        run, size = kept
        self.bytes -= size
        if continues(run, events):
            return run
        self.close_run(run)
        return None

    def keep(self, run: Run) -> bool:
        """
        Keep a run that waits; one that has returned, or is too many, is closed.

        Returns:
            Whether it is kept.
        """
        runtime = run.runtime
        if runtime.returned or not self._runs_max:
            self.close_run(run)
            return False
        size = RUN_BYTES + CHARACTER_BYTES * runtime.characters + FIBER_BYTES * (len(runtime.strands.by_number) - 1)
        self._runs[run.run_id] = run, size
        self.bytes += size
        while self.bytes > self._bytes_max or len(self._runs) > self._runs_max:
            oldest = next(iter(self._runs))
            self.forget(oldest)
            if oldest == run.run_id:
                return False
        return True

    def forget(self, run_id: str) -> None:
        """Close a kept run, if it is one."""
        kept = self._runs.pop(run_id, None)
        if kept is not None:
            run, size = kept
            self.bytes -= size
            self.close_run(run)

    def close(self) -> None:
        """Close all of them."""
        while self._runs:
            self.forget(next(reversed(self._runs)))


def continues(run: Run, events: Sequence[dict[str, Any]]) -> bool:
    """
    Tell whether a live run may go on with these events: the fence.

    What follows the last event it applied must be there without a gap and hold the completion of the very decision task
    where it stands. ``previousStartedEventId`` is not trusted: after a timeout SWF does not promise what it is. A task that
    2.0.0 completed is no completion of what this run did, if it did what 2.0.0 would not have done.
    """
    if not events:
        return False
    runtime = run.runtime
    replayer = runtime.replayer
    expected = replayer.last_event_id + 1
    position = expected - events[0]["eventId"]
    if not 0 <= position < len(events) or events[position]["eventId"] != expected:
        return False
    for index in range(position, len(events)):
        event = events[index]
        if event["eventType"] == "DecisionTaskCompleted":
            completed = event["decisionTaskCompletedEventAttributes"]
            if runtime.is_unlike_2_0_0 and not names_rules(completed):
                return False
            return bool(completed["startedEventId"] == replayer.started_event_id)
    return False
