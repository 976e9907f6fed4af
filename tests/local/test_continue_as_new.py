"""Continue-as-new: what passes to the next run, and what does not."""

import pytest

from local_driver import WORKFLOW, Driver, child
from local_driver import fault_of as fault
from pyflow.local import VirtualClock
from pyflow.swf import decisions


def next_run(flow: Driver, run_id: str, workflow_id: str = "w") -> str:
    return flow.last(run_id, "WorkflowExecutionContinuedAsNew", workflow_id)["newExecutionRunId"]


def test_nothing_passes_but_the_names(flow: Driver, clock: VirtualClock) -> None:
    run_id = flow.start(
        input="old",
        tagList=["old"],
        taskPriority="9",
        executionStartToCloseTimeout="500",
        taskStartToCloseTimeout="50",
        childPolicy="ABANDON",
        taskList={"name": "old"},
        lambdaRole="arn:role",
    )
    clock.advance(100)
    flow.respond(flow.decision_task("old"), decisions.continue_as_new_workflow_execution())
    new = next_run(flow, run_id)
    settings = {
        "taskList": {"name": "tl"},
        "childPolicy": "TERMINATE",
        "executionStartToCloseTimeout": "1000",
        "taskStartToCloseTimeout": "NONE",
        "workflowType": WORKFLOW,
    }
    closed = flow.last(run_id, "WorkflowExecutionContinuedAsNew")
    assert closed == {**settings, "newExecutionRunId": new, "decisionTaskCompletedEventId": 4}
    started = flow.last(new, "WorkflowExecutionStarted")
    assert started == {**settings, "continuedExecutionRunId": run_id, "parentInitiatedEventId": 0}
    assert flow.describe(run_id)["executionInfo"]["closeStatus"] == "CONTINUED_AS_NEW"
    assert fault(flow.signal, runId=run_id)[0] == "UnknownResourceFault"
    flow.signal()
    # Its time begins anew.
    clock.advance(999)
    assert flow.describe(new)["executionInfo"]["executionStatus"] == "OPEN"
    clock.advance(1)
    assert flow.describe(new)["executionInfo"]["closeStatus"] == "TIMED_OUT"


def test_what_the_decision_gives_is_taken(flow: Driver) -> None:
    flow.client.register_workflow_type(domain="d", name="flow", version="2")
    run_id = flow.start()
    flow.decide(
        decisions.continue_as_new_workflow_execution(
            input="new",
            workflow_type_version="2",
            task_list="new",
            task_priority="3",
            task_start_to_close_timeout="4",
            execution_start_to_close_timeout="5",
            child_policy="ABANDON",
            tag_list=["t"],
            lambda_role="arn:role",
        )
    )
    new = next_run(flow, run_id)
    started = flow.last(new, "WorkflowExecutionStarted")
    closed = flow.last(run_id, "WorkflowExecutionContinuedAsNew")
    assert {**started, "newExecutionRunId": new, "decisionTaskCompletedEventId": 4} == {
        **closed,
        "continuedExecutionRunId": run_id,
        "parentInitiatedEventId": 0,
    }
    assert (started["input"], started["tagList"], started["workflowType"]["version"]) == ("new", ["t"], "2")
    assert flow.decision_task("new")["workflowExecution"]["runId"] == new


@pytest.mark.parametrize(
    ("version", "given", "cause"),
    [
        ("9", {}, "WORKFLOW_TYPE_DOES_NOT_EXIST"),
        ("old", {}, "WORKFLOW_TYPE_DEPRECATED"),
        ("bare", {}, "DEFAULT_EXECUTION_START_TO_CLOSE_TIMEOUT_UNDEFINED"),
        ("bare", {"execution_start_to_close_timeout": "1"}, "DEFAULT_TASK_LIST_UNDEFINED"),
        (
            "bare",
            {"execution_start_to_close_timeout": "1", "task_list": "tl"},
            "DEFAULT_TASK_START_TO_CLOSE_TIMEOUT_UNDEFINED",
        ),
        (
            "bare",
            {"execution_start_to_close_timeout": "1", "task_list": "tl", "task_start_to_close_timeout": "1"},
            "DEFAULT_CHILD_POLICY_UNDEFINED",
        ),
    ],
)
def test_causes_of_a_refusal(flow: Driver, version: str, given: dict, cause: str) -> None:
    for each in ("old", "bare"):
        flow.client.register_workflow_type(domain="d", name="flow", version=each)
    flow.client.deprecate_workflow_type(domain="d", workflowType={"name": "flow", "version": "old"})
    run_id = flow.start()
    flow.decide(decisions.continue_as_new_workflow_execution(workflow_type_version=version, **given))
    refused = flow.last(run_id, "ContinueAsNewWorkflowExecutionFailed")
    assert refused == {"cause": cause, "decisionTaskCompletedEventId": 4}
    assert flow.describe(run_id)["executionInfo"]["executionStatus"] == "OPEN"


