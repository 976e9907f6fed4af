"""Children, signals and cancel requests between executions, in both histories."""

import pytest

import decisions
from local_driver import WORKFLOW, Driver, child
from pyflow.exceptions import ServiceFault
from pyflow.local import VirtualClock


def kid_of(flow: Driver, run_id: str) -> str:
    return flow.last(run_id, "ChildWorkflowExecutionStarted")["workflowExecution"]["runId"]


def task_of(flow: Driver, workflow_id: str) -> dict:
    """The next task of one of several executions; those of others are answered with nothing."""
    while (task := flow.decision_task())["workflowExecution"]["workflowId"] != workflow_id:
        flow.respond(task)
    return task


def test_a_child_is_told_in_both_histories(flow: Driver) -> None:
    run_id = flow.start()
    flow.decide(child(input="in", control="c", tag_list=["t"]))
    kid = kid_of(flow, run_id)
    assert flow.history(run_id)[4:] == [
        "StartChildWorkflowExecutionInitiated",
        "ChildWorkflowExecutionStarted",
        "DecisionTaskScheduled",
    ]
    started = flow.last(kid, "WorkflowExecutionStarted", "kid")
    assert started["parentWorkflowExecution"] == {"workflowId": "w", "runId": run_id}
    assert (started["parentInitiatedEventId"], started["input"], started["tagList"]) == (5, "in", ["t"])
    assert flow.describe(kid, "kid")["executionInfo"]["parent"] == {"workflowId": "w", "runId": run_id}
    flow.respond(task_of(flow, "kid"), decisions.fail_workflow_execution(reason="r", details="d"))
    assert flow.last(run_id, "ChildWorkflowExecutionFailed") == {
        "workflowExecution": {"workflowId": "kid", "runId": kid},
        "workflowType": WORKFLOW,
        "initiatedEventId": 5,
        "startedEventId": 6,
        "reason": "r",
        "details": "d",
    }
    assert flow.describe(run_id)["openCounts"]["openChildWorkflowExecutions"] == 0


def test_a_child_whose_id_runs_already_is_refused_after_its_initiation(flow: Driver) -> None:
    run_id = flow.start()
    flow.decide(child("w", control="c"))
    assert flow.last(run_id, "StartChildWorkflowExecutionFailed") == {
        "workflowId": "w",
        "workflowType": WORKFLOW,
        "control": "c",
        "cause": "WORKFLOW_ALREADY_RUNNING",
        "initiatedEventId": 5,
        "decisionTaskCompletedEventId": 0,
    }


@pytest.mark.parametrize(
    ("version", "cause"),
    [
        ("9", "WORKFLOW_TYPE_DOES_NOT_EXIST"),
        ("old", "WORKFLOW_TYPE_DEPRECATED"),
        ("bare", "DEFAULT_EXECUTION_START_TO_CLOSE_TIMEOUT_UNDEFINED"),
    ],
)
def test_a_child_that_cannot_be_is_refused_at_once(flow: Driver, version: str, cause: str) -> None:
    for each in ("old", "bare"):
        flow.client.register_workflow_type(domain="d", name="flow", version=each)
    flow.client.deprecate_workflow_type(domain="d", workflowType={"name": "flow", "version": "old"})
    run_id = flow.start()
    flow.decide(decisions.start_child_workflow_execution("kid", "flow", version))
    refused = flow.last(run_id, "StartChildWorkflowExecutionFailed")
    assert (refused["cause"], refused["initiatedEventId"]) == (cause, 0)


def test_a_signal_goes_to_the_open_run_and_back(flow: Driver) -> None:
    target = flow.start("t")
    flow.decide()
    run_id = flow.start()
    flow.decide(decisions.signal_external_workflow_execution("t", "s", input="", control="c"))
    assert flow.last(target, "WorkflowExecutionSignaled", "t") == {
        "signalName": "s",
        "input": "",
        "externalInitiatedEventId": 5,
        "externalWorkflowExecution": {"workflowId": "w", "runId": run_id},
    }
    assert flow.last(run_id, "ExternalWorkflowExecutionSignaled") == {
        "workflowExecution": {"workflowId": "t", "runId": target},
        "initiatedEventId": 5,
    }
    assert flow.history(run_id)[-1] == "DecisionTaskScheduled"


def test_a_signal_to_nobody_fails_with_its_control(flow: Driver) -> None:
    run_id = flow.start()
    flow.decide(decisions.signal_external_workflow_execution("t", "s", control="c", run_id="r"))
    assert flow.last(run_id, "SignalExternalWorkflowExecutionFailed") == {
        "workflowId": "t",
        "runId": "r",
        "control": "c",
        "cause": "UNKNOWN_EXTERNAL_WORKFLOW_EXECUTION",
        "initiatedEventId": 5,
        "decisionTaskCompletedEventId": 4,
    }


