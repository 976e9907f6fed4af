"""
The threads in which bodies run and answers are given. A thread that has done one thing does the next: to start one takes longer
than many a body, and so does it to wake one.
"""

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from typing import Any, Final, NamedTuple

FREE: Final = "pyflow-free"


class _Job(NamedTuple):
    name: str
    work: Callable[..., Any]
    args: tuple[Any, ...]


class Threads:
    """
    As many threads as are needed at once; they end with ``close``, or with the process.

    One at most is on its way to what waits, and calls the next before it begins. So a crowd of things that take long is soon done
    in as many threads, and one of things that take no time in a few.
    """

    def __init__(self) -> None:
        self._waiting: deque[_Job] = deque()
        self._free: list[_Reused] = []
        self._coming: _Reused | None = None
        self._closed = False
        self._lock = threading.Lock()

    def run(self, name: str, work: Callable[..., Any], *args: Any) -> None:
        """
        Do something in a thread that has nothing else to do; does not wait.

        Args:
            name: of the thread, for as long.
            work: raises nothing. It begins with an empty context, as in a new thread.
            args: what it is called with.

        Raises:
            RuntimeError: no more threads can be started. It is done all the same, once one is free.
        """
        with self._lock:
            self._waiting.append(_Job(name, work, args))
            other = self._next_to_come()
        self._call(other)

    def close(self) -> None:
        """End the threads that have nothing to do, and the others after what they do."""
        with self._lock:
            self._closed = True
            free, self._free = self._free, []
        for thread in free:
            thread.come()

    def next_for(self, thread: "_Reused") -> _Job | None:
        """Return what a thread is to do; None: nothing, until it is called again."""
        with self._lock:
            if self._coming is thread:
                self._coming = None
            if not self._waiting:
                if not self._closed:
                    self._free.append(thread)
                return None
            job = self._waiting.popleft()
            other = self._next_to_come()
        with suppress(RuntimeError):
            self._call(other)
        return job

    @property
    def closed(self) -> bool:
        """Whether a thread that has nothing to do is to end."""
        return self._closed

    def _next_to_come(self) -> "_Reused | None":
        if self._coming is None and self._waiting:
            self._coming = self._free.pop() if self._free else _Reused(self)
            return self._coming
        return None

    def _call(self, thread: "_Reused | None") -> None:
        if thread is None:
            return
        try:
            thread.come()
        except RuntimeError:
            self._coming = None
            raise


class _Reused(threading.Thread):
    """One of them."""

    def __init__(self, threads: Threads) -> None:
        super().__init__(name=FREE, daemon=True)
        self._threads = threads
        self._called = threading.Lock()
        self._called.acquire()

    def come(self) -> None:
        """Have it look for what to do."""
        if self.ident is None:
            self.start()
        else:
            self._called.release()

    def run(self) -> None:
        while True:
            job = self._threads.next_for(self)
            if job is not None:
                self.name = job.name
                Context().run(job.work, *job.args)
                del job
            elif self._threads.closed:
                return
            else:
                self.name = FREE
                self._called.acquire()
