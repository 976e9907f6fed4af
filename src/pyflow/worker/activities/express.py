"""
A poller that needs no thread while all goes well, where the client takes calls that nobody waits for.

The thread that calls ``next`` sleeps. A task that comes is begun right where the service gives the reply, and the next poll is
posted there if there is room for another body; if not, whoever gives room back posts it. The thread wakes for what ends this
chain: a poll that came empty or failed, a task that it is to begin itself, or the worker's end.
"""

import threading
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from threading import Event
from typing import Any

from pyflow.swf.client import Client
from pyflow.swf.posts import Post, Posted, Reply
from pyflow.worker.polling import Poller, Task

from .slots import Slots


class Express(Poller):
    """
    A poller that takes the slots for its tasks itself, and whose ``next`` gives the task that ends the chain, if one does.

    Args:
        client: one that can post.
        request: PollForActivityTask's members.
        slots: a slot of each executor goes with each task.
        begins: begins a task if another poll may follow as soon as there is room; else it does nothing, and gives False. It
            neither waits nor raises.
        stop, backoff_max_s: as for every poller. Whoever sets ``stop`` calls ``withdraw`` after it.
    """

    def __init__(
        self,
        client: Client,
        request: dict[str, Any],
        slots: Slots,
        begins: Callable[[Task], bool],
        stop: Event,
        *,
        backoff_max_s: float,
    ) -> None:
        super().__init__(self._ride, stop, backoff_max_s=backoff_max_s)
        self._client = client
        self._slots = slots
        self._begins = begins
        self._last: SimpleQueue[Callable[[], Task | None]] = SimpleQueue()
        self._open: list[Posted] = []
        self._call = Post("PollForActivityTask", request, self._done, bool)

    def withdraw(self) -> None:
        """Wait no more for room, and let a poll that waits for a task come back empty; any thread may call it."""
        if self._slots.forgo(self._post):
            self._last.put(_nothing)
            return
        for posted in self._open:
            posted.withdraw()

    def _ride(self) -> Task | None:
        self._call.alive = threading.current_thread().is_alive
        self._go_on()
        return self._last.get()()

    def _go_on(self) -> None:
        """Post a poll as soon as there is room."""
        if self._slots.take(self._post):
            self._post()
        elif self._stop.is_set():
            self.withdraw()

    def _post(self) -> None:
        """Post a poll, for which there is room."""
        if self._stop.is_set():
            self._last.put(self._without_task)
            return
        # A list of its own for each poll: where ``post`` runs this one and those after it, theirs is not overwritten.
        opened = self._open = []
        try:
            opened += self._client.post(self._call)
        except Exception as error:
            # The thread would wait for this poll for ever.
            self._last.put(partial(self._without_task, error))
        if self._stop.is_set():
            self.withdraw()

    def _done(self, reply: Reply) -> None:
        """Begin the task and poll on; whatever else it is, is for the thread."""
        try:
            task = reply()
        except Exception as error:
            self._last.put(partial(self._without_task, error))
            return
        if not task.get("taskToken"):
            self._last.put(self._without_task)
        elif not self._begins(task):
            self._last.put(lambda: task)
        else:
            self.end(lambda: task)
            self.begin()
            self._go_on()

    def _without_task(self, error: Exception | None = None) -> None:
        """
        Give back the room of a poll that brought nothing.

        In the thread: where the poll that gets the room fails at once, and the one that gets it then, they do not pile up on one
        stack.
        """
        self._slots.give_back(self._slots.sizes)
        if error is not None:
            raise error


def _nothing() -> None:
    """Let the thread go."""
