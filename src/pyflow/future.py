"""
Futures, and the waits on them.

A future settles when its run applies the event that answers it; a wait parks the calling fiber until then. A wait on
something settled never switches (contract 2), and only a wait lets history advance.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from .converter import DataConverter
from .exceptions import (
    InvocationCanceledException,
    InvocationException,
    InvocationFailedException,
    InvocationTimedOutException,
    WaitTimedOutException,
)
from .failures import read
from .replay.invocations import Failure, Invocation
from .replay.tables import Kind, State

if TYPE_CHECKING:
    import typing_extensions

    R = typing_extensions.TypeVar("R", default=Any)
else:
    R = TypeVar("R")  # its default is for type checkers: Any, where nothing says what a result is

__all__ = ["Future", "InvocationFuture", "WrappedFuture"]

# A global costs a tenth of what a member costs that is looked up on its enum.
_SUCCEEDED = State.SUCCEEDED

T_co = TypeVar("T_co", covariant=True)


class Host(Protocol):
    """
    The run that futures belong to.

    ``batch`` is the number of the batch applied last, ``settled_count`` the number of futures settled so far, ``characters`` how
    long the texts are that code was given and gave.
    ``is_unlike_2_0_0`` is set once a wait has given another order than 2.0.0 would have; ``converter`` reads results.
    """

    batch: int
    settled_count: int
    characters: int
    is_unlike_2_0_0: bool
    converter: DataConverter

    @property
    def is_of_2_0_0(self) -> bool:
        """Whether code runs over a batch that 2.0.0 decided."""

    @property
    def now(self) -> int:
        """The id of the event that made the running code ready."""

    def enter(self) -> Any:
        """Raise NotInWorkflowException unless this run's own fiber is calling."""

    def park(self, wait: "Wait") -> None:
        """Suspend the calling fiber until the wait is woken."""

    def await_one(self, future: "Future[Any]") -> None:
        """Suspend the calling fiber until a future is done."""

    def park_to_look(self, wait: "Wait") -> None:
        """Suspend the calling fiber until the next batch: only its code can see what it waits for."""

    def wake(self, wait: "Wait", event_id: int) -> None:
        """Make the fiber of a wait ready."""

    def start_timeout(self, seconds: float | timedelta) -> "Future[None]":
        """Start a timer with an id ``timeoutN``."""

    def cancel_timer(self, future: Any) -> None:
        """Take back a timer that the engine no longer needs."""

    def cancel(self, future: Any, *, wait: bool, event_id: int | None = None) -> None:
        """Cancel what a future stands for."""


class Wait:
    """
    What a parked fiber waits for: so many futures to settle, or the timer beside them.

    ``missing`` counts those still to come. ``what`` is for people: futures, or a text. ``strand`` is set by the run that
    parks it, ``stack`` once somebody asks where; ``woken_at`` by what ends it before, with the id of its event; ``error`` by what
    made the wait pointless. There is no constructor: nearly every wait is for one future, and nearly all of it is as it stands
    here.
    """

    missing = 1
    timer: "Future[Any] | None" = None
    what: Any = None
    strand: Any = None
    stack: Any = None
    woken_at: int | None = None
    error: Exception | None = None

    @property
    def over(self) -> bool:
        """Whether the code has gone on, and nothing waits here any more."""
        return self.strand is not None and self.strand.wait is not self


