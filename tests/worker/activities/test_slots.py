import threading
from types import SimpleNamespace

import pytest

from pyflow.worker.activities import slots as slots_module
from pyflow.worker.activities.slots import Pace, Slots


def test_a_poll_takes_a_slot_of_each_executor_and_waits_until_all_have_one():
    slots, came = Slots({"thread": 2, "process": 1}), []
    assert slots.take(lambda: came.append("first"))
    assert not slots.take(lambda: came.append("second"))  # there is no process for it

    slots.give_back(["thread"])
    assert not came
    slots.give_back(["process"])
    assert came == ["second"]

    slots.give_back(["thread", "process"])
    assert slots.take(came.clear), "what was given to the one that waited is given back once"
    assert not slots.take(came.clear)


def test_room_goes_to_those_who_wait_in_their_order_one_for_each_that_is_given_back():
    slots, came = Slots({"thread": 1}), []
    assert slots.take(came.clear)
    for number in range(3):
        assert not slots.take(lambda number=number: came.append(number))

    for number in range(3):
        slots.give_back(["thread"])
        assert came == [*range(number + 1)]
    assert not slots.take(came.clear), "nobody gets room beside those who waited"


def test_whoever_is_given_room_may_give_it_back_at_once():
    slots, came = Slots({"thread": 1}), []
    assert slots.take(came.clear)
    for _ in range(2):
        slots.take(lambda: came.append(1) or slots.give_back(["thread"]))

    slots.give_back(["thread"])

    assert came == [1, 1]
    assert slots.take(came.clear)


def test_one_that_waits_no_more_is_passed_over_and_one_that_has_its_room_is_told_so():
    slots, came = Slots({"thread": 1}), []
    assert slots.take(came.clear)
    first, second = (lambda: came.append(1)), (lambda: came.append(2))
    slots.take(first)
    slots.take(second)

    assert slots.forgo(first)
    assert not slots.forgo(first)
    slots.give_back(["thread"])

    assert came == [2]
    assert not slots.forgo(second)


def test_a_thread_that_waits_is_woken_each_time_room_is_given_back(monkeypatch):
    monkeypatch.setattr(slots_module, "LOOK_S", 60)
    slots, stop = Slots({"thread": 2}), threading.Event()
    assert [slots.wait(stop) for _ in range(2)] == [True, True]
    taken = [threading.Event() for _ in range(2)]
    threads = [threading.Thread(target=lambda each=each: slots.wait(stop) and each.set()) for each in taken]
    for thread in threads:
        thread.start()
    for _ in range(2):
        slots.give_back(["thread"])
    assert all(each.wait(10) for each in taken)
    for thread in threads:
        thread.join(10)


def test_a_wait_for_room_ends_with_the_worker():
    slots, stop = Slots({"thread": 1}), threading.Event()
    slots.wait(stop)
    stop.set()

    assert not slots.wait(stop)


def one_that_waits():
    """The only slot is taken, and a thread waits for it; what that is told comes into the list."""
    slots, stop, given = Slots({"thread": 1}), threading.Event(), []
    assert slots.wait(stop)
    thread = threading.Thread(target=lambda: given.append(slots.wait(stop)))
    thread.start()
    while not slots._waiting:
        thread.join(0.001)
    return slots, stop, given, thread


def test_a_thread_that_waits_sees_the_end_of_the_worker_and_leaves_its_place(monkeypatch):
    monkeypatch.setattr(slots_module, "LOOK_S", 0.001)
    slots, stop, given, thread = one_that_waits()
    stop.set()
    thread.join(10)

    assert given == [False]
    slots.give_back(["thread"])
    assert slots.take(given.clear), "it has taken nothing"


def test_room_that_is_given_to_a_thread_once_the_worker_is_to_stop_is_given_back(monkeypatch):
    monkeypatch.setattr(slots_module, "LOOK_S", 60)
    slots, stop, given, thread = one_that_waits()
    stop.set()
    slots.give_back(["thread"])
    thread.join(10)

    assert given == [False]
    assert slots.take(given.clear)


@pytest.mark.parametrize("sizes", [{"thread": 1}, {"thread": 3}, {"thread": 2, "process": 1, "async": 3}])
def test_a_crowd_of_threads_holds_no_more_than_there_is_and_leaves_all_of_it(sizes):
    slots, stop, lock, held, most = Slots(sizes), threading.Event(), threading.Lock(), [0], [0]

    def holds():
        with lock:
            held[0] += 1
            most[0] = max(most[0], held[0])

    def leaves():
        with lock:
            held[0] -= 1
        slots.give_back(sizes)

    def crowd():
        for number in range(50):
            came = threading.Event()
            if slots.wait(stop) if number % 2 else slots.take(came.set) or came.wait(10):
                holds()
                leaves()

    threads = [threading.Thread(target=crowd) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert most[0] <= min(sizes.values())
    assert slots._free == sizes


def test_starts_are_spaced_and_a_start_not_taken_costs_nothing(monkeypatch):
    now_s = [1_000.0]
    monkeypatch.setattr(slots_module, "time", SimpleNamespace(monotonic=lambda: now_s[0]))
    pace = Pace(10)

    assert [round(pace.take(), 3) for _ in range(3)] == [0.0, 0.1, 0.2]
    assert round(pace.wait_s(), 3) == round(pace.wait_s(), 3) == 0.3
    now_s[0] += 0.05
    assert round(pace.take(), 3) == 0.25
    now_s[0] += 60
    assert [round(pace.take(), 3) for _ in range(2)] == [0.0, 0.1], "nothing is saved up"


def test_without_a_limit_nothing_waits():
    pace = Pace(None)

    assert [pace.take() for _ in range(3)] == [0.0] * 3
    assert pace.wait_s() == 0.0
