import threading

from pyflow.worker.activities.slots import Pace, Slots


def test_a_poll_takes_a_slot_of_each_executor_and_waits_until_all_have_one():
    slots, stop = Slots({"thread": 2, "process": 1}), threading.Event()
    assert slots.take(stop)
    taken = threading.Event()
    waiting = threading.Thread(target=lambda: slots.take(stop) and taken.set())
    waiting.start()
    assert not taken.wait(0.05)  # there is no process for it

    slots.give_back(["process"])

    assert taken.wait(10)
    waiting.join()


def test_a_wait_for_room_ends_with_the_worker():
    slots, stop = Slots({"thread": 1}), threading.Event()
    slots.take(stop)
    stop.set()

    assert not slots.take(stop)


def test_starts_are_spaced_and_a_start_not_taken_costs_nothing():
    pace = Pace(10)

    assert [round(pace.take(), 1) for _ in range(3)] == [0.0, 0.1, 0.2]
    assert round(pace.wait_s(), 1) == round(pace.wait_s(), 1) == 0.3


def test_without_a_limit_nothing_waits():
    pace = Pace(None)

    assert [pace.take() for _ in range(3)] == [0.0] * 3
    assert pace.wait_s() == 0.0
