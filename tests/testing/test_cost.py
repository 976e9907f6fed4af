"""What a test of a workflow costs, and what is left of it."""

import gc
import resource
import time

import pytest

import pyflow
from alone import alone
from pyflow.testing import Flow


@pyflow.activity(start_to_close=60)
def step(number):
    return number + 1


class Months(pyflow.Workflow):
    NAME = "Months"

    def run(self, number):
        for _ in range(3):
            number = step(number)
            self.swf.sleep(30 * 86_400)
        return number


class Long(pyflow.Workflow):
    NAME = "Long"

    def run(self, count):
        for _ in range(count):
            self.swf.sleep(1)


def one_test():
    with Flow() as flow:
        assert flow.run(Months, 1) == 4
        flow.start(Months, 1)  # and one is left where it waits
        flow.run_until_blocked()


def objects():
    for _ in range(3):
        gc.collect()
    return len(gc.get_objects())


def cpu_of(work):
    before = time.process_time()
    work()
    return time.process_time() - before


def grown_by(tests):
    one_test()
    before = objects()
    for _ in range(tests):
        one_test()
    return objects() - before


@alone
def test_nothing_is_left_of_a_test():
    grown = grown_by(20)
    assert grown < 50, grown


def run_long(count):
    with Flow() as flow:
        flow.run(Long, count)


@alone
def test_cost_grows_with_the_length_of_a_history_not_with_its_square():
    run_long(10)
    short = min(cpu_of(lambda: run_long(100)) for _ in range(2))
    long = min(cpu_of(lambda: run_long(600)) for _ in range(2))
    assert long < 6 * short * 4, (short, long)  # a square would be 36 times


@pytest.mark.proof
@alone
def test_thousand_tests_leave_no_growth_and_take_under_twenty_milliseconds_each():
    one_test()
    for _ in range(20):
        one_test()
    memory_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    taken = sorted(cpu_of(one_test) for _ in range(1_000))

    assert grown_by(1_000) < 200
    assert taken[500] < 0.020
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory_kb < 4_096
