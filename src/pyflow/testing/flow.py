"""
A service, a decider and an activity worker in one thread, with time that passes only when nothing else can happen.

Nothing runs beside the test: each step polls, decides, works and answers in turn, so that a test does the same every time.
"""

import importlib
import sys
from collections.abc import Callable
from datetime import timedelta
from types import ModuleType
from typing import Any, Final, Self

from pyflow.activities import Activity
from pyflow.converter import JSON, DataConverter
from pyflow.exceptions import PyflowException
from pyflow.executions import start_workflow
from pyflow.handles import ExecutionHandle, WorkflowHandle, outcome_of
from pyflow.history.check import check
from pyflow.local import LocalSWF, VirtualClock
from pyflow.payloads.hints import hints_of
from pyflow.swf.client import service_faults
from pyflow.swf.events import attributes_of
from pyflow.worker.activities import ActivityWorker
from pyflow.worker.decider import Decider
from pyflow.worker.polling import poll_decision_task
from pyflow.workflow import Workflow

DOMAIN: Final = "flow"
TASK_LIST: Final = "flow"
STEPS_MAX: Final = 100_000
"""Steps without an end before a test is given up: an execution that asks for ever."""

Function = Callable[[Any, Any], Any]


class Flow:
    """
    What the fixture ``flow`` gives: run workflows, and let time pass.

    Outside of pytest it is a block, ``with Flow() as flow:``; ``flow.check()`` then does what the fixture does by itself.

    A workflow class brings with it what its module holds: the workflows and activities defined or imported there. Others
    are added with ``use``.

    Attributes:
        client: an SWF client on the test's own service, with boto3's methods.
        service, clock: that service, and its time.
        domain, task_list: where everything happens.
        converter: what values become on their way; set another one before anything is started.
    """

    domain = DOMAIN
    task_list = TASK_LIST

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.service = LocalSWF(clock=self.clock, poll_wait_s=0.0, seed=0)
        self.client = self.service.direct()
        self.client.register_domain(name=DOMAIN, workflowExecutionRetentionPeriodInDays="90")
        self._workflows: dict[tuple[str, str], type[Workflow]] = {}
        self._activities: dict[tuple[str, str], Activity[..., Any]] = {}
        self._converter = JSON
        self._used: set[str] = set()
        self._decider: Decider | None = None
        self._worker: ActivityWorker | None = None
        self._executions: list[Execution] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def converter(self) -> DataConverter:
        """What values become on their way, for decider, activity worker, starter and handles alike."""
        return self._converter

    @converter.setter
    def converter(self, converter: DataConverter) -> None:
        self._converter = converter
        self._decider = self._worker = None

    def use(self, *things: type[Workflow] | Activity[..., Any] | ModuleType) -> None:
        """
        Serve workflows and activities: classes, functions, or modules with all that they hold.

        Raises:
            TypeError: something else was given.
            PyflowException: two of them have one name and version.
        """
        for thing in things:
            if isinstance(thing, ModuleType):
                self.use(*_held_by(thing))
            elif isinstance(thing, Activity):
                _add(self._activities, (thing.name, thing.version), thing)
            elif isinstance(thing, type) and issubclass(thing, Workflow):
                assert thing.NAME is not None
                _add(self._workflows, (thing.NAME, thing.VERSION), thing)
                self._use_module_of(thing)
            else:
                raise TypeError(f"use() takes workflow classes, activities and modules, not {thing!r}")
        self._decider = self._worker = None

    def deploy(self, workflow: type[Workflow]) -> None:
        """Serve a class in place of the one that has its name and version: open executions go on with the changed code."""
        assert workflow.NAME is not None
        self._use_module_of(workflow)
        self._workflows[workflow.NAME, workflow.VERSION] = workflow
        if self._decider is not None:
            self._decider.forget()
            self._decider = None

    def lambda_function(self, name: str, function: Function) -> None:
        """Let a Python function ``(event, context)`` be a Lambda function."""
        self.service.register_lambda(name, function)

    def start(
        self, workflow: type[Workflow], input: Any = None, *, workflow_id: str | None = None, **options: Any
    ) -> "Execution":
        """
        Start an execution; nothing of it happens before time passes or its result is asked for.

        Args:
            workflow: its class.
            input: a value as ``run`` takes it; a text is sent as a text.
            workflow_id: None makes one up.
            options: what ``start_workflow`` takes besides.
        """
        self.use(workflow)
        self._prepare()
        assert workflow.NAME is not None
        started = start_workflow(
            DOMAIN,
            workflow.NAME,
            workflow.VERSION,
            TASK_LIST,
            input=None if input is None else self.converter.encode(input, "the workflow's input"),
            client=self.client,
            converter=self.converter,
            workflow_id=workflow_id,
            **options,
        )
        execution = Execution(self, workflow, started["workflowId"], started["runId"])
        self._executions.append(execution)
        return execution

    def run(self, workflow: type[Workflow], input: Any = None, **options: Any) -> Any:
        """
        Run one execution to its end; time skips over whatever it waits for.

        Returns:
            Its result.

        Raises:
            WorkflowFailedException, WorkflowCanceledException, PyflowException: it ended otherwise, or is stuck.
        """
        return self.start(workflow, input, **options).result()

    def run_until_blocked(self) -> None:
        """Let everything happen that can happen without time passing."""
        for _ in range(STEPS_MAX):
            if not self._step():
                return
        raise PyflowException(f"no end after {STEPS_MAX} steps without time passing: something asks for more and more")

    def advance(self, seconds: float = 0.0, **duration: float) -> None:
        """
        Let time pass, and everything happen at its time.

        Args:
            seconds: how many.
            duration: or what ``timedelta`` takes: ``days=3``.
        """
        until_ms = self.clock.now_ms() + round(timedelta(seconds=seconds, **duration).total_seconds() * 1000)
        self.run_until_blocked()
        while self._skip(until_ms):
            self.run_until_blocked()
        self.clock.advance((until_ms - self.clock.now_ms()) / 1000)
        self.run_until_blocked()

    def skip(self) -> bool:
        """Let time pass to the next deadline of anything, and what it brings happen; False if there is none."""
        self.run_until_blocked()
        if not self._skip(None):
            return False
        self.run_until_blocked()
        return True

    def check(self) -> None:
        """
        Replay the history of every execution of a known workflow: from each prefix, cold, and going on from memory.

        Raises:
            NondeterminismException: a replay does something else; both sides are named.
        """
        to_check = [
            (execution.workflow.NAME, execution.workflow.VERSION, execution.workflow_id, execution.first_run_id)
            for execution in self._executions
        ]
        while to_check:
            name, version, workflow_id, run_id = to_check.pop()
            events = self.history(workflow_id, run_id)
            workflow = self._workflows.get((str(name), version))
            if workflow is not None:
                check(workflow, workflow_id, run_id, events, converter=self.converter)
            for event in events:
                if event["eventType"] == "WorkflowExecutionContinuedAsNew":
                    following = attributes_of(event)
                    to_check.append((*following["workflowType"].values(), workflow_id, following["newExecutionRunId"]))
                if event["eventType"] == "ChildWorkflowExecutionStarted":
                    child = attributes_of(event)
                    to_check.append((*child["workflowType"].values(), *child["workflowExecution"].values()))

    def forget(self, execution: "Execution") -> None:
        """Leave an execution out of ``check``: too long to replay from each prefix, or of code that has changed."""
        self._executions.remove(execution)

    def history(self, workflowId: str, runId: str) -> list[dict[str, Any]]:  # noqa: N803 - as SWF spells an execution
        """Return the events of an execution, in the API's form."""
        return WorkflowHandle(self.client, DOMAIN, workflowId, runId).history()

    def close(self) -> None:
        """Let go of everything."""
        if self._decider is not None:
            self._decider.forget()
        self.service.close()

    # -- one step

    def _step(self) -> bool:
        """Take one decision task, then every activity task that is there; tell whether anything happened."""
        self._prepare()
        assert self._decider is not None
        assert self._worker is not None
        task = poll_decision_task(self.client, DOMAIN, TASK_LIST, "flow")
        if task is not None:
            decided = self._decider.process_decision_task(task)
            with service_faults("RespondDecisionTaskCompleted"):
                self.client.respond_decision_task_completed(
                    taskToken=decided.task_token,
                    decisions=decided.decisions,
                    executionContext=decided.execution_context,
                )
        worked = False
        while self._worker.work_once():
            worked = True
        return task is not None or worked or self.service.lambdas_busy

    def _skip(self, until_ms: int | None) -> bool:
        due = self.service.next_deadline_ms()
        if due is None or (until_ms is not None and due > until_ms):
            return False
        self.clock.advance(max(0, due - self.clock.now_ms()) / 1000)
        return True

    def _prepare(self) -> None:
        if self._decider is None or self._worker is None:
            self._decider = Decider(
                self._workflows.values(), DOMAIN, TASK_LIST, "flow", client=self.client, converter=self.converter
            )
            self._worker = ActivityWorker(
                self._activities.values(), DOMAIN, TASK_LIST, "flow", client=self.client, converter=self.converter
            )
            self._decider.ensure_workflows_registered()
            self._worker.ensure_activities_registered()

    def _use_module_of(self, workflow: type[Workflow]) -> None:
        name = workflow.__module__
        if name not in self._used:
            self._used.add(name)
            module = sys.modules.get(name) or importlib.import_module(name)
            self.use(*_held_by(module))


