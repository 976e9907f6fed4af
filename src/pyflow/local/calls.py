"""One call on its way through the service: what it asks, who waits for it, and what it got."""

import threading
from collections.abc import Callable
from typing import Any, NamedTuple

from msgspec import Struct

from .tasklists import ListKey

Alive = Callable[[], bool]


class Context(Struct, frozen=True):
    """
    What an operation knows of its caller and the moment.

    ``at`` is in milliseconds since the epoch; ``region`` is for ARNs; ``alive`` says, at any time, whether the caller is
    still there (its thread runs, its connection is open).
    """

    at: int
    region: str
    alive: Alive


Work = Callable[[Context], Any]


class Wait(NamedTuple):
    """What an operation gives instead of a reply where nothing is there yet: the task list to wait at, and the empty reply."""

    key: ListKey
    empty: dict[str, Any]


class Call:
    """
    A call: what it asks for, and what it got. Who waits for it, and how, is its subclass's.

    Args:
        work: the operation, run by whoever works at the engine.
        region: for ARNs.
        alive: says, at any time, whether the caller is still there.

    ``abandoned`` is set, by any thread, when the caller is gone; then no task is given to it. ``waits_at`` and ``empty`` are the
    service's notes while it waits for a task.
    """

    __slots__ = ("abandoned", "alive", "empty", "expires_s", "fault", "region", "reply", "waits_at", "work")

    def __init__(self, work: Work, region: str, alive: Alive) -> None:
        self.work = work
        self.region = region
        self.alive = alive
        self.reply: Any = None
        self.fault: BaseException | None = None
        self.abandoned = False
        self.waits_at: ListKey | None = None
        self.empty: dict[str, Any] = {}
        self.expires_s = 0.0

    def finish(self) -> None:
        """Tell whoever waits. Called once, after what the call did is durable; here nobody does."""


class AwaitedCall(Call):
    """A call that a thread waits for."""

    __slots__ = ("_done",)

    def __init__(self, work: Work, region: str) -> None:
        super().__init__(work, region, threading.current_thread().is_alive)
        self._done = threading.Lock()
        self._done.acquire()

    def finish(self) -> None:
        """Wake the thread."""
        self._done.release()

    def result(self) -> Any:
        """
        Wait for the reply.

        Raises:
            ServiceFault: what the service answered.
        """
        try:
            self._done.acquire()
        except BaseException:
            self.abandoned = True
            raise
        if self.fault is not None:
            raise self.fault
        return self.reply
