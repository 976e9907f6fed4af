"""
What the code of a run stands on: what it asks for, its ids, its waits, its time and its chance.

``self.swf``, futures, scopes and activities all come here; ``run.py`` moves it along.
"""

import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, TypeVar

from ._fiber import caller, current, getcurrent, in_fiber
from .chance import Chance
from .converter import DataConverter, duration
from .exceptions import HistoryLimitException, NotInWorkflowException, WorkflowCanceledException
from .future import Future, InvocationFuture, Wait, future_of
from .guard import Guard, Mode
from .logs import Logs
from .replay.ahead import Recorded
from .replay.invocations import LAMBDA_RETRIES_MAX, NO_OPTIONS, Failure, Place, new_invocation
from .replay.replayer import Replayer
from .replay.reserved import PATCH
from .replay.tables import Kind, State
from .retry import Attempts, RetryPolicy
from .scopes import Scope
from .signals import Inbox
from .spawned import SpawnedFuture
from .strands import Strand, Strands
from .swf.decisions import given

T = TypeVar("T")

# A global costs a tenth of what a member costs that is looked up on its enum: only where every invocation passes.
_ACTIVITY = Kind.ACTIVITY

PATCH_ID_MAX: Final = 243
"""Characters of a patch's name: SWF takes 256 for a marker's, and ours begins with ``pyflow.patch.``."""


HISTORY_MAX: Final = 24_000
"""Events from which on nothing new is begun; SWF ends an execution at 25,000."""


