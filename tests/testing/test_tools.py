"""coverage.py and pdb at work inside of workflow code."""

import sys

import pytest

SHOP = """
import pyflow

@pyflow.activity(start_to_close=60)
def add(number):
    return number + 1

class Order(pyflow.Workflow):
    NAME = "Order"

    def run(self, number):
        {stop}
        number = add(number)
        self.swf.sleep(60)
        if number > 100:
            return "never"
        return self.twice(number)

    def twice(self, number):
        number = add(number)
        return number * 2
"""
TEST = "from shop import Order\n\ndef test_order(flow):\n    assert flow.run(Order, 1) == 6\n"


@pytest.fixture
def project(pytester):
    def make(stop="pass"):
        pytester.makepyfile(shop=SHOP.format(stop=stop), test_shop=TEST)
        pytester.makeini("[pytest]\npythonpath = .\n")
        return pytester

    return make


def test_coverage_counts_lines_after_waits_with_no_setting(project):
    pytester = project()
    result = pytester.runpytest_subprocess(
        "--cov=shop", "--cov-branch", "--cov-report=term-missing", "-p", "no:cacheprovider"
    )

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["shop.py *16 * 1 * 2 * 1 * 89% * 15"])


def test_debugger_steps_over_a_call_that_waits_and_stops_once(project):
    pytester = project("breakpoint()")
    commands = b"next\nnext\nnext\np ('number is', number)\ncontinue\n"
    result = pytester.run(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", stdin=commands)

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*-> self.swf.sleep(60)", "*-> if number > 100:", "*('number is', 2)*"])
