"""The same calls through the three doors."""

from datetime import UTC, datetime
from typing import Any

import pytest

from local_driver import ACTIVITY, WORKFLOW, Driver, activity, fault_of, opened
from pyflow.local import LocalSWF, VirtualClock
from pyflow.swf import decisions
from pyflow.swf.methods import METHODS
from pyflow.swf.posts import Post


def test_a_run_goes_from_start_to_result_through_each_door(each_door: Driver) -> None:
    flow = each_door
    run_id = flow.start(input="in", tagList=["t"])
    task = flow.decide(activity(input="x"))
    assert task["events"][0]["eventTimestamp"] == datetime.fromtimestamp(1_000_000, UTC)
    assert task["previousStartedEventId"] == 0
    work = flow.activity_task()
    assert (work["activityId"], work["input"]) == ("a", "x")
    assert flow.client.record_activity_task_heartbeat(taskToken=work["taskToken"])["cancelRequested"] is False
    flow.client.respond_activity_task_completed(taskToken=work["taskToken"], result="r")
    task = flow.decide(decisions.complete_workflow_execution(result="done"), executionContext="")
    assert task["previousStartedEventId"] == 3
    assert flow.history(run_id) == [
        "WorkflowExecutionStarted",
        "DecisionTaskScheduled",
        "DecisionTaskStarted",
        "DecisionTaskCompleted",
        "ActivityTaskScheduled",
        "ActivityTaskStarted",
        "ActivityTaskCompleted",
        "DecisionTaskScheduled",
        "DecisionTaskStarted",
        "DecisionTaskCompleted",
        "WorkflowExecutionCompleted",
    ]
    described = flow.describe(run_id)
    assert described["executionInfo"]["closeStatus"] == "COMPLETED"
    assert described["executionInfo"]["tagList"] == ["t"]
    assert described["latestExecutionContext"] == ""
    assert described["latestActivityTaskTimestamp"] == datetime.fromtimestamp(1_000_000, UTC)


def test_an_empty_poll_has_no_token_through_each_door(each_door: Driver) -> None:
    reply = each_door.client.poll_for_decision_task(domain="d", taskList={"name": "nobody"})
    assert "taskToken" not in reply
    assert (reply["startedEventId"], reply["previousStartedEventId"]) == (0, 0)
    reply = each_door.client.poll_for_activity_task(domain="d", taskList={"name": "nobody"})
    assert "taskToken" not in reply
    assert reply["startedEventId"] == 0


def test_faults_have_one_code_and_text_through_each_door(each_door: Driver) -> None:
    client = each_door.client
    assert fault_of(client.describe_domain, name="x") == ("UnknownResourceFault", "Unknown domain: x")
    assert fault_of(
        client.start_workflow_execution, domain="d", workflowId="w", workflowType={"name": "flow", "version": "2"}
    ) == ("UnknownResourceFault", "Unknown type: WorkflowType=[name=flow, version=2]")
    assert fault_of(client.signal_workflow_execution, domain="d", workflowId="w", signalName="s") == (
        "UnknownResourceFault",
        "Unknown execution, workflowId = w",
    )
    assert fault_of(client.respond_decision_task_completed, taskToken="nonsense") == (
        "ValidationException",
        "Invalid token",
    )
    code, message = fault_of(each_door.start, "w", input="x" * 32_769)
    assert code == "ValidationException"
    assert message.startswith("1 validation error detected: Value 'xxx")
    assert message.endswith(
        "xxx' at 'input' failed to satisfy constraint: Member must have length less than or equal to 32768"
    )


def test_the_doors_tell_one_history() -> None:
    told = []
    for door in ("direct", "in process", "http"):
        with LocalSWF(clock=VirtualClock(), poll_wait_s=0.0, seed=7) as swf, opened(swf, door) as client:
            flow = Driver(client)
            run_id = flow.start(input="ü\x00\u2028", tagList=["a", "b"])
            flow.decide(activity(), decisions.start_timer("t", "5"), decisions.record_marker("m", details=""))
            told.append((run_id, flow.events(run_id)))
    assert told[0] == told[1] == told[2]


def test_direct_refuses_a_misspelt_member(swf: LocalSWF) -> None:
    with pytest.raises(TypeError, match="workflowID"):
        swf.direct().start_workflow_execution(workflowID="w")
    with pytest.raises(AttributeError, match="start_workflow"):
        swf.direct().start_workflow


def test_in_process_looks_at_nothing_of_the_machine(swf: LocalSWF, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "real")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SWF", "http://192.0.2.1")
    seen = []
    client = swf.client()
    client.meta.events.register("before-send", lambda request, **_: seen.append(request), unique_id="first")
    assert client.list_domains(registrationStatus="REGISTERED")["domainInfos"] == []
    assert "real" not in repr(vars(seen[0]) | dict(seen[0].headers)) if seen else True
    client.close()


def test_arns_are_of_the_callers_region(swf: LocalSWF) -> None:
    client = swf.client()
    client.register_domain(name="d", workflowExecutionRetentionPeriodInDays="1")
    arn = client.describe_domain(name="d")["domainInfo"]["arn"]
    assert arn == "arn:aws:swf:us-east-1:123456789012:/domain/d"
    client.close()


def test_what_a_direct_caller_does_with_a_reply_stays_with_it(swf: LocalSWF) -> None:
    flow = Driver(swf.direct())
    run_id = flow.start(tagList=["t"])
    flow.decide(activity())
    flow.activity_task()["activityType"]["name"] = "spoiled"
    info = flow.describe(run_id)["executionInfo"]
    info["tagList"].append("spoiled")
    info["workflowType"]["name"] = "spoiled"
    execution = {"workflowId": "w", "runId": run_id}
    page = flow.client.get_workflow_execution_history(domain="d", execution=execution)
    page["events"][0]["workflowExecutionStartedEventAttributes"]["tagList"].append("spoiled")
    again = flow.client.get_workflow_execution_history(domain="d", execution=execution)
    assert again["events"][0]["workflowExecutionStartedEventAttributes"]["tagList"] == ["t"]
    described = flow.describe(run_id)["executionInfo"]
    assert described["tagList"] == ["t"]
    assert described["workflowType"]["name"] != "spoiled"


def spoil(value: Any) -> None:
    """Change whatever can be changed in a value."""
    inner = list(value.values()) if isinstance(value, dict) else value
    for each in inner:
        if isinstance(each, (dict, list)):
            spoil(each)
    value.clear()


@pytest.mark.parametrize("door", ["call", "post"])
def test_what_a_direct_caller_does_with_a_request_afterwards_stays_with_it(swf: LocalSWF, door: str) -> None:
    client = swf.direct()
    flow = Driver(client)

    def ask(action: str, request: dict[str, Any]) -> None:
        if door == "call":
            getattr(client, METHODS[action])(**request)
        else:
            client.post(Post(action, request, lambda reply: None, lambda: True))
        spoil(request)

    ask("StartWorkflowExecution", {"domain": "d", "workflowId": "w", "workflowType": dict(WORKFLOW), "tagList": ["t"]})
    token = flow.decision_task()["taskToken"]
    made = [activity(), decisions.start_timer("t", "60")]
    ask("RespondDecisionTaskCompleted", {"taskToken": token, "decisions": made})
    assert flow.activity_task()["activityType"] == ACTIVITY
    run = client.list_open_workflow_executions(domain="d", startTimeFilter={"oldestDate": 0})["executionInfos"][0]
    assert (run["tagList"], run["workflowType"]) == (["t"], WORKFLOW)
