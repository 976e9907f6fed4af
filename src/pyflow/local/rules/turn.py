"""
One command's work on one execution, and SWF's rule of when a decision task is scheduled.

An event that the decider must hear of schedules a decision task right behind itself, at once and with its own timestamp, unless
one is scheduled already. This holds while another one is started as well (seen in captured histories). So any number of
events share one scheduled task, and at most one waits behind the one that is started.
"""

from typing import Any, Final

from pyflow.local.effects import Effect
from pyflow.local.state import Attributes, DecisionTask, Event, Execution, OpenItem, milliseconds
from pyflow.local.text import encode

EVENTS_MAX: Final = 25_000

DECIDES: Final = frozenset(
    {
        "WorkflowExecutionStarted",
        "WorkflowExecutionSignaled",
        "WorkflowExecutionCancelRequested",
        "CompleteWorkflowExecutionFailed",
        "FailWorkflowExecutionFailed",
        "CancelWorkflowExecutionFailed",
        "ContinueAsNewWorkflowExecutionFailed",
        "DecisionTaskTimedOut",
        "ScheduleActivityTaskFailed",
        "ActivityTaskCompleted",
        "ActivityTaskFailed",
        "ActivityTaskTimedOut",
        "ActivityTaskCanceled",
        "RequestCancelActivityTaskFailed",
        "RecordMarkerFailed",
        "StartTimerFailed",
        "CancelTimerFailed",
        "TimerFired",
        "StartChildWorkflowExecutionFailed",
        "ChildWorkflowExecutionStarted",
        "ChildWorkflowExecutionCompleted",
        "ChildWorkflowExecutionFailed",
        "ChildWorkflowExecutionCanceled",
        "ChildWorkflowExecutionTimedOut",
        "ChildWorkflowExecutionTerminated",
        "SignalExternalWorkflowExecutionFailed",
        "ExternalWorkflowExecutionSignaled",
        "RequestCancelExternalWorkflowExecutionFailed",
        "ExternalWorkflowExecutionCancelRequested",
        "LambdaFunctionCompleted",
        "LambdaFunctionFailed",
        "LambdaFunctionTimedOut",
        "ScheduleLambdaFunctionFailed",
        "StartLambdaFunctionFailed",
    }
)
"""The events that the decider must hear of."""


def given(source: dict[str, Any], *members: str) -> Attributes:
    """Return those members that have a value; an empty string is one."""
    found: Attributes = {}
    for member in members:
        value = source.get(member)
        if value is not None:
            found[member] = value
    return found


class Turn:
    """
    Collects what a rule does to one execution.

    Args:
        execution: its state, which rules change as they record.
        at: the time of the command in milliseconds; events never go back behind the last one.
    """

    __slots__ = ("_held", "_holding", "at", "effects", "events", "execution", "touched")

    def __init__(self, execution: Execution, at: int) -> None:
        self.execution = execution
        self.at = max(at, execution.last_at)
        self.events: list[Event] = []
        self.touched: list[OpenItem | Execution] = []
        self.effects: list[Effect] = []
        self._holding = False
        self._held = False

    def record(self, kind: str, attributes: Attributes) -> int:
        """Append an event, with the decision task that it calls for; return its id."""
        execution = self.execution
        event_id = execution.last_id + 1
        execution.last_id = event_id
        execution.last_at = self.at
        self.events.append(Event(event_id, kind, self.at, encode(attributes)))
        if kind in DECIDES:
            if self._holding:
                self._held = True
            else:
                self.schedule_decision_task()
        return event_id

    def hold(self) -> None:
        """From here on, while a batch of decisions is recorded, let its failures share one task behind the last of them."""
        self._holding = True

    def release(self) -> None:
        """End the batch."""
        self._holding = False
        if self._held:
            self._held = False
            self.schedule_decision_task()

    def schedule_decision_task(self) -> None:
        """Schedule a decision task unless one is scheduled or the execution is closed."""
        execution = self.execution
        if execution.scheduled is not None or execution.close_status is not None:
            return
        name, wait = execution.sticky or (execution.task_list, "NONE")
        attributes: Attributes = {
            "taskList": {"name": name},
            "startToCloseTimeout": execution.task_timeout,
            "scheduleToStartTimeout": wait,
        }
        if execution.priority is not None:
            attributes["taskPriority"] = execution.priority
        task = DecisionTask(self.record("DecisionTaskScheduled", attributes), self.at, attributes)
        execution.scheduled = task
        self.touched.append(task)
        self.free_decision_task()

    def free_decision_task(self) -> None:
        """Let polls have the scheduled decision task if no other one is started; its wait in the list begins here."""
        execution = self.execution
        task = execution.scheduled
        if task is None or execution.started is not None or task.available:
            return
        task.available = True
        wait = milliseconds(task.attributes.get("scheduleToStartTimeout"))
        task.due = None if wait is None else self.at + wait
        self.touched.append(task)

    def touch(self, item: OpenItem | Execution) -> None:
        """Note that an item has changed, so that its row, its deadline and its place in a task list follow."""
        self.touched.append(item)
