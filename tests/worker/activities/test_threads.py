"""The threads of bodies: used again, with nothing of the body before, and gone at the end."""

import threading
from contextvars import ContextVar

import pytest

from pyflow.worker.activities.threads import Threads

seen: ContextVar[str] = ContextVar("seen", default="nothing")


@pytest.fixture
def threads():
    made = Threads()
    yield made
    made.close()


def done(threads, name, work):
    """Do something, and wait until its thread is free again; return the thread."""
    ran, found = threading.Event(), []

    def whole():
        found.append(threading.current_thread())
        work()
        ran.set()

    threads.run(name, whole)
    assert ran.wait(10)
    while found[0] not in threads._free:
        found[0].join(0.001)
    return found[0]


def test_a_thread_that_is_free_does_the_next_thing_under_the_name_of_it(threads):
    names = []
    first = done(threads, "one", lambda: names.append(threading.current_thread().name))
    second = done(threads, "two", lambda: names.append(threading.current_thread().name))

    assert first is second
    assert names == ["one", "two"]


def test_what_a_body_left_in_its_context_is_not_there_for_the_next(threads):
    found = []
    first = done(threads, "one", lambda: seen.set("a secret"))
    second = done(threads, "two", lambda: found.append(seen.get()))

    assert first is second
    assert found == ["nothing"]


def test_there_are_as_many_as_are_needed_at_once(threads):
    together = threading.Barrier(4)

    for number in range(3):
        threads.run(str(number), together.wait, 10)

    together.wait(10)


def test_at_the_end_the_free_ones_end_at_once_and_the_others_after_what_they_do(threads):
    go_on, found = threading.Event(), []
    free = done(threads, "free", lambda: None)
    threads.run("a", lambda: found.append(threading.current_thread()) or go_on.wait(10))
    threads.run("b", lambda: found.append(threading.current_thread()) or go_on.wait(10))

    threads.close()
    assert free in found or not free.join(10)
    go_on.set()

    for thread in [free, *found]:
        thread.join(10)
        assert not thread.is_alive()