class Future(Generic[T_co]):
    """
    The result of something asked for, now or later.

    ``done``, ``succeeded``, ``failed`` and ``exception`` tell what is known and never advance history; ``result`` waits.
    """

    _state: State | None = None
    _failure: Failure | None = None
    _order = 0
    _batch = 0
    _value: Any = None
    _settled_at = 0
    _waits: tuple[Wait, ...] = ()
    _host: Host  # set by those that a run settles; the constructor is left to subclasses, as 2.0.0 left it
    _on_settled: Callable[[int], None] | None = None
    _hint: Any = None
    """What the result is by a type hint that says more than JSON; None: the JSON value."""

    @property
    def done(self) -> bool:
        """True once the outcome is known, whatever it is."""
        return self._state is not None

    @property
    def succeeded(self) -> bool:
        """True if it is done and has a result."""
        return self._state is State.SUCCEEDED

    @property
    def failed(self) -> bool:
        """True if it is done and has no result: it failed, timed out or was canceled."""
        return self._state is not None and self._state is not State.SUCCEEDED

    @property
    def exception(self) -> BaseException | None:
        """What ``result`` raises, as a new object each time; None unless ``failed``."""
        if not self.failed:
            return None
        assert self._state is not None
        return exception_of(self._state, self._failure, self._who())

    def result(self, *, timeout: float | timedelta | None = None) -> T_co:
        """
        Wait until it is done and give the result.

        Args:
            timeout: seconds to wait at most; None: as long as it takes.

        Returns:
            What the other side returned, decoded from JSON, and rebuilt by the type hint where there is one.

        Raises:
            InvocationTimedOutException, InvocationFailedException, InvocationCanceledException: it did not succeed.
            WaitTimedOutException: it was not done in time; it goes on.
            WorkflowCanceledException: cancellation of this execution was requested while the code waited here.
            NotInWorkflowException: called outside the workflow's own fiber.

        Replay:
            With a timeout and if it must wait: a timer, id ``timeoutN`` in call order.
        """
        if self._state is None:
            if timeout is None:
                # A method of the strands: called in one go, it would be looked for here.
                await_one = self._host.await_one
                await_one(self)
            else:
                self._host.enter()
                self._wait_at_most(timeout)
        else:
            self._host.enter()
        if self._state is _SUCCEEDED:
            return self._value  # type: ignore[no-any-return]
        error = self.exception
        assert error is not None
        raise error

    def cancel(self, *, wait: bool = False) -> None:
        """
        Cancel what it stands for; nothing, if it is done.

        A timer, an activity, a child workflow or a spawned function is asked to stop. A Lambda function, a signal and a recorded
        value cannot be: they go on, and nobody waits for them any more.

        Args:
            wait: wait until the other side has acknowledged it, or ended in another way all the same. Otherwise the future is
                canceled at once, whatever the other side does.

        Raises:
            NotInWorkflowException: called outside the workflow's own fiber.

        Replay:
            An activity: one decision, ``RequestCancelActivityTask``; a timer: ``CancelTimer``; a child:
            ``RequestCancelExternalWorkflowExecution``, ``cancelN`` in its control. None for what was never sent.
        """
        self._host.enter()
        if self._state is not None:
            return
        self._host.cancel(self, wait=wait)
        if self._state is None:
            acknowledgement = Wait()
            acknowledgement.what = self
            self._waits += (acknowledgement,)
            self._host.park(acknowledgement)

    def _cancel_now(self, event_id: int | None = None) -> None:
        """Cancel it without waiting, from wherever in the run; it settles at that event, None: where code is."""
        if self._state is None:
            self._host.cancel(self, wait=False, event_id=event_id)

    def _wait_at_most(self, timeout: float | timedelta) -> None:
        timer = self._host.start_timeout(timeout)
        wait = Wait()
        wait.timer, wait.what = timer, self
        self._waits += (wait,)
        timer._waits += (wait,)
        try:
            self._host.park(wait)
        finally:
            _leave(wait, [self])
            if not timer.done:
                self._host.cancel_timer(timer)
        if self._state is None:
            raise WaitTimedOutException(f"{self._who()} was not done within {timeout} seconds")

    def _settle(self, outcome: State, result: str | None, failure: Failure | None, event_id: int) -> None:
        """Take the outcome and wake who waits."""
        host = self._host
        self._state = outcome
        self._failure = failure
        self._order = host.settled_count = host.settled_count + 1
        self._batch = host.batch
        self._settled_at = event_id
        if result is not None:
            host.characters += len(result)
            try:
                self._value = host.converter.decode(result, self._hint, "the result")
            except ValueError as error:
                self._state = State.FAILED
                self._failure = Failure(self._undecodable(), str(error))
        elif failure is not None and failure.details is not None:
            host.characters += len(failure.details)
        if self._on_settled is not None:
            self._on_settled(event_id)
        if self._waits:
            waits, self._waits = self._waits, ()
            for wait in waits:
                wait.missing -= 1
                if wait.missing == 0 or self is wait.timer:
                    host.wake(wait, event_id)

    def _who(self) -> str:
        return "it"

    def _undecodable(self) -> str:
        # 2.0.0's words: code may have sent them on, and its runs in flight must send the same.
        return "Decoding result failed"