def test_an_execution_may_signal_itself(flow: Driver) -> None:
    run_id = flow.start()
    flow.decide(decisions.signal_external_workflow_execution("w", "s"))
    assert flow.history(run_id)[5:] == [
        "WorkflowExecutionSignaled",
        "DecisionTaskScheduled",
        "ExternalWorkflowExecutionSignaled",
    ]


def test_a_signal_of_a_sender_that_closes_still_arrives(flow: Driver) -> None:
    target = flow.start("t")
    flow.decide()
    run_id = flow.start()
    flow.decide(decisions.signal_external_workflow_execution("t", "s"), decisions.complete_workflow_execution())
    assert "WorkflowExecutionSignaled" in flow.history(target, "t")
    assert flow.history(run_id)[-1] == "WorkflowExecutionCompleted"


def test_a_run_id_of_a_closed_run_is_unknown_even_if_another_is_open(flow: Driver) -> None:
    run_id = flow.start()
    flow.decide(decisions.complete_workflow_execution())
    flow.start()
    with pytest.raises(ServiceFault, match="Unknown execution: WorkflowExecution="):
        flow.signal(runId=run_id)
    flow.signal(runId="")


def test_a_cancel_request_closes_nothing(flow: Driver) -> None:
    run_id = flow.start()
    flow.client.request_cancel_workflow_execution(domain="d", workflowId="w")
    assert flow.last(run_id, "WorkflowExecutionCancelRequested") == {"externalInitiatedEventId": 0}
    described = flow.describe(run_id)["executionInfo"]
    assert (described["executionStatus"], described["cancelRequested"]) == ("OPEN", True)


@pytest.mark.parametrize(
    ("policy", "last"),
    [
        ("TERMINATE", "WorkflowExecutionTerminated"),
        ("REQUEST_CANCEL", "WorkflowExecutionCancelRequested"),
        ("ABANDON", "WorkflowExecutionStarted"),
    ],
)
@pytest.mark.parametrize("way", ["terminate", "time out"])
def test_the_parents_policy_is_applied_to_its_children(
    flow: Driver, clock: VirtualClock, policy: str, last: str, way: str
) -> None:
    run_id = flow.start(childPolicy=policy)
    flow.decide(child(child_policy="ABANDON", execution_start_to_close_timeout="99999"))
    kid = kid_of(flow, run_id)
    if way == "terminate":
        flow.client.terminate_workflow_execution(domain="d", workflowId="w", reason="r")
        closed = {"childPolicy": policy, "cause": "OPERATOR_INITIATED", "reason": "r"}
        assert flow.last(run_id, "WorkflowExecutionTerminated") == closed
    else:
        clock.advance(1_000)
        closed = {"childPolicy": policy, "timeoutType": "START_TO_CLOSE"}
        assert flow.last(run_id, "WorkflowExecutionTimedOut") == closed
    events = [event for event in flow.history(kid, "kid") if event.startswith("Workflow")]
    assert events[-1] == last
    if policy == "TERMINATE":
        assert flow.last(kid, last, "kid") == {"childPolicy": "ABANDON", "cause": "CHILD_POLICY_APPLIED"}
    if policy == "REQUEST_CANCEL":
        assert flow.last(kid, last, "kid") == {
            "externalInitiatedEventId": 0,
            "externalWorkflowExecution": {"workflowId": "w", "runId": run_id},
            "cause": "CHILD_POLICY_APPLIED",
        }
    assert "ChildWorkflowExecutionTerminated" not in flow.history(run_id)


def test_a_parent_that_completes_leaves_its_children_alone(flow: Driver) -> None:
    run_id = flow.start()
    flow.decide(child())
    flow.respond(task_of(flow, "w"), decisions.complete_workflow_execution())
    assert flow.describe(kid_of(flow, run_id), "kid")["executionInfo"]["executionStatus"] == "OPEN"


def test_a_child_terminated_by_hand_is_told_to_its_parent(flow: Driver) -> None:
    run_id = flow.start()
    flow.decide(child())
    flow.client.terminate_workflow_execution(domain="d", workflowId="kid", reason="r", details="d")
    told = flow.last(run_id, "ChildWorkflowExecutionTerminated")
    assert set(told) == {"workflowExecution", "workflowType", "initiatedEventId", "startedEventId"}
