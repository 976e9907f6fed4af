"""
Room for bodies, and the pace at which they begin.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from threading import Condition, Event, Lock
from typing import Final

from pyflow.activities import Executor

LOOK_S: Final = 0.25
"""How soon a wait for room sees that the worker is to stop. It is not told: ``stop`` may be called where no lock may be taken."""


class Slots:
    """
    How many bodies each executor may still begin.

    Nobody knows before a poll for which executor its task will be. So a poll takes a slot of each beforehand, and gives those
    of the others back: no task is ever taken that has to wait for room.

    Args:
        sizes: the number of slots by executor.
    """

    def __init__(self, sizes: Mapping[Executor, int]) -> None:
        self.sizes = dict(sizes)
        self._free = dict(sizes)
        self._changed = Condition()

    def take(self, stop: Event, while_waiting: Callable[[], None] = lambda: None) -> bool:
        """
        Take a slot of each executor as soon as all have one; False if ``stop`` was set before.

        Args:
            stop: ends the wait.
            while_waiting: called again and again meanwhile; what it raises ends the wait.
        """
        with self._changed:
            while not stop.is_set():
                if self._has_taken():
                    return True
                self._changed.wait(LOOK_S)
                while_waiting()
        return False

    def take_at_once(self) -> bool:
        """Take a slot of each executor if all have one now."""
        with self._changed:
            return self._has_taken()

    def _has_taken(self) -> bool:
        if not all(self._free.values()):
            return False
        for executor in self._free:
            self._free[executor] -= 1
        return True

    def give_back(self, executors: Iterable[Executor]) -> None:
        """Give back a slot of each of these executors."""
        with self._changed:
            for executor in executors:
                self._free[executor] += 1
            self._changed.notify()  # with one slot more of each of them, at most one can take a slot of each


class Pace:
    """
    At most so many starts in a second, evenly spaced.

    Args:
        per_second: None: no limit.
    """

    def __init__(self, per_second: float | None) -> None:
        self._interval_s = 0.0 if per_second is None else 1 / per_second
        self._next_s = 0.0
        self._lock = Lock()

    @property
    def is_free(self) -> bool:
        """Whether there is no limit."""
        return not self._interval_s

    def wait_s(self) -> float:
        """Return the seconds until the next start may be, without taking it."""
        return max(0.0, self._next_s - time.monotonic())

    def take(self) -> float:
        """Take the next start, and return the seconds until then."""
        if self.is_free:
            return 0.0
        with self._lock:
            now_s = time.monotonic()
            start_s = max(now_s, self._next_s)
            self._next_s = start_s + self._interval_s
            return start_s - now_s
