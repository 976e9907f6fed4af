"""Bodies that are async defs: all on one loop, canceled at what they wait for."""

import asyncio
import json
import threading
import time

import pytest

import pyflow
from activity_service import Posting, Service, working
from pyflow import activity
from pyflow.converter import DataConverter
from pyflow.payloads.stores import FileStore
from pyflow.worker.activities import heart


@pytest.fixture(params=[Service, Posting])
def service(request):
    return request.param()


def test_bodies_wait_for_one_another_on_one_thread(service):
    together = asyncio.Barrier(3)
    threads = set()

    @pyflow.activity("charge", start_to_close=60)
    async def charge(number):
        threads.add(threading.current_thread().name)
        async with together:
            return [number, activity.current().activity_id]

    service.put("0", "1", "2")
    with working(service, charge):
        answers = service.answered(3)

    assert sorted(json.loads(answer["result"]) for _, answer in answers) == [[n, f"activity{n}"] for n in range(3)]
    assert threads == {"pyflow-asyncio"}


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError()])
def test_whatever_a_body_raises_fails_its_task_and_the_loop_goes_on(service, error):
    @pyflow.activity("charge", start_to_close=60)
    async def charge(number):
        if number == 0:
            raise error
        return number

    service.put("0")
    with working(service, charge):
        ((how, answer),) = service.answered(1)
        service.put("1", first=1)
        assert service.answered(2)[1] == ("completed", {"taskToken": "token1", "result": "1"})

    assert (how, answer["reason"]) == ("failed", type(error).__name__)


@pytest.mark.parametrize("end", ["let it pass", "clean up", "heartbeat"])
def test_cancel_is_raised_at_once_where_the_body_waits(service, end):
    cleaned = []

    @pyflow.activity("charge", start_to_close=60, heartbeat=1)
    async def charge(_):
        try:
            await asyncio.sleep(600)
        except asyncio.CancelledError:
            if end == "heartbeat":
                activity.current().heartbeat()
            await asyncio.sleep(0)
            cleaned.append(end)
            if end == "let it pass":
                raise
        return "kept what was done"

    service.cancel = {"token0"}
    service.put("0")
    with working(service, charge):
        ((how, answer),) = service.answered(1)

    if end == "clean up":
        assert (how, answer["result"]) == ("completed", '"kept what was done"')
    else:
        assert (how, answer["details"]) == ("canceled", "cancellation of activity0 was requested")
    assert cleaned == ([] if end == "heartbeat" else [end])


def test_an_input_from_a_store_is_fetched_before_the_loop_has_the_body(service, tmp_path):
    """A store may take its time, in which the loop must go on."""
    threads = set()

    class Store(FileStore):
        def get(self, key):
            threads.add(threading.current_thread().name)
            return super().get(key)

    @pyflow.activity("charge", start_to_close=60)
    async def charge(text):
        return len(text)

    service.put(DataConverter(store=FileStore(tmp_path)).seal(json.dumps("x" * 40_000)))
    with working(service, charge, converter=DataConverter(store=Store(tmp_path))):
        ((how, answer),) = service.answered(1)

    assert (how, answer["result"]) == ("completed", "40000")
    assert threads == {"pyflow-async activity0 charge"}


def test_a_lost_task_stops_the_body_and_is_not_answered(service):
    stopped = threading.Event()

    @pyflow.activity("charge", start_to_close=60, heartbeat=1)
    async def charge(_):
        try:
            await asyncio.sleep(600)
        finally:
            stopped.set()

    service.gone = {"token0"}
    service.put("0")
    with working(service, charge):
        assert stopped.wait(30)

    assert service.answers == []


def test_a_heartbeat_does_not_block_the_loop_and_its_newest_details_arrive(service, monkeypatch):
    monkeypatch.setattr(heart, "LEAST_S", 0.05)
    callers = set()
    record = service.record_activity_task_heartbeat
    service.record_activity_task_heartbeat = lambda **beat: (
        callers.add(threading.current_thread().name) or record(**beat)
    )

    @pyflow.activity("charge", start_to_close=60)
    async def charge(_):
        for number in range(1_000):
            activity.current().heartbeat(number)
        while not service.beats or service.beats[-1]["details"] != "999":
            await asyncio.sleep(0.01)

    service.put("0")
    with working(service, charge):
        service.answered(1)

    # The first goes out at once: if the heart has its turn soon enough, with what was the newest then.
    assert len(service.beats) < 1_000
    assert all(caller.startswith("pyflow-heart") for caller in callers)


def test_a_body_that_blocks_the_loop_does_not_hold_the_worker_for_ever(service, monkeypatch, caplog):
    monkeypatch.setattr("pyflow.worker.activities.loop.CLOSE_S", 0.1)
    go_on = threading.Event()

    @pyflow.activity("charge", start_to_close=60)
    async def charge(_):
        go_on.wait(30)

    service.put("0")
    started_s = time.monotonic()
    with working(service, charge, grace_s=0, cancel_grace_s=0.1) as worker:
        while not worker.slots_in_use["async"] or not service.tasks.empty():
            time.sleep(0.01)
        time.sleep(0.1)
    go_on.set()

    assert time.monotonic() - started_s < 20
    assert [(how, answer["reason"]) for how, answer in service.answers] == [("failed", "WORKER_STOPPED")]
    assert "blocks the asyncio loop" in caplog.text
