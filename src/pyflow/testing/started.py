"""The executions that a test starts, the runs they continue as, and their children: replayed, told, and ended."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

from pyflow.exceptions import NondeterminismException, ServiceFault
from pyflow.executions import start_workflow
from pyflow.future import R
from pyflow.history.check import check
from pyflow.others import WorkflowCode
from pyflow.swf.events import attributes_of
from pyflow.workflow import Workflow

from .execution import Execution
from .scheduler import Scheduler
from .workers import TASK_LIST

__all__ = ["Started"]

__tracebackhide__ = True


SAME_CODE: Final = (
    "this test made that history: the code depends on something that its history does not hold: a clock, chance, the order of a "
    "set, a file, a global, an attribute of the class. Or the test has deployed other code since"
)


class Started:
    """
    What was started.

    Args:
        scheduler: lets things happen to it.

    Attributes:
        executions: in the order in which they were started.
    """

    def __init__(self, scheduler: Scheduler) -> None:
        self.executions: list[Execution[Any]] = []
        self._scheduler = scheduler
        self._workers = scheduler.workers
        self._checked: dict[str, int] = {}
        self._marked = self._begun = 0

    def start(
        self, workflow: type[WorkflowCode[Any, R]], input: Any, *, workflow_id: str | None, options: dict[str, Any]
    ) -> Execution[R]:
        """Start an execution; see ``Flow.start``."""
        workers = self._workers
        served: Any = workflow  # a Workflow; its ``run`` alone is what type checkers are to look at
        workers.served.use(served)
        workers.prepare()
        started = start_workflow(
            workers.domain,
            served.NAME,
            served.VERSION,
            TASK_LIST,
            input=None if input is None else workers.converter.encode(input, "the workflow's input"),
            client=workers.client,
            converter=workers.converter,
            workflow_id=workflow_id,
            **options,
        )
        ends = options.get("execution_start_to_close_timeout") is not None
        execution = Execution[R](self._scheduler, served, started["workflowId"], started["runId"], may_time_out=ends)
        self.executions.append(execution)
        return execution

    # -- afterwards

    def check(self) -> None:
        """Replay every history; see ``Flow.check``."""
        workers = self._workers
        for workflow, workflow_id, run_id, events in self.recorded():
            if workflow is None or self._checked.get(run_id) == len(events):
                continue
            try:
                check(workflow, workflow_id, run_id, events, converter=workers.converter, guard=workers.guard)
            except NondeterminismException as error:
                error.add_note(SAME_CODE)
                raise
            self._checked[run_id] = len(events)

    def recorded(self) -> Iterator[tuple[type[Workflow] | None, str, str, list[dict[str, Any]]]]:
        """Give what there is to replay; see ``Flow.recorded``."""
        to_read = [
            ((str(one.workflow.NAME), one.workflow.VERSION), one.workflow_id, one.first_run_id)
            for one in self.executions
        ]
        served = self._workers.served.workflows
        while to_read:
            type_, workflow_id, run_id = to_read.pop()
            events = self._workers.history(workflow_id, run_id)
            yield served.get(type_), workflow_id, run_id, events
            for event in events:
                if event["eventType"] == "WorkflowExecutionContinuedAsNew":
                    following = attributes_of(event)
                    type_ = (following["workflowType"]["name"], following["workflowType"]["version"])
                    to_read.append((type_, workflow_id, following["newExecutionRunId"]))
                if event["eventType"] == "ChildWorkflowExecutionStarted":
                    child = attributes_of(event)
                    type_ = (child["workflowType"]["name"], child["workflowType"]["version"])
                    to_read.append(
                        (type_, child["workflowExecution"]["workflowId"], child["workflowExecution"]["runId"])
                    )

    def story(self) -> str:
        """Tell those that were started since ``mark``, and the calls of the fakes."""
        told = [execution.story() for execution in self.executions[self._marked :]]
        return "\n\n".join([*told, *(repr(fake) for fake in self._workers.served.fakes)])

    def start_over(self) -> None:
        """Forget all of them: their service has, too."""
        self.executions.clear()
        self._checked.clear()

    # -- a test among others

    def mark(self) -> None:
        """Begin the setup of a test."""
        self._marked = len(self.executions)

    def begin(self) -> None:
        """Begin a test itself."""
        self._begun = len(self.executions)

    def leave(self) -> None:
        """End a test: what it has started and left open is terminated."""
        for execution in self.executions[self._begun :]:
            with suppress(ServiceFault):  # it is closed
                execution.terminate("the test that started it is over")
        del self.executions[self._begun :]
