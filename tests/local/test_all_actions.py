"""Every action of SWF through each door, with its reply and with its faults: the same calls have the same answers, byte for byte."""

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from local_driver import ACTIVITY, DOORS, WORKFLOW, activity, child
from pyflow.exceptions import ServiceFault
from pyflow.local import LocalSWF, VirtualClock
from pyflow.swf import decisions
from pyflow.swf.methods import METHODS
from pyflow.swf.model import OPERATIONS

ARN = "arn:aws:swf:us-east-1:123456789012:/domain/d"
LIST = {"name": "tl"}
ALL_TIME = {"oldestDate": 0}


class Ask:
    """Calls of one client; keeps what each was answered."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.told: list[Any] = []

    def __call__(self, action: str, **request: Any) -> dict[str, Any]:
        try:
            reply = getattr(self.client, METHODS[action])(**request)
        except ServiceFault as fault:
            self.told.append((action, fault.code, fault.message, fault.status))
            return {}
        except ClientError as fault:
            error, answer = fault.response["Error"], fault.response["ResponseMetadata"]
            self.told.append((action, error["Code"], error["Message"], answer["HTTPStatusCode"]))
            return {}
        reply.pop("ResponseMetadata", None)
        self.told.append((action, reply))
        return dict(reply)


def registrations(ask: Ask) -> None:
    domain = {"name": "d", "workflowExecutionRetentionPeriodInDays": "7"}
    for _ in range(2):
        ask("RegisterDomain", **domain, description="ü", tags=[{"key": "k", "value": ""}])
    ask("TagResource", resourceArn=ARN, tags=[{"key": "a", "value": "b"}])
    ask("TagResource", resourceArn=ARN, tags=[{"key": str(n)} for n in range(51)])
    ask("UntagResource", resourceArn=ARN, tagKeys=["k"])
    ask("ListTagsForResource", resourceArn=ARN)
    ask("ListTagsForResource", resourceArn=ARN + "x")
    ask("DescribeDomain", name="d")
    ask("DescribeDomain", name="nope")
    for kind, named in (("Workflow", WORKFLOW), ("Activity", ACTIVITY)):
        one = {"domain": "d", f"{kind.lower()}Type": named}
        for _ in range(2):
            ask(f"Register{kind}Type", domain="d", **named, defaultTaskList=LIST)
        for action in ("Undeprecate", "Delete", "Deprecate", "Deprecate", "Describe", "Undeprecate", "Describe"):
            ask(f"{action}{kind}Type", **one)
        ask(f"Describe{kind}Type", domain="d", **{f"{kind.lower()}Type": {"name": "x", "version": "1"}})
        ask(f"List{kind}Types", domain="d", registrationStatus="REGISTERED", maximumPageSize=1)
        old = {"domain": "d", f"{kind.lower()}Type": {"name": "old", "version": "1"}}
        ask(f"Register{kind}Type", domain="d", name="old", version="1", description="")
        ask(f"Deprecate{kind}Type", **old)
        ask(f"Delete{kind}Type", **old)
    ask("StartWorkflowExecution", domain="d", workflowId="w", workflowType={"name": "old", "version": "1"})
    for action in ("Deprecate", "Deprecate", "Undeprecate", "Undeprecate"):
        ask(f"{action}Domain", name="d")
    ask("StartWorkflowExecution", domain="d", workflowId="w", workflowType=WORKFLOW)
    ask("ListDomains", registrationStatus="REGISTERED")
    for kind, named in (("Workflow", WORKFLOW), ("Activity", ACTIVITY)):
        ask(f"Undeprecate{kind}Type", domain="d", **{f"{kind.lower()}Type": named})


def decision_task(ask: Ask, *made: dict[str, Any], **more: Any) -> None:
    token = ask("PollForDecisionTask", domain="d", taskList=LIST, identity="é", maximumPageSize=3)["taskToken"]
    ask("RespondDecisionTaskCompleted", taskToken=token, decisions=list(made), **more)
    ask("RespondDecisionTaskCompleted", taskToken=token)


def activity_task(ask: Ask, answer: str, **more: str) -> None:
    token = ask("PollForActivityTask", domain="d", taskList=LIST)["taskToken"]
    ask("RecordActivityTaskHeartbeat", taskToken=token, details="\u2028")
    for _ in range(2):
        ask(f"RespondActivityTask{answer}", taskToken=token, **more)


def executions(ask: Ask) -> None:
    settings = {"taskStartToCloseTimeout": "60", "executionStartToCloseTimeout": "600", "childPolicy": "TERMINATE"}
    start = {"domain": "d", "workflowId": "w", "workflowType": WORKFLOW}
    ask("StartWorkflowExecution", **start)
    run_id = ask("StartWorkflowExecution", **start, **settings, input="\x00é", tagList=["t"])["runId"]
    ask("StartWorkflowExecution", **start, **settings)
    named = {"domain": "d", "execution": {"workflowId": "w", "runId": run_id}}
    timeouts = dict.fromkeys(("schedule_to_start_timeout", "schedule_to_close_timeout", "heartbeat_timeout"), "NONE")
    works = [activity(name, start_to_close_timeout="60", **timeouts) for name in "abc"]
    decision_task(
        ask, *works, child(), decisions.start_timer("t", "9"), decisions.cancel_timer("u"), executionContext=""
    )
    ask("CountPendingActivityTasks", domain="d", taskList=LIST)
    ask("CountPendingDecisionTasks", domain="d", taskList=LIST)
    activity_task(ask, "Completed", result="r")
    activity_task(ask, "Failed", reason="r", details="d")
    activity_task(ask, "Canceled", details="d")
    for _ in range(2):
        ask("SignalWorkflowExecution", domain="d", workflowId="w", signalName="s", input="")
        ask("RequestCancelWorkflowExecution", domain="d", workflowId="w")
    ask("SignalWorkflowExecution", domain="d", workflowId="x", signalName="s")
    ask("CountOpenWorkflowExecutions", domain="d", startTimeFilter=ALL_TIME)
    ask("ListOpenWorkflowExecutions", domain="d", startTimeFilter=ALL_TIME, tagFilter={"tag": "t"})
    ask("DescribeWorkflowExecution", **named)
    for _ in range(2):
        ask("TerminateWorkflowExecution", domain="d", workflowId="w", reason="r")
    ask("DescribeWorkflowExecution", **named)
    page = ask("GetWorkflowExecutionHistory", **named, maximumPageSize=7)
    ask("GetWorkflowExecutionHistory", **named, nextPageToken=page["nextPageToken"])
    ask("GetWorkflowExecutionHistory", **named, nextPageToken="nonsense")
    ask("ListClosedWorkflowExecutions", domain="d", closeTimeFilter=ALL_TIME)
    ask("ListClosedWorkflowExecutions", domain="d")
    ask("CountClosedWorkflowExecutions", domain="d", startTimeFilter=ALL_TIME)
    ask("PollForDecisionTask", domain="d", taskList={"name": "nobody's"})
    ask("PollForActivityTask", domain="d", taskList={"name": "nobody's"})


def walked(door: str, walks: Callable[[Ask], None]) -> tuple[Ask, list[bytes]]:
    """A walk through a door of a service of its own, and the bodies that came over it."""
    bodies: list[bytes] = []
    with LocalSWF(clock=VirtualClock(), poll_wait_s=0.0, seed=7) as swf:
        if door == "direct":
            ask = Ask(swf.direct())
            walks(ask)
            return ask, bodies
        client = swf.client()
        if door == "http":
            client.close()
            keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x", "region_name": "us-east-1"}
            client = boto3.client("swf", endpoint_url=swf.serve().url, **keys)
        client.meta.events.register("before-parse.swf", lambda response_dict, **_: bodies.append(response_dict["body"]))
        ask = Ask(client)
        walks(ask)
        client.close()
        return ask, bodies


def walk(ask: Ask) -> None:
    registrations(ask)
    executions(ask)


@pytest.fixture(scope="module")
def by_door() -> dict[str, tuple[Ask, list[bytes]]]:
    return {door: walked(door, walk) for door in DOORS}


def test_the_walk_meets_every_action_and_fault(by_door) -> None:
    told = by_door["direct"][0].told
    assert {each[0] for each in told if len(each) == 2} == set(OPERATIONS)
    faults = {fault for operation in OPERATIONS.values() for fault in operation["faults"]}
    # Quotas have tests of their own; access is not controlled here.
    assert faults - {each[1] for each in told if len(each) == 4} == {"LimitExceededFault", "OperationNotPermittedFault"}


@pytest.mark.parametrize("door", DOORS[1:])
def test_each_door_gives_the_same_answers(by_door, door: str) -> None:
    direct, other = by_door["direct"][0], by_door[door][0]
    for expected, told in zip(direct.told, other.told, strict=True):
        assert told == expected


def test_the_bodies_are_the_same_byte_for_byte(by_door) -> None:
    in_process, http = by_door["in process"][1], by_door["http"][1]
    assert http == in_process
    assert len(http) == len(by_door["http"][0].told)
    assert all(body == b"" or set(json.loads(body)) for body in http)
