"""Tries within the worker, and the pace of bodies."""

import asyncio
import json
import threading
import time

import pytest

import pyflow
from activity_service import Service, working
from pyflow import RetryPolicy, activity

QUICK = RetryPolicy(initial=0, max_attempts=3)


@pytest.fixture
def service():
    return Service()


class Flaky(Exception):
    pass


class Final(Exception):
    pass


def failing(times, error, **options):
    """An activity whose body fails so often, and then gives the numbers of its attempts."""
    attempts = []

    @pyflow.activity("charge", start_to_close=60, **options)
    def charge(_):
        attempts.append(activity.current().attempt_in_worker)
        if len(attempts) <= times:
            raise error
        return attempts

    return charge


def outcome_of(service, charge):
    service.put("0")
    with working(service, charge):
        return service.answered(1)[0]


def test_a_failure_is_tried_again_here_and_swf_hears_of_the_success_alone(service):
    how, answer = outcome_of(service, failing(2, Flaky(), retry_in_worker=QUICK))

    assert (how, json.loads(answer["result"])) == ("completed", [1, 2, 3])


def test_what_an_attempt_that_failed_wanted_to_leave_open_the_next_one_answers(service):
    @pyflow.activity("charge", start_to_close=60, retry_in_worker=QUICK)
    def charge(_):
        if activity.current().attempt_in_worker == 1:
            activity.current().complete_later()
            raise Flaky
        return "done"

    how, answer = outcome_of(service, charge)

    assert (how, answer["result"]) == ("completed", '"done"')


def test_a_body_is_over_for_whoever_ran_it_here(service):
    service.put("0")

    assert pyflow.ActivityWorker([failing(0, Flaky())], "d", "list", "me", service).work_once()

    with pytest.raises(pyflow.NotInActivityException):
        activity.current()


def test_the_last_failure_is_reported(service):
    how, answer = outcome_of(service, failing(3, Flaky("still"), retry_in_worker=QUICK))

    assert (how, answer["reason"]) == ("failed", "Flaky")


@pytest.mark.parametrize(
    "policy",
    [
        None,
        RetryPolicy(initial=0, no_retry_on=Final),
        RetryPolicy(initial=0, retry_on="Flaky"),
        RetryPolicy(initial=0, when=lambda failure: failure.remote_message != "no"),
    ],
)
def test_the_policy_is_asked_about_what_the_workflow_would_see(service, policy):
    how, answer = outcome_of(service, failing(1, Final("no"), retry_in_worker=policy))

    assert (how, answer["reason"]) == ("failed", "Final")


def test_a_pause_that_would_outlast_the_task_is_not_begun(service):
    how, _ = outcome_of(service, failing(1, Flaky(), retry_in_worker=RetryPolicy(initial=60, jitter=0)))

    assert how == "failed"


def test_a_body_on_the_loop_is_tried_again_too(service):
    attempts = []

    @pyflow.activity("charge", start_to_close=60, retry_in_worker=QUICK)
    async def charge(_):
        await asyncio.sleep(0)
        attempts.append(activity.current().attempt_in_worker)
        if len(attempts) < 3:
            raise Flaky
        return attempts

    how, answer = outcome_of(service, charge)

    assert (how, json.loads(answer["result"])) == ("completed", [1, 2, 3])


def test_a_cancel_in_a_pause_ends_it(service):
    @pyflow.activity("charge", start_to_close=60, heartbeat=1, retry_in_worker=RetryPolicy(initial=50, jitter=0))
    def charge(_):
        service.cancel = {"token0"}
        raise Flaky

    started_s = time.monotonic()
    how, _ = outcome_of(service, charge)

    assert how == "failed"
    assert time.monotonic() - started_s < 40


def test_the_heart_beats_through_a_pause(service):
    attempts = []

    @pyflow.activity("charge", start_to_close=60, heartbeat=1, retry_in_worker=RetryPolicy(initial=50, jitter=0))
    def charge(_):
        attempts.append(activity.current().attempt_in_worker)
        raise Flaky

    service.put("0")
    with working(service, charge):
        service.until(lambda: attempts and len(service.beats) >= 2)
        service.cancel = {"token0"}
        service.answered(1)

    assert attempts == [1]


def test_in_a_flow_there_are_no_pauses(flow):
    class W(pyflow.Workflow):
        NAME = "W"

        def run(self, _):
            return charge(0)

    charge = failing(2, Flaky(), retry_in_worker=RetryPolicy(initial=30, max_attempts=3))
    flow.use(charge)

    assert flow.run(W) == [1, 2, 3]


@pytest.mark.parametrize("of", ["worker", "type"])
def test_bodies_begin_at_most_so_often(service, of):
    begun_s = []

    @pyflow.activity("charge", start_to_close=60, max_per_second=20 if of == "type" else None)
    def charge(_):
        begun_s.append(time.monotonic())

    service.put("0", "1", "2", "3")
    before_s = time.monotonic()
    with working(service, charge, max_per_second=20 if of == "worker" else None):
        service.answered(4)

    # Not from the first body on: that one may begin later than it might.
    assert max(begun_s) - before_s > 0.14


def test_a_task_that_waits_for_its_turn_does_not_begin_once_it_is_canceled(service):
    begun = []

    @pyflow.activity("charge", start_to_close=60, heartbeat=1, max_per_second=0.01)
    def charge(number):
        begun.append(number)

    service.cancel = {"token1"}
    service.put("0", "1")
    with working(service, charge):
        answers = service.answered(2)

    assert [how for how, _ in answers] == ["completed", "canceled"]
    assert begun == [0]


@pytest.mark.parametrize(
    "options",
    [{"pollers": 0}, {"grace_s": -1}, {"max_per_second": 0}, {"concurrency": 0}, {"concurrency": {"fork": 1}}],
)
def test_numbers_out_of_their_range_are_refused(service, options):
    with pytest.raises(ValueError, match=r"needs pollers >= 1|concurrency is a number"):
        pyflow.ActivityWorker([], "d", "list", client=service, **options)


def test_each_executor_has_slots_of_its_own_and_only_if_it_is_used(service):
    @pyflow.activity(start_to_close=60)
    async def waits():
        pass

    @pyflow.activity(start_to_close=60)
    def works():
        pass

    def slots(*activities, **options):
        return pyflow.ActivityWorker(activities, "d", "list", client=service, **options)._slots.sizes

    assert slots() == slots(works) == {"thread": 10}
    assert slots(waits, works) == {"thread": 10, "async": 100}
    assert slots(waits, works, concurrency=3) == {"thread": 3, "async": 3}
    assert slots(waits, works, concurrency={"async": 5}) == {"thread": 10, "async": 5}


def test_several_polls_are_open_at_once(service):
    lock, both = threading.Lock(), threading.Event()
    polling = [0]

    def poll(**_):
        with lock:
            polling[0] += 1
            if polling[0] == 2:
                both.set()
        both.wait(30)
        return {"taskToken": ""}

    service.poll_for_activity_task = poll
    with working(service, failing(0, Flaky()), pollers=2):
        assert both.wait(30)
