"""
The fibers of one run, and the order in which they go on (contract 7).

A *strand* is a fiber with what belongs to it: its number, its ids, what it waits for, the scopes it stands in. One queue
holds the strands that are ready, by the id of the event that made each ready, then by number. An interrupt (a cancel
request, a scope that is over) stands in the same queue: whichever of it and the end of the wait has the smaller event id wins,
and one that came second is raised at the next wait that suspends.
"""

import weakref
from collections.abc import Callable
from heapq import heappop, heappush
from operator import itemgetter
from typing import Any, Protocol

from ._fiber import Fiber, Spot, current, getcurrent
from .exceptions import WorkflowCanceledException
from .future import Future, Wait
from .replay.invocations import format_place


class Owner(Protocol):
    """Whose code runs in the fibers; it is what ``Fiber.owner`` is in each."""

    def enter(self) -> Any:
        """Raise unless the running fiber is calling."""


class Strand:
    """
    One fiber of a run.

    Attributes:
        number: 0 for the main one; spawned ones count from 1.
        prefix: what its ids start with: nothing, or ``fN.``.
        wait: what it waits for while it is parked.
        handles: the name of the signal that it handles, or None.
        scopes: the scopes and shields it stands in, outermost first.
        interrupts: what is to be raised in it, each behind the id of its event, in that order.
    """

    def __init__(self, number: int, function: Callable[[], None], owner: Any) -> None:
        self.number = number
        self.prefix = f"f{number}." if number else ""
        self.fiber = Fiber(function, owner)
        self.counters: dict[str, int] = {}
        self.chance: Any = None
        self.wait: Wait | None = None
        self.handles: str | None = None
        self.scopes: list[Any] = []
        self.interrupts: list[tuple[int, WorkflowCanceledException]] = []

    def due(self, event_id: int, *, until: int | None = None) -> WorkflowCanceledException | None:
        """
        Take out the first interrupt that no shield holds back; what was asked for in its scope meanwhile is canceled too.

        Args:
            event_id: at which event this happens.
            until: take none of a later event.
        """
        for index, (at, error) in enumerate(self.interrupts):
            if until is not None and at > until:
                break
            if not self._is_shielded(error):
                scope = getattr(error, "scope", None)
                if scope is not None:
                    scope.cancel_futures(event_id)
                del self.interrupts[index]
                return error
        return None

    def stack(self, wait: Wait) -> list[Spot]:
        """Return the author's spots where it is parked for that wait, innermost first; each wait is looked at once."""
        stack: list[Spot] | None = wait.stack
        if stack is None:
            stack = wait.stack = self.fiber.stack()
        return stack

    def let_go(self) -> None:
        """Forget what knows this strand: no rings for the collector."""
        if self.wait is not None:
            self.wait.what = self.wait.timer = None
            self.wait = None
        self.scopes.clear()

    def _is_shielded(self, error: WorkflowCanceledException) -> bool:
        """A shield holds back what comes from outside of it."""
        for scope in reversed(self.scopes):
            if scope is getattr(error, "scope", None):
                return False
            if scope.shields:
                return True
        return False


