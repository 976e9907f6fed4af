"""
Fibers: the only place that knows greenlets.

A fiber runs plain synchronous code until that code must wait; ``suspend`` then switches to whoever resumed it, and the
code's own frames stay as they are until the next ``resume``. Rules that keep this safe:

- One thread owns a fiber from birth to close; another thread, or a forked child, is refused.
- The parent is set at every resume: control always goes back to the caller of ``resume``, wherever that is.
- It starts in a copy of the caller's context, so that context variables set inside stay inside; so does what is set on the
  decimal context, which is an object that copies of a context share.
- Closing is never left to the garbage collector, which would run ``finally`` bodies on the stack of whoever dropped the last
  reference. ``close`` throws FiberClosed, a bounded number of times; code that swallows it every time is set aside.
"""

import decimal
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextvars import copy_context
from functools import cache
from threading import get_ident
from types import CodeType, FrameType
from typing import Any, Final, TypeVar

from greenlet import getcurrent, greenlet

from .replay.invocations import Place, format_place

__all__ = ["PACKAGE", "Fiber", "FiberClosed", "Spot", "caller", "current", "getcurrent", "in_fiber"]

logger = logging.getLogger("pyflow")

T = TypeVar("T")

CLOSE_ATTEMPTS_MAX: Final = 5
REFUSALS_MAX: Final = 100
ABANDONED_MAX: Final = 1_000
SPOTS_MAX: Final = 10_000
PACKAGE: Final = os.path.dirname(__file__) + os.sep  # noqa: PTH120 - compared with code objects' file names, which are str


_OWN: Final = __name__.partition(".")[0]
_BELOW: Final = f"{_OWN}.run"
"""The module that calls the author's code: below a frame of it there is none of theirs in a fiber."""
_spots: dict[tuple[str, str, int, int], "Spot"] = {}
_abandoned: list["Fiber"] = []
_fork_generation = 0


@cache
def _is_own(name: str | None) -> bool:
    """
    Tell by a module's name whether it is pyflow's own.

    A frame's code would tell as well, but each look at that is an audit event, and the guard for determinism hears them all.
    """
    return name is not None and (name == _OWN or name.startswith(f"{_OWN}."))


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


class Spot:
    """
    An instruction of the author's where code is parked: one object for each, so that what is found out about it stays known.

    Attributes:
        place: the code object and the offset of the instruction.
        text: ``file:line in function``.
        blocks: the ``with`` blocks around it, as the guard has found them; None: nobody has looked.
    """

    __slots__ = ("blocks", "place", "text")

    def __init__(self, place: Place) -> None:
        self.place = place
        self.text = format_place(place)
        self.blocks: tuple[Any, ...] | None = None


def _spot(code: CodeType, offset: int) -> Spot:
    key = (code.co_filename, code.co_qualname, code.co_firstlineno, offset)  # a code's own hash reads all of it
    spot = _spots.get(key)
    if spot is None or spot.place[0] is not code:
        if len(_spots) >= SPOTS_MAX:
            _spots.clear()
        spot = _spots[key] = Spot((code, offset))
    return spot


def _over() -> None:
    """Stand for a fiber's function once it has begun."""


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
        self._refusals = 0
        self._function = function
        self._thread_id = get_ident()
        self._generation = _fork_generation

    def _body(self) -> None:
        decimal.setcontext(decimal.getcontext().copy())
        function, self._function = self._function, _over  # it may know this fiber: no rings for the collector
        try:
            function()
        except FiberClosed:
            if not self.closing:
                raise

    def resume(self, error: BaseException | None = None) -> None:
        """
        Let the code run until it waits again or ends.

        Args:
            error: raised at the wait where the code stands; None: the wait returns.

        Raises:
            RuntimeError: another thread or another process owns the fiber.
            BaseException: what the code let out.
        """
        if get_ident() != self._thread_id or self._generation != _fork_generation:
            self._refuse_stranger()
        self.parent = getcurrent()
        if error is None:
            self.switch()
        else:
            self.throw(error)

    def suspend(self) -> None:
        """Park the code; called from inside. Returns, or raises what ``resume`` is given, when it is resumed."""
        if self.closing:
            self.refuse_closed()
        self.parent.switch()  # type: ignore[union-attr] # resume has set it

    def refuse_closed(self) -> None:
        """
        Raise FiberClosed at code that asks for something while it is being closed.

        Code that swallows it and asks again, in a loop, would spin here for ever: after some times it is left where it stands.
        """
        self._refusals += 1
        while self._refusals > REFUSALS_MAX:
            self.parent.switch()  # type: ignore[union-attr] # close has set it, and will not come back more than five times
        raise FiberClosed

    def close(self) -> None:
        """
        End parked code: its ``finally`` and ``with`` bodies run now, with nothing left for them to ask of pyflow.

        What code raises on its way out is logged, not raised. Code that survives five times is set aside for good.

        Raises:
            RuntimeError: another thread or another process owns the fiber.
        """
        if self.dead:
            return
        if get_ident() != self._thread_id or self._generation != _fork_generation:
            self._refuse_stranger()
        self.closing = True
        for _ in range(CLOSE_ATTEMPTS_MAX):
            self.parent = getcurrent()
            try:
                self.throw(FiberClosed())
            except FiberClosed:  # it was never started: there was nothing to end
                return
            except Exception:
                logger.warning("workflow code raised while its fiber was closed", exc_info=True)
            if self.dead:
                return
        if len(_abandoned) < ABANDONED_MAX:
            _abandoned.append(self)
        logger.error(
            "workflow code at %s swallowed its closing %d times and is set aside with what it holds; "
            "catch Exception there, not BaseException, and do not wait in a finally",
            format_place(self.where()),
            CLOSE_ATTEMPTS_MAX,
        )

    def where(self) -> Place | None:
        """Return the innermost place of the author's where the code is parked; see ``caller``."""
        return caller(sys._getframe(1) if getcurrent() is self else self.gr_frame)  # noqa: SLF001 - CPython's own name for it

    def stack(self) -> list[Spot]:
        """Return all spots of the author's, innermost first, where the code is parked."""
        spots = []
        frame = self.gr_frame
        while frame is not None:
            name = frame.f_globals.get("__name__")
            if not _is_own(name):
                spots.append(_spot(frame.f_code, frame.f_lasti))
            elif name == _BELOW:
                break
            frame = frame.f_back
        return spots

    def frames(self) -> Iterator[FrameType]:
        """Yield the frames of the author's, innermost first, where the code is parked."""
        frame = self.gr_frame
        while frame is not None:
            name = frame.f_globals.get("__name__")
            if not _is_own(name):
                yield frame
            elif name == _BELOW:
                return
            frame = frame.f_back

    def _refuse_stranger(self) -> None:
        raise RuntimeError(
            "a run's fiber is used by one thread of one process from its start to its close; "
            "this is another thread, or a process forked since"
        )


def in_fiber(function: Callable[[], T], owner: Any) -> T:
    """Call a function that does not wait in a fiber of its own, so that it finds the owner; raises what it raises."""
    results: list[T] = []
    Fiber(lambda: results.append(function()), owner).resume()
    return results[0]


def current() -> Fiber | None:
    """Return the fiber whose code is calling, or None outside of any."""
    here = getcurrent()
    return here if isinstance(here, Fiber) else None


def caller(frame: FrameType | None) -> Place | None:
    """Return the code object and the instruction of the nearest frame, from ``frame`` outwards, that is not pyflow's own."""
    while frame is not None:
        if not _is_own(frame.f_globals.get("__name__")):
            return frame.f_code, frame.f_lasti
        frame = frame.f_back
    return None
