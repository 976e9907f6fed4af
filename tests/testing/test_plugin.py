"""The plugin in sessions of its own: what it costs, what it checks, and what a failure shows."""

import pytest

from inner_session import PLAIN

ORDERS = """
import pyflow

@pyflow.activity(start_to_close=60)
def charge(customer):
    return f"{customer} paid"

class Order(pyflow.Workflow):
    NAME = "Order"

    def run(self, customer):
        self.swf.sleep(30 * 86_400)
        return charge(customer)

class Waiting(pyflow.Workflow):
    NAME = "Waiting"

    def run(self, _):
        return self.swf.receive("go")

class Ticking(pyflow.Workflow):
    NAME = "Ticking"

    def run(self, _):
        while True:
            self.swf.sleep(1)

class Dice(pyflow.Workflow):
    NAME = "Dice"
    thrown = []

    def run(self, _):
        self.thrown.append(1)
        self.swf.sleep(len(self.thrown))
"""


@pytest.fixture
def session(pytester, monkeypatch):
    """Run tests in a session of their own, beside a file ``orders.py``, in a process where nothing of AWS is sound."""
    for name in ("AWS_PROFILE", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SWF"):
        monkeypatch.setenv(name, "nonsense")
    pytester.makepyfile(orders=ORDERS)
    pytester.makeini("[pytest]\npythonpath = .\nfilterwarnings = error\n")

    def run(tests, *options, alone=False):
        pytester.makepyfile(test_it=tests)
        run = pytester.runpytest_subprocess if alone else pytester.runpytest_inprocess
        plain = [option for option in PLAIN if "-n2" not in options or "xdist" not in option]
        return run(*plain, *options)

    return run


def test_session_without_workflows_imports_nothing_of_pyflow(session):
    result = session(
        """
        import sys

        def test_nothing_of_it_is_there():
            assert [name for name in sys.modules if name.partition(".")[0] in ("pyflow", "greenlet", "boto3")] == []
    """,
        alone=True,
    )
    result.assert_outcomes(passed=1)


def test_neither_network_nor_boto3_is_touched(session):
    result = session(
        """
        import socket
        import sys
        from orders import Order

        def test_order(flow, monkeypatch):
            monkeypatch.setattr(socket.socket, "connect", None)
            assert flow.run(Order, "Ada") == "Ada paid"
            assert [name for name in sys.modules if name.partition(".")[0] in ("boto3", "botocore", "httptools")] == []
    """,
        alone=True,
    )
    result.assert_outcomes(passed=1)


def test_difference_fails_the_test_itself_and_names_both_sides(session):
    result = session("""
        from orders import Dice, Order

        def test_dice(flow):
            flow.run(Dice)

        def test_order(flow):
            assert flow.run(Order, "Ada") == "Ada paid"
    """)
    result.assert_outcomes(passed=1, failed=1)
    place = "*orders.py:* in Dice.run"
    result.stdout.fnmatch_lines(
        [
            f"*NondeterminismException*(the first time, waiting at {place}) StartTimer*(the second time) *(code: {place})*",
            "*this test made that history: the code depends on something that its history does not hold: *",
        ]
    )


def test_spinning_code_shows_the_line_of_the_test_alone(session):
    result = session("""
        import pyflow, pytest

        class Spinning(pyflow.Workflow):
            NAME = "Spinning"

            def run(self, _):
                while True:
                    pass

        @pytest.mark.flow(spin_s=0.2)
        def test_spinning(flow):
            flow.run(Spinning)
    """)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*SpinningException: workflow Spinning neither waits nor ends: *"])
    result.stdout.no_fnmatch_line("*contextlib.py*")


@pytest.mark.parametrize(
    ("tests", "options"),
    [
        ("def test_dice(flow): flow.run(Dice)", ["--pyflow-no-replay"]),
        ("def test_dice(flow): flow.run(Dice)", ["-o", "pyflow_replay=off"]),
        ("@pytest.mark.flow(replay=False)\ndef test_dice(flow): flow.run(Dice)", ["--strict-markers"]),
        ("def test_dice(flow):\n    flow.replay = False\n    flow.run(Dice)", []),
    ],
    ids=["option", "ini", "marker", "attribute"],
)
def test_replay_can_be_left_out(tests, options, session):
    session(f"import pytest\nfrom orders import Dice\n{tests}", *options).assert_outcomes(passed=1)


def test_failure_shows_what_happened_and_hides_frames_of_pyflow(session):
    result = session("""
        from orders import Order, Waiting, charge

        def test_result(flow):
            flow.fake(charge, returns="nothing")
            assert flow.run(Order, "Ada") == "Ada paid"

        def test_stuck(flow):
            flow.run(Waiting)
    """)
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        [
            "*- pyflow: what happened -*",
            "Order 1.0, workflow id *: closed",
            '*0.00 s  workflow started *Order 1.0  "Ada"',
            "*0.00 s  timer started *sleep1 *2592000 s",
            "*30.00 d  timer fired *sleep1*",
            '*30.00 d  activity asked for *activity1 *charge 1.0  "Ada"',
            '*30.00 d  activity completed *activity1 *charge 1.0  "nothing"',
            '*30.00 d  workflow completed *"nothing"',
            "<fake of charge, called 1 times: charge('Ada')>",
            "*StuckException: Waiting 1.0 is stuck: nothing is under way that could end its wait.",
            "*waiting at *orders.py:* in Waiting.run",
            "*for signal 'go'",
            "*- pyflow: what happened -*",
            "Waiting 1.0, workflow id *: open",
            "*waiting at *orders.py:* in Waiting.run",
        ]
    )
    result.stdout.no_fnmatch_line("*testing/execution.py:*")
    result.stdout.no_fnmatch_line("*testing/flow.py:*")


