"""
Start an order once, however often it is asked for; signal it, and wait for its result.

    python examples/starting.py
"""

import threading

import pyflow
from pyflow.local import LocalSWF

DOMAIN, TASK_LIST = "shop", "orders"


class Order(pyflow.Workflow):
    NAME = "Order"

    def run(self, order: dict[str, str]) -> str:
        payment = self.swf.receive("paid", timeout=86_400)
        return f"{order['item']}, paid by {payment['by']}"


def main() -> None:
    service = LocalSWF(poll_wait_s=0.2)
    client = service.direct()
    client.register_domain(name=DOMAIN, workflowExecutionRetentionPeriodInDays="1")
    decider = pyflow.Decider([Order], DOMAIN, TASK_LIST, "example", client=client)
    decider.ensure_workflows_registered()
    deciding = threading.Thread(target=decider.poll_for_decision_tasks)  # in life: a process of its own
    deciding.start()

    def place(order_id: str, item: str) -> pyflow.StartedWorkflow:
        return pyflow.start_workflow(
            DOMAIN,
            workflow=Order,
            task_list=TASK_LIST,
            workflow_id=order_id,
            id_reuse="use_existing",
            input={"item": item},
            tags=["web"],
            client=client,
        )

    started = place("order-1", "book")
    again = place("order-1", "book")  # a second click: the same execution
    print(again == started, again.reused)

    handle = pyflow.handle("order-1", domain=DOMAIN, client=client)  # from any other process
    handle.signal("paid", {"by": "Ada"})
    print(handle.result(timeout=30))
    print(handle.status().close_status)

    decider.stop()
    deciding.join()
    service.close()


if __name__ == "__main__":
    main()

# On AWS: `client = None` instead of the service's, and the decider by `pyflow worker examples/starting.py ...`.
