"""
The decider: one decision task in, one response out; and the loop that does this for months.

No fault of ours ever fails a customer's execution. What cannot be decided is parked, or not answered; what cannot be sent is
sent again, or dropped.
"""

import logging
import os
import socket
import threading
import time
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from pyflow import logs
from pyflow.converter import JSON, DataConverter
from pyflow.exceptions import (
    DeciderException,
    HistoryException,
    NondeterminismException,
    PayloadException,
    PayloadStoreException,
    PyflowException,
    ServiceFault,
)
from pyflow.replay.parking import parking
from pyflow.replay.rules import execution_context
from pyflow.run import Run
from pyflow.swf.client import Client, create_client
from pyflow.swf.decisions import Decision
from pyflow.swf.faults import Verdict, judge
from pyflow.workflow import Workflow, register_options

from .polling import Poller, backoff_max_s, poll_decision_task
from .registration import WORKFLOW_TYPES, register_types
from .responding import respond
from .sticky import RunCache

__all__ = ["DecidedTask", "Decider", "poll_for_executions"]

logger = logging.getLogger("pyflow")

RUNS_KEPT: Final = 1_000

Task = dict[str, Any]

_TASK_MEMBERS: Final = {"taskToken", "workflowExecution", "workflowType", "startedEventId", "events"}


class DecidedTask(NamedTuple):
    """What answers a decision task: its token, SWF's decisions, and the execution context (the rules number first)."""

    task_token: str
    decisions: list[Decision]
    execution_context: str


class Decider:
    """
    Decides the executions of some workflow types.

    Args:
        workflow_classes: subclasses of Workflow.
        domain: a registered domain.
        task_list: the decision task list to poll.
        identity: recorded in history with each task; at most 256 characters.
        client: see ``pyflow.swf.client``; None makes one by boto3's conventions.
        runs_kept: how many live runs each thread keeps between tasks; 0 replays each task from its history.
        legacy_child_ids: name children as 2.0.0 did, which collides between runs.
        log_replays: let the code's log lines be heard also while it replays what an earlier task has completed.
        converter: what values become on their way; give the activity workers and the starters the same.

    Raises:
        PyflowException: two classes have the same NAME and VERSION, or one lacks them.
    """

    def __init__(
        self,
        workflow_classes: Iterable[type[Workflow]],
        domain: str,
        task_list: str,
        identity: str,
        client: Client = None,
        *,
        runs_kept: int = RUNS_KEPT,
        legacy_child_ids: bool = False,
        log_replays: bool = False,
        converter: DataConverter = JSON,
    ) -> None:
        logs.install()
        self._classes = _by_type(workflow_classes)
        self._domain = domain
        self._task_list = task_list
        self._identity = identity or f"{socket.gethostname()}:{os.getpid()}"
        self._given_client = client
        self._legacy_child_ids = legacy_child_ids
        self._logs: logs.Logs = "always" if log_replays else "live"
        self._converter = converter
        self._runs_kept = runs_kept
        self._of_thread = threading.local()
        self._stopping = threading.Event()
        self._pollers: list[Poller] = []  # one for each thread in poll_for_decision_tasks

    @property
    def idle(self) -> bool:
        """Whether nothing but polls is under way."""
        return all(poller.polling for poller in self._pollers)

    def ensure_workflows_registered(self) -> None:
        """
        Register the workflow types that the domain does not have yet, and log what those that it has have otherwise.

        Raises:
            PyflowException: a class asks for an option that RegisterWorkflowType does not have.
            ServiceFault: the service refused.
        """
        wanted = {type_: _registration(each, self._task_list) for type_, each in self._classes.items()}
        register_types(self._client, WORKFLOW_TYPES, self._domain, wanted, self._stopping)

    def process_decision_task(self, decision_task: Task) -> DecidedTask:
        """
        Decide a task. Calls no service; payloads that are too long for SWF are put into the converter's store.

        Args:
            decision_task: PollForDecisionTask's reply with the events of all pages.

        Returns:
            What must be answered.

        Raises:
            NondeterminismException: the code does not fit the history.
            HistoryException: the history is not sound.
            PayloadException: something in history cannot be opened; PayloadStoreException: the store does not answer.
            DeciderException: no class here has the task's workflow type, or the run follows rules of another pyflow.
        """
        missing = sorted(_TASK_MEMBERS - decision_task.keys())
        if missing:
            raise DeciderException(f"this is no decision task: it lacks {', '.join(missing)}")
        execution = decision_task["workflowExecution"]
        workflow_class = self._class_of(decision_task)
        events = decision_task["events"]
        run = self._runs.take(execution["runId"], events)
        if run is not None:
            try:
                run.advance(events, decision_task["startedEventId"])
            except Exception:
                # The history alone has the last word; what this process kept may be what does not fit.
                logger.warning("run %s does not go on from memory; it is replayed", run.run_id, exc_info=True)
                run.close()
                run = None
            except BaseException:
                run.close()
                raise
        if run is None:
            run = self._replay(workflow_class, execution, events, decision_task["startedEventId"])
        try:
            decisions = run.decisions(self._converter.seal if self._converter.seals else None)
        except BaseException:
            run.close()
            raise
        decided = DecidedTask(decision_task["taskToken"], decisions, run.execution_context())
        self._runs.keep(run)
        return decided

    def poll_for_decision_tasks(self, max_time: float | None = None) -> None:
        """
        Register what is missing, then decide tasks until told to stop.

        Args:
            max_time: seconds after which no new poll begins. A poll under way is waited for, up to 60 s: SWF may have
                given it a task already.

        Raises:
            ServiceFault: registration failed, or the service refuses what the polls say.
        """
        self.ensure_workflows_registered()
        logger.info("polling for decision tasks in domain %r on task list %r", self._domain, self._task_list)
        deadline = None if max_time is None else time.monotonic() + max_time
        poller = Poller(
            lambda: poll_decision_task(
                self._client, self._domain, self._task_list, self._identity, stop=self._stopping
            ),
            self._stopping,
            backoff_max_s=backoff_max_s(self._client),
        )
        self._pollers.append(poller)
        try:
            while not self._stopping.is_set() and (deadline is None or time.monotonic() < deadline):
                task = poller.next()
                if task is not None:
                    self._answer(task)
        finally:
            self._pollers.remove(poller)
            self._runs.close()

    def stop(self) -> None:
        """End the polling after the poll and the task under way; callable from any thread and from signal handlers."""
        self._stopping.set()

    def forget(self) -> None:
        """Close the runs that this thread keeps."""
        self._runs.close()

    @property
    def _client(self) -> Client:
        """The client; made when it is first needed, since deciding a task needs none."""
        if self._given_client is None:
            self._given_client = create_client(for_worker=True)
        return self._given_client

    @property
    def _runs(self) -> RunCache:
        """The kept runs of this thread: a fiber never leaves the thread that started it."""
        runs = getattr(self._of_thread, "runs", None)
        if runs is None:
            runs = self._of_thread.runs = RunCache(self._runs_kept)
        return runs

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

    def _replay(
        self, workflow_class: type[Workflow], execution: dict[str, str], events: list[dict[str, Any]], until: int
    ) -> Run:
        run = Run(
            workflow_class,
            execution["workflowId"],
            execution["runId"],
            legacy_child_ids=self._legacy_child_ids,
            logs=self._logs,
            converter=self._converter,
        )
        try:
            run.advance(events, until)
        except BaseException:
            run.close()
            raise
        return run

    def _answer(self, task: Task) -> None:
        """Decide a task and send the answer, or park it, or leave it alone."""
        run_id = task["workflowExecution"]["runId"]
        try:
            decided = self.process_decision_task(task)
        except NondeterminismException as error:
            logger.error("%s: parked. %s", _title(task), error)  # noqa: TRY400 - the message says both sides and where
            self._respond(task, _parked(task, str(error)))
        except PayloadStoreException as error:
            logger.warning("%s: not answered, it will be handed out again. %s", _title(task), error)
        except PayloadException as error:
            logger.error("%s: parked. %s", _title(task), error)  # noqa: TRY400 - the message says what is missing
            self._respond(task, _parked(task, str(error)))
        except (HistoryException, DeciderException) as error:
            logger.error("%s: not answered. %s", _title(task), error)  # noqa: TRY400 - the message says it all
        except MemoryError:
            logger.exception("%s: not answered, out of memory", _title(task))
        except Exception as error:
            logger.exception("%s: parked, it could not be decided", _title(task))
            self._respond(task, _parked(task, f"{type(error).__name__}: {error}"))
        else:
            fault = self._respond(task, decided)
            if fault is not None:
                self._runs.forget(run_id)
                if judge(fault) is Verdict.OURS:
                    logger.error("%s: parked, its response was refused: %s", _title(task), fault)
                    self._respond(task, _parked(task, str(fault)))

    def _respond(self, task: Task, decided: DecidedTask) -> ServiceFault | None:
        """Send an answer; give the fault that ended it, if one did."""
        try:
            respond(
                self._client.respond_decision_task_completed,
                "RespondDecisionTaskCompleted",
                self._stopping,
                taskToken=decided.task_token,
                decisions=decided.decisions,
                executionContext=decided.execution_context,
            )
        except ServiceFault as fault:
            logger.warning("%s: its response did not arrive: %s", _title(task), fault)
            return fault
        return None


