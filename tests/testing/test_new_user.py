"""The guide's first page works as it stands; ten ways to break its workflow are each named so that one can mend them."""

import re
from pathlib import Path

import pytest

from inner_session import PLAIN

GUIDE = (Path(__file__).parents[2] / "docs" / "testing.md").read_text()
FILES = dict(re.findall(r"^```python\n# (\w+)\.py\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL))

RECEIVE = 'self.swf.receive("pay", timeout=30 * 86_400)'
CHARGE = 'return charge(order["customer"], 12)'
UNPAID, PAID, FAILED = (
    "test_unpaid_order_is_given_up_after_thirty_days",
    "test_order_is_charged_once_it_is_paid",
    "test_item_is_released_when_the_charge_fails",
)

BROKEN = {
    # what is broken: (from, to, the test that fails, what its failure says)
    "wrong order": (
        'reserve(order["item"])\n',
        'reserve(order["item"])\n        charge(order["customer"], 12)\n',
        PAID,
        ["*where True = <fake of charge, called 1 times: charge('Ada', 12)>*", "*activity asked for *charge 1.0*"],
    ),
    "swallowed error": (
        CHARGE,
        f"try:\n                {CHARGE}\n            except Exception:\n                return None",
        FAILED,
        ["*assert None == 'given up'", "*activity failed *charge 1.0 *ValueError: no money"],
    ),
    "missing activity": (
        CHARGE,
        'return self.swf.invoke_activity("chrage", "1.0").result()',
        PAID,
        [
            "*activity refused *chrage 1.0  ACTIVITY_TYPE_DOES_NOT_EXIST",
            "*chrage 1.0 ACTIVITY_TYPE_DOES_NOT_EXIST: no activity of that name and version is known*flow.use(...)*",
        ],
    ),
    "unregistered type": (
        CHARGE,
        'return self.swf.invoke_child_workflow("Parcel", "1.0").result()',
        PAID,
        [
            "*child refused *Parcel 1.0  WORKFLOW_TYPE_DOES_NOT_EXIST",
            "*Parcel 1.0 WORKFLOW_TYPE_DOES_NOT_EXIST: no workflow of that name and version is known*flow.use(...)*",
        ],
    ),
    "nondeterminism": (
        RECEIVE,
        "self.swf.start_timer(len(STARTED)); STARTED.append(1); " + RECEIVE,
        UNPAID,
        ["*does not fit its history at event *StartTimer*sleep1*shop.py:*Order.run*Deploy the code*"],
    ),
    "wrong argument": (
        CHARGE,
        'return charge(order["customer"], amount=12, currency="EUR")',
        PAID,
        [
            "*TypeError: activity charge(customer, amount): got an unexpected keyword argument 'currency'*",
            "*shop.py*in run",
            '*return charge(order?"customer"?, amount=12, currency="EUR")',
        ],
    ),
    "lost signal": (
        RECEIVE,
        'self.swf.receive("paid")',
        PAID,
        [
            "*Order 1.0 is stuck*",
            "*waiting at *shop.py:* in Order.run",
            "*for signal 'paid'",
            "*signals that came: 'pay'",
        ],
    ),
    "endless loop": (
        RECEIVE,
        "while True: pass",
        UNPAID,
        ["*Order neither waits nor ends*must wait for something*", "*it spins at *shop.py:* in Order.run"],
    ),
    "forgotten cleanup": (
        '            release(order["item"])\n',
        "",
        FAILED,
        [
            "*called_once_with = <fake of release, never called>.called_once_with*",
            "*activity failed *ValueError: no money",
            "*workflow completed*",
        ],
    ),
    "real sleep": (
        RECEIVE,
        f"__import__('time').sleep(0.01); {RECEIVE}",
        UNPAID,
        ["*shop.py:* in Order.run: time.sleep() does not belong in a workflow*self.swf.sleep()"],
    ),
}


@pytest.fixture
def project(pytester):
    pytester.makeini("[pytest]\npythonpath = .\npyflow_spin_seconds = 0.3\n")

    def run(shop, *options):
        pytester.makepyfile(shop=shop, test_shop=FILES["test_shop"])
        return pytester.runpytest_inprocess(*PLAIN, *options)

    return run


def test_first_page_of_the_guide_passes(project):
    project(FILES["shop"]).assert_outcomes(passed=3)


@pytest.mark.parametrize("how", BROKEN)
def test_failure_of_a_broken_workflow_says_what_to_mend(how, project):
    before, after, test, said = BROKEN[how]
    options = ["-k", test]
    if how == "real sleep":
        options += ["-o", "pyflow_guard=strict"]
    assert before in FILES["shop"]
    result = project("STARTED = [1]\n" + FILES["shop"].replace(before, after), *options)

    result.assert_outcomes(failed=1, deselected=2)
    result.stdout.fnmatch_lines(said)
    result.stdout.no_fnmatch_line("*/pyflow/testing/execution.py:*")
