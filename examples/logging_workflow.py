"""
Logging: plain loggers, each line once although the code is replayed, and each with the ids of its run.

    python examples/logging_workflow.py
"""

import json
import logging

import pyflow
from pyflow.testing import Flow

logger = logging.getLogger("shop")


@pyflow.activity(start_to_close=60, retry=pyflow.RetryPolicy(max_attempts=2))
def charge(amount: int) -> str:
    logger.info("charging %d", amount)
    if pyflow.activity.current().attempt == 1:
        raise ConnectionError("no answer")
    return "paid"


class Order(pyflow.Workflow):
    NAME = "Order"

    def run(self, amount: int) -> None:
        logger.info("begun")
        paid = charge(amount)
        self.swf.sleep(3_600)
        logger.info("%s, an hour later", paid)


class Lines(logging.Handler):
    """What a log would show; any formatter can name the ids."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        ids = {"workflow_id": "-", "activity_id": "-", "attempt": "-"}  # for records from anywhere else
        self.setFormatter(logging.Formatter("%(workflow_id)s %(activity_id)s %(message)s", defaults=ids))

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


def demonstrate(flow: Flow) -> object:
    lines = Lines()
    logger.addHandler(lines)
    logger.setLevel(logging.INFO)
    try:
        order = flow.start(Order, 5, workflow_id="order-7")
        flow.run_until_blocked()
        flow.deploy(Order)  # as after a restart: the code is replayed from its history, and says nothing twice
        order.result()
    finally:
        logger.removeHandler(lines)
    return lines.lines


if __name__ == "__main__":
    with Flow() as flow:
        print(json.dumps(demonstrate(flow)))

# On AWS: `pyflow worker examples/logging_workflow.py --domain office --task-list orders`; nothing else changes.
