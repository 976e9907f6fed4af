"""One activity alone: heartbeats, cancellation, attempts, and what cannot be sent."""

from dataclasses import dataclass

import pytest

import pyflow
from pyflow.testing import ActivityEnvironment


@dataclass
class Page:
    text: str


@pyflow.activity(start_to_close=60, heartbeat=10)
def copy(files, start=0):
    task = pyflow.activity.current()
    done = task.last_details or start
    try:
        for number in range(done, files):
            task.heartbeat(number + 1)
    except pyflow.ActivityCanceledException as canceled:
        return f"stopped, {'lost' if task.lost else 'asked'}: {canceled}"
    return [task.attempt, done, files]


@pyflow.activity(start_to_close=60)
async def fetch(page: Page) -> Page:
    return Page(page.text.upper())


@pyflow.activity(start_to_close=60)
def later(number):
    return pyflow.activity.current().complete_later()


@pyflow.activity(start_to_close=60)
def unsendable(number):
    return object() if number else set


def test_heartbeats_are_kept_and_the_result_is_given():
    environment = ActivityEnvironment()

    assert environment.run(copy, 3) == [1, 0, 3]
    assert environment.heartbeats == [1, 2, 3]
    assert environment.run(copy, files=2, start=1) == [1, 1, 2]
    assert environment.heartbeats == [2]


@pytest.mark.parametrize("attempt", [2, 3, 11])
def test_later_attempt_goes_on_where_the_one_before_was(attempt):
    environment = ActivityEnvironment(attempt=attempt, last_details=2)

    assert environment.run(copy, 3) == [attempt, 2, 3]
    assert ActivityEnvironment(attempt=attempt).run(copy, 1) == [attempt, 0, 1]


def test_cancel_and_loss_come_with_the_heartbeat_that_is_said():
    environment = ActivityEnvironment(cancel_after=2)

    assert environment.run(copy, 9) == "stopped, asked: cancellation of activity1 was requested"
    assert environment.heartbeats == [1, 2]
    assert ActivityEnvironment(lose_after=1).run(copy, 9).startswith("stopped, lost: SWF does not wait")


def test_values_are_rebuilt_by_their_hints_and_async_bodies_run():
    assert ActivityEnvironment().run(fetch, Page("a")) == Page("A")


def test_body_that_leaves_its_answer_for_later_is_told():
    environment = ActivityEnvironment()

    assert environment.run(later, 1) is None
    assert environment.task.deferred
    assert environment.task.task_token == "a token"


def test_what_would_fail_in_a_worker_fails_here():
    with pytest.raises(pyflow.SerializationException, match="the result of activity 'unsendable'"):
        ActivityEnvironment().run(unsendable, 1)
    with pytest.raises(pyflow.SerializationException, match="the input of activity"):
        ActivityEnvironment().run(copy, object())
    with pytest.raises(TypeError, match="missing a required argument: 'files'"):
        ActivityEnvironment().run(copy)
    with pytest.raises(TypeError, match=r"what @pyflow.activity made"):
        ActivityEnvironment().run(len, [])
    with pytest.raises(ValueError, match="give attempt=2"):
        ActivityEnvironment(last_details=1)
    with pytest.raises(pyflow.NotInActivityException):
        copy(1)