def test_failure_in_a_block_shows_what_happened_too(session):
    result = session("""
        from orders import Order
        from pyflow.testing import Flow

        def test_before():
            with Flow() as flow:
                assert flow.run(Order, "Eve") == "Eve paid"

        def test_order():
            with Flow() as flow:
                assert flow.run(Order, "Ada") == "paid"
    """)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*- pyflow: what happened -*", "Order 1.0, workflow id *: closed"])
    result.stdout.no_fnmatch_line("*Eve*")


def test_shared_flow_keeps_skipping_whatever_a_test_leaves_open(session):
    result = session("""
        import pytest
        from orders import Dice, Order, Ticking, Waiting

        @pytest.fixture(scope="module")
        def shop(flow_factory):
            with flow_factory() as flow:
                yield flow

        @pytest.fixture(scope="module", params=["factory", "module", "session"])
        def shared(request, shop, flow_module, flow_session):
            return {"factory": shop, "module": flow_module, "session": flow_session}[request.param]

        @pytest.mark.parametrize("turn", range(3))
        def test_each_finds_it_empty(shared, turn):
            assert shared.run(Order, "Ada") == "Ada paid"
            ticking, waiting = shared.start(Ticking), shared.start(Waiting, workflow_id="one")
            shared.advance(5)
            assert ticking.closed is waiting.closed is None

        def test_dice(flow_session):
            flow_session.run(Dice)

        def test_last(flow_session, flow_module):
            assert flow_session.run(Order, "Ada") == flow_module.run(Order, "Ada")
    """)
    result.assert_outcomes(passed=10, failed=1)


def test_async_tests_use_the_same_fixture(session, pytester):
    pytester.makeconftest("""
        import asyncio

        def pytest_pyfunc_call(pyfuncitem):
            asyncio.run(pyfuncitem.obj(flow=pyfuncitem.funcargs["flow"]))
            return True
    """)
    result = session("""
        from orders import Order

        async def test_order(flow):
            assert flow.run(Order, "Ada") == "Ada paid"

        async def test_fails(flow):
            assert flow.run(Order, "Ada") == ""
    """)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*- pyflow: what happened -*"])


def test_sessions_on_several_cores_work(session):
    result = session(
        """
        import pytest
        from orders import Order

        @pytest.mark.parametrize("number", range(4))
        def test_order(flow, flow_session, number):
            assert flow.run(Order, "Ada") == flow_session.run(Order, "Ada")
        """,
        "-n2",
    )
    result.assert_outcomes(passed=4)


def test_workflow_code_that_spins_fails_by_the_limit_of_the_ini_file(session):
    result = session(
        """
        import pyflow

        class Spinning(pyflow.Workflow):
            NAME = "Spinning"

            def run(self, _):
                while True:
                    pass

        def test_spinning(flow):
            flow.run(Spinning)
        """,
        "-o",
        "pyflow_spin_seconds=0.2",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*Spinning neither waits nor ends*", "*it spins at *test_it.py:* in Spinning.run"])
