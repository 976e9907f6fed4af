"""
The threads in which bodies run and answers are given. A thread that has done one thing does the next: to start one takes longer
than many a body.
"""

import threading
from collections.abc import Callable
from contextvars import Context
from typing import Any


class Threads:
    """As many threads as are needed at once; they end with ``close``, or with the process."""

    def __init__(self) -> None:
        self._free: list[_Reused] = []
        self._closed = False

    def run(self, name: str, work: Callable[..., Any], *args: Any) -> None:
        """
        Do something in a thread that has nothing else to do; does not wait.

        Args:
            name: of the thread, for as long.
            work: raises nothing. It begins with an empty context, as in a new thread.
            args: what it is called with.
        """
        try:
            thread = self._free.pop()
        except IndexError:
            thread = _Reused(self._done)
            thread.start()
        thread.do(name, work, args)

    def close(self) -> None:
        """End the threads that have nothing to do, and the others after what they do."""
        self._closed = True
        self._end_free()

    def _done(self, thread: "_Reused") -> None:
        # First into the list, then the look: so whichever comes later, this or ``close``, ends the thread.
        self._free.append(thread)
        if self._closed:
            self._end_free()

    def _end_free(self) -> None:
        while self._free:
            try:
                thread = self._free.pop()
            except IndexError:
                return
            thread.do("", None, ())


class _Reused(threading.Thread):
    """One of them; told what to do by whoever took it out of the list."""

    def __init__(self, done: Callable[["_Reused"], None]) -> None:
        super().__init__(name="pyflow-free", daemon=True)
        self._done = done
        self._task: tuple[str, Callable[..., Any] | None, tuple[Any, ...]] = ("", None, ())
        self._given = threading.Lock()
        self._given.acquire()

    def do(self, name: str, work: Callable[..., Any] | None, args: tuple[Any, ...]) -> None:
        self._task = (name, work, args)
        self._given.release()

    def run(self) -> None:
        while True:
            self._given.acquire()
            name, work, args = self._task
            if work is None:
                return
            self.name = name
            Context().run(work, *args)
            self._task = ("", None, ())
            del work, args
            self.name = "pyflow-free"
            self._done(self)
