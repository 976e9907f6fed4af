"""
Dataclasses, decimals and times through an activity and a child workflow, told by type hints and sent as plain JSON.

    python examples/payloads.py
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pyflow
from pyflow.testing import Flow


@dataclass
class Line:
    what: str
    price: Decimal


@dataclass
class Order:
    number: int
    placed: datetime
    lines: list[Line]


@dataclass
class Receipt:
    order: Order
    total: Decimal
    due: datetime


@pyflow.activity(start_to_close=60)
def charge(order: Order, discount: Decimal) -> Receipt:
    total = sum(line.price for line in order.lines) - discount
    return Receipt(order, total, due=order.placed + timedelta(days=14))


class Discount(pyflow.Workflow):
    NAME = "Discount"

    def run(self, order: Order) -> Decimal:
        return order.lines[0].price / 10


class Shop(pyflow.Workflow):
    NAME = "Shop"

    def run(self, order: Order) -> Receipt:
        discount: Decimal = self.swf.child(Discount, order)
        return charge(order, discount)


def main() -> None:
    order = Order(
        7, datetime(2026, 1, 31, 9, 30, tzinfo=UTC), [Line("book", Decimal("42.00")), Line("pen", Decimal("1.10"))]
    )
    with Flow() as flow:  # a local service, with time that skips
        execution = flow.start(Shop, order)
        receipt = execution.result()
        print(f"{receipt.total} for {receipt.order.lines[0].what} and more, due {receipt.due:%d %B}")
        print(execution.history[0]["workflowExecutionStartedEventAttributes"]["input"])


if __name__ == "__main__":
    main()

# On AWS: `pyflow worker examples/payloads.py --domain d --task-list t`, and start_workflow("d", workflow=Shop, input=order).
