"""
Tests of the order in order.py: days pass at once, stand-ins answer, and every history is replayed.

    pytest examples/test_order.py
"""

import sys
from pathlib import Path

import pytest

import pyflow
from pyflow.testing import TIMES_OUT, ActivityEnvironment, Flow

sys.path.insert(0, str(Path(__file__).parent))

from order import Delivery, Order, charge, release, reserve

ORDER = {"id": "o-1", "customer": "Ada", "items": ["book", "lamp", "tea"]}


def test_order_is_reserved_charged_and_sent(flow: Flow) -> None:
    assert flow.run(Order, ORDER) == {"receipt": "Ada paid 59", "parcel": "parcel o-1, 3 items"}


def test_what_was_reserved_is_released_when_something_is_sold_out(flow: Flow) -> None:
    released = flow.fake(release)
    charged = flow.fake(charge)

    with pytest.raises(pyflow.WorkflowFailedException, match="SOLD_OUT"):
        flow.run(Order, {**ORDER, "items": ["book", "moon"]})
    assert released.called_once_with("book")
    assert not charged.called


def test_parcel_that_takes_over_a_day_is_late(flow: Flow) -> None:
    flow.fake(Delivery, times_out=True)
    before = flow.clock.now_ms()

    assert flow.run(Order, ORDER)["parcel"] == "late"
    assert flow.clock.now_ms() - before >= 86_400_000


@pytest.mark.parametrize("outcome", [ConnectionError("down"), TIMES_OUT])
def test_order_whose_charge_fails_fails_too(flow: Flow, outcome: object) -> None:
    flow.fake(charge, side_effect=[outcome])

    with pytest.raises(pyflow.WorkflowFailedException):
        flow.run(Order, ORDER)


def test_what_is_sold_out_cannot_be_reserved() -> None:
    assert ActivityEnvironment().run(reserve, "lamp") == 40
    with pytest.raises(LookupError, match="moon is sold out"):
        ActivityEnvironment().run(reserve, "moon")


# On AWS: histories of what runs there are tests too; `pyflow export o-1 --domain shop --output o-1.history.json` writes one.
