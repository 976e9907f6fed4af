"""Quotas of one execution and of one task list."""

import threading
import time

import pytest

import decisions
from local_driver import Driver, child
from local_driver import fault_of as fault
from pyflow.local import LocalSWF, waiting


def test_history_ends_at_its_limit(flow: Driver) -> None:
    run_id = flow.start()
    flow.decide(child())
    kid = flow.last(run_id, "ChildWorkflowExecutionStarted")["workflowExecution"]["runId"]
    while (task := flow.decision_task())["workflowExecution"]["workflowId"] != "w":
        flow.respond(task)
    flow.respond(task, *(decisions.record_marker("m") for _ in range(25_000 - 9)))
    assert len(flow.events(run_id)) == 25_001
    # What reaches the limit still stands before the end.
    assert flow.history(run_id)[-2:] == ["MarkerRecorded", "WorkflowExecutionTerminated"]
    assert flow.last(run_id, "WorkflowExecutionTerminated")["cause"] == "EVENT_LIMIT_EXCEEDED"
    assert flow.last(kid, "WorkflowExecutionTerminated", "kid")["cause"] == "CHILD_POLICY_APPLIED"


def test_a_thousand_children_and_a_thousand_functions_are_open_at_most(flow: Driver) -> None:
    run_id = flow.start()
    flow.decide(*(child(str(n)) for n in range(1_001)))
    assert flow.last(run_id, "StartChildWorkflowExecutionFailed")["cause"] == "OPEN_CHILDREN_LIMIT_EXCEEDED"
    other = flow.start("other", taskPriority="9")
    flow.decide(*(decisions.schedule_lambda_function(str(n), "f") for n in range(1_001)))
    refused = flow.last(other, "ScheduleLambdaFunctionFailed", "other")
    assert refused["cause"] == "OPEN_LAMBDA_FUNCTIONS_LIMIT_EXCEEDED"


def test_so_many_polls_wait_at_a_list_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "POLLERS_MAX", 1)
    with LocalSWF(poll_wait_s=60.0) as swf:
        flow = Driver(swf.direct())
        first = threading.Thread(target=flow.decision_task)
        first.start()
        while not swf._service._waiting:
            time.sleep(0.001)
        poll = {"domain": "d", "taskList": {"name": "tl"}}
        assert fault(flow.client.poll_for_decision_task, **poll)[0] == "LimitExceededFault"
        flow.start()
        first.join()


def test_strict_about_roles_a_function_without_one_is_not_started(clock) -> None:
    with LocalSWF(clock=clock, poll_wait_s=0.0, require_lambda_role=True, lambdas={"f": lambda *_: 1}) as swf:
        flow = Driver(swf.direct())
        run_id = flow.start()
        flow.decide(decisions.schedule_lambda_function("l", "f"))
        assert flow.history(run_id)[4:] == [
            "LambdaFunctionScheduled",
            "StartLambdaFunctionFailed",
            "DecisionTaskScheduled",
        ]
        refused = flow.last(run_id, "StartLambdaFunctionFailed")
        assert (refused["scheduledEventId"], refused["cause"]) == (5, "ASSUME_ROLE_FAILED")
        with_role = flow.start("r", lambdaRole="arn:aws:iam::1:role/r", taskPriority="9")
        flow.decide(decisions.schedule_lambda_function("l", "f"))
        while "LambdaFunctionCompleted" not in flow.history(with_role, "r"):
            pass
