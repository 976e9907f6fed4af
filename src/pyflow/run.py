"""
One live run: the replayer, the strands of code and the author's object. Batches in, decisions out.

The decider, the tools over recorded histories and the tests all drive this one thing.
"""

import json
import logging
import sys
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from ._fiber import FiberClosed, caller, current, getcurrent
from .chance import Chance
from .closing import closing_decision
from .converter import cut, duration
from .exceptions import HistoryException, NotInWorkflowException, PyflowException, WorkflowCanceledException
from .failures import format_traceback
from .future import Future, InvocationFuture, Wait, exception_of
from .replay.batches import Batch, split
from .replay.invocations import LAMBDA_RETRIES_MAX, Failure, Invocation, format_place
from .replay.replayer import PATCH, RETRY, Drift, Recorded, Replayer, execution_context
from .replay.tables import Kind, State
from .retry import THROTTLED, Attempts, is_throttled
from .scopes import Scope, ScopeCanceledException
from .signals import Inbox, call_handler, decode, handlers_of
from .strands import Strand, Strands
from .swf import decisions as swf
from .swf.decisions import Decision
from .workflow import Workflow, WorkflowInvocationHelper

logger = logging.getLogger("pyflow")

T = TypeVar("T")

# A global costs a tenth of what a member costs that is looked up on its enum: only where every invocation passes.
_SUCCEEDED = State.SUCCEEDED

CONTEXT_MAX = 2_048
"""Characters of the execution context, unless told otherwise; SWF takes 32,768."""

HISTORY_WARNING = 10_000
"""Events after which SWF's own advice is to keep histories shorter."""


PATCH_ID_MAX = 243
"""Characters of a patch's name: SWF takes 256 for a marker's, and ours begins with ``pyflow.patch.``."""


