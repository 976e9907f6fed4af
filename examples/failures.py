"""
A failure far away, told here: what an activity raised two executions below, and an error that says when to try again.

    python examples/failures.py
"""

import pyflow
from pyflow.testing import Flow

CARDS: dict[str, str] = {}
calls: list[int] = []


class Busy(Exception):
    """The bank says when to come back."""

    def __init__(self, retry_after: float) -> None:
        super().__init__("too many requests")
        self.retry_after = retry_after  # seconds; the retry policy honours it


class PaymentError(Exception):
    pass


@pyflow.activity(start_to_close=60, retry=pyflow.RetryPolicy(max_attempts=5, no_retry_on=PaymentError))
def charge(customer: str) -> str:
    calls.append(1)
    if len(calls) == 1:
        raise Busy(retry_after=300)
    try:
        return f"paid with {CARDS[customer]}"
    except LookupError as error:
        raise PaymentError("cannot be charged") from error


class Payment(pyflow.Workflow):
    NAME = "Payment"

    def run(self, customer: str) -> str:
        return charge(customer)


class Order(pyflow.Workflow):
    NAME = "Order"

    def run(self, customer: str) -> str:
        started = self.swf.now()
        try:
            result: str = self.swf.child(Payment, customer)
        except pyflow.InvocationFailedException as failure:
            lines = [line.strip() for line in (failure.remote_traceback or "").splitlines()]
            print(failure.remote_message)  # of what the child raised
            print(
                [line for line in lines if line.startswith(("KeyError", "PaymentError"))]
            )  # in the activity, with its cause
            return f"not paid, after {(self.swf.now() - started).total_seconds():.0f} seconds"
        return result


def main() -> None:
    flow = Flow()  # a local service, with time that skips
    print(flow.run(Order, "Ada"))
    flow.close()


if __name__ == "__main__":
    main()

# On AWS: `pyflow worker examples/failures.py --domain d --task-list t`, and start Order there.
