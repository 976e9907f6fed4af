"""The calls that wait to be run, and the bell by which the service's own thread sleeps."""

import threading
from collections import deque
from typing import Final

from .calls import Call

GROUP_MAX: Final = 256


class Inbox:
    """Calls that nobody has taken yet. Any thread may use it; only one sleeps."""

    def __init__(self) -> None:
        self._calls: deque[Call] = deque()
        self._bell = threading.Lock()
        self._bell.acquire()

    def __bool__(self) -> bool:
        """Whether calls wait."""
        return bool(self._calls)

    def put(self, call: Call) -> None:
        """Let a call wait; wakes nobody."""
        self._calls.append(call)

    def take(self) -> list[Call]:
        """Take out the calls that are next, in their order: one group."""
        calls = self._calls
        return [calls.popleft() for _ in range(min(len(calls), GROUP_MAX))]

    def ring(self) -> None:
        """Wake the sleeper; where it does not sleep, it will not begin to."""
        try:  # noqa: SIM105 - called for each call over HTTP, and cheaper so
            self._bell.release()
        except RuntimeError:  # it rings already
            pass

    def sleep(self, seconds: float) -> None:
        """Wait for the bell, for so long at most."""
        self._bell.acquire(timeout=seconds)