class Run:
    """
    A run of a workflow, as far as its history has been applied.

    One thread makes it, advances it and closes it.

    Args:
        workflow_class: the author's class.
        workflow_id, run_id: the execution.
        legacy_child_ids: name children as 2.0.0 did, ``child_workflowN`` alone, which collides between runs.

    Attributes:
        time: the time of the batch, as the history gives it.
        batch: the number of the batch applied last.
        settled_count: how many futures have settled so far.
        is_replaying: code runs over a batch that an earlier decision task has completed.
        is_of_2_0_0: code runs over a batch that pyflow 2.0.0 has decided.
        is_unlike_2_0_0: code has seen something that 2.0.0 would have shown it otherwise.
        returned: ``run`` has returned or raised; no code runs any more.
        status: what the author says of the run.
        workflow: the author's object, once ``run`` has begun.
        inbox: the signals that no handler takes.
    """

    def __init__(
        self, workflow_class: type[Workflow], workflow_id: str, run_id: str, *, legacy_child_ids: bool = False
    ) -> None:
        self.workflow_class = workflow_class
        self.workflow_id = workflow_id
        self.run_id = run_id
        self.time: datetime | float = 0.0
        self.batch = 0
        self.settled_count = 0
        self.is_replaying = False
        self.is_of_2_0_0 = False
        self.is_unlike_2_0_0 = False
        self.returned = False
        self.status: Any = None
        self.workflow: Workflow | None = None
        self.inbox = Inbox()
        self._legacy_child_ids = legacy_child_ids
        self._replayer = Replayer(run_id, locate=self.where)
        self._strands = Strands(self.enter)
        self.park, self.wake = self._strands.park, self._strands.wake
        self.park_to_look = self._strands.park_to_look
        self._helper = WorkflowInvocationHelper(self)
        self._handlers = handlers_of(workflow_class)
        self._patches: dict[str, bool] = {}
        self._batches: deque[Batch] = deque()
        self._fault: BaseException | None = None
        self._cancel_noted = False
        self._warned = False

    # -- history in, decisions out -------------------------------------------------------------------------------------

    @property
    def last_event_id(self) -> int:
        """The last event that was applied; 0 before the first."""
        return self._replayer.last_event_id

    @property
    def started_event_id(self) -> int:
        """The DecisionTaskStarted where the run stands; 0 before the first."""
        return self._replayer.started_event_id

    @property
    def started(self) -> dict[str, Any]:
        """The attributes of WorkflowExecutionStarted."""
        return self._replayer.started

    @property
    def drifts(self) -> list[Drift]:
        """What differed from history without mattering for matching (contract 6)."""
        return self._replayer.drifts

    def advance(self, events: Sequence[dict[str, Any]], started_event_id: int | None) -> None:
        """
        Apply what is new in a history and let code run until it waits for more.

        Args:
            events: the history in the API's form, or any part of it that begins at or before the first new event.
            started_event_id: the task's; nothing past it is read. None: all of a recorded history, its tail matched.

        Raises:
            HistoryException: the history is not sound; nothing has been applied if it shows before any batch.
            NondeterminismException: code and history do not fit.
            DeciderException: the run follows rules that this pyflow does not know.
            PyflowException: SWF refuses to close the run for a reason that no repetition can mend.
        """
        batches = split(events, after=self.last_event_id, until=started_event_id)
        self._replayer.read_ahead(batches)
        drifted = len(self.drifts)
        self._batches = deque(batches)
        # Only what is completed already: the task's own batch is applied by the loop here, never from inside of code.
        self._strands.read_on = self._read_on if len(batches) > 1 else None
        try:
            while self._batches:
                self._apply(self._batches.popleft())
                if self._fault is not None:
                    raise self._fault
        finally:
            self._strands.read_on = None
        if drifted == 0 and self.drifts:
            self._log_drift(self.drifts[0])
        if self.last_event_id >= HISTORY_WARNING and not self._warned:
            self._warned = True
            logger.warning(
                "run %s of workflow id %r has %d events; SWF ends it at 25,000: continue as new",
                self.run_id,
                self.workflow_id,
                self.last_event_id,
            )
        if self._replayer.close_refused is not None and started_event_id is not None:
            raise PyflowException(
                f"SWF refuses to close run {self.run_id} as its code asks: {self._replayer.close_refused}. Register what is "
                f"missing, and it goes on by itself."
            )

    def read_ahead(self, events: Sequence[dict[str, Any]]) -> None:
        """Take the recorded values of a whole history, before any of it is applied: nothing of it is called again."""
        self._replayer.read_ahead(split(events))

    @property
    def cancel_requested(self) -> bool:
        """Whether history, as far as it is applied, holds a cancel request."""
        return self._replayer.cancel_requested is not None

    def place_of(self, drift: Drift) -> str | None:
        """Return ``file:line in function`` of the code that asked for something else than history recorded."""
        return format_place(drift.where)

    def decisions(self) -> list[Decision]:
        """Return what must be sent now; see ``Replayer.decisions``."""
        return self._replayer.decisions()

    def execution_context(self) -> str:
        """Return the text for people and for later rules that goes with a response: where the code is blocked, and its status."""
        lines: list[str] = []
        if self.status is not None:
            lines.append(f"status {json.dumps(self.status, default=repr)}")
        for strand in self._strands:
            if strand.wait is not None:
                who = f"f{strand.number} " if strand.number else ""
                innermost, *outer = [format_place(place) for place in strand.fiber.stack()] or ["pyflow"]
                lines += [f"{who}waiting at {innermost}", f"  for {_told(strand.wait)}"]
                lines += [f"  called at {place}" for place in outer]
            if sum(map(len, lines)) > CONTEXT_MAX:
                break  # the rest would be cut off: a thousand fibers are not looked at for nothing
        return execution_context(cut("\n".join(lines), CONTEXT_MAX))

    def where(self) -> str | None:
        """Return ``file:line in function`` of where the main code is parked; None if it is not."""
        main = self._strands.main
        return None if main is None else format_place(main.fiber.where())

    def close(self) -> None:
        """Let go of the code: its ``finally`` bodies run now, and nothing they ask reaches a service."""
        self._strands.close()

    # -- what code asks ------------------------------------------------------------------------------------------------

    @property
    def now(self) -> int:
        """The id of the event that made the running code ready."""
        return self._strands.now

    def enter(self) -> Strand:
        """
        Check that this run's own code is calling, before anything is asked or awaited.

        Returns:
            The strand that is calling.

        Raises:
            NotInWorkflowException: it is not.
        """
        strands = self._strands
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
        strand = self.enter()
        counters = strand.counters
        counters[kind] = number = counters.get(kind, 0) + 1
        return f"{strand.prefix}{kind}{number}"

    def next_child_id(self) -> str:
        """Return the next child's workflow id (contract 3)."""
        own_id = self.next_id("child_workflow")
        return own_id if self._legacy_child_ids else self._replayer.child_prefix + own_id

    def invoke(
        self,
        kind: Kind,
        id: str,
        name: Any,
        decide: Callable[[], Decision],
        input: str | None = None,
        is_plain: bool = False,
        *,
        future_class: type[InvocationFuture[Any]] = InvocationFuture,
    ) -> InvocationFuture[Any]:
        """Ask for something and give its future; see ``Invocation`` for what it is made of."""
        where = caller(sys._getframe(2))  # noqa: SLF001 - CPython's own name for it
        invocation = Invocation(kind, id, name, decide, where, input, is_plain)
        invocation.future = future = future_class(self, invocation)
        self._replayer.ask(invocation)
        strand = self._strands.current
        if strand is not None and strand.scopes:
            strand.scopes[-1].add(future)
        return future

    def start_timeout(self, seconds: float | timedelta) -> InvocationFuture[None]:
        """Start the timer of a wait's or a scope's timeout."""
        own_id = self.next_id("timeout")
        seconds_text = duration(seconds, "a timeout")
        if seconds_text is None:
            raise ValueError("a timeout needs a number of seconds or a timedelta, not None")
        return self.invoke(Kind.TIMER, own_id, None, partial(swf.start_timer, own_id, seconds_text))

    def recorded(self, name: str) -> Recorded | None:
        """Return a recorded value that history holds already."""
        return self._replayer.recorded(name)

    def settle_now(self, future: Future[Any], result: str | None, *, value: Any = None) -> None:
        """Settle a future whose result code has made itself, after the events of the batch (contract 4)."""
        if isinstance(future, InvocationFuture):
            future.invocation.future = None
        future._value = value  # noqa: SLF001 - a run settles
        future._settle(State.SUCCEEDED, result, None, self._strands.now)  # noqa: SLF001 - a run settles

    def fail_now(self, future: "SpawnedFuture[Any]", error: BaseException) -> None:
        """Settle a future of code of this run with what that code raised."""
        future.error = error
        failure = Failure(type(error).__name__, str(error))
        future._settle(State.FAILED, None, failure, self._strands.now)  # noqa: SLF001 - a run settles

    def cancel_timer(self, future: InvocationFuture[Any]) -> None:
        """Take back a timer that the engine no longer needs."""
        self._strands.refuse_if_closing()
        self._replayer.cancel(future.invocation, optional=True)

    def cancel(self, future: Future[Any], *, wait: bool, event_id: int | None = None) -> None:
        """
        Cancel what a future stands for.

        Args:
            future: not done.
            wait: leave it to the other side to settle it, where it can.
            event_id: what brought this about; None: what made the running code ready.
        """
        at = self._strands.now if event_id is None else event_id
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
        self._settle_canceled(future, at, "canceled by the workflow")

    def _settle_canceled(self, future: Future[Any], event_id: int, reason: str, details: str | None = None) -> None:
        future._settle(State.CANCELED, None, Failure(reason, details), event_id)  # noqa: SLF001 - a run settles

    def _cancel_invocation(self, future: InvocationFuture[Any]) -> bool:
        """Ask for the cancel that SWF has for the kind; tell whether an acknowledgement will come."""
        attempts, future.attempts = future.attempts, None  # however this one ends, no other follows
        if attempts is not None and attempts.pause is not None:
            attempts.pause.future = None
            self._replayer.cancel(attempts.pause, optional=True)
            return False
        invocation = future.invocation
        invocation.retries = LAMBDA_RETRIES_MAX
        if invocation.kind is Kind.CHILD and invocation.state is State.OPEN:
            own_id = self._own_control("cancel")
            decide = partial(
                swf.request_cancel_external_workflow_execution,
                invocation.id,
                run_id=invocation.child_run_id,
                control=own_id,
            )
            self._replayer.ask(Invocation(Kind.CANCEL, own_id, invocation.id, decide, invocation.where))
            return True
        self._replayer.cancel(invocation, optional=False)
        return invocation.state in {State.CANCELING, State.CANCEL_REQUESTED} and invocation.kind is not Kind.TIMER

    def _own_control(self, kind: str) -> str:
        """Return the next id of a kind, for what a scope cancels too, where no code is running."""
        strand = self._strands.current or self._strands.main
        assert strand is not None
        strand.counters[kind] = number = strand.counters.get(kind, 0) + 1
        return f"{strand.prefix}{kind}{number}"

    def interrupt(self, strand: Strand, event_id: int, error: WorkflowCanceledException) -> None:
        """Raise something in a strand: at its wait, or at the next one that suspends."""
        self._strands.interrupt(strand, event_id, error)

    def spawn(self, function: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Future[T]:
        """Queue a function as a further fiber of this run; nothing switches (contract 7)."""
        spawner = self.enter()
        future: SpawnedFuture[T] = SpawnedFuture()
        future._host = self  # noqa: SLF001 - a run settles
        future.scope = Scope(self, None)
        future.strand = self._strands.start(
            lambda: self._run_spawned(function, args, kwargs, future), self._helper, self._strands.now
        )
        future.scope.hold(future.strand)
        if spawner.scopes:
            spawner.scopes[-1].add(future)
        return future

    def _run_spawned(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], future: "SpawnedFuture[Any]"
    ) -> None:
        try:
            if future.scope.canceled:
                raise ScopeCanceledException(future.scope)  # noqa: TRY301 - it is over before it has begun
            value = function(*args, **kwargs)
        except (KeyboardInterrupt, MemoryError, FiberClosed):
            raise
        except WorkflowCanceledException as error:
            if not future.done:
                self._settle_canceled(future, self._strands.now, "canceled", str(error))
        except BaseException as error:
            if not future.done:
                self.fail_now(future, error)
        else:
            if not future.done:
                self.settle_now(future, None, value=value)

    def outside(self, function: Callable[[], T]) -> T:
        """Call something that may ask nothing of this run."""
        result: T = self._strands.outside(function)
        return result

    def park_until(self, wait: Wait, predicate: Callable[[], bool]) -> None:
        """Suspend the calling fiber until a predicate holds, or the wait is woken; raises what the predicate raised."""
        self._strands.park_until(wait, predicate)
        if wait.error is not None:
            raise wait.error

    def patched(self, patch_id: str, *, deprecated: bool = False) -> bool:
        """Tell whether this run takes the way of a patch, and record that it does; see ``self.swf.patched``."""
        self.enter()
        if not 1 <= len(patch_id) <= PATCH_ID_MAX:
            raise ValueError(f"the name of a patch has 1 to {PATCH_ID_MAX} characters, not {len(patch_id)}")
        known = self._patches.get(patch_id)
        if known is not None:
            return known
        name = f"{PATCH}{patch_id}"
        in_history = self._replayer.recorded(name) is not None
        takes_it = deprecated or in_history or not self.is_replaying
        if in_history or (takes_it and not deprecated):
            where = caller(sys._getframe(2))  # noqa: SLF001 - as in invoke
            self._replayer.ask(Invocation(Kind.MARKER, name, None, partial(swf.record_marker, name), where))
        self._patches[patch_id] = takes_it
        return takes_it

    def chance(self) -> Chance:
        """Return the calling fiber's stream of draws (contract 5)."""
        strand = self.enter()
        if strand.chance is None:
            strand.chance = Chance(self.run_id, str(strand.number))
        chance: Chance = strand.chance
        return chance

    # -- the loop ------------------------------------------------------------------------------------------------------

    def _read_on(self) -> bool:
        """
        Apply the next batch from inside of code that waits for it.

        What goes wrong is no business of the code: it is kept for the loop, and the code is never resumed.
        """
        batches = self._batches
        if not batches or batches[0].started_event_id is None:  # a tail is matched, and resumes nobody
            return False
        try:
            return self._take(batches.popleft())
        except BaseException as error:
            self._fault = error
            return False

    def _apply(self, batch: Batch) -> None:
        if self._take(batch):
            self._strands.run_ready(self.started_event_id)
            if self.returned:
                self._strands.close()

    def _take(self, batch: Batch) -> bool:
        """Apply a batch and make ready what it answers; False if no code may go on with it."""
        settled = self._replayer.apply(batch)
        self.batch += 1
        started = batch.started_event_id
        if started is not None and batch.time is not None:
            self.time = _moment(batch.time, started)
            self.is_replaying = started <= self._replayer.completed_up_to
            self.is_of_2_0_0 = started <= self._replayer.of_2_0_0_up_to
        for invocation in settled:
            future, invocation.future = invocation.future, None  # each knows the other: no rings for the collector
            if future is None or (invocation.outcome is not _SUCCEEDED and self._try_again(future, invocation)):
                continue
            future._settle(invocation.outcome, invocation.result, invocation.failure, invocation.settled_at)  # noqa: SLF001 - a run settles
        if started is None:
            return False
        if self.returned:
            self._report_lost_signals()
            return False
        strands = self._strands
        if strands.main is None:
            strands.start(self._execute, self._helper, 1)
        if self._replayer.signals:
            self._deliver_signals()
        if self._replayer.cancel_requested is not None and not self._cancel_noted:
            self._request_cancel(*self._replayer.cancel_requested)
        return True

    def _request_cancel(self, event_id: int, cause: str | None) -> None:
        self._cancel_noted = True
        main = self._strands.main
        if main is not None:
            self.interrupt(main, event_id, WorkflowCanceledException(cause))

    def _deliver_signals(self) -> None:
        for event_id, name, text in self._replayer.signals:
            handler = self._handlers.get(name)
            if handler is None:
                self.inbox.put(name, text, event_id, self._strands.wake)
            else:
                self._start_handler(handler, name, decode(text), event_id)

    def _start_handler(self, handler: Callable[..., Any], name: str, value: Any, event_id: int) -> None:
        def handle() -> None:
            try:
                call_handler(handler, self.workflow, value)
            except (KeyboardInterrupt, MemoryError, FiberClosed):
                raise
            except WorkflowCanceledException:
                pass
            except BaseException as error:
                if not self.is_replaying:
                    logger.error(  # noqa: TRY400 - the author's frames alone
                        "the handler of signal %r failed in run %s, which goes on:\n%s",
                        name,
                        self.run_id,
                        format_traceback(error),
                    )

        self._strands.start(handle, self._helper, event_id).handles = name

    def _report_lost_signals(self) -> None:
        """Say which signals came when ``run`` was over, or were never received: nobody will act on them."""
        for _, name, _ in self._replayer.signals:
            if not self.is_replaying:
                logger.warning("signal %r came to run %s after its code had returned", name, self.run_id)

    def _try_again(self, future: InvocationFuture[Any], invocation: Invocation) -> bool:
        """Begin the pause before a further attempt, if one is wanted; a changed policy governs only what is undecided."""
        if self.returned or invocation.outcome is State.SUCCEEDED or invocation.outcome is None:
            return False
        failure = exception_of(invocation.outcome, invocation.failure, invocation.id)
        attempts: Attempts | None = future.attempts
        if attempts is None:
            # It may have had a policy when this was decided; that it has none now governs only the attempts to come.
            was_retried = self.is_replaying and self._replayer.was_retried(f"{RETRY}{self._bare(invocation.id)}.2")
            if not was_retried and (not is_throttled(failure) or self._replayer.begun_by_2_0_0):
                return False
            attempts = future.attempts = Attempts(None, invocation.id, self.seconds())
        policy = attempts.governing(failure)
        timer_id = f"{RETRY}{self._bare(attempts.first_id)}.{attempts.number + 1}"
        if self.is_replaying:
            wanted = self._replayer.was_retried(timer_id)
        else:
            wanted = policy is not None and policy.wants(failure, attempts.number, self.seconds() - attempts.since_s)
        if not wanted:
            return False
        pause_s = (policy or THROTTLED).pause_s(attempts.number, Chance(self.run_id, timer_id), failure)
        decide = partial(swf.start_timer, timer_id, str(duration(pause_s, "the pause before an attempt")))
        pause = Invocation(Kind.TIMER, timer_id, None, decide, invocation.where)
        paused = InvocationFuture[None](self, pause)
        paused._on_settled = lambda _: self._next_attempt(future, attempts, invocation)  # noqa: SLF001 - nobody else waits for it
        pause.future = paused
        attempts.pause = pause
        self._replayer.ask(pause)
        return True

    def _bare(self, id: str) -> str:
        """Return an id without the run's prefix that children have; with it, a timer's would be too long."""
        return id.removeprefix(self._replayer.child_prefix)

    def _next_attempt(self, future: InvocationFuture[Any], attempts: Attempts, before: Invocation) -> None:
        attempts.pause = None
        if future.done or self.returned:
            return
        attempts.number += 1
        own_id = f"{attempts.first_id}.{attempts.number}"
        decide = partial(swf.with_id, before.decide(), own_id)
        invocation = Invocation(before.kind, own_id, before.name, decide, before.where, before.input, before.is_plain)
        invocation.future = future
        future.invocation = invocation
        self._replayer.ask(invocation)

    def seconds(self) -> float:
        """Return the time of the batch in seconds since the epoch."""
        return self.time.timestamp() if isinstance(self.time, datetime) else self.time

    def _execute(self) -> None:
        """The body of the main fiber: the author's code, and the decision that closes the execution."""
        workflow_type = (self.workflow_class.NAME, self.workflow_class.VERSION)
        decision = closing_decision(
            self._run_code, workflow_type, self._replayer.started.get("input"), quiet=self.is_replaying
        )
        self.returned = True
        left = self.inbox.left()
        handling = sum(strand.handles is not None for strand in self._strands)
        if (left or handling) and not self.is_replaying:
            logger.warning(
                "run %s ended; never received: %s; handlers of signals that had not finished: %d",
                self.run_id,
                left or "none",
                handling,
            )
        self._replayer.ask(Invocation(Kind.CLOSE, "", decision["decisionType"], lambda: decision))

    def _run_code(self, workflow_input: Any) -> Any:
        self.workflow = self.workflow_class(self._helper)
        return self.workflow.run(workflow_input)

    def _log_drift(self, drift: Drift) -> None:
        logger.warning(
            "%s of run %s: its %s is %r in history (event %d) and %r in the code at %s; %d more such differences",
            drift.who,
            self.run_id,
            drift.what,
            drift.recorded,
            drift.event_id,
            drift.asked,
            format_place(drift.where),
            len(self.drifts) - 1,
        )


