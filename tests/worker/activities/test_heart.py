"""Heartbeats by themselves: how often, with what, and what SWF's answers do."""

import itertools
import json
import threading
import time

import pytest

import pyflow
from activity_service import Service, working
from pyflow import ServiceFault, activity
from pyflow.activities import WorkerSide
from pyflow.pulse import Pulse
from pyflow.worker.activities import heart
from pyflow.worker.activities.heart import Beat, Heart


@pytest.fixture
def service():
    return Service()


class TestWhen:
    def due_s(self, *, sent_s=0.0, failures=0, pending=False, **side):
        """Seconds from the start to the next beat."""
        pulse = Pulse(object(), "t", "activity1")
        start_s = pulse.sent_s
        beat = Beat(pulse, WorkerSide(**side))
        pulse.sent_s, pulse.failures, pulse.pending = start_s + sent_s, failures, pending
        pulse.body_sent_s = start_s + 3
        due_s = beat.next_s()
        return None if due_s is None else round(due_s - start_s, 1)

    def test_a_third_of_the_timeout(self):
        assert self.due_s(heartbeat_s=30) == 10
        assert self.due_s(heartbeat_s=30, sent_s=10) == 20

    def test_sooner_after_one_that_did_not_arrive(self):
        assert self.due_s(heartbeat_s=30, sent_s=10, failures=1) == 15

    def test_not_without_a_heartbeat_timeout_but_once_the_task_should_be_over(self):
        assert self.due_s() is None
        assert self.due_s(start_to_close_s=60) == 61
        assert self.due_s(start_to_close_s=60, schedule_to_close_s=30) == 31
        assert self.due_s(start_to_close_s=60, sent_s=62) == 122

    def test_of_a_body_that_beats_by_itself_only_once_it_is_too_late(self):
        assert self.due_s(heartbeat_s=30, auto_heartbeat=False) == 31

    def test_pending_details_go_out_a_second_after_the_body_s_last(self):
        assert self.due_s(heartbeat_s=30, pending=True, sent_s=5) == 4


def test_tasks_that_are_done_are_kept_no_longer_though_their_beats_were_due_much_later():
    heart_ = Heart()
    lasting = heart_.watch(Pulse(object(), "lasts", "activity0"), WorkerSide(start_to_close_s=600))
    for number in range(1_000):
        heart_.leave(heart_.watch(Pulse(object(), "t", f"activity{number}"), WorkerSide(start_to_close_s=3_600)))

    assert len(heart_._queue) < 100
    assert heart_._queue[0][2] is lasting


def of_the_body(service):
    """The beats from the first of the body on: before it was on, the worker may have sent some by itself."""
    return list(itertools.dropwhile(lambda beat: "details" not in beat, service.beats))


def test_a_silent_body_stays_alive_by_beats_with_the_last_details(service):
    @pyflow.activity("charge", start_to_close=60, heartbeat=1)
    def charge(_):
        activity.current().heartbeat({"at": 7})
        service.until(lambda: len(of_the_body(service)) >= 3)

    service.put("0")
    with working(service, charge):
        service.answered(1)

    assert of_the_body(service)[:3] == [{"taskToken": "token0", "details": '{"at": 7}'}] * 3


def test_none_is_sent_by_itself_where_that_is_switched_off(service, monkeypatch):
    monkeypatch.setattr(heart, "GRACE_S", 60.0)

    @pyflow.activity("charge", start_to_close=60, heartbeat=1, auto_heartbeat=False)
    def charge(_):
        time.sleep(0.5)

    service.put("0")
    with working(service, charge):
        service.answered(1)

    assert service.beats == []


def test_beats_of_a_body_in_a_hurry_become_few_and_the_newest_arrives(service):
    @pyflow.activity("charge", start_to_close=60)
    def charge(_):
        for number in range(1_000):
            activity.current().heartbeat(number)
        activity.current().complete_later()

    service.put("0")
    with working(service, charge):
        service.until(lambda: service.beats and service.beats[-1]["details"] == "999")

    assert len(service.beats) <= 4


def test_a_beat_by_itself_does_not_hold_back_one_of_the_body(service):
    @pyflow.activity("charge", start_to_close=60, heartbeat=1)
    def charge(_):
        service.until(lambda: service.beats)
        activity.current().heartbeat("new")
        return len(of_the_body(service))

    service.put("0")
    with working(service, charge):
        ((_, answer),) = service.answered(1)

    assert int(answer["result"]) >= 1


def test_cancel_is_raised_in_a_thread_at_its_next_heartbeat(service):
    told = threading.Event()

    @pyflow.activity("charge", start_to_close=60, heartbeat=1)
    def charge(_):
        service.until(lambda: service.beats)  # the worker's own
        told.set()
        time.sleep(0.05)
        for _ in range(3_000):
            activity.current().heartbeat()
            time.sleep(0.01)

    service.cancel = {"token0"}
    service.put("0")
    with working(service, charge):
        ((how, _),) = service.answered(1)

    assert (how, told.is_set()) == ("canceled", True)


def test_a_body_in_a_thread_learns_that_its_task_is_lost(service, monkeypatch):
    monkeypatch.setattr(heart, "GRACE_S", 0.0)
    lost = []

    @pyflow.activity("charge", start_to_close=1)
    def charge(_):
        service.until(lambda: service.beats)
        while not activity.current().cancel_requested:
            time.sleep(0.01)
        lost.append(activity.current().lost)
        activity.current().heartbeat()

    service.gone = {"token0"}
    service.put("0")
    with working(service, charge):
        service.until(lambda: service.beats)
        while not lost:
            time.sleep(0.01)

    assert lost == [True]
    assert service.answers == []


def test_details_that_swf_refuses_do_not_end_the_beats(service, caplog):
    record = service.record_activity_task_heartbeat

    def refuse(**beat):
        record(**beat)
        if "details" in beat:
            raise ServiceFault("ValidationException", "odd", operation="RecordActivityTaskHeartbeat")
        return {"cancelRequested": False}

    service.record_activity_task_heartbeat = refuse

    @pyflow.activity("charge", start_to_close=60, heartbeat=1)
    def charge(_):
        with pytest.raises(ServiceFault):
            activity.current().heartbeat("odd")
        service.until(lambda: len(of_the_body(service)) >= 3)

    service.put("0")
    with working(service, charge):
        assert service.answered(1)[0][0] == "completed"

    assert ["details" in beat for beat in of_the_body(service)[:3]] == [True, True, False]


def test_one_call_that_hangs_lets_the_others_beat(service):
    go_on = threading.Event()
    record = service.record_activity_task_heartbeat

    def hang(**beat):
        if beat["taskToken"] == "token0":
            go_on.wait(30)
        return record(**beat)

    service.record_activity_task_heartbeat = hang

    @pyflow.activity("charge", start_to_close=60, heartbeat=1)
    def charge(_):
        service.until(lambda: len(service.beats) >= 2)

    service.put("0", "1")
    with working(service, charge):
        service.answered(2)
        go_on.set()

    assert {beat["taskToken"] for beat in service.beats[:2]} == {"token1"}


def test_beats_go_on_while_c_code_holds_on_to_the_interpreter_now_and_then(service):
    """A body that keeps the lock for long stretches delays beats by no more than one stretch."""
    text = json.dumps(list(range(400_000)))

    @pyflow.activity("charge", start_to_close=60, heartbeat=1)
    def charge(_):
        until_s = time.monotonic() + 30
        while len(service.beats) < 3 and time.monotonic() < until_s:
            json.loads(text)

    service.put("0")
    with working(service, charge):
        service.answered(1)

    assert len(service.beats) >= 3
