"""Who works in a test: a decider and an activity worker, which take one task at a time, and only when they are told to."""

from typing import Any, Final

from pyflow.converter import DataConverter
from pyflow.exceptions import HistoryException, PyflowException, ServiceFault
from pyflow.guard import Mode
from pyflow.handles import WorkflowHandle
from pyflow.local import Pending
from pyflow.swf.client import service_faults
from pyflow.worker.activities import ActivityWorker
from pyflow.worker.decider import DecidedTask, Decider
from pyflow.worker.polling import poll_activity_task

from . import watch
from .served import Served
from .world import World

__all__ = ["TASK_LIST", "Workers"]

__tracebackhide__ = True

TASK_LIST: Final = "flow"
IDENTITY: Final = "flow"
PAGE_EVENTS: Final = 50


class Workers:
    """
    A decider and an activity worker for what is served.

    Args:
        served: the workflows, activities and stand-ins.
        world: where executions live.
        converter: what values become on their way.
        guard: what is done about code that cannot be replayed.
        spin_s: seconds of processor time that workflow code may take at one go.

    Attributes:
        client, domain: where everything happens.
        task_lists: the lists that are served.
        in_hand: the activity tasks that were taken and are not done.
        last_decided: what SWF says of the execution and the type that were decided last.
    """

    def __init__(self, served: Served, world: World, *, converter: DataConverter, guard: Mode, spin_s: float) -> None:
        self.served = served
        self.world = world
        self.client = world.client
        self.domain = world.domain
        self.task_lists = {TASK_LIST}
        self.in_hand: list[dict[str, Any]] = []
        self.last_decided: tuple[dict[str, str], dict[str, str]] | None = None
        self._converter = converter
        self._guard: Mode = guard
        self._spin_s = spin_s
        self._decider: Decider | None = None
        self._worker: ActivityWorker | None = None

    def on(self, world: World) -> "Workers":
        """Return others, that serve the same on another world."""
        others = Workers(self.served.on(world), world, converter=self.converter, guard=self.guard, spin_s=self._spin_s)
        others.task_lists |= self.task_lists
        return others

    @property
    def converter(self) -> DataConverter:
        """What values become on their way."""
        return self._converter

    @converter.setter
    def converter(self, converter: DataConverter) -> None:
        self._converter = converter
        self.served.changed = True

    @property
    def guard(self) -> Mode:
        """What is done about code that cannot be replayed."""
        return self._guard

    @guard.setter
    def guard(self, guard: Mode) -> None:
        self._guard = guard
        self.served.changed = True

    def prepare(self) -> None:
        """Make decider and worker, where there is something new to serve, and register what they serve."""
        served = self.served
        if not served.changed:
            return
        self.forget()
        served.resolve()
        decider = Decider(
            served.workflows.values(),
            self.domain,
            TASK_LIST,
            IDENTITY,
            client=self.client,
            converter=self.converter,
            guard=self.guard,
        )
        worker = ActivityWorker(
            served.activities.values(), self.domain, TASK_LIST, IDENTITY, client=self.client, converter=self.converter
        )
        decider.ensure_workflows_registered()
        worker.ensure_activities_registered()
        self.task_lists |= served.task_lists()
        self._decider, self._worker = decider, worker
        served.changed = False

    def forget(self) -> None:
        """Let the decider forget the runs that it keeps: the next task of each is replayed."""
        if self._decider is not None:
            self._decider.forget()

    def history(self, workflow_id: str, run_id: str) -> list[dict[str, Any]]:
        """Return the events of an execution, in the API's form."""
        return WorkflowHandle(self.client, self.domain, workflow_id, run_id).history()

    # -- decisions

    def lists_to_decide(self, pending: Pending) -> list[str]:
        """Return the lists served here in which decision tasks wait."""
        return [task_list for task_list in pending.decisions if task_list in self.task_lists]

    def decide(self, task_list: str) -> None:
        """
        Make the decision that waits in a list.

        Raises:
            SpinningException: the code neither waits nor ends.
            DeciderException: it cannot be decided.
        """
        task = self.poll_decision_task(task_list)
        if task is None:
            return
        self.last_decided = task["workflowExecution"], task["workflowType"]
        decided = self._decided(task)
        with service_faults("RespondDecisionTaskCompleted"):
            self.client.respond_decision_task_completed(
                taskToken=decided.task_token,
                decisions=decided.decisions,
                executionContext=decided.execution_context,
            )

    def poll_decision_task(self, task_list: str) -> dict[str, Any] | None:
        """
        Poll for a decision task with what is new in its history: all that a run kept from the task before needs.

        Pages come backwards, since SWF's own way to ask for what is new goes by time, which stands still here.
        """
        request: dict[str, Any] = {
            "domain": self.domain,
            "taskList": {"name": task_list},
            "identity": IDENTITY,
            "reverseOrder": True,
            "maximumPageSize": PAGE_EVENTS,
        }
        with service_faults("PollForDecisionTask"):
            task: dict[str, Any] = self.client.poll_for_decision_task(**request)
            if not task.get("taskToken"):
                return None
            token = task.pop("nextPageToken", None)
            while token and task["events"][-1]["eventId"] > task.get("previousStartedEventId", 0) + 1:
                page = self.client.poll_for_decision_task(**request, nextPageToken=token)
                task["events"] += page["events"]
                token = page.get("nextPageToken")
        task["events"].reverse()
        return task

    def _decided(self, task: dict[str, Any]) -> DecidedTask:
        assert self._decider is not None
        try:
            with watch.watched(self._spin_s) as step:
                try:
                    return self._decider.process_decision_task(task)
                except HistoryException:
                    if task["events"][0]["eventId"] == 1:
                        raise
                    execution = task["workflowExecution"]
                    whole = self.history(execution["workflowId"], execution["runId"])
                    task["events"] = [event for event in whole if event["eventId"] <= task["startedEventId"]]
                    return self._decider.process_decision_task(task)
        except watch.Spinning:
            raise watch.too_long(f"workflow {task['workflowType']['name']}", self._spin_s, step.stack) from None

    # -- activities and Lambda functions

    def lists_to_work_on(self, pending: Pending) -> list[str]:
        """
        Return, for each activity task that is there and somebody here can do, the list that it waits in.

        Raises:
            PyflowException: one waits in a list that is served, and nobody here knows its activity.
        """
        served = self.served.activities
        for task_list, name, version in pending.activities:
            if task_list in self.task_lists and (name, version) not in served:
                known = ", ".join(f"{each} {its_version}" for each, its_version in sorted(served)) or "none"
                raise PyflowException(
                    f"a workflow asked for activity {name} {version}, and no function here has that name and version "
                    f"(known: {known}). Give its function with flow.use(...), or a stand-in with flow.fake({name!r}, ...)"
                )
        return [task_list for task_list, _, _ in pending.activities if task_list in self.task_lists]

    def take(self, lists: list[str]) -> None:
        """Take an activity task in hand, for each list."""
        for task_list in lists:
            task = poll_activity_task(self.client, self.domain, task_list, IDENTITY)
            if task is not None:
                self.in_hand.append(task)

    def perform(self, task: dict[str, Any]) -> None:
        """Do an activity task that is in hand, and answer it."""
        assert self._worker is not None
        self.in_hand.remove(task)
        try:
            self._worker.do(task)
        except ServiceFault as fault:
            if fault.code != "UnknownResourceFault":  # it timed out, or its execution has closed
                raise
        self._raise_ended_scripts()

    def run_lambda(self) -> bool:
        """Run the next Lambda function that waits for it; tell whether there was one."""
        ran = self.world.run_lambda()
        self._raise_ended_scripts()
        return ran

    def _raise_ended_scripts(self) -> None:
        for fake in self.served.fakes:
            if fake.script_ended is not None:
                raise fake.script_ended

    def not_served(self) -> list[str]:
        """Say which tasks wait for somebody who is not here."""
        waiting = dict.fromkeys(self.world.pending().activities)
        found = [
            f"activity {name} {version} waits in task list {task_list!r}, which is not served: "
            f"flow.task_lists.add({task_list!r}) lets this flow serve it"
            for task_list, name, version in waiting
            if task_list not in self.task_lists
        ]
        found += [
            f"the fake of {fake.name} lets a call time out, but nothing limits its time: give it a start_to_close"
            for fake in self.served.fakes
            if fake.lets_time_out
        ]
        return found
