"""
One task under way: its body's attempts here, why it should stop, and who may answer for it.
"""

import random
import time
from collections.abc import Callable
from threading import Event, Lock
from typing import Any

from pyflow.activities import Activity
from pyflow.converter import DataConverter
from pyflow.tasks import ActivityTask

from .bodies import Outcome, Surround, failure_of


class Performance:
    """
    A task that a worker has taken.

    Args:
        activity: its type.
        domain: where the task is from.
        task: it, as the body sees it.
        input: the task's text as it came, or None.
        converter: what values become on their way.
        surround: what each attempt of the body is run in.

    Attributes:
        since_s: when it was taken, on the monotonic clock.
        over: whether the body should stop.
    """

    def __init__(
        self,
        activity: Activity[..., Any],
        domain: str,
        task: ActivityTask,
        input: str | None,
        converter: DataConverter,
        surround: Surround,
    ) -> None:
        self.activity = activity
        self.domain = domain
        self.task = task
        self.input = input
        self.converter = converter
        self.surround = surround
        self.since_s = time.monotonic()
        self.over = False
        self._stops: list[Callable[[], None]] = []
        self._answered = False
        self._lock = Lock()
        task.pulse.on_over = self._stop

    def on_stop(self, stop: Callable[[], None]) -> None:
        """Call something as soon as the body should stop; at once if it should already."""
        with self._lock:
            if not self.over:
                self._stops.append(stop)
                return
        stop()

    def wait(self, seconds: float) -> bool:
        """Wait so long, or until the body should stop; return whether it should."""
        if seconds > 0:
            over = Event()
            self.on_stop(over.set)
            over.wait(seconds)
        return self.over

    def claim(self) -> bool:
        """Take the right to answer; False if somebody has it: a task is answered once."""
        with self._lock:
            taken, self._answered = self._answered, True
        return not taken

    def pause_s(self, outcome: Outcome) -> float | None:
        """
        Return how long to wait before the body is tried again here; None: this outcome stands.

        The policy is asked about the exception that the workflow would see.
        """
        side = self.activity.worker_side
        if side.retry is None or outcome.how != "FAILED" or self.task.pulse.over:
            return None
        failure = failure_of(outcome, self.task)
        pause_s = side.retry.pause_s(self.task.attempt_in_worker, random, failure)
        begins_s = time.monotonic() - self.since_s + pause_s
        if not side.retry.wants(failure, self.task.attempt_in_worker, begins_s):
            return None
        if side.start_to_close_s is not None and begins_s >= side.start_to_close_s:
            return None  # SWF would have ended the task by then, and nobody would hear of the failure
        self.task.attempt_in_worker += 1
        return pause_s

    def until_done(self, attempt: Callable[[], Outcome], wait: Callable[[float], object]) -> Outcome:
        """Run attempts in the calling thread until an outcome stands."""
        while True:
            outcome = attempt()
            pause_s = self.pause_s(outcome)
            if pause_s is None:
                return outcome
            wait(pause_s)
            if self.task.pulse.over:
                return outcome

    def __str__(self) -> str:
        return f"{self.task.activity_id} ({self.activity.name}) of {self.task.workflow_id}"

    def _stop(self) -> None:
        with self._lock:
            self.over = True
            stops, self._stops = self._stops, []
        for stop in stops:
            stop()
