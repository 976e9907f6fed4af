"""A hand that plays decider and worker against a local service, through any of its doors."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

import decisions
from pyflow.exceptions import ServiceFault
from pyflow.local import LocalSWF
from pyflow.swf.events import attributes_of

DOORS = ("direct", "in process", "http")
WORKFLOW = {"name": "flow", "version": "1"}
ACTIVITY = {"name": "act", "version": "1"}


@contextmanager
def opened(swf: LocalSWF, door: str = "direct") -> Iterator[Any]:
    """Yield a client of a service through a door."""
    if door == "direct":
        yield swf.direct()
        return
    if door == "in process":
        client = swf.client()
    else:
        client = boto3.client(
            "swf",
            endpoint_url=swf.serve().url,
            region_name="us-east-1",
            aws_access_key_id="x",
            aws_secret_access_key="x",
        )
    yield client
    client.close()


def fault_of(call: Callable[..., Any], *args: Any, **kwargs: Any) -> tuple[str, str]:
    """The code and the text of the fault that a call is answered with."""
    with pytest.raises((ServiceFault, ClientError)) as caught:
        call(*args, **kwargs)
    if isinstance(caught.value, ServiceFault):
        return caught.value.code, caught.value.message
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


class Driver:
    """One domain with a workflow type and an activity type whose defaults make every call short."""

    def __init__(self, client: Any, **workflow_defaults: str) -> None:
        self.client = client
        client.register_domain(name="d", workflowExecutionRetentionPeriodInDays="7")
        defaults: dict[str, Any] = {
            "defaultTaskList": {"name": "tl"},
            "defaultChildPolicy": "TERMINATE",
            "defaultTaskStartToCloseTimeout": "NONE",
            "defaultExecutionStartToCloseTimeout": "1000",
        }
        client.register_workflow_type(domain="d", **WORKFLOW, **{**defaults, **workflow_defaults})
        client.register_activity_type(
            domain="d",
            **ACTIVITY,
            defaultTaskList={"name": "tl"},
            defaultTaskScheduleToStartTimeout="NONE",
            defaultTaskScheduleToCloseTimeout="NONE",
            defaultTaskStartToCloseTimeout="NONE",
            defaultTaskHeartbeatTimeout="NONE",
        )

    def start(self, workflow_id: str = "w", **more: Any) -> str:
        return self.client.start_workflow_execution(domain="d", workflowId=workflow_id, workflowType=WORKFLOW, **more)[
            "runId"
        ]

    def decision_task(self, task_list: str = "tl", **more: Any) -> dict[str, Any]:
        task = self.client.poll_for_decision_task(domain="d", taskList={"name": task_list}, **more)
        assert task.get("taskToken"), "a decision task was expected"
        return task

    def no_decision_task(self, task_list: str = "tl") -> bool:
        return not self.client.poll_for_decision_task(domain="d", taskList={"name": task_list}).get("taskToken")

    def respond(self, task: dict[str, Any], *made: dict[str, Any], **more: Any) -> None:
        self.client.respond_decision_task_completed(taskToken=task["taskToken"], decisions=list(made), **more)

    def decide(self, *made: dict[str, Any], **more: Any) -> dict[str, Any]:
        task = self.decision_task()
        self.respond(task, *made, **more)
        return task

    def activity_task(self, task_list: str = "tl") -> dict[str, Any]:
        task = self.client.poll_for_activity_task(domain="d", taskList={"name": task_list})
        assert task.get("taskToken"), "an activity task was expected"
        return task

    def events(self, run_id: str, workflow_id: str = "w") -> list[dict[str, Any]]:
        execution = {"workflowId": workflow_id, "runId": run_id}
        found: list[dict[str, Any]] = []
        more: dict[str, Any] = {}
        while True:
            page = self.client.get_workflow_execution_history(domain="d", execution=execution, **more)
            found += page["events"]
            if not page.get("nextPageToken"):
                return found
            more = {"nextPageToken": page["nextPageToken"]}

    def history(self, run_id: str, workflow_id: str = "w") -> list[str]:
        """The types of the events of a run, in order."""
        return [event["eventType"] for event in self.events(run_id, workflow_id)]

    def last(self, run_id: str, event_type: str, workflow_id: str = "w") -> dict[str, Any]:
        """The attributes of the last event of a type."""
        return attributes_of(
            next(e for e in reversed(self.events(run_id, workflow_id)) if e["eventType"] == event_type)
        )

    def describe(self, run_id: str, workflow_id: str = "w") -> dict[str, Any]:
        return self.client.describe_workflow_execution(
            domain="d", execution={"workflowId": workflow_id, "runId": run_id}
        )

    def signal(self, workflow_id: str = "w", name: str = "s", **more: Any) -> None:
        self.client.signal_workflow_execution(domain="d", workflowId=workflow_id, signalName=name, **more)


def activity(activity_id: str = "a", **more: Any) -> dict[str, Any]:
    return decisions.schedule_activity_task(activity_id, ACTIVITY["name"], ACTIVITY["version"], **more)


def child(workflow_id: str = "kid", **more: Any) -> dict[str, Any]:
    return decisions.start_child_workflow_execution(workflow_id, WORKFLOW["name"], WORKFLOW["version"], **more)
