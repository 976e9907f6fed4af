"""
One decision task decided: the class found, the live run taken up or replayed, and what it asks for. Calls no service.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from pyflow.converter import DataConverter
from pyflow.exceptions import DeciderException, HistoryException, PyflowException
from pyflow.guard import Mode
from pyflow.interceptors import Interceptor, chain
from pyflow.logs import Logs
from pyflow.run import Run
from pyflow.swf.decisions import Decision
from pyflow.workflow import Workflow

from .sticky import RunCache

logger = logging.getLogger("pyflow")

Task = dict[str, Any]

_TASK_MEMBERS: Final = frozenset({"taskToken", "workflowExecution", "workflowType", "startedEventId", "events"})


class DecidedTask(NamedTuple):
    """What answers a decision task: its token, SWF's decisions, and the execution context (the rules number first)."""

    task_token: str
    decisions: list[Decision]
    execution_context: str


class Decided(NamedTuple):
    """
    A decided task, and how it came about.

    ``from_memory``: a kept run went on; ``kept``: the run is kept for the next task.
    """

    task: DecidedTask
    from_memory: bool
    kept: bool


class PartOfHistory(HistoryException):
    """The task has only its newest events, and no kept run goes on with them: its whole history is needed."""


class TaskDecider:
    """
    Decides tasks in one thread, and keeps that thread's live runs: a fiber never leaves the thread that started it.

    Args:
        classes: subclasses of Workflow, by NAME and VERSION.
        runs: where live runs are kept; its own.
        legacy_child_ids, converter: see ``Decider``.
        logs: when the log lines of code are heard.
        guard: what is done about code that cannot be replayed.
        interceptors: stand around deciding.

    Attributes:
        at_work: the run whose code may be running just now; another thread may look.
    """

    def __init__(
        self,
        classes: Mapping[tuple[str, str], type[Workflow]],
        runs: RunCache,
        *,
        legacy_child_ids: bool,
        logs: Logs,
        guard: Mode,
        converter: DataConverter,
        interceptors: Sequence[Interceptor] = (),
    ) -> None:
        self._classes = classes
        self._runs = runs
        self._runs.close_run = self._close
        self._legacy_child_ids = legacy_child_ids
        self._logs = logs
        self._guard: Mode = guard
        self._converter = converter
        self._seal = converter.seal if converter.seals else None
        self.at_work: Run | None = None
        self._decide = chain(interceptors, "decide", self._decide_unsurrounded)

    @property
    def runs_alive(self) -> int:
        """How many runs wait here for their next task; another thread may look."""
        return len(self._runs)

    def decide(self, task: Task) -> Decided:
        """
        Decide a task; see ``Decider.process_decision_task``.

        Raises:
            PartOfHistory: the history begins later than it must.
            BaseException: what ``Run.advance`` raises; the run is let go of.
        """
        if not task.keys() >= _TASK_MEMBERS:
            missing = sorted(_TASK_MEMBERS - task.keys())
            raise DeciderException(f"this is no decision task: it lacks {', '.join(missing)}")
        return self._decide(task)

    def _decide_unsurrounded(self, task: Task) -> Decided:
        run = self._go_on(task)
        from_memory = run is not None
        if run is None:
            run = self._replay(task)
        try:
            decisions = run.decisions(self._seal)
        except BaseException:
            self._close(run)
            raise
        decided = DecidedTask(task["taskToken"], decisions, run.execution_context())
        return Decided(decided, from_memory, self._runs.keep(run))

    def forget(self, run_id: str) -> None:
        """Let go of a kept run: what it has decided did not become part of its history."""
        self._runs.forget(run_id)

    def close(self) -> None:
        """Let go of all kept runs."""
        self._runs.close()

    def kept_runs(self) -> list[Run]:
        """Return the runs that wait here for their next task; another thread may look."""
        return list(self._runs)

    def _class_of(self, task: Task) -> type[Workflow]:
        workflow_type = (task["workflowType"]["name"], task["workflowType"]["version"])
        workflow_class = self._classes.get(workflow_type)
        if workflow_class is None:
            known = ", ".join(f"{name} {version}" for name, version in sorted(self._classes)) or "none"
            raise DeciderException(
                f"Received decision task for unknown workflow type: {workflow_type!r}. This decider knows: {known}. Give it "
                f"the class, or let types that it does not know have a task list of their own."
            )
        return workflow_class

    def _go_on(self, task: Task) -> Run | None:
        """Let the kept run go on; None: there is none, or it does not fit."""
        run = self._runs.take(task["workflowExecution"]["runId"], task["events"])
        if run is None:
            return None
        try:
            self._advance(run, task)
        except Exception:
            # The history alone has the last word; what this process kept may be what does not fit.
            logger.warning("run %s does not go on from memory; it is replayed", run.run_id, exc_info=True)
            return None
        return run

    def _replay(self, task: Task) -> Run:
        workflow_class = self._class_of(task)
        events, execution = task["events"], task["workflowExecution"]
        if events and events[0].get("eventId") != 1 and events[0].get("eventType") != "WorkflowExecutionStarted":
            raise PartOfHistory(
                f"history is not sound: event 1 was expected next, event {events[0].get('eventId')} came, and no kept run goes "
                f"on from there. Fetch the whole history."
            )
        run = Run(
            workflow_class,
            execution["workflowId"],
            execution["runId"],
            legacy_child_ids=self._legacy_child_ids,
            logs=self._logs,
            guard=self._guard,
            converter=self._converter,
        )
        self._advance(run, task)
        return run

    def _advance(self, run: Run, task: Task) -> None:
        self.at_work = run
        try:
            run.advance(task["events"], task["startedEventId"])
        except BaseException:
            self._close(run)
            raise
        finally:
            self.at_work = None

    def _close(self, run: Run) -> None:
        """Let go of a run's code, whose ``finally`` bodies run now."""
        before, self.at_work = self.at_work, run
        try:
            run.close()
        finally:
            self.at_work = before


def by_type(workflow_classes: Iterable[type[Workflow]]) -> dict[tuple[str, str], type[Workflow]]:
    """
    Return classes by NAME and VERSION.

    Raises:
        PyflowException: two classes have the same, or one lacks them.
    """
    classes: dict[tuple[str, str], type[Workflow]] = {}
    for workflow_class in workflow_classes:
        if not (workflow_class.NAME and workflow_class.VERSION):
            raise PyflowException(
                f"{workflow_class.__qualname__} must set NAME and VERSION: they name its workflow type in SWF"
            )
        other = classes.setdefault((workflow_class.NAME, workflow_class.VERSION), workflow_class)
        if other is not workflow_class:
            raise PyflowException(
                f"{other.__qualname__} and {workflow_class.__qualname__} are both workflow type "
                f"{workflow_class.NAME!r} {workflow_class.VERSION!r}; a type has one class: change a NAME or a VERSION"
            )
    return classes


def title(task: Task) -> str:
    """Say whose task it is, for a person."""
    execution, workflow_type = task["workflowExecution"], task["workflowType"]
    return (
        f"decision task of {workflow_type['name']} {workflow_type['version']}, "
        f"workflow id {execution['workflowId']!r}, run id {execution['runId']!r}"
    )
