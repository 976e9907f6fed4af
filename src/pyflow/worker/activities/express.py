"""
A poller that needs no thread while all goes well, where the client takes calls that nobody waits for.

The thread that calls ``next`` posts a poll, and sleeps. A task that comes is begun right where the service gives the reply, and
the next poll is posted there. The thread wakes for what ends this chain: a task beside which there is no room for another, or a
poll that came empty or failed.
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


class Express(Poller):
    """
    A poller whose ``next`` gives the task of the last of its polls: those before it were begun on the way.

    Args:
        client: one that can post.
        request: PollForActivityTask's members.
        goes_on: begins a task if another poll may follow at once; else it does nothing, and gives False. It neither waits nor
            raises.
        stop, backoff_max_s: as for every poller. Whoever sets ``stop`` calls ``withdraw`` after it.
    """

    def __init__(
        self,
        client: Client,
        request: dict[str, Any],
        goes_on: Callable[[Task], bool],
        stop: Event,
        *,
        backoff_max_s: float,
    ) -> None:
        super().__init__(self._ride, stop, backoff_max_s=backoff_max_s)
        self._client = client
        self._request = request
        self._goes_on = goes_on
        self._last: SimpleQueue[Reply] = SimpleQueue()
        self._open: list[Posted] = []
        self._alive: Callable[[], bool] = bool

    def withdraw(self) -> None:
        """Let a poll that waits for a task come back empty; any thread may call it."""
        for posted in self._open:
            posted.withdraw()

    def _ride(self) -> Task | None:
        self._alive = threading.current_thread().is_alive
        self._post()
        task = self._last.get()()
        return task if task.get("taskToken") else None

    def _post(self) -> None:
        # A list of its own for each poll: where ``post`` runs this one and those after it, theirs is not overwritten.
        opened = self._open = []
        opened += self._client.post(Post("PollForActivityTask", self._request, self._done, self._alive))
        if self._stop.is_set():
            self.withdraw()

    def _done(self, reply: Reply) -> None:
        """Begin the task and poll on; whatever else it is, is for the thread."""
        try:
            self._go_on(reply)
        except Exception as error:
            # Also what keeps the next poll from being posted: the thread would wait for it for ever.
            self._last.put(partial(_raise, error))

    def _go_on(self, reply: Reply) -> None:
        task = reply()
        if not task.get("taskToken") or self._stop.is_set() or not self._goes_on(task):
            self._last.put(lambda: task)
            return
        self.end(lambda: task)
        self.begin()
        self._post()


def _raise(error: Exception) -> Task:
    raise error
