"""
One live run: the replayer, the fiber and the author's object. Batches in, decisions out.

The decider, the tools over recorded histories and the tests all drive this one thing.
"""

import logging
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from heapq import heappop, heappush
from traceback import StackSummary, TracebackException
from typing import Any, TypeVar

from ._fiber import PACKAGE, Fiber, FiberClosed, caller, current, getcurrent
from .converter import DATA_MAX, JSON, REASON_MAX, cut
from .exceptions import (
    NotInWorkflowException,
    PyflowException,
    SerializationException,
    WorkflowCanceledException,
    WorkflowFailedException,
)
from .future import InvocationFuture, Wait
from .replay.batches import Batch, split
from .replay.invocations import Invocation, format_place
from .replay.replayer import Drift, Recorded, Replayer, execution_context
from .replay.tables import Kind, State
from .swf import decisions as swf
from .swf.decisions import Decision
from .workflow import Workflow, WorkflowInvocationHelper

logger = logging.getLogger("pyflow")

T = TypeVar("T")


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
        is_replaying: code runs over a batch that an earlier decision task has completed.
        is_of_2_0_0: code runs over a batch that pyflow 2.0.0 has decided.
        is_unlike_2_0_0: code has seen something that 2.0.0 would have shown it otherwise.
        returned: ``run`` has returned or raised; no code runs any more.
    """

    def __init__(
        self, workflow_class: type[Workflow], workflow_id: str, run_id: str, *, legacy_child_ids: bool = False
    ) -> None:
        self.workflow_class = workflow_class
        self.workflow_id = workflow_id
        self.run_id = run_id
        self.time: datetime | float = 0.0
        self.is_replaying = False
        self.is_of_2_0_0 = False
        self.is_unlike_2_0_0 = False
        self.returned = False
        self._legacy_child_ids = legacy_child_ids
        self._replayer = Replayer(run_id, locate=self.where)
        self._main: Fiber | None = None
        self._running: Fiber | None = None
        self._is_outside = False
        self._waiting: Wait | None = None
        self._ready: list[tuple[int, int]] = []
        self._cancel_noted = False
        self._cancel_at: int | None = None
        self._cancel_cause: str | None = None
        self._counters: dict[str, int] = {}
        self._settled_count = 0

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
    def batch(self) -> int:
        """The number of the batch applied last."""
        return self._replayer.batch

    @property
    def lambda_role(self) -> str | None:
        """The execution's Lambda role."""
        return self._replayer.started.get("lambdaRole")

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
        """
        batches = split(events, after=self.last_event_id, until=started_event_id)
        self._replayer.read_ahead(batches)
        drifted = len(self.drifts)
        for batch in batches:
            self._apply(batch)
        if drifted == 0 and self.drifts:
            drift = self.drifts[0]
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

    def read_ahead(self, events: Sequence[dict[str, Any]]) -> None:
        """Take the recorded values of a whole history, before any of it is applied: nothing of it is called again."""
        self._replayer.read_ahead(split(events))

    def place_of(self, drift: Drift) -> str | None:
        """Return ``file:line in function`` of the code that asked for something else than history recorded."""
        return format_place(drift.where)

    def decisions(self) -> list[Decision]:
        """Return what must be sent now; see ``Replayer.decisions``."""
        return self._replayer.decisions()

    def execution_context(self) -> str:
        """Return the text for people and for later rules that goes with a response."""
        where = self.where()
        return execution_context(f"waiting at {where}" if where else "")

    def where(self) -> str | None:
        """Return ``file:line in function`` of where the code is parked; None if it is not."""
        return None if self._main is None else format_place(self._main.where())

    def close(self) -> None:
        """Let go of the code: its ``finally`` bodies run now, and nothing they ask reaches a service."""
        if self._main is not None:
            self._running = None
            self._main.close()

    # -- what code asks ------------------------------------------------------------------------------------------------

    def enter(self) -> None:
        """
        Check that this run's own code is calling, before anything is asked or awaited.

        Raises:
            NotInWorkflowException: it is not.
        """
        if getcurrent() is self._running:
            return
        fiber = current()
        if fiber is not None and fiber is self._main and fiber.closing:
            raise FiberClosed
        if self._is_outside and fiber is self._main and fiber is not None:
            raise NotInWorkflowException(
                "a function given to invoke_once may ask nothing of pyflow: it is not called again on replay"
            )
        raise NotInWorkflowException(
            f"this belongs to run {self.run_id} of {self.workflow_class.__qualname__}, and only the code of its run method can "
            f"use it: not another thread, an activity, a signal handler, a finalizer or another run"
        )

    def next_id(self, kind: str) -> str:
        """Return the next id of a kind (contract 3)."""
        if getcurrent() is not self._running:
            self.enter()
        number = self._counters.get(kind, 0) + 1
        self._counters[kind] = number
        return f"{kind}{number}"

    def next_child_id(self) -> str:
        """Return the next child's workflow id (contract 3)."""
        own_id = self.next_id("child_workflow")
        return own_id if self._legacy_child_ids else self._replayer.child_prefix + own_id

    def invoke(
        self,
        kind: Kind,
        id: str,
        name: Any,
        decision: Decision,
        *,
        future_class: type[InvocationFuture[Any]] = InvocationFuture,
    ) -> InvocationFuture[Any]:
        """Ask for something and give its future."""
        invocation = Invocation(kind, id, name, decision, caller(sys._getframe(2)))  # noqa: SLF001 - CPython's own name for it
        invocation.future = future = future_class(self, invocation)
        self._replayer.ask(invocation)
        return future

    def recorded(self, name: str) -> Recorded | None:
        """Return a recorded value that history holds already."""
        return self._replayer.recorded(name)

    def settle_now(self, future: InvocationFuture[Any], result: str) -> None:
        """Settle a future whose result code has made itself, after the events of the batch (contract 4)."""
        future.invocation.future = None
        self._settled_count += 1
        future._settle(State.SUCCEEDED, result, None, self._settled_count, self.last_event_id)  # noqa: SLF001 - a run settles

    def cancel_timer(self, future: InvocationFuture[Any]) -> None:
        """Take back a timer that the engine no longer needs."""
        self.enter()
        self._replayer.cancel(future.invocation, optional=True)

    def outside(self, function: Callable[[], T]) -> T:
        """Call something that may ask nothing of this run."""
        fiber, self._running, self._is_outside = self._running, None, True
        try:
            return function()
        finally:
            self._running, self._is_outside = fiber, False

    def park(self, wait: Wait) -> None:
        """
        Suspend the calling fiber until the wait is woken.

        Raises:
            WorkflowCanceledException: a cancel request is due (contract 7).
        """
        if self._cancel_at is not None:
            raise self._take_cancel()
        wait.fiber = fiber = self._running
        assert fiber is not None
        self._waiting = wait
        fiber.suspend()

    def wake(self, wait: Wait, event_id: int) -> None:
        """Make the fiber of a wait ready, in the order of the events that make fibers ready (contract 7)."""
        if wait.fiber is not None:
            wait.fiber = None
            self._waiting = None
            heappush(self._ready, (event_id, 0))

    # -- the loop ------------------------------------------------------------------------------------------------------

    def _apply(self, batch: Batch) -> None:
        for invocation in self._replayer.apply(batch):
            future, invocation.future = (
                invocation.future,
                None,
            )  # each of them knows the other: no rings for the collector
            if future is not None:
                self._settled_count += 1
                future._settle(  # noqa: SLF001 - a run settles
                    invocation.outcome,
                    invocation.result,
                    invocation.failure,
                    self._settled_count,
                    invocation.settled_at,
                )
        if batch.started_event_id is None or batch.time is None:
            return
        self.time = batch.time
        self.is_replaying = batch.started_event_id <= self._replayer.completed_up_to
        self.is_of_2_0_0 = batch.started_event_id <= self._replayer.of_2_0_0_up_to
        if self._replayer.cancel_requested is not None:
            self._note_cancel_request()
        if self._main is None:
            self._main = Fiber(self._execute, WorkflowInvocationHelper(self))
            heappush(self._ready, (1, 0))
        if self._waiting is not None and self._waiting.missing is None:
            self.wake(self._waiting, batch.started_event_id)
        while self._ready:
            event_id, _ = heappop(self._ready)
            self._resume(event_id)
        if self._cancel_at is not None and self._waiting is not None:
            self._resume(self._cancel_at)

    def _resume(self, event_id: int) -> None:
        """Let the main fiber go on: it was made ready by that event."""
        if self.returned:
            return
        fiber = self._main
        assert fiber is not None
        error = None
        if self._cancel_at is not None and self._cancel_at <= event_id:
            error = self._take_cancel()
            if self._waiting is not None:
                self._waiting.fiber = None
                self._waiting = None
        self._running = fiber
        try:
            fiber.resume(error)
        finally:
            self._running = None

    def _note_cancel_request(self) -> None:
        assert self._replayer.cancel_requested is not None
        if not self._cancel_noted:
            self._cancel_noted = True
            self._cancel_at, self._cancel_cause = self._replayer.cancel_requested

    def _take_cancel(self) -> WorkflowCanceledException:
        self._cancel_at = None
        return WorkflowCanceledException(self._cancel_cause)

    def _execute(self) -> None:
        """The body of the main fiber: the author's code, and the decision that closes the execution."""
        decision = self._closing_decision()
        self.returned = True
        self._replayer.ask(Invocation(Kind.CLOSE, "", decision["decisionType"], decision))

    def _closing_decision(self) -> Decision:
        workflow_type = (self.workflow_class.NAME, self.workflow_class.VERSION)
        fiber = current()
        assert fiber is not None
        try:
            workflow_input = JSON.decode(self._replayer.started.get("input"))
        except ValueError as error:
            return swf.fail_workflow_execution(
                reason="Invalid input to workflow", details=cut(f"The input is not JSON: {error}")
            )
        try:
            result = self.workflow_class(fiber.owner).run(workflow_input)
        except WorkflowFailedException as failure:
            if not self.is_replaying:
                logger.info("workflow %r failed itself: %s", workflow_type, failure.reason)
            return swf.fail_workflow_execution(
                reason=_prose(failure.reason, REASON_MAX), details=_prose(failure.details, DATA_MAX)
            )
        except WorkflowCanceledException as cancel:
            return swf.cancel_workflow_execution(details=_prose(cancel.details, DATA_MAX))
        except (KeyboardInterrupt, MemoryError, FiberClosed):
            raise
        except BaseException as error:
            reason = f"Caught exception while executing workflow {workflow_type!r}"
            if not self.is_replaying:
                logger.exception(reason)
            return swf.fail_workflow_execution(reason=cut(reason, REASON_MAX), details=cut(format_traceback(error)))
        try:
            return swf.complete_workflow_execution(result=JSON.encode(result, "the result of the workflow"))
        except SerializationException as error:
            logger.error("workflow %r cannot close with its result: %s", workflow_type, error)  # noqa: TRY400 - said in full
            return swf.fail_workflow_execution(reason=cut(str(error), REASON_MAX), details=cut(str(error)))


def format_traceback(error: BaseException) -> str:
    """Write an exception with its causes and the author's frames; pyflow's own are left out, unless there are no others."""
    whole = TracebackException.from_exception(error)
    report: TracebackException | None = whole
    while report is not None:
        own = [frame for frame in report.stack if not frame.filename.startswith(PACKAGE)]
        report.stack = StackSummary.from_list(own or report.stack)
        report = report.__cause__ or report.__context__
    return "".join(whole.format())


def _prose(text: Any, length: int) -> str | None:
    """Return a reason or details as SWF takes them: whatever an author gave, as text, cut to the length."""
    return None if text is None else cut(text if isinstance(text, str) else repr(text), length)


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
