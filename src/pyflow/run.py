"""
One live run: the runtime that its code stands on, the author's object, and the loop. Batches in, decisions out.

The decider, the tools over recorded histories and the tests all drive this one thing.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from types import FrameType
from typing import Any, Final

from ._fiber import FiberClosed
from .blocked import blocked
from .closing import closing_decision
from .converter import JSON, DataConverter
from .exceptions import GuardException, PyflowException, WorkflowCanceledException
from .failures import format_traceback
from .guard import Mode, look_at_blocks
from .logs import Logs
from .replay.drift import Drift
from .replay.invocations import format_place, new_invocation
from .replay.rules import execution_context
from .replay.tables import Kind
from .retrying import try_again
from .runtime import Runtime
from .signals import call_handler, decode, handlers_of
from .swf.decisions import Decision
from .swf.model import DECISION_ATTRIBUTES
from .workflow import Workflow, WorkflowInvocationHelper

logger = logging.getLogger("pyflow")

HISTORY_WARNING: Final = 10_000
"""Events after which SWF's own advice is to keep histories shorter."""


class Run:
    """
    A run of a workflow, as far as its history has been applied.

    One thread makes it, advances it and closes it.

    Args:
        workflow_class: the author's class.
        workflow_id, run_id: the execution.
        legacy_child_ids: name children as 2.0.0 did, ``child_workflowN`` alone, which collides between runs.
        logs: when log lines of the code are heard.
        converter: what values become on their way.
        guard: what is done about code that cannot be replayed.

    Attributes:
        runtime: the run as its code sees it.
        workflow: the author's object, once ``run`` has begun.
    """

    def __init__(
        self,
        workflow_class: type[Workflow],
        workflow_id: str,
        run_id: str,
        *,
        legacy_child_ids: bool = False,
        logs: Logs = "live",
        converter: DataConverter = JSON,
        guard: Mode = "off",
    ) -> None:
        self.workflow_class = workflow_class
        self.workflow_id = workflow_id
        self.run_id = run_id
        self.workflow: Workflow | None = None
        self.runtime = Runtime(
            workflow_class,
            workflow_id,
            run_id,
            legacy_child_ids=legacy_child_ids,
            converter=converter,
            logs=logs,
            guard=guard,
        )
        self._converter = converter
        self._replayer = self.runtime.replayer
        self._strands = self.runtime.strands
        self._cancel_noted = self._drift_told = self._warned = False

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
    def progress(self) -> tuple[int, int, int]:
        """Changes whenever code comes to a wait, or goes on behind one; another thread may look."""
        return self.runtime.batch, self._strands.now, self.runtime.settled_count

    @property
    def drifts(self) -> list[Drift]:
        """What differed from history without mattering for matching (contract 6)."""
        return self._replayer.drifts

    @property
    def returned(self) -> bool:
        """Whether ``run`` has returned or raised; no code runs any more."""
        return self.runtime.returned

    def advance(self, events: Sequence[dict[str, Any]], started_event_id: int | None) -> None:
        """
        Apply what is new in a history and let code run until it waits for more.

        Args:
            events: the history in the API's form, or any part of it that begins at or before the first new event.
            started_event_id: the task's; nothing past it is read. None: all of a recorded history, its tail matched.

        Raises:
            HistoryException: the history is not sound.
            NondeterminismException: code and history do not fit.
            GuardException: the code does what cannot be replayed, and the guard is strict.
            DeciderException: the run follows rules that this pyflow does not know.
            PyflowException: SWF refuses to close the run for a reason that no repetition can mend.
        """
        replayer, runtime, strands = self._replayer, self.runtime, self._strands
        replayer.read(events, started_event_id)
        try:
            while replayer.last_event_id < replayer.read_up_to:
                if self._take():
                    strands.read_on = self._take if replayer.last_event_id < replayer.resumes_up_to else None
                    strands.run_ready(replayer.started_event_id)
                    if runtime.returned:
                        strands.close()
                if runtime.fault is not None:
                    raise runtime.fault
        finally:
            strands.read_on = None
            replayer.forget()
        if runtime.guard is not None:
            look_at_blocks(runtime.guard, strands.by_number.values())
        if replayer.drifts and not self._drift_told:
            self._log_drift(replayer.drifts)
        if replayer.last_event_id >= HISTORY_WARNING and not self._warned:
            self._warned = True
            logger.warning(
                "run %s of workflow id %r has %d events; SWF ends it at 25,000: continue as new",
                self.run_id,
                self.workflow_id,
                replayer.last_event_id,
            )
        if replayer.close_refused is not None and started_event_id is not None:
            raise PyflowException(
                f"SWF refuses to close run {self.run_id} as its code asks: {replayer.close_refused}. Register what is missing, "
                f"and it goes on by itself."
            )

    def read_ahead(self, events: Sequence[dict[str, Any]]) -> None:
        """Take the recorded values of a whole history, before any of it is applied: nothing of it is called again."""
        self._replayer.ahead.look_at(events)
        self._replayer.ahead.read()

    def place_of(self, drift: Drift) -> str | None:
        """Return ``file:line in function`` of the code that asked for something else than history recorded."""
        return format_place(drift.where)

    def decisions(self, seal: Callable[[str], str] | None = None) -> list[Decision]:
        """Return what must be sent now; see ``Replayer.decisions``."""
        return self._replayer.decisions(seal)

    def execution_context(self) -> str:
        """Return the text that goes with a response: the rules number, and for people where the code is blocked."""
        return execution_context(
            blocked(self._strands, self.runtime.status, show_locals=self.workflow_class.SHOW_LOCALS)
        )

    def where(self) -> str | None:
        """Return ``file:line in function`` of where the main code is parked; None if it is not."""
        return self._strands.where()

    def frames(self) -> Iterator[FrameType]:
        """Yield the author's frames of each fiber, as they are parked, innermost first; another thread may look."""
        for strand in list(self._strands.by_number.values()):
            yield from strand.fiber.frames()

    def close(self) -> None:
        """Let go of the code: its ``finally`` bodies run now, and nothing they ask reaches a service."""
        self._strands.close()
        self._replayer.close()

    # -- the loop ------------------------------------------------------------------------------------------------------

    def _take(self) -> bool:
        """
        Apply the next batch and make ready what it answers; False if no code may go on with it.

        Called by the loop, and in a replay from inside of code that waits for the batch. What goes wrong is no business of the
        code: it is kept for the loop, and the code is never resumed.
        """
        replayer, runtime, strands = self._replayer, self.runtime, self._strands
        try:
            settled = replayer.apply()
            if replayer.last_event_id >= replayer.resumes_up_to:
                strands.read_on = None
            runtime.batch = replayer.batch
            for invocation in settled:
                future, invocation.future = invocation.future, None  # each knows the other: no rings for the collector
                failure = invocation.failure
                if future is None or (failure is not None and try_again(runtime, future, invocation)):
                    continue
                future._settle(invocation.outcome, invocation.result, failure, invocation.settled_at)  # noqa: SLF001 - a run settles
            if replayer.in_tail:
                return False
            if runtime.returned:
                self._report_lost_signals()
                return False
            if strands.main is None:
                strands.start(self._execute, 1)
            if replayer.signals:
                self._deliver_signals()
            if replayer.cancel_requested is not None and not self._cancel_noted:
                self._request_cancel(*replayer.cancel_requested)
        except BaseException as error:
            runtime.give_up(error)
            return False
        return True

    def _request_cancel(self, event_id: int, cause: str | None) -> None:
        self._cancel_noted = True
        main = self._strands.main
        if main is not None:
            self._strands.interrupt(main, event_id, WorkflowCanceledException(cause))

    @cached_property
    def _handlers(self) -> dict[str, Callable[..., Any]]:
        """The class's handlers of signals. To look for them takes long, and most runs get no signal."""
        return handlers_of(self.workflow_class)

    def _deliver_signals(self) -> None:
        for event_id, name, text in self._replayer.signals:
            self.runtime.characters += len(text or "")
            handler = self._handlers.get(name)
            if handler is None:
                self.runtime.inbox.put(name, text, event_id, self._strands.wake)
            else:
                self._start_handler(handler, name, decode(self._converter, text), event_id)

    def _start_handler(self, handler: Callable[..., Any], name: str, value: Any, event_id: int) -> None:
        def handle() -> None:
            try:
                call_handler(handler, self.workflow, value, self._converter)
            except (KeyboardInterrupt, MemoryError, FiberClosed, GuardException):
                raise
            except WorkflowCanceledException:
                pass
            except BaseException as error:
                if not self.runtime.is_replaying:
                    logger.error(  # noqa: TRY400 - the author's frames alone
                        "the handler of signal %r failed in run %s, which goes on:\n%s",
                        name,
                        self.run_id,
                        format_traceback(error),
                    )

        self._strands.start(handle, event_id).handles = name

    def _report_lost_signals(self) -> None:
        """Say which signals came when ``run`` was over, or were never received: nobody will act on them."""
        for _, name, _ in self._replayer.signals:
            if not self.runtime.is_replaying:
                logger.warning("signal %r came to run %s after its code had returned", name, self.run_id)

    def _execute(self) -> None:
        """The body of the main fiber: the author's code, and the decision that closes the execution."""
        workflow_type = (self.workflow_class.NAME, self.workflow_class.VERSION)
        text = self._replayer.started.get("input")
        self.runtime.characters += len(text or "")
        decision = closing_decision(
            self._run_code,
            workflow_type,
            text,
            self._converter,
            self.workflow_class.run,
            is_replaying=lambda: self.runtime.is_replaying,
        )
        self.runtime.returned = True
        left = self.runtime.inbox.left()
        handling = sum(strand.handles is not None for strand in self._strands.by_number.values())
        if (left or handling) and not self.runtime.is_replaying:
            logger.warning(
                "run %s ended; never received: %s; handlers of signals that had not finished: %d",
                self.run_id,
                left or "none",
                handling,
            )
        decision_type = decision["decisionType"]
        options = decision[DECISION_ATTRIBUTES[decision_type]]
        self._replayer.ask(new_invocation(Kind.CLOSE, "", decision_type, options=options))

    def _run_code(self, workflow_input: Any) -> Any:
        self.workflow = self.workflow_class(WorkflowInvocationHelper(self.runtime))
        return self.workflow.run(workflow_input)

    def _log_drift(self, drifts: Sequence[Drift]) -> None:
        """Tell of the first of the differences, once in the life of the run."""
        self._drift_told = True
        drift, *more = drifts
        logger.warning(
            "%s of run %s: its %s is %r in history (event %d) and %r in the code at %s; %d more such differences",
            drift.who,
            self.run_id,
            drift.what,
            drift.recorded,
            drift.event_id,
            drift.asked,
            format_place(drift.where),
            len(more),
        )