def test_something_new_refuses_it(flow: Driver) -> None:
    run_id = flow.start()
    task = flow.decision_task()
    flow.signal()
    flow.respond(task, decisions.continue_as_new_workflow_execution())
    assert flow.last(run_id, "ContinueAsNewWorkflowExecutionFailed")["cause"] == "UNHANDLED_DECISION"


def test_timers_end_and_children_stay(flow: Driver, clock: VirtualClock) -> None:
    run_id = flow.start()
    flow.decide(child(), decisions.start_timer("t", "5"))
    while (task := flow.decision_task())["workflowExecution"]["workflowId"] != "w":
        flow.respond(task)
    flow.respond(task, decisions.continue_as_new_workflow_execution())
    kid = flow.last(run_id, "ChildWorkflowExecutionStarted")["workflowExecution"]["runId"]
    assert flow.describe(kid, "kid")["executionInfo"]["executionStatus"] == "OPEN"
    clock.advance(10)
    assert flow.history(run_id)[-1] == "WorkflowExecutionContinuedAsNew"
    flow.client.terminate_workflow_execution(domain="d", workflowId="kid")
    assert flow.history(next_run(flow, run_id))[-1] == "DecisionTaskScheduled"


def test_a_child_that_goes_on_stays_its_parents_child(flow: Driver) -> None:
    run_id = flow.start()
    flow.decide(child())
    while (task := flow.decision_task())["workflowExecution"]["workflowId"] != "kid":
        flow.respond(task)
    kid = task["workflowExecution"]["runId"]
    before = flow.history(run_id)
    flow.respond(task, decisions.continue_as_new_workflow_execution())
    new = next_run(flow, kid, "kid")
    started = flow.last(new, "WorkflowExecutionStarted", "kid")
    assert started["parentWorkflowExecution"] == {"workflowId": "w", "runId": run_id}
    assert started["parentInitiatedEventId"] == 5
    assert flow.history(run_id) == before
    flow.respond(flow.decision_task(), decisions.complete_workflow_execution(result="r"))
    told = flow.last(run_id, "ChildWorkflowExecutionCompleted")
    assert told["workflowExecution"] == {"workflowId": "kid", "runId": new}
    assert (told["initiatedEventId"], told["startedEventId"], told["result"]) == (5, 6, "r")


def test_the_parents_policy_reaches_the_run_that_went_on(flow: Driver) -> None:
    run_id = flow.start()
    flow.decide(child())
    while (task := flow.decision_task())["workflowExecution"]["workflowId"] != "kid":
        flow.respond(task)
    flow.respond(task, decisions.continue_as_new_workflow_execution())
    new = next_run(flow, task["workflowExecution"]["runId"], "kid")
    flow.client.terminate_workflow_execution(domain="d", workflowId="w", runId=run_id)
    assert flow.describe(new, "kid")["executionInfo"]["closeStatus"] == "TERMINATED"


def test_its_workflow_id_is_never_free_for_a_child_of_the_same_answer(flow: Driver) -> None:
    run_id = flow.start()
    flow.decide(child("w"), decisions.continue_as_new_workflow_execution())
    found = flow.client.list_open_workflow_executions(domain="d", startTimeFilter={"oldestDate": 0})["executionInfos"]
    assert [info["execution"] for info in found] == [{"workflowId": "w", "runId": next_run(flow, run_id)}]
