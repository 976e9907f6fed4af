"""
Fibers: the only place that knows greenlets.

A fiber runs plain synchronous code until that code must wait; ``suspend`` then switches to whoever resumed it, and the
code's own frames stay as they are until the next ``resume``. Rules that keep this safe:

- One thread owns a fiber from birth to close; another thread, or a forked child, is refused.
- The parent is set at every resume: control always goes back to the caller of ``resume``, wherever that is.
- It starts in a copy of the caller's context, so that context variables set inside stay inside.
- Closing is never left to the garbage collector, which would run ``finally`` bodies on the stack of whoever dropped the last
  reference. ``close`` throws FiberClosed, a bounded number of times; code that swallows it every time is set aside.
"""

import logging
import os
import threading
from collections.abc import Callable
from contextvars import copy_context
from types import CodeType, FrameType
from typing import Any, Final

from greenlet import getcurrent, greenlet

logger = logging.getLogger("pyflow")

CLOSE_ATTEMPTS_MAX: Final = 5
ABANDONED_MAX: Final = 1_000
PACKAGE: Final = os.path.dirname(__file__) + os.sep  # noqa: PTH120 - compared with code objects' file names, which are str

_abandoned: list["Fiber"] = []
_fork_generation = 0


def _count_fork() -> None:
    global _fork_generation  # noqa: PLW0603 - one number a process, written only in the child of a fork
    _fork_generation += 1


os.register_at_fork(after_in_child=_count_fork)


class FiberClosed(BaseException):
    """
    Ends workflow code that is being closed: the run left this process's memory, nothing is wrong with the workflow.

    If you see this in your own ``except`` clause: it is caught by ``except BaseException`` or a bare ``except``; write
    ``except Exception`` instead, or raise it again. Whatever the code asks of pyflow from here on raises it anew.
    """


class Fiber(greenlet):
    """
    One run of a function that can park itself.

    Args:
        function: called without arguments, in the fiber, at the first resume.
        owner: whatever the code inside should find through ``current()``.
    """

    def __init__(self, function: Callable[[], None], owner: Any) -> None:
        super().__init__(self._body)
        self.gr_context = copy_context()
        self.owner = owner
        self.closing = False
        self._function = function
        self._thread_id = threading.get_ident()
        self._generation = _fork_generation

    def _body(self) -> None:
        try:
            self._function()
        except FiberClosed:
            if not self.closing:
                raise

    def resume(self, error: BaseException | None = None) -> bool:
        """
        Let the code run until it waits again or ends.

        Args:
            error: raised at the wait where the code stands; None: the wait returns.

        Returns:
            True if the code has ended.

        Raises:
            RuntimeError: another thread or another process owns the fiber.
            BaseException: what the code let out.
        """
        self._check_owner()
        self.parent = getcurrent()
        if error is None:
            self.switch()
        else:
            self.throw(error)
        return self.dead

    def suspend(self) -> None:
        """Park the code; called from inside. Returns, or raises what ``resume`` is given, when it is resumed."""
        if self.closing:
            raise FiberClosed
        parent = self.parent
        assert parent is not None
        parent.switch()

    def close(self) -> None:
        """
        End parked code: its ``finally`` and ``with`` bodies run now, with nothing left for them to ask of pyflow.

        What code raises on its way out is logged, not raised. Code that survives five times is set aside for good.

        Raises:
            RuntimeError: another thread or another process owns the fiber.
        """
        if self.dead:
            return
        self._check_owner()
        self.closing = True
        for _ in range(CLOSE_ATTEMPTS_MAX):
            self.parent = getcurrent()
            try:
                self.throw(FiberClosed())
            except Exception:
                logger.warning("workflow code raised while its fiber was closed", exc_info=True)
            if self.dead:
                return
        if len(_abandoned) < ABANDONED_MAX:
            _abandoned.append(self)
        logger.error(
            "workflow code at %s swallowed its closing %d times and is set aside with what it holds; "
            "catch Exception there, not BaseException, and do not wait in a finally",
            self.where(),
            CLOSE_ATTEMPTS_MAX,
        )

    def where(self) -> str | None:
        """Return ``file:line in function`` of the innermost frame of the author's where the code is parked."""
        place = caller(self.gr_frame) if self.gr_frame is not None else None
        return None if place is None else f"{place[0]}:{place[1]} in {place[2]}"

    def _check_owner(self) -> None:
        if threading.get_ident() != self._thread_id or self._generation != _fork_generation:
            raise RuntimeError(
                "a run's fiber is used by one thread of one process from its start to its close; "
                "this is another thread, or a process forked since"
            )


def current() -> Fiber | None:
    """Return the fiber whose code is calling, or None outside of any."""
    here = getcurrent()
    return here if isinstance(here, Fiber) else None


def caller(frame: FrameType | None) -> tuple[str, int, str] | None:
    """Return ``(file, line, function)`` of the nearest frame, from ``frame`` outwards, that is not pyflow's own."""
    while frame is not None:
        code: CodeType = frame.f_code
        if not code.co_filename.startswith(PACKAGE):
            return code.co_filename, frame.f_lineno, code.co_qualname
        frame = frame.f_back
    return None
