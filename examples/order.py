"""
An order: its items reserved in parallel, the customer charged, the parcel sent by a child workflow.

    pyflow run examples/order.py:Order --input '{"id": "o-1", "customer": "Ada", "items": ["book", "lamp", "tea"]}'
"""

from typing import Any

import pyflow

PRICES = {"book": 12, "lamp": 40, "tea": 7}


@pyflow.activity(start_to_close=60)
def reserve(item: str) -> int:
    """Take an item from stock, and give its price."""
    if item not in PRICES:
        raise LookupError(f"{item} is sold out")
    return PRICES[item]


@pyflow.activity(start_to_close=60)
def release(item: str) -> None:
    """Put an item back."""


@pyflow.activity(start_to_close=60)
def charge(customer: str, amount: int) -> str:
    return f"{customer} paid {amount}"


@pyflow.activity(start_to_close=60)
def send(order_id: str, count: int) -> str:
    return f"parcel {order_id}, {count} items"


class Delivery(pyflow.Workflow):
    NAME = "Delivery"

    def run(self, order: dict[str, Any]) -> str:
        self.swf.sleep(2)  # until the van comes; days would cost no more
        return send(order["id"], len(order["items"]))


class Order(pyflow.Workflow):
    NAME = "Order"

    deliver = pyflow.ChildWorkflowDescriptor("Delivery", "1.0")

    def run(self, order: dict[str, Any]) -> dict[str, str]:
        futures = [reserve.submit(item) for item in order["items"]]  # all at once
        self.swf.wait_for_all(futures)
        if any(future.failed for future in futures):
            for item, future in zip(order["items"], futures, strict=True):
                if future.succeeded:
                    release(item)
            raise pyflow.WorkflowFailedException("SOLD_OUT", f"not all in stock: {order['items']}")
        total = sum(future.result() for future in futures)
        receipt = charge(order["customer"], total)  # waits, as a function does
        parcel = self.deliver(order)  # a child workflow, not waited for yet
        try:
            self.swf.timed_wait_for_all(86_400, parcel)
        except pyflow.WaitTimedOutException:
            return {"receipt": receipt, "parcel": "late"}
        return {"receipt": receipt, "parcel": parcel.result()}


# On AWS: `pyflow worker examples/order.py --domain shop --task-list orders`, with no --endpoint-url.
