"""Starting and describing executions, and reading their histories."""

import pytest

import decisions
from local_driver import WORKFLOW, Driver, activity, child
from local_driver import fault_of as fault
from pyflow.local import VirtualClock

SETTINGS = {
    "executionStartToCloseTimeout": "500",
    "taskList": {"name": "other"},
    "taskStartToCloseTimeout": "50",
    "childPolicy": "ABANDON",
}


def test_settings_are_asked_for_in_their_order(flow: Driver) -> None:
    flow.client.register_workflow_type(domain="d", name="bare", version="1")
    asked: dict = {"domain": "d", "workflowId": "w", "workflowType": {"name": "bare", "version": "1"}}
    for name, value in SETTINGS.items():
        assert fault(flow.client.start_workflow_execution, **asked) == ("DefaultUndefinedFault", name)
        asked[name] = value
    flow.client.start_workflow_execution(**asked)


def test_what_is_given_goes_before_the_types_defaults(flow: Driver) -> None:
    run_id = flow.start(**SETTINGS, taskPriority="-1", lambdaRole="arn:role", input="", tagList=["a", "a"])
    started = flow.last(run_id, "WorkflowExecutionStarted")
    more = {"taskPriority": "-1", "lambdaRole": "arn:role"}
    rest = {"input": "", "tagList": ["a", "a"], "parentInitiatedEventId": 0, "workflowType": WORKFLOW}
    assert started == {**SETTINGS, **more, **rest}
    assert flow.describe(run_id)["executionConfiguration"] == {**SETTINGS, **more}
    assert flow.last(run_id, "DecisionTaskScheduled") == {
        "taskList": {"name": "other"},
        "startToCloseTimeout": "50",
        "scheduleToStartTimeout": "NONE",
        "taskPriority": "-1",
    }


def test_what_is_not_given_is_not_told(flow: Driver) -> None:
    run_id = flow.start(tagList=[])
    started = flow.last(run_id, "WorkflowExecutionStarted")
    assert not {"input", "tagList", "taskPriority", "lambdaRole", "parentWorkflowExecution"} & set(started)
    described = flow.describe(run_id)
    assert not {"latestExecutionContext", "latestActivityTaskTimestamp"} & set(described)
    assert not {"closeStatus", "closeTimestamp", "tagList", "parent"} & set(described["executionInfo"])


def test_one_run_of_a_workflow_id_is_open(flow: Driver) -> None:
    first = flow.start()
    assert fault(flow.start) == ("WorkflowExecutionAlreadyStartedFault", "Already Started")
    flow.decide(decisions.complete_workflow_execution())
    second = flow.start()
    assert first != second
    assert flow.describe(first)["executionInfo"]["closeStatus"] == "COMPLETED"


def test_a_type_that_is_gone_starts_nothing(flow: Driver) -> None:
    flow.client.deprecate_workflow_type(domain="d", workflowType=WORKFLOW)
    assert fault(flow.start) == ("TypeDeprecatedFault", "WorkflowType=[name=flow, version=1]")
    flow.client.delete_workflow_type(domain="d", workflowType=WORKFLOW)
    assert fault(flow.start) == ("UnknownResourceFault", "Unknown type: WorkflowType=[name=flow, version=1]")
    assert fault(flow.client.start_workflow_execution, domain="e", workflowId="w", workflowType=WORKFLOW) == (
        "UnknownResourceFault",
        "Unknown domain: e",
    )


def test_what_is_open_is_counted(flow: Driver) -> None:
    run_id = flow.start()
    flow.decide(
        activity("a"),
        activity("b"),
        decisions.start_timer("t", "9"),
        decisions.start_child_workflow_execution("k", "flow", "1"),
    )
    flow.activity_task()
    assert flow.describe(run_id)["openCounts"] == {
        "openActivityTasks": 2,
        "openDecisionTasks": 1,
        "openTimers": 1,
        "openChildWorkflowExecutions": 1,
        "openLambdaFunctions": 0,
    }


@pytest.mark.parametrize("how", ["terminated", "completed"])
def test_a_close_leaves_the_counts_as_they_stood(flow: Driver, how: str) -> None:
    run_id = flow.start()
    kid = child("k", task_list="kids")
    flow.decide(
        activity("a"), activity("b"), decisions.start_timer("t", "9"), decisions.start_timer("u", "9"), kid, kid
    )
    flow.client.respond_activity_task_completed(taskToken=flow.activity_task()["taskToken"])
    if how == "terminated":
        flow.client.terminate_workflow_execution(domain="d", workflowId="w", childPolicy="ABANDON")
    else:
        flow.decide(decisions.cancel_timer("u"), decisions.complete_workflow_execution())
    assert flow.describe(run_id)["openCounts"] == {
        "openActivityTasks": 1,
        "openDecisionTasks": 1 if how == "terminated" else 0,
        "openTimers": 2 if how == "terminated" else 1,
        "openChildWorkflowExecutions": 1,
        "openLambdaFunctions": 0,
    }


def test_the_last_context_given_stays(flow: Driver, clock: VirtualClock) -> None:
    run_id = flow.start()
    flow.decide(executionContext="first")
    flow.signal()
    flow.decide()
    assert flow.describe(run_id)["latestExecutionContext"] == "first"
    flow.signal()
    flow.decide(executionContext="")
    assert flow.describe(run_id)["latestExecutionContext"] == ""


def test_history_is_read_in_pages_both_ways(flow: Driver) -> None:
    run_id = flow.start()
    flow.decide(*(decisions.record_marker(str(n)) for n in range(1_500)))
    execution = {"domain": "d", "execution": {"workflowId": "w", "runId": run_id}}
    first = flow.client.get_workflow_execution_history(**execution)
    assert len(first["events"]) == 1_000
    second = flow.client.get_workflow_execution_history(**execution, nextPageToken=first["nextPageToken"])
    assert [event["eventId"] for event in first["events"] + second["events"]] == list(range(1, 1_505))
    assert "nextPageToken" not in second
    back = flow.client.get_workflow_execution_history(**execution, reverseOrder=True, maximumPageSize=3)
    assert [event["eventId"] for event in back["events"]] == [1_504, 1_503, 1_502]
    more = flow.client.get_workflow_execution_history(
        **execution, nextPageToken=back["nextPageToken"], maximumPageSize=2
    )
    assert [event["eventId"] for event in more["events"]] == [1_501, 1_500]


def test_a_history_token_is_of_one_run(flow: Driver) -> None:
    one, other = flow.start("one"), flow.start("other")
    page = flow.client.get_workflow_execution_history(
        domain="d", execution={"workflowId": "one", "runId": one}, maximumPageSize=1
    )
    assert fault(
        flow.client.get_workflow_execution_history,
        domain="d",
        execution={"workflowId": "other", "runId": other},
        nextPageToken=page["nextPageToken"],
    ) == ("ValidationException", "Invalid token")


def test_an_execution_is_found_by_both_its_names(flow: Driver) -> None:
    run_id = flow.start()
    wrong = {"workflowId": "w", "runId": "x"}
    assert fault(flow.client.describe_workflow_execution, domain="d", execution=wrong) == (
        "UnknownResourceFault",
        "Unknown execution: WorkflowExecution=[workflowId=w, runId=x]",
    )
    assert fault(flow.describe, run_id, "v")[0] == "UnknownResourceFault"