def _moment(time: Any, event_id: int) -> datetime | float:
    """Return the time of a batch; a task that went through JSON has it as a number or as ISO text."""
    if isinstance(time, str):
        try:
            return datetime.fromisoformat(time)
        except ValueError as error:
            raise HistoryException(
                f"history is not sound: event {event_id} has the eventTimestamp {time!r}.", event_id=event_id
            ) from error
    moment: datetime | float = time
    return moment


class SpawnedFuture(Future[T]):
    """The future of a function that runs in a fiber of the same run; its result is the very object, its error the very error."""

    strand: Strand
    scope: Scope
    error: BaseException | None = None

    @property
    def exception(self) -> BaseException | None:
        """What the function raised; None unless ``failed``."""
        return self.error if self.error is not None else super().exception

    def _who(self) -> str:
        return f"fiber {self.strand.number}"


def _told(wait: Wait | None) -> str:
    """Say what a wait is for."""
    if wait is None or wait.what is None:
        return "something"
    if isinstance(wait.what, str):
        return wait.what
    futures = wait.what if isinstance(wait.what, list) else [wait.what]
    open_ones = [str(getattr(future, "invocation", None) or future._who()) for future in futures if not future.done]  # noqa: SLF001 - for people
    more = f" and {len(open_ones) - 5} more" if len(open_ones) > 5 else ""
    return ", ".join(open_ones[:5]) + more


def register_options(workflow_class: type[Workflow]) -> dict[str, Any]:
    """
    Return the keyword arguments of RegisterWorkflowType that a class asks for, as SWF's strings.

    The class is not initialised for it: its ``__init__`` may use the run that is not there yet.

    Raises:
        PyflowException: NAME or VERSION is missing.
    """
    if not (workflow_class.NAME and workflow_class.VERSION):
        raise PyflowException(
            f"{workflow_class.__qualname__} must set NAME and VERSION: they name its workflow type in SWF"
        )
    options = workflow_class.__new__(workflow_class).options
    return {name: value if isinstance(value, (dict, str)) else str(value) for name, value in options.items()}
