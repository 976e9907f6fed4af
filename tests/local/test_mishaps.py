"""What goes wrong on purpose, through each door; and AWS's rates."""

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, HTTPClientError, ReadTimeoutError

import decisions
from local_driver import DOORS, Driver, activity, opened
from local_driver import fault_of as fault
from pyflow.exceptions import ServiceFault
from pyflow.local import LocalSWF, VirtualClock, mishaps
from pyflow.swf.events import attributes_of
from pyflow.swf.model import SHAPES


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest, swf: LocalSWF):
    # boto3 would repeat what fails; here each mishap is to be seen.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_MAX_ATTEMPTS", "1")
        with opened(swf, request.param) as client:
            yield Driver(client)


def no_answer(call, *args, **kwargs) -> None:
    with pytest.raises((ServiceFault, ConnectionClosedError, ReadTimeoutError, HTTPClientError)) as caught:
        call(*args, **kwargs)
    assert getattr(caught.value, "status", 0) == 0


def once(mishap: mishaps.Mishap):
    left = [mishap]
    return lambda action, request: left.pop() if left else None


def signals(flow: Driver, run_id: str) -> int:
    return flow.history(run_id).count("WorkflowExecutionSignaled")


def test_a_dropped_request_is_not_carried_out(swf: LocalSWF, door: Driver) -> None:
    run_id = door.start()
    swf.plan_mishaps(once(mishaps.Drop()))
    no_answer(door.signal)
    assert signals(door, run_id) == 0


def test_a_lost_answer_was_carried_out(swf: LocalSWF, door: Driver) -> None:
    run_id = door.start()
    swf.plan_mishaps(once(mishaps.Lose()))
    no_answer(door.signal)
    assert signals(door, run_id) == 1


def test_a_doubled_request_is_carried_out_twice(swf: LocalSWF, door: Driver) -> None:
    run_id = door.start()
    swf.plan_mishaps(once(mishaps.Duplicate()))
    door.signal()
    assert signals(door, run_id) == 2
    task = door.decision_task()
    swf.plan_mishaps(once(mishaps.Duplicate()))
    door.respond(task, decisions.record_marker("once"))
    assert door.history(run_id).count("MarkerRecorded") == 1


def test_a_delayed_request_is_carried_out(swf: LocalSWF, door: Driver) -> None:
    run_id = door.start()
    swf.plan_mishaps(once(mishaps.Delay(0.01)))
    door.signal()
    assert signals(door, run_id) == 1


@pytest.mark.parametrize("refusal", [mishaps.THROTTLE, mishaps.UNAVAILABLE, mishaps.BROKEN])
def test_a_refused_request_is_not_carried_out(swf: LocalSWF, door: Driver, refusal: mishaps.Refuse) -> None:
    run_id = door.start()
    swf.plan_mishaps(once(refusal))
    with pytest.raises((ServiceFault, ClientError)) as caught:
        door.signal()
    if isinstance(caught.value, ServiceFault):
        assert (caught.value.code, caught.value.status) == (refusal.code, refusal.status)
    else:
        assert caught.value.response["Error"]["Code"] == refusal.code
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == refusal.status
    assert signals(door, run_id) == 0


def test_a_lost_poll_starts_its_task(swf: LocalSWF, door: Driver) -> None:
    run_id = door.start()
    swf.plan_mishaps(once(mishaps.Lose()))
    no_answer(door.decision_task)
    assert door.history(run_id)[-1] == "DecisionTaskStarted"


def test_a_seed_draws_the_same_mishaps_again() -> None:
    def drawn(seed: int) -> list:
        plan = mishaps.RandomMishaps(seed, 0.5, spared=["StartWorkflowExecution"])
        assert plan("StartWorkflowExecution", {}) is None
        return [plan("PollForDecisionTask", {}) for _ in range(200)]

    assert drawn(3) == drawn(3) != drawn(4)
    assert {type(each) for each in drawn(3)} == {type(each) for each in (*mishaps.EVERY, None)}
    assert 60 < sum(each is not None for each in drawn(3)) < 140


def causes() -> list[tuple[str, str]]:
    """Each event that tells of a refusal, with each cause that SWF has for it."""
    return [
        (name.removesuffix("Cause"), cause)
        for name, shape in SHAPES.items()
        if name.endswith("FailedCause") and not name.startswith("StartLambda")
        for cause in shape["enum"]
    ]


