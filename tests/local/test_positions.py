"""A service without a thread, one that forgets its executions, and where its executions stand."""

import threading

import pytest

from local_driver import Driver, activity
from pyflow.exceptions import ServiceFault
from pyflow.local import LocalSWF, VirtualClock
from pyflow.swf import decisions


@pytest.fixture
def threadless():
    before = set(threading.enumerate())
    with LocalSWF(clock=VirtualClock(), poll_wait_s=0.0, seed=3, thread=False) as swf:
        assert not set(threading.enumerate()) - before
        yield swf


def test_a_service_without_a_thread_does_all_in_the_callers(threadless):
    flow = Driver(threadless.direct())
    flow.start("w")
    flow.decide(decisions.start_timer("t", "5"))
    threadless._clock.advance(5)
    assert [event["eventType"] for event in flow.decision_task()["events"]][-3:] == [
        "TimerFired",
        "DecisionTaskScheduled",
        "DecisionTaskStarted",
    ]
    assert flow.no_decision_task()


def test_after_forgetting_the_same_calls_bring_the_same(threadless):
    def play():
        run_id = flow.start("w")
        flow.decide(activity("a"))
        threadless._clock.advance(1)
        return run_id, flow.events(run_id), threadless.position()

    flow = Driver(threadless.direct())
    first = play()
    threadless.forget_executions()
    with pytest.raises(ServiceFault):
        flow.events(first[0])
    assert threadless.position().open == set()
    assert play() == first


def test_the_order_between_executions_makes_no_position_and_that_in_one_does(threadless):
    flow = Driver(threadless.direct())

    def play(*signals):
        threadless.forget_executions()
        flow.start("v")
        flow.start("w")
        for workflow_id, name in signals:
            flow.client.signal_workflow_execution(domain="d", workflowId=workflow_id, signalName=name)
        return threadless.position().state

    both = play(("v", "a"), ("w", "b"))
    assert play(("w", "b"), ("v", "a")) == both
    assert play(("w", "a"), ("w", "b")) != play(("w", "b"), ("w", "a"))


def test_a_position_says_what_time_brings_and_what_is_to_cancel(threadless):
    flow = Driver(threadless.direct())
    run_id = flow.start("w")
    flow.decide(activity("a", start_to_close_timeout="9"), decisions.start_timer("t", "9"))
    flow.activity_task()
    assert [(due.kind, due.id, due.taken) for due in threadless.position().due] == [
        ("activity", "a", True),
        ("timer", "t", False),
    ]
    assert threadless.position().canceling == set()
    flow.client.signal_workflow_execution(domain="d", workflowId="w", signalName="go")
    flow.decide(
        {
            "decisionType": "RequestCancelActivityTask",
            "requestCancelActivityTaskDecisionAttributes": {"activityId": "a"},
        }
    )
    assert threadless.position().canceling == {(run_id, "a")}