class InvocationFuture(Future[T_co]):
    """The future of an invocation, which SWF knows by an id."""

    attempts: Any = None
    invocation: Invocation

    @property
    def invocation_id(self) -> str:
        """The id under which SWF recorded it."""
        return self.invocation.id

    def _who(self) -> str:
        return self.invocation.id

    def _undecodable(self) -> str:
        is_child = self.invocation.kind is Kind.CHILD
        return "Failed to decode child workflow output" if is_child else super()._undecodable()


def future_of(
    invocation: Invocation,
    host: Host,
    scopes: Sequence[Any] = (),
    future_class: "type[InvocationFuture[Any]]" = InvocationFuture,
    hint: Any = None,
) -> InvocationFuture[Any]:
    """
    Return the future of what has been asked for.

    A function, and no constructor, for what a replay makes by the thousand: those take twice as long. And what every future is
    asked for is set on itself, as its class has it: that is found sooner.

    Args:
        invocation: what was asked for.
        host: the run.
        scopes: those in which the code stands that asked, outermost first.
        future_class: made of this.
        hint: how its result is read.
    """
    if invocation.input is not None:
        host.characters += len(invocation.input)
    future = future_class()
    future._host = host
    future._state = None
    future._waits = ()
    future._on_settled = None
    future._hint = hint
    future.invocation = invocation
    invocation.future = future
    if scopes:
        scopes[-1].add(future)
    return future


class WrappedFuture(Future[T_co]):
    """A future that stands for another; subclasses change what they override. Kept from pyflow 2.0.0."""

    def __init__(self, base_future: Future[T_co]) -> None:
        self._base = base_future

    @property
    def done(self) -> bool:
        """As the wrapped future."""
        return self._base.done

    @property
    def succeeded(self) -> bool:
        """As the wrapped future."""
        return self._base.succeeded

    @property
    def failed(self) -> bool:
        """As the wrapped future."""
        return self._base.failed

    @property
    def exception(self) -> BaseException | None:
        """As the wrapped future."""
        return self._base.exception

    def result(self, *, timeout: float | timedelta | None = None) -> T_co:
        """As the wrapped future."""
        return self._base.result() if timeout is None else self._base.result(timeout=timeout)

    def cancel(self, *, wait: bool = False) -> None:
        """As the wrapped future."""
        self._base.cancel(wait=wait)


def flatten(futures: Iterable[Any]) -> list[Future[Any]]:
    """
    Return the futures in any nest of iterables, each once, in the order they are met.

    Raises:
        TypeError: something in there is neither a future nor an iterable.
    """
    found: dict[int, Future[Any]] = {}
    for item in futures:
        if isinstance(item, Future) or hasattr(item, "done"):
            found.setdefault(id(item), item)
        elif isinstance(item, Iterable) and not isinstance(item, (str, bytes)):
            for inner in flatten(item):
                found.setdefault(id(inner), inner)
        else:
            raise TypeError(f"a wait takes futures and iterables of futures, not {item!r}")
    return list(found.values())


