"""
Scopes: a block of workflow code that can be canceled as a whole, and shields against that.

Source: Nathaniel J. Smith, "Timeouts and cancellation for humans" (2018), for the semantics of nested scopes.
"""

from datetime import timedelta
from types import TracebackType
from typing import Any, Protocol, Self

from .exceptions import InvocationCanceledException, WorkflowCanceledException
from .future import Future
from .strands import Strand


class Owner(Protocol):
    """What scopes ask of their run."""

    def enter(self) -> Any:
        """Raise NotInWorkflowException unless this run's own fiber is calling; give its strand."""

    def start_timeout(self, seconds: float | timedelta) -> Future[None]:
        """Start a timer with an id ``timeoutN``."""

    def cancel_timer(self, future: Any) -> None:
        """Take back a timer that the engine no longer needs."""

    def interrupt(self, strand: Strand, event_id: int, error: WorkflowCanceledException) -> None:
        """Raise something in a strand."""

    @property
    def now(self) -> int:
        """The id of the event that made the running strand ready."""


class ScopeCanceledException(WorkflowCanceledException):
    """A scope was canceled, by its timeout or by ``cancel``. Its own ``with`` block ends it; let it pass."""

    def __init__(self, scope: "Scope") -> None:
        self.scope = scope
        super().__init__("the scope of this code was canceled")


class Scope:
    """
    A block that can be canceled: what was asked for inside is canceled, and the code inside leaves at its wait.

    ::

        with self.swf.scope(timeout=60) as scope:
            ...
        if scope.canceled:
            ...

    Attributes:
        canceled: it was canceled, whether or not its code had already finished.
    """

    shields = False

    def __init__(self, owner: Owner, timeout: float | timedelta | None) -> None:
        self.canceled = False
        self._owner = owner
        self._timeout = timeout
        self._timer: Future[None] | None = None
        self._strand: Strand | None = None
        self._parent: Scope | None = None
        self._futures: list[Future[Any]] = []
        self._futures_max = 32
        self._inner: list[Scope] = []

    def add(self, future: Future[Any]) -> None:
        """Note something that was asked for inside."""
        if len(self._futures) >= self._futures_max:
            self._futures = [one for one in self._futures if not one.done]
            self._futures_max = 32 + 2 * len(self._futures)
        self._futures.append(future)

    def hold(self, strand: Strand) -> None:
        """Be the scope of all that a new strand does; nothing leaves it but the strand's end."""
        self._strand = strand
        strand.scopes.append(self)

    def cancel(self) -> None:
        """
        Cancel it now.

        Raises:
            NotInWorkflowException: called outside the workflow's own fibers.
        """
        self._owner.enter()
        self.cancel_at(self._owner.now)

    def _expire(self, event_id: int) -> None:
        if self._timer is not None and self._timer.succeeded:
            self.cancel_at(event_id)

    def cancel_at(self, event_id: int) -> None:
        """Cancel it because of an event, if it is not canceled or over."""
        if self.canceled or self._strand is None:
            return
        self.canceled = True
        # The interrupt first: code that waits for one of the futures is to leave the block, not to hear that it was canceled.
        self._owner.interrupt(self._strand, event_id, ScopeCanceledException(self))
        self.cancel_futures(event_id)

    def cancel_futures(self, event_id: int) -> None:
        """Cancel what was asked for inside and is not done; it settles at that event."""
        for inner in self._inner:
            if not inner.shields:
                inner.cancel_futures(event_id)
        futures, self._futures = self._futures, []
        for future in futures:
            future._cancel_now(event_id)  # noqa: SLF001 - what was asked for inside is this scope's to cancel

    def __enter__(self) -> Self:
        self._strand = self._owner.enter()
        if self._strand.scopes:
            self._parent = self._strand.scopes[-1]
            self._parent._inner.append(self)  # noqa: SLF001 - a scope of the same kind
        self._strand.scopes.append(self)
        if self._timeout is not None:
            self._timer = self._owner.start_timeout(self._timeout)
            self._timer._on_settled = self._expire  # noqa: SLF001 - nobody waits for it
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        strand = self._strand
        assert strand is not None
        strand.scopes.remove(self)
        strand.interrupts = [one for one in strand.interrupts if getattr(one[1], "scope", None) is not self]
        self._strand = None
        if self._parent is not None:
            self._parent._inner.remove(self)  # noqa: SLF001 - a scope of the same kind
            if not self.shields:
                for future in self._futures:
                    self._parent.add(future)
        if self._timer is not None and not self._timer.done:
            self._timer._on_settled = None  # noqa: SLF001 - the block is over
            self._owner.cancel_timer(self._timer)
        if isinstance(error, ScopeCanceledException):
            return error.scope is self
        return self.canceled and isinstance(error, InvocationCanceledException)


class Shield(Scope):
    """A block in which no cancel arrives from outside; what was held back is raised at the next wait after it."""

    shields = True

    def __init__(self, owner: Owner) -> None:
        super().__init__(owner, None)