def poll_for_executions(
    workflows: Iterable[type[Workflow]], domain: str, task_list: str, identity: str, max_time: float | None = None
) -> None:
    """
    Decide the executions of some workflow types, until interrupted.

    Args:
        workflows: subclasses of Workflow.
        domain: a registered domain.
        task_list: the decision task list to poll.
        identity: recorded in history with each task.
        max_time: seconds after which no new poll begins; None: for ever.

    Raises:
        ServiceFault: registration failed, or the service refuses what the polls say.
    """
    Decider(workflows, domain, task_list, identity).poll_for_decision_tasks(max_time)


def _by_type(workflow_classes: Iterable[type[Workflow]]) -> dict[tuple[str, str], type[Workflow]]:
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


def _registration(workflow_class: type[Workflow], task_list: str) -> dict[str, Any]:
    options = register_options(workflow_class)
    if "lambdaRole" in options:
        raise PyflowException(
            f"OPTIONS of {workflow_class.__qualname__} holds 'lambdaRole', which RegisterWorkflowType does not have; "
            f"write 'defaultLambdaRole'"
        )
    own_list = options.setdefault("defaultTaskList", task_list)
    if isinstance(own_list, str):
        options["defaultTaskList"] = {"name": own_list}
    return options


def _parked(task: Task, reason: str) -> DecidedTask:
    return DecidedTask(
        task["taskToken"], parking(task["events"], reason), execution_context(f"parked: {reason[:1_000]}")
    )


def _title(task: Task) -> str:
    execution, workflow_type = task["workflowExecution"], task["workflowType"]
    return (
        f"decision task of {workflow_type['name']} {workflow_type['version']}, "
        f"workflow id {execution['workflowId']!r}, run id {execution['runId']!r}"
    )