def wait_for(
    host: Host, futures: list[Future[Any]], *, all_of_them: bool, timer: Future[Any] | None = None
) -> list[Future[Any]] | None:
    """
    Park until all, or any, of the futures are done, or the timer is.

    Returns:
        The futures that are done, in the order of what settled them (contract 4); None if only the timer is done.
    """
    bases = list({id(base): base for base in map(_base, futures)}.values())
    if not all(getattr(type(base), "done", None) is Future.done for base in bases):
        return _look_at_every_batch(host, futures, all_of_them=all_of_them, timer=timer)
    since = host.batch
    open_ones = [future for future in bases if not future.done]
    if all_of_them:
        missing = len(open_ones)
    else:
        # Any of nothing is there at once; but a timed wait for any of nothing has always been a wait for its timer.
        needed = 1 if bases or timer is not None else 0
        missing = needed - (len(bases) - len(open_ones))
    if missing > 0:
        if timer is not None and timer.done:
            return None
        wait = Wait()
        wait.missing, wait.timer, wait.what = missing, timer, futures
        for future in open_ones if timer is None else [*open_ones, timer]:
            future._waits += (wait,)
        try:
            host.park(wait)
        finally:
            _leave(wait, open_ones)
        if sum(not future.done for future in open_ones) > len(open_ones) - missing:
            return None
    return _in_order(host, [future for future in futures if future.done], since)


def _leave(wait: Wait, futures: list[Future[Any]]) -> None:
    """Take a wait that is over from what is still open: something long open may be waited for again and again."""
    for future in futures:
        if future._waits:
            future._waits = tuple(one for one in future._waits if one is not wait)


def _look_at_every_batch(
    host: Host, futures: list[Future[Any]], *, all_of_them: bool, timer: Future[Any] | None
) -> list[Future[Any]] | None:
    """Wait for futures of which some define ``done`` themselves: nothing tells when, so code looks, as it did in 2.0.0."""
    seen: dict[int, Future[Any]] = {}
    while True:
        seen.update((id(future), future) for future in futures if id(future) not in seen and future.done)
        if (len(seen) == len(futures)) if all_of_them else seen:
            return list(seen.values())
        if timer is not None and timer.done:
            return None
        wait = Wait()
        wait.what = futures
        host.park_to_look(wait)


def _in_order(host: Host, futures: list[Future[Any]], since: int) -> list[Future[Any]]:
    """
    Return futures that are done in the order of what settled them.

    2.0.0 looked once a batch, and gave what it found in the order of the arguments. Code that ran over such a batch has
    acted on that order, so a replay of the batch gives it again.
    """
    as_settled = sorted(futures, key=lambda future: _base(future)._order)
    as_in_2_0_0 = sorted(futures, key=lambda future: max(since, _base(future)._batch))
    if host.is_of_2_0_0:
        return as_in_2_0_0
    host.is_unlike_2_0_0 |= as_settled != as_in_2_0_0
    return as_settled


def _base(future: Future[Any]) -> Future[Any]:
    """Return the future behind wrappers that leave ``done`` to it."""
    while getattr(type(future), "done", None) is WrappedFuture.done:
        assert isinstance(future, WrappedFuture)
        future = future._base
    return future


def exception_of(state: State, failure: Failure | None, who: str) -> InvocationException:
    """Return the exception for an outcome that is no success."""
    failure = failure or Failure()
    if state is State.TIMED_OUT:
        return InvocationTimedOutException(
            f"InvocationStep {who!r} timed out", failure.details, timeout_type=failure.timeout_type
        )
    if state is State.CANCELED:
        return InvocationCanceledException(failure.reason, failure.details, cause=failure.cause)
    report = read(failure.details)
    if report is None:
        return InvocationFailedException(failure.reason, failure.details, cause=failure.cause)
    return InvocationFailedException(
        failure.reason,
        failure.details,
        cause=failure.cause,
        remote_type=report.type,
        remote_message=report.message,
        remote_traceback=report.traceback,
        retry_after=report.retry_after,
    )
