"""The threads of bodies: used again, with nothing of the body before, and gone at the end."""

import threading
from contextvars import ContextVar

import pytest

from pyflow.worker.activities.threads import Threads, _Reused

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
    while second.name != "pyflow-free":
        second.join(0.001)


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
    go_on, both = threading.Event(), threading.Barrier(3)
    found = []

    def wait():
        found.append(threading.current_thread())
        both.wait(10)
        go_on.wait(10)

    threads.run("a", wait)
    threads.run("b", wait)
    both.wait(10)
    free = done(threads, "free", lambda: None)

    threads.close()
    free.join(10)
    assert not free.is_alive()
    assert all(thread.is_alive() for thread in found)
    go_on.set()

    for thread in found:
        thread.join(10)
        assert not thread.is_alive()


def test_one_thread_is_on_its_way_at_a_time_and_one_that_is_done_goes_on_with_what_waits(threads, monkeypatch):
    called, come = [], _Reused.come
    monkeypatch.setattr(_Reused, "come", lambda thread: called.append(thread))
    seen_in, all_done = [], threading.Event()
    for number in range(3):
        threads.run(str(number), lambda: seen_in.append(threading.current_thread()))
    threads.run("last", all_done.set)
    assert len(called) == 1

    come(called[0])
    assert all_done.wait(10)
    assert seen_in == [called[0]] * 3
    assert len(called) == 2, "it has called the next before it began"

    monkeypatch.undo()
    come(called[1])
    while called[1] not in threads._free:
        called[1].join(0.001)
    done(threads, "after", lambda: None)


def test_what_no_thread_can_be_started_for_is_said_and_done_later(threads, monkeypatch):
    def no_more(_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_Reused, "come", no_more)
    ran = threading.Event()
    with pytest.raises(RuntimeError):
        threads.run("first", ran.set)
    monkeypatch.undo()

    done(threads, "second", lambda: None)

    assert ran.wait(10)


def test_what_comes_after_the_end_is_done_too(threads):
    free = done(threads, "one", lambda: None)
    threads.close()
    free.join(10)
    late = []
    ran = threading.Event()

    threads.run("late", lambda: late.append(threading.current_thread()) or ran.set())

    assert ran.wait(10)
    late[0].join(10)
    assert not late[0].is_alive()
