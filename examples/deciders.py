"""
Two deciders share a task list; one is stopped in the middle, and the other takes over what it had begun.

    python examples/deciders.py
"""

import json
import threading

import pyflow
from pyflow.local import LocalSWF

DOMAIN, TASK_LIST = "shop", "orders"


class Order(pyflow.Workflow):
    NAME = "Order"

    def run(self, number: int) -> list[str]:
        return [self.swf.receive("item") for _ in range(number)]


def start(name: str, client: object) -> tuple[pyflow.Decider, threading.Thread]:
    """Let a decider work; in life, in a process of its own, where a handler of SIGTERM calls ``decider.stop()``."""
    decider = pyflow.Decider(
        [Order],
        DOMAIN,
        TASK_LIST,
        name,
        client=client,  # on AWS: leave this out
        affinity=1,  # an order's next task waits a second for the decider that knows it, then for any
    )
    thread = threading.Thread(target=decider.poll_for_decision_tasks)
    thread.start()
    return decider, thread


def main() -> None:
    service = LocalSWF(poll_wait_s=0.2)
    client = service.direct()
    client.register_domain(name=DOMAIN, workflowExecutionRetentionPeriodInDays="1")
    pyflow.Decider([Order], DOMAIN, TASK_LIST, "setup", client=client).ensure_workflows_registered()
    order = pyflow.start_workflow(DOMAIN, workflow=Order, task_list=TASK_LIST, input=2, client=client).handle

    first, thread = start("first", client)
    order.signal("item", "book")
    while order.waiting is None:
        threading.Event().wait(0.01)
    first.stop()
    thread.join()

    second, thread = start("second", client)
    order.signal("item", "lamp")
    result = order.result(timeout=30)
    deciders = {
        event["decisionTaskStartedEventAttributes"]["identity"]
        for event in order.history()
        if event["eventType"] == "DecisionTaskStarted"
    }
    print(json.dumps({"order": result, "decided by": sorted(deciders)}))
    second.stop()
    thread.join()
    service.close()


if __name__ == "__main__":
    main()