DECISION_OF = {
    "ScheduleActivityTaskFailed": activity(),
    "RequestCancelActivityTaskFailed": decisions.request_cancel_activity_task("a"),
    "CompleteWorkflowExecutionFailed": decisions.complete_workflow_execution(),
    "FailWorkflowExecutionFailed": decisions.fail_workflow_execution(),
    "CancelWorkflowExecutionFailed": decisions.cancel_workflow_execution(),
    "ContinueAsNewWorkflowExecutionFailed": decisions.continue_as_new_workflow_execution(),
    "RecordMarkerFailed": decisions.record_marker("m"),
    "StartTimerFailed": decisions.start_timer("t", "1"),
    "CancelTimerFailed": decisions.cancel_timer("t"),
    "SignalExternalWorkflowExecutionFailed": decisions.signal_external_workflow_execution("x", "s", control="c"),
    "RequestCancelExternalWorkflowExecutionFailed": decisions.request_cancel_external_workflow_execution(
        "x", run_id="r"
    ),
    "StartChildWorkflowExecutionFailed": decisions.start_child_workflow_execution("k", "flow", "1"),
    "ScheduleLambdaFunctionFailed": decisions.schedule_lambda_function("l", "f"),
}


@pytest.mark.parametrize(("event_type", "cause"), causes())
def test_any_cause_can_be_planned(swf: LocalSWF, flow: Driver, event_type: str, cause: str) -> None:
    run_id = flow.start()
    swf.plan_refusals(lambda kind, attributes: cause)
    flow.decide(DECISION_OF[event_type])
    assert flow.history(run_id)[-2:] == [event_type, "DecisionTaskScheduled"]
    refused = flow.last(run_id, event_type)
    assert (refused["cause"], refused["decisionTaskCompletedEventId"]) == (cause, 4)
    assert set(SHAPES[f"{event_type}EventAttributes"]["required"]) <= set(refused)
    swf.plan_refusals(None)
    flow.decide(decisions.record_marker("m"))
    assert flow.history(run_id)[-1] == "MarkerRecorded"


def test_requests_beyond_awss_rate_are_refused_until_the_bucket_fills(clock: VirtualClock) -> None:
    with LocalSWF(clock=clock, poll_wait_s=0.0, aws_throttles=True) as swf:
        flow = Driver(swf.direct())
        throttled = ("ThrottlingException", "Rate exceeded")
        for _ in range(200):
            flow.client.describe_domain(name="d")
        assert fault(flow.client.describe_domain, name="d") == throttled
        clock.advance(1)
        for _ in range(6):
            flow.client.describe_domain(name="d")
        assert fault(flow.client.describe_domain, name="d") == throttled
        # An execution has a bucket of its own, smaller than the account's.
        run_id, other = flow.start(), flow.start("other")
        for _ in range(200):
            flow.client.request_cancel_workflow_execution(domain="d", workflowId="w")
        cancel = flow.client.request_cancel_workflow_execution
        assert fault(cancel, domain="d", workflowId="w") == throttled
        cancel(domain="d", workflowId="other")
        assert flow.history(run_id).count("WorkflowExecutionCancelRequested") == 200
        assert "WorkflowExecutionCancelRequested" in flow.history(other, "other")


@pytest.mark.parametrize(
    ("decision", "burst", "failed", "cause"),
    [
        (lambda n: decisions.start_timer(str(n), "0"), 2000, "StartTimerFailed", "TIMER_CREATION_RATE_EXCEEDED"),
        (
            lambda n: decisions.start_child_workflow_execution(str(n), "flow", "1"),
            500,
            "StartChildWorkflowExecutionFailed",
            "CHILD_CREATION_RATE_EXCEEDED",
        ),
        (lambda n: activity(str(n)), 1000, "ScheduleActivityTaskFailed", "ACTIVITY_CREATION_RATE_EXCEEDED"),
        (
            lambda n: decisions.signal_external_workflow_execution("x", "s"),
            1200,
            "SignalExternalWorkflowExecutionFailed",
            "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_RATE_EXCEEDED",
        ),
        (
            lambda n: decisions.request_cancel_external_workflow_execution("x"),
            1200,
            "RequestCancelExternalWorkflowExecutionFailed",
            "REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_RATE_EXCEEDED",
        ),
    ],
)
def test_decisions_beyond_awss_rate_are_refused(
    clock: VirtualClock, decision, burst: int, failed: str, cause: str
) -> None:
    with LocalSWF(clock=clock, poll_wait_s=0.0, aws_throttles=True) as swf:
        flow = Driver(swf.direct())
        run_id = flow.start()
        flow.decide(*(decision(n) for n in range(burst + 5)))
        refused = [attributes_of(event)["cause"] for event in flow.events(run_id) if event["eventType"] == failed]
        assert refused.count(cause) == 5


def test_without_being_asked_no_rate_is_kept(flow: Driver) -> None:
    for _ in range(2_100):
        flow.client.describe_domain(name="d")
