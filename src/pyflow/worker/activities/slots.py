"""
Room for bodies, and the pace at which they begin.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from threading import Event, Lock
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
        self._waiting: deque[Callable[[], object]] = deque()
        self._lock = Lock()

    def take(self, then: Callable[[], object]) -> bool:
        """
        Take a slot of each executor if all have one now.

        Args:
            then: called where they have not: once a slot of each is taken for it, by whoever gives the last of them back.
        """
        with self._lock:
            if self._has_taken():
                return True
            self._waiting.append(then)
        return False

    def forgo(self, then: Callable[[], object]) -> bool:
        """Let ``then`` wait no more; False if it does not, and its slots may be taken."""
        with self._lock:
            if then in self._waiting:
                self._waiting.remove(then)
                return True
        return False

    def wait(self, stop: Event) -> bool:
        """Take a slot of each executor as soon as all have one; False if ``stop`` was set before."""
        if stop.is_set():
            return False
        taken = Event()
        if self.take(taken.set):
            return True
        while not taken.wait(LOOK_S):
            if stop.is_set() and self.forgo(taken.set):
                return False
        if stop.is_set():
            self.give_back(self.sizes)
            return False
        return True

    def give_back(self, executors: Iterable[Executor]) -> None:
        """Give back a slot of each of these executors."""
        then = None
        with self._lock:
            for executor in executors:
                self._free[executor] += 1
            # Who waits does so for lack of a slot of some executor: with one more of each, there is room for one of them at most.
            if self._waiting and self._has_taken():
                then = self._waiting.popleft()
        if then is not None:
            then()

    def _has_taken(self) -> bool:
        if not all(self._free.values()):
            return False
        for executor in self._free:
            self._free[executor] -= 1
        return True


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
