"""The virtual clock that leaps over times when nothing happens, and what keeps it from leaping."""

import socket
import threading
import time
from typing import Self

import pytest

from local_driver import DOORS, Driver, activity, opened
from pyflow.local import LocalSWF, SystemClock, VirtualClock
from pyflow.local.mishaps import Delay
from pyflow.swf import decisions

YEAR_S = 31_536_000


class Decider(threading.Thread):
    """Answers each decision task with what a function of its newest events says."""

    def __init__(self, flow: Driver, decide) -> None:
        super().__init__()
        self.flow, self.decide = flow, decide
        self.stop = False

    def run(self) -> None:
        while not self.stop:
            task = self.flow.client.poll_for_decision_task(domain="d", taskList={"name": "tl"})
            if "taskToken" in task:
                self.flow.respond(task, *self.decide(task["events"]))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop = True
        self.join()


@pytest.fixture
def skipping(monkeypatch):
    monkeypatch.setattr("pyflow.local.service.POLLER_SEEN_S", 60.0)  # pollers come, however slow this machine is
    with LocalSWF(clock=VirtualClock(start_s=0, skip=True), poll_wait_s=0.05) as swf:
        yield Driver(swf.direct(), defaultExecutionStartToCloseTimeout=str(YEAR_S))


def closed(flow: Driver, run_id: str) -> dict:
    while (info := flow.describe(run_id)["executionInfo"])["executionStatus"] == "OPEN":
        time.sleep(0.001)
    return info


def test_many_timers_pass_at_once_and_in_their_order(skipping: Driver) -> None:
    days = 150  # so that the history stays one page

    def decide(events: list) -> list:
        fired = sum(event["eventType"] == "TimerFired" for event in events)
        if fired == days:
            return [decisions.complete_workflow_execution()]
        return [decisions.start_timer(str(fired), "86400")]

    with Decider(skipping, decide):
        info = closed(skipping, skipping.start())
    assert (info["closeTimestamp"] - info["startTimestamp"]).days == days


def test_no_timeout_strikes_an_activity_that_is_being_done(skipping: Driver) -> None:
    def decide(events: list) -> list:
        if events[-2]["eventType"] == "WorkflowExecutionStarted" or len(events) == 3:
            return [activity(heartbeat_timeout="1")]
        return [decisions.complete_workflow_execution()]

    with Decider(skipping, decide):
        run_id = skipping.start()
        work = {}
        while "taskToken" not in work:
            assert skipping.describe(run_id)["executionInfo"]["executionStatus"] == "OPEN"
            work = skipping.client.poll_for_activity_task(domain="d", taskList={"name": "tl"})
        time.sleep(0.1)
        skipping.client.respond_activity_task_completed(taskToken=work["taskToken"])
        info = closed(skipping, run_id)
    assert info["closeTimestamp"] == info["startTimestamp"]
    assert "ActivityTaskTimedOut" not in skipping.history(run_id)


def test_a_timeout_strikes_an_activity_whose_worker_has_died(skipping: Driver) -> None:
    def decide(events: list) -> list:
        if any(event["eventType"] == "ActivityTaskTimedOut" for event in events):
            return [decisions.complete_workflow_execution()]
        return [activity(start_to_close_timeout="3600")] if len(events) == 3 else []

    with Decider(skipping, decide):
        run_id = skipping.start()
        dying = threading.Thread(
            target=lambda: skipping.client.poll_for_activity_task(domain="d", taskList={"name": "tl"})
        )
        dying.start()
        dying.join()
        info = closed(skipping, run_id)
    assert (info["closeTimestamp"] - info["startTimestamp"]).seconds == 3600


def test_a_task_that_may_be_polled_for_soon_is_waited_for(skipping: Driver) -> None:
    run_id = skipping.start()
    time.sleep(0.05)
    task = skipping.decision_task()
    assert task["events"][-1]["eventTimestamp"] == task["events"][0]["eventTimestamp"]
    assert len(skipping.history(run_id)) == 3


@pytest.mark.parametrize("door", DOORS)
def test_no_leap_while_a_request_is_under_way(door: str) -> None:
    clock = VirtualClock(start_s=0, skip=True)
    with LocalSWF(clock=clock, poll_wait_s=0.0) as swf, opened(swf, door) as client:
        flow = Driver(swf.direct())
        swf.plan_mishaps(lambda action, _: Delay(1.0) if action == "ListDomains" else None)
        asking = threading.Thread(target=lambda: client.list_domains(registrationStatus="DEPRECATED"))
        with clock.held():
            flow.start()
            flow.decide(decisions.start_timer("t", "600"))
            asking.start()
            while not swf._service._requests:
                time.sleep(0.001)
        time.sleep(0.05)
        assert clock.now_ms() == 0
        asking.join()
        while clock.now_ms() < 600_000:
            time.sleep(0.001)


def test_no_leap_while_half_a_request_has_come() -> None:
    clock = VirtualClock(start_s=0, skip=True)
    with LocalSWF(clock=clock, poll_wait_s=0.0) as swf, swf.serve() as server:
        flow = Driver(swf.direct())
        with socket.create_connection(("127.0.0.1", server.port)) as half:
            half.sendall(f"POST / HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nContent-Length: 2\r\n\r\n{{".encode())
            while not swf._service._requests:
                time.sleep(0.001)
            flow.start()
            flow.decide(decisions.start_timer("t", "600"))
            time.sleep(0.05)
            assert clock.now_ms() == 0
            half.sendall(b"}")
            while clock.now_ms() < 600_000:
                time.sleep(0.001)


def test_no_leap_while_held() -> None:
    clock = VirtualClock(start_s=0, skip=True)
    with LocalSWF(clock=clock, poll_wait_s=0.0) as swf:
        flow = Driver(swf.direct())
        with clock.held():
            run_id = flow.start()
            flow.decide(decisions.start_timer("t", "600"))
            time.sleep(0.05)
            assert clock.now_ms() == 0
        while flow.history(run_id)[-2] != "TimerFired":
            time.sleep(0.001)
        assert clock.now_ms() >= 600_000


def test_time_never_goes_back() -> None:
    with pytest.raises(ValueError, match="never goes back"):
        VirtualClock().advance(-1)
    clock = VirtualClock(start_s=10, skip=True)
    assert clock.skip_to(5_000)
    assert clock.now_ms() == 10_000
    assert not SystemClock().skip_to(0)