class Runtime:
    """
    A run as its own code sees it.

    Args:
        workflow_class: the author's class.
        workflow_id, run_id: the execution.
        legacy_child_ids: name children as 2.0.0 did, ``child_workflowN`` alone, which collides between runs.
        logs: when log lines of the code are heard.
        converter: what values become on their way.
        guard: what is done about code that cannot be replayed.

    Attributes:
        replayer, strands: what history holds against what code asked for; the fibers.
        batch: the number of the batch applied last.
        settled_count: how many futures have settled so far.
        characters: how long the texts are that code was given and gave, all together.
        is_unlike_2_0_0: code has seen something that 2.0.0 would have shown it otherwise.
        fault: why this decision task cannot be answered; None: it can, as far as is known.
        guard: watches the code; None: nobody does.
        is_free: what is called may do what the code itself may not: a recorded value is made, or a log line handled.
        returned: ``run`` has returned or raised; no code runs any more.
        status: what the author says of the run.
        inbox: the signals that no handler takes.
    """

    def __init__(
        self,
        workflow_class: type[Any],
        workflow_id: str,
        run_id: str,
        *,
        legacy_child_ids: bool,
        converter: DataConverter,
        logs: Logs,
        guard: Mode,
    ) -> None:
        self.workflow_class = workflow_class
        self.workflow_id = workflow_id
        self.run_id = run_id
        self.batch = 0
        self.settled_count = 0
        self.characters = 0
        self.is_unlike_2_0_0 = False
        self.fault: BaseException | None = None
        self.is_free = False
        self.logs = logs
        self.returned = False
        self.status: Any = None
        self.converter = converter
        self.inbox = Inbox(converter)
        self.strands = Strands(self)
        self.replayer = Replayer(
            run_id, locate=self.strands.where, open_payload=converter.open, is_surely=converter.is_surely
        )
        self.park, self.wake = self.strands.park, self.strands.wake
        self.await_one, self.park_to_look = self.strands.await_one, self.strands.park_to_look
        self._legacy_child_ids = legacy_child_ids
        self._patches: dict[str, bool] = {}
        self._history_max = HISTORY_MAX
        self.guard = None if guard == "off" else Guard(guard, self)

    # -- what it knows -------------------------------------------------------------------------------------------------

    @property
    def started(self) -> dict[str, Any]:
        """The attributes of WorkflowExecutionStarted."""
        return self.replayer.started

    @property
    def last_event_id(self) -> int:
        """The last event that was applied; 0 before the first."""
        return self.replayer.last_event_id

    @property
    def cancel_requested(self) -> bool:
        """Whether history, as far as it is applied, holds a cancel request."""
        return self.replayer.cancel_requested is not None

    def seconds(self) -> float:
        """Return the time of the batch in seconds since the epoch."""
        return self.time.timestamp() if isinstance(self.time, datetime) else self.time

    @property
    def time(self) -> datetime | float:
        """The time of the batch, as the history gives it."""
        return self.replayer.time

    @property
    def is_replaying(self) -> bool:
        """Whether code runs over a batch that an earlier decision task has completed."""
        return self.replayer.started_event_id <= self.replayer.ahead.completed_up_to

    @property
    def is_of_2_0_0(self) -> bool:
        """Whether code runs over a batch that pyflow 2.0.0 has decided."""
        return self.replayer.ahead.is_of_2_0_0(self.replayer.started_event_id)

    @property
    def begun_by_2_0_0(self) -> bool:
        """Whether 2.0.0 has decided the run's first task."""
        return self.replayer.ahead.begun_by_2_0_0

    @property
    def stream(self) -> str:
        """Name the fiber whose code is running, or the predicates, which are tried in none."""
        strand = self.strands.current
        return "predicates" if strand is None else str(strand.number)

    @property
    def now(self) -> int:
        """The id of the event that made the running code ready."""
        return self.strands.now

    # -- what code asks ------------------------------------------------------------------------------------------------

    def enter(self) -> Strand:
        """
        Check that this run's own code is calling, before anything is asked or awaited.

        Returns:
            The strand that is calling.

        Raises:
            NotInWorkflowException: it is not.
        """
        strands = self.strands
        if getcurrent() is strands.running:
            return strands.current  # type: ignore[return-value] # they are set together
        strands.refuse_if_closing()
        fiber = current()
        if fiber is not None and strands.current is not None and fiber is strands.current.fiber:
            raise NotInWorkflowException(
                "a function given to invoke_once or wait_until may ask nothing of pyflow: the one is not called again on "
                "replay, the other is called between steps of the code"
            )
        raise NotInWorkflowException(
            f"this belongs to run {self.run_id} of {self.workflow_class.__qualname__}, and only the code of its run method can "
            f"use it: not another thread, an activity, a signal handler of the process, a finalizer or another run"
        )

    def next_id(self, kind: str) -> str:
        """Return the next id of a kind (contract 3)."""
        strands = self.strands
        strand: Strand = strands.current if getcurrent() is strands.running else self.enter()  # type: ignore[assignment] # they are set together
        if self.replayer.last_event_id >= self._history_max:
            self._refuse_more()
        counters = strand.counters
        counters[kind] = number = counters.get(kind, 0) + 1
        return f"{strand.prefix}{kind}{number}"

    def _refuse_more(self) -> None:
        """Raise, once, that the history is nearly full. Runs of 2.0.0 have gone on, and their replay does too."""
        events, self._history_max = self.replayer.last_event_id, sys.maxsize
        if not self.replayer.ahead.begun_by_2_0_0:
            raise HistoryLimitException(events)

    def next_child_id(self) -> str:
        """Return the next child's workflow id (contract 3)."""
        own_id = self.next_id("child_workflow")
        return own_id if self._legacy_child_ids else self.replayer.child_prefix + own_id

    def schedule(
        self, activity_type: dict[str, str], value: Any, options: dict[str, Any], retry: RetryPolicy | None, hint: Any
    ) -> InvocationFuture[Any]:
        """
        Schedule an activity task.

        Args:
            activity_type: its name and version, as SWF's decisions have them.
            value: the input; None sends none.
            options: what else the decision says, in SWF's spelling.
            retry: when to try again; None: never.
            hint: the type hint by which the result is read; None: it is JSON.
        """
        own_id = self.next_id("activity")
        invocation = new_invocation(_ACTIVITY, own_id, activity_type, None, None, options)
        if self.replayer.ask_foreseen(invocation, value):
            if retry is not None:  # nothing will be wrong with it: only further attempts may ask where it was asked for
                invocation.where = _place()
        else:
            invocation.where = _place()
            if value is not None:
                invocation.input = self.converter.encode(value, "the input of activity", activity_type["name"])
            self.replayer.ask(invocation)
        scopes = self.strands.current.scopes  # type: ignore[union-attr] # whoever took an id runs in one
        future = future_of(invocation, self, scopes, InvocationFuture, hint)
        if retry is not None:
            future.attempts = Attempts(retry, own_id, self.seconds())
        return future

    def invoke(
        self,
        kind: Kind,
        id: str,
        name: Any,
        input: str | None = None,
        options: dict[str, Any] = NO_OPTIONS,
        *,
        future_class: type[InvocationFuture[Any]] = InvocationFuture,
    ) -> InvocationFuture[Any]:
        """Ask for something and give its future; see ``Invocation`` for what it is made of."""
        invocation = new_invocation(kind, id, name, _place(), input, options)
        self.replayer.ask(invocation)
        scopes = self.strands.current.scopes  # type: ignore[union-attr] # whoever took an id runs in one
        return future_of(invocation, self, scopes, future_class)

    def start_timeout(self, seconds: float | timedelta) -> InvocationFuture[None]:
        """Start the timer of a wait's or a scope's timeout."""
        own_id = self.next_id("timeout")
        seconds_text = duration(seconds, "a timeout")
        if seconds_text is None:
            raise ValueError("a timeout needs a number of seconds or a timedelta, not None")
        return self.invoke(Kind.TIMER, own_id, None, options={"startToFireTimeout": seconds_text})

    def recorded(self, name: str) -> Recorded | None:
        """Return a recorded value if the history given so far holds it anywhere."""
        return self.replayer.ahead.recorded(name)

    def settle_now(self, future: Future[Any], result: str | None, *, value: Any = None) -> None:
        """Settle a future whose result code has made itself, after the events of the batch (contract 4)."""
        if isinstance(future, InvocationFuture):
            future.invocation.future = None
        future._value = value  # noqa: SLF001 - a run settles
        future._settle(State.SUCCEEDED, result, None, self.strands.now)  # noqa: SLF001 - a run settles

    def cancel_timer(self, future: InvocationFuture[Any]) -> None:
        """Take back a timer that the engine no longer needs."""
        self.strands.refuse_if_closing()
        self.replayer.cancel(future.invocation, optional=True)

    def cancel(self, future: Future[Any], *, wait: bool, event_id: int | None = None) -> None:
        """
        Cancel what a future stands for.

        Args:
            future: not done.
            wait: leave it to the other side to settle it, where it can.
            event_id: what brought this about; None: what made the running code ready.
        """
        at = self.strands.now if event_id is None else event_id
        acknowledged = False
        if isinstance(future, SpawnedFuture):
            future.scope.cancel_at(at)
            acknowledged = True
        elif isinstance(future, InvocationFuture):
            acknowledged = self._cancel_invocation(future)
        if wait and acknowledged:
            return
        if isinstance(future, InvocationFuture):
            future.invocation.future = None
        future._settle(State.CANCELED, None, Failure("canceled by the workflow"), at)  # noqa: SLF001 - a run settles

    def _cancel_invocation(self, future: InvocationFuture[Any]) -> bool:
        """Ask for the cancel that SWF has for the kind; tell whether an acknowledgement will come."""
        attempts, future.attempts = future.attempts, None  # however this one ends, no other follows
        if attempts is not None and attempts.pause is not None:
            attempts.pause.future = None
            self.replayer.cancel(attempts.pause, optional=True)
            return False
        invocation = future.invocation
        invocation.retries = LAMBDA_RETRIES_MAX
        invocation.where = _place() or invocation.where
        if invocation.kind is Kind.CHILD and invocation.state is State.OPEN:
            own_id = self._own_control("cancel")
            options = given(runId=invocation.child_run_id)
            self.replayer.ask(new_invocation(Kind.CANCEL, own_id, invocation.id, invocation.where, options=options))
            return True
        self.replayer.cancel(invocation, optional=False)
        return invocation.state in {State.CANCELING, State.CANCEL_REQUESTED} and invocation.kind is not Kind.TIMER

    def _own_control(self, kind: str) -> str:
        """Return the next id of a kind, for what a scope cancels too, where no code is running."""
        strand = self.strands.current or self.strands.main
        assert strand is not None
        strand.counters[kind] = number = strand.counters.get(kind, 0) + 1
        return f"{strand.prefix}{kind}{number}"

    def interrupt(self, strand: Strand, event_id: int, error: WorkflowCanceledException) -> None:
        """Raise something in a strand: at its wait, or at the next one that suspends."""
        self.strands.interrupt(strand, event_id, error)

    def spawn(self, function: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Future[T]:
        """Queue a function as a further fiber of this run; nothing switches (contract 7)."""
        spawner = self.enter()
        future: SpawnedFuture[T] = SpawnedFuture(self, Scope(self, None))
        future.strand = self.strands.start(partial(future.run, function, args, kwargs), self.now)
        future.scope.hold(future.strand)
        if spawner.scopes:
            spawner.scopes[-1].add(future)
        return future

    def outside(self, function: Callable[[], T]) -> T:
        """Call something that may ask nothing of this run."""
        result: T = self.strands.outside(function)
        return result

    def freely(self, function: Callable[..., T], *args: Any) -> T:
        """Call something in the running fiber that may do what the code itself may not."""
        was_free, self.is_free = self.is_free, True
        try:
            return function(*args)
        finally:
            self.is_free = was_free

    def give_up(self, error: BaseException) -> None:
        """Let nothing of this decision task be answered; the loop raises the error once no code is running any more."""
        self.fault = self.fault or error
        self.strands.read_on = None

    def park_until(self, wait: Wait, predicate: Callable[[], bool]) -> None:
        """Suspend the calling fiber until a predicate holds, or the wait is woken; raises what the predicate raised."""
        self.strands.park_until(wait, self._guarded(predicate))
        if wait.error is not None:
            raise wait.error

    def holds(self, predicate: Callable[[], bool]) -> bool:
        """Try a predicate from within the code that is going to wait for it."""
        return self.outside(self._guarded(predicate))

    def _guarded(self, predicate: Callable[[], bool]) -> Callable[[], bool]:
        """Return a predicate that is watched wherever it is tried: a guard knows code by its fiber."""
        return predicate if self.guard is None else partial(in_fiber, predicate, self)

    def patched(self, patch_id: str, *, deprecated: bool = False) -> bool:
        """Tell whether this run takes the way of a patch, and record that it does; see ``self.swf.patched``."""
        self.enter()
        if not 1 <= len(patch_id) <= PATCH_ID_MAX:
            raise ValueError(f"the name of a patch has 1 to {PATCH_ID_MAX} characters, not {len(patch_id)}")
        known = self._patches.get(patch_id)
        if known is not None:
            return known
        name = f"{PATCH}{patch_id}"
        in_history = self.recorded(name) is not None
        takes_it = deprecated or in_history or not self.is_replaying
        if in_history or (takes_it and not deprecated):
            self.replayer.ask(new_invocation(Kind.MARKER, name, None, _place()))
        self._patches[patch_id] = takes_it
        return takes_it

    def chance(self) -> Chance:
        """Return the calling fiber's stream of draws (contract 5)."""
        strand = self.enter()
        if strand.chance is None:
            strand.chance = Chance(self.run_id, str(strand.number))
        chance: Chance = strand.chance
        return chance


def _place() -> Place | None:
    """Return the nearest place in the author's code that led here."""
    return caller(sys._getframe(2))  # noqa: SLF001 - CPython's own name for it