class Execution(ExecutionHandle):
    """
    One execution under test: signal it, cancel it, ask for its result.

    ``run_id`` is that of the run it is in: it changes as the execution continues as new and ``result`` follows.
    """

    def __init__(self, flow: Flow, workflow: type[Workflow], workflow_id: str, run_id: str) -> None:
        returns = hints_of(workflow.run).result
        super().__init__(flow.client, DOMAIN, workflow_id, run_id, converter=flow.converter, returns=returns)
        self.workflow = workflow
        self.first_run_id = run_id
        self._flow = flow

    @property
    def history(self) -> list[dict[str, Any]]:
        """The events so far, in the API's form."""
        return self._events()

    def _end(self) -> dict[str, Any] | None:
        while True:
            run_id = self.run_id
            closed = super()._end()
            if self.run_id == run_id:
                return closed
            self._flow.run_until_blocked()

    def result(self) -> Any:
        """
        Run until it has closed; time skips over whatever it waits for.

        Returns:
            Its result, decoded.

        Raises:
            WorkflowFailedException: it failed; with its reason and details.
            WorkflowCanceledException: it closed as canceled.
            WorkflowTerminatedException, WorkflowTimedOutException: it was terminated, or timed out.
            PyflowException: nothing can ever happen to it any more.
        """
        self._flow.run_until_blocked()
        while (closed := self._end()) is None:
            if not self._flow.skip() and self._end() is None:
                raise PyflowException(
                    f"{self.workflow.__qualname__} is stuck: nothing is under way that could end its wait at "
                    f"{self.waiting or 'its start (no decision was made)'}"
                )
        return outcome_of(closed, self.converter, self.returns)


def _held_by(module: ModuleType) -> list[Any]:
    return [
        thing
        for thing in vars(module).values()
        if isinstance(thing, Activity) or (isinstance(thing, type) and issubclass(thing, Workflow) and thing.NAME)
    ]


def _add(table: dict[tuple[str, str], Any], key: tuple[str, str], thing: Any) -> None:
    if table.setdefault(key, thing) is not thing:
        raise PyflowException(
            f"two things are both named {key[0]!r} with version {key[1]!r}: {table[key]!r} and {thing!r}"
        )
