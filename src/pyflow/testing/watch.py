"""
A limit for workflow code that neither waits nor ends: it is interrupted, and the line where it spins is named.

What counts is the processor time of the thread, so that a slow machine does not matter; and a thread that stands in a
debugger is left alone.
"""

import ctypes
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pyflow._fiber import PACKAGE
from pyflow.exceptions import PyflowException
from pyflow.frames import frame_of
from pyflow.replay.invocations import format_place

__all__ = ["SPIN_S", "Spinning", "SpinningException", "too_long", "watched"]

SPIN_S: Final = 5.0
"""Seconds of processor time that the code of one decision may take."""

LOOK_S: Final = 0.25
DEBUGGERS: Final = frozenset({"pdb", "bdb", "pydevd", "_pydevd_bundle", "debugpy", "IPython"})


STACK_MAX: Final = 10


class SpinningException(PyflowException):
    """
    Workflow code neither waits nor ends.

    Args:
        message: what spins.
        where: ``file:line in function``, when it was interrupted.
    """

    def __init__(self, message: str, where: str | None) -> None:
        self.where = where
        super().__init__(message)


def too_long(what: str, limit_s: float, stack: list[str]) -> SpinningException:
    """
    Return the exception for code that was interrupted.

    Args:
        what: whose code it is, for people.
        limit_s: seconds of processor time that it had.
        stack: where it was interrupted, innermost first.
    """
    return SpinningException(
        f"{what} neither waits nor ends: its code ran for {limit_s:g} s of processor time in one decision, and was interrupted. "
        f"A loop in workflow code must wait for something (self.swf.sleep, a result, a signal) or end; long work belongs into "
        f"an activity.\n  it spins at " + "\n    called at ".join(stack[:STACK_MAX]),
        stack[0],
    )


class Spinning(KeyboardInterrupt):
    """Raised in workflow code that is over its limit. Like an interrupt, so that no outcome of the workflow is made of it."""


class _Step:
    """One stretch of workflow code that is watched."""

    def __init__(self, limit_s: float) -> None:
        self.thread_id = threading.get_ident()
        clock_of = getattr(time, "pthread_getcpuclockid", None)
        self._clock = clock_of(self.thread_id) if clock_of is not None else time.CLOCK_MONOTONIC
        self._until_s = time.clock_gettime(self._clock) + limit_s
        self.stack: list[str] = []

    def look(self) -> None:
        """Interrupt the code, if it is over its limit."""
        if self.stack or time.clock_gettime(self._clock) < self._until_s:
            return
        places = []
        frame = frame_of(self.thread_id)
        while frame is not None:
            if str(frame.f_globals.get("__name__", "")).partition(".")[0] in DEBUGGERS:
                return
            if not frame.f_code.co_filename.startswith(PACKAGE):
                places.append(format_place((frame.f_code, frame.f_lasti)) or "")
            frame = frame.f_back
        self.stack = places or ["code of pyflow's own"]
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self.thread_id), ctypes.py_object(Spinning))


_lock = threading.Lock()
_steps: set[_Step] = set()
_wanted = threading.Event()
_thread: threading.Thread | None = None


def _look_around() -> None:
    while True:
        _wanted.wait()
        time.sleep(LOOK_S)
        with _lock:
            for step in _steps:
                step.look()
            if not _steps:
                _wanted.clear()


@contextmanager
def watched(limit_s: float) -> Iterator[_Step]:
    """
    Watch the block: code in it that takes more than so many seconds of processor time is interrupted.

    Raises:
        Spinning: it was; the step's ``stack`` says where, each ``file:line in function``, innermost first.
    """
    global _thread  # noqa: PLW0603 - one thread a process
    step = _Step(limit_s)
    with _lock:
        _steps.add(step)
        if _thread is None or not _thread.is_alive():
            _thread = threading.Thread(target=_look_around, name="pyflow-flow-watch", daemon=True)
            _thread.start()
    _wanted.set()
    try:
        yield step
    finally:
        with _lock:
            _steps.discard(step)
        if step.stack and not isinstance(sys.exc_info()[1], Spinning):
            for _ in range(1_000):  # it was interrupted just now, and the interpreter has yet to notice
                pass