class Strands:
    """
    All strands of a run, and the loop that lets them go on.

    Args:
        owner: what the code in the fibers finds; it refuses callers that are not the running code.

    Attributes:
        running: the fiber whose code is running; None between steps and while a recorded value is made.
        current: its strand.
        now: the id of the event that made it ready.
        read_on: applies one more batch of a history that is replayed, and tells whether it could; None: there is none.
        main: the strand of ``run`` itself, until that is over.
        by_number: all strands that are not over.
    """

    def __init__(self, owner: Owner) -> None:
        self.running: Fiber | None = None
        self.current: Strand | None = None
        self.main: Strand | None = None
        self.now = 0
        self._owner = weakref.ref(owner)  # it holds this: no rings for the collector
        self.by_number: dict[int, Strand] = {}
        self._started = 0
        self._queued = 0
        self._ready: list[tuple[int, int, int, Strand, Wait | WorkflowCanceledException | None]] = []
        self.read_on: Callable[[], bool] | None = None
        self._predicates: dict[Wait, Callable[[], bool]] = {}
        self._lookers: list[Wait] = []

    def where(self) -> str | None:
        """Return ``file:line in function`` of where the main code is parked; None if it is not."""
        return None if self.main is None else format_place(self.main.fiber.where())

    # -- what code does ------------------------------------------------------------------------------------------------

    def start(self, function: Callable[[], None], event_id: int) -> Strand:
        """Queue a new strand; it is made ready by that event and never switched to from here."""
        strand = Strand(self._started, function, self._owner())
        if self._started == 0:
            self.main = strand
        self.by_number[strand.number] = strand
        self._started += 1
        self._queue(event_id, strand, None)
        return strand

    def refuse_if_closing(self) -> None:
        """Raise FiberClosed if one of these fibers is being closed and its code is calling."""
        fiber = current()
        if fiber is not None and fiber.closing and any(strand.fiber is fiber for strand in self.by_number.values()):
            fiber.refuse_closed()

    def _refuse(self) -> None:
        owner = self._owner()
        assert owner is not None, "whoever calls has a future of it"
        owner.enter()

    def park(self, wait: Wait) -> None:
        """
        Suspend the running strand until the wait is woken.

        Raises:
            WorkflowCanceledException: an interrupt is due.
            NotInWorkflowException: the caller is not the running code.
        """
        if getcurrent() is not self.running:
            self._refuse()
        strand: Strand = self.current  # type: ignore[assignment] # it is set with the running fiber
        if strand.interrupts:
            error = strand.due(self.now)
            if error is not None:
                raise error
        if self.read_on is None or not self._reads_on(wait):
            self._suspend(strand, wait)

    def await_one(self, future: Future[Any]) -> None:
        """
        Suspend the running strand until a future is done: what nearly all waits are for, and what a replay does most.

        Raises:
            WorkflowCanceledException, NotInWorkflowException: as ``park``.
        """
        if getcurrent() is not self.running:
            self._refuse()
        strand: Strand = self.current  # type: ignore[assignment] # it is set with the running fiber
        if strand.interrupts:
            error = strand.due(self.now)
            if error is not None:
                raise error
        read_on, ready, strands = self.read_on, self._ready, self.by_number
        if not (read_on is None or ready or len(strands) > 1 or self._predicates or self._lookers):
            while read_on is not None and read_on() and not ready and len(strands) == 1:
                if future._state is not None:  # noqa: SLF001 - a run settles
                    self.now = future._settled_at  # noqa: SLF001 - a run settles
                    return
                read_on = self.read_on
        wait = Wait()
        wait.what = future
        if future._state is None:  # noqa: SLF001 - a run settles
            future._waits += (wait,)  # noqa: SLF001 - a run settles
        else:
            wait.woken_at = future._settled_at  # noqa: SLF001 - a run settles
        self._suspend(strand, wait)

    def _suspend(self, strand: Strand, wait: Wait) -> None:
        wait.strand = strand
        strand.wait = wait
        if wait.woken_at is not None:
            self.wake(wait, wait.woken_at)
        strand.fiber.suspend()

    def _reads_on(self, wait: Wait) -> bool:
        """
        Let history go on right here while it only answers this wait: in a replay, that spares two switches a batch.

        Returns:
            True if the wait is over and the code may go on; False if it must be parked, for whatever reason.
        """
        if self._ready or len(self.by_number) > 1 or self._predicates or self._lookers:
            return False  # something else may want to go on first
        while wait.woken_at is None:
            if self.read_on is None or not self.read_on() or self._ready or len(self.by_number) > 1:
                return False
        self.now = wait.woken_at
        return True

    def park_to_look(self, wait: Wait) -> None:
        """Suspend the running strand until the next batch: only its code can see what it waits for."""
        self._lookers.append(wait)
        self.park(wait)

    def park_until(self, wait: Wait, predicate: Callable[[], bool]) -> None:
        """Suspend the running strand until a predicate holds, or the wait is woken."""
        self._predicates[wait] = predicate
        try:
            self.park(wait)
        finally:
            self._predicates.pop(wait, None)

    # -- what makes ready ----------------------------------------------------------------------------------------------

    def wake(self, wait: Wait, event_id: int) -> None:
        """Make the strand of a wait ready, if it still waits for that; one that is not parked yet goes on."""
        strand = wait.strand
        if strand is None:
            if wait.woken_at is None or event_id < wait.woken_at:
                wait.woken_at = event_id
        elif strand.wait is wait:
            self._queued += 1
            heappush(self._ready, (event_id, strand.number, self._queued, strand, wait))

    def _wake_lookers(self, event_id: int) -> None:
        """Make ready whoever waits for something that only the code itself can see."""
        lookers, self._lookers = self._lookers, []
        for wait in lookers:
            self.wake(wait, event_id)

    def interrupt(self, strand: Strand, event_id: int, error: WorkflowCanceledException) -> None:
        """Raise something in a strand: at its wait, or at the next one that suspends."""
        strand.interrupts.append((event_id, error))
        strand.interrupts.sort(key=itemgetter(0))  # those of one batch do not come in the order of their events
        self._queue(event_id, strand, error)

    def _queue(self, event_id: int, strand: Strand, why: Wait | WorkflowCanceledException | None) -> None:
        self._queued += 1
        heappush(self._ready, (event_id, strand.number, self._queued, strand, why))

    # -- the loop ------------------------------------------------------------------------------------------------------

    def run_ready(self, batch_event_id: int) -> None:
        """Let strands go on until none is ready; predicates are tried after each step, and once before the first."""
        if self._lookers:
            self._wake_lookers(batch_event_id)
        if self._predicates:
            self._try_predicates(batch_event_id)
        ready = self._ready
        while ready:
            event_id, _, _, strand, why = heappop(ready)
            error: BaseException | None = None
            if why is not strand.wait:
                if isinstance(why, Wait) or strand.wait is None or all(one is not why for _, one in strand.interrupts):
                    continue
                error = strand.due(event_id, until=event_id)
                if error is None:
                    continue
            strand.wait = None
            fiber = strand.fiber
            self.now, self.current, self.running = event_id, strand, fiber
            try:
                fiber.resume(error)
            finally:
                self.running = self.current = None
                if fiber.dead:
                    self._end(strand)
            if self.main is None:
                ready.clear()
                return
            if self._predicates:
                self._try_predicates(event_id)

    def _end(self, strand: Strand) -> None:
        del self.by_number[strand.number]
        strand.let_go()
        if strand is self.main:
            self.main = None

    def _try_predicates(self, event_id: int) -> None:
        for wait, predicate in list(self._predicates.items()):
            strand = wait.strand
            if strand is None or strand.wait is not wait:
                continue
            try:
                holds = predicate()
            except Exception as error:
                del self._predicates[wait]
                wait.error = error
                holds = True
            if holds:
                self.wake(wait, event_id)

    def outside(self, function: Callable[[], Any]) -> Any:
        """Call something in the running fiber that may ask nothing of the run."""
        fiber, self.running = self.running, None
        try:
            return function()
        finally:
            self.running = fiber

    def close(self) -> None:
        """Let go of all code, the youngest first."""
        self.running = None
        self._ready.clear()
        for strand in reversed(list(self.by_number.values())):
            strand.fiber.close()
            strand.let_go()
        self.by_number.clear()
        self.main = None
