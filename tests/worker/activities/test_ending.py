"""How a worker ends: what is under way, what is told to stop, and what is said of those that do not."""

import os
import signal
import threading
import time

import pytest

import bodies_in_processes as bodies
import pyflow
from activity_service import Posting, Service, working
from pyflow import activity
from pyflow.worker.activities import ActivityWorker


@pytest.fixture(params=[Service, Posting])
def service(request):
    return request.param()


def begun(service):
    """An activity whose body waits for its heartbeats to tell it to stop, and an event that it has begun."""
    has_begun = threading.Event()

    @pyflow.activity("charge", start_to_close=60)
    def charge(_):
        has_begun.set()
        while True:
            activity.current().heartbeat()
            time.sleep(0.01)

    service.put("0")
    return charge, has_begun


def test_after_the_grace_a_body_is_told_to_stop_and_its_task_fails_for_another_attempt(service):
    charge, has_begun = begun(service)
    with working(service, charge, grace_s=0):
        assert has_begun.wait(30)

    ((how, answer),) = service.answers
    assert (how, answer["reason"]) == ("failed", "WORKER_STOPPED")
    assert answer["details"] == "the worker of activity0 is stopping"


def test_a_cancel_that_the_workflow_asked_for_is_answered_as_one_though_the_worker_stops(service):
    has_begun = threading.Event()

    @pyflow.activity("charge", start_to_close=60)
    def charge(_):
        task = activity.current()
        assert task.cancel_requested
        has_begun.set()
        while not task.pulse.stopping:
            time.sleep(0.01)
        task.heartbeat()

    service.cancel = {"token0"}
    service.put("0")
    with working(service, charge, grace_s=0):
        assert has_begun.wait(30)

    assert [how for how, _ in service.answers] == ["canceled"]


def test_within_the_grace_a_body_ends_in_its_own_time(service):
    has_begun = threading.Event()

    @pyflow.activity("charge", start_to_close=60)
    def charge(_):
        has_begun.set()
        time.sleep(0.1)
        return "done"

    service.put("0")
    with working(service, charge, grace_s=30):
        assert has_begun.wait(30)

    assert service.answers == [("completed", {"taskToken": "token0", "result": '"done"'})]


def test_a_task_that_a_last_poll_brings_is_still_done(service):
    """SWF may have handed a task to a poll under way; nobody else will do it before it times out."""
    polling = threading.Event()

    @pyflow.activity("charge", start_to_close=60)
    def charge(number):
        return number

    def poll(**_):
        polling.set()
        return service.tasks.get(timeout=30)

    service.poll_for_activity_task = poll
    with working(service, charge, pollers=1) as worker:
        assert polling.wait(30)
        worker.stop()
        service.put("7")

    assert [answer["result"] for _, answer in service.answers] == ["7"]


def test_a_body_that_heeds_nothing_is_failed_once_and_left_behind(service, caplog):
    has_begun, go_on = threading.Event(), threading.Event()
    ended = threading.Event()

    @pyflow.activity("charge", start_to_close=60)
    def charge(_):
        has_begun.set()
        go_on.wait(30)
        ended.set()

    service.put("0")
    with working(service, charge, grace_s=0, cancel_grace_s=0):
        assert has_begun.wait(30)
    go_on.set()
    assert ended.wait(30)
    for thread in threading.enumerate():
        if thread.name.startswith("pyflow-thread"):
            thread.join(30)

    assert [(how, answer["reason"]) for how, answer in service.answers] == [("failed", "WORKER_STOPPED")]
    assert "leaves the body of activity activity0 (charge) of w running" in caplog.text


def test_a_process_is_killed_once_its_grace_is_over(service, tmp_path):
    service.put(f'"{tmp_path / "pids"}"', name="hangs")
    with working(service, bodies.hangs, grace_s=0, cancel_grace_s=0.1):
        service.until(lambda: service.beats)

    ((how, answer),) = service.answers
    assert (how, answer["reason"]) == ("failed", "WORKER_STOPPED")
    assert "did not stop by itself and was killed" in answer["details"]


def test_a_poller_that_breaks_ends_the_worker_and_says_why(service):
    def poll(**_):
        raise pyflow.ServiceFault("ValidationException", "no such name", operation="PollForActivityTask", status=400)

    service.poll_for_activity_task = poll
    worker = pyflow.ActivityWorker([bodies.pid], "d", "list", client=service)

    with pytest.raises(pyflow.ServiceFault, match="no such name"):
        worker.run()


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_worker_refuses_to_work_in_a_fork(service):
    worker = pyflow.ActivityWorker([bodies.pid], "d", "list", client=service)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            worker.work_once()
        except pyflow.PyflowException as error:
            os.write(write, str(error).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(write)
    with os.fdopen(read) as told:
        assert "Make a worker of its own in each process" in told.read()


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_cannot_beat_over_its_parents_connection(service):
    @pyflow.activity("charge", start_to_close=60)
    def charge(_):
        task = activity.current()
        child = os.fork()
        if child == 0:
            try:
                task.heartbeat()
            except pyflow.PyflowException as error:
                os._exit(7 if "heartbeat_activity(token)" in str(error) else 1)
            os._exit(0)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    service.put("0")
    worker = pyflow.ActivityWorker([charge], "d", "list", client=service)
    worker.work_once()

    assert service.answers[0][1]["result"] == "7"
    assert service.beats == []


def hung(service):
    """An activity whose body hangs, whose task SWF has ended, and an event that lets the body go."""
    go = threading.Event()

    @pyflow.activity("charge", start_to_close=60, heartbeat=1)
    def charge(_):
        go.wait(60)

    service.put("0")
    service.gone = {"token0"}
    return charge, go


def test_a_worker_with_all_slots_held_by_bodies_that_hang_asks_to_be_replaced(service):
    charge, go = hung(service)
    worker = pyflow.ActivityWorker([charge], "d", "list", "me", service, concurrency=1, cancel_grace_s=0.05)
    try:
        with pytest.raises(pyflow.WorkerStuckException, match=r"all 1 slots of executor 'thread'") as caught:
            worker.run()
    finally:
        go.set()
    assert caught.value.bodies == ("activity0 (charge) of w",)
    assert (caught.value.executor, caught.value.exit_status) == ("thread", 70)
    assert not service.answers


def test_a_body_that_hangs_does_not_hold_up_the_end(service):
    charge, go = hung(service)
    try:
        with working(service, charge, grace_s=1_000, cancel_grace_s=0.05):
            service.until(lambda: service.beats)
    finally:
        go.set()


def test_a_signal_that_another_thread_gets_stops_it_too(service):
    """Such a one does not end a wait of the thread that runs the handlers, nor does one that comes just before the wait."""
    worker = ActivityWorker([bodies.pid], "d", "list", "me", service)
    before = signal.signal(signal.SIGUSR1, lambda *_: worker.stop())
    overlooked = threading.Timer(10, worker.stop)
    began_s = time.monotonic()
    threading.Timer(0.1, signal.raise_signal, [signal.SIGUSR1]).start()
    overlooked.start()
    try:
        worker.run()
    finally:
        overlooked.cancel()
        signal.signal(signal.SIGUSR1, before)
    assert time.monotonic() - began_s < 10
