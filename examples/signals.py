"""
Signals: an expense that waits for its approval, and is reminded of meanwhile.

    python examples/signals.py
"""

import json

import pyflow
from pyflow.testing import Flow


@pyflow.activity(start_to_close=60)
def remind(whom: str) -> None:
    """Write to somebody."""


@pyflow.activity(start_to_close=60)
def pay(amount: int) -> str:
    return f"paid {amount}"


class Expense(pyflow.Workflow):
    NAME = "Expense"

    def __init__(self, swf: pyflow.WorkflowInvocationHelper) -> None:
        super().__init__(swf)
        self.amount = 0

    @pyflow.signal
    def add(self, amount: int) -> None:  # runs when the signal comes, beside run
        self.amount += amount

    def run(self, boss: str) -> dict[str, object]:
        reminders = 0
        self.swf.wait_until(lambda: self.amount > 0)
        while True:
            try:
                answer = self.swf.receive("answer", timeout=86_400)  # one day; None of it costs a process
                break
            except pyflow.WaitTimedOutException:
                remind(boss)
                reminders += 1
        paid = pay(self.amount) if answer["approved"] else None
        return {"paid": paid, "reminders": reminders}


def demonstrate(flow: Flow) -> object:
    execution = flow.start(Expense, "Ada")
    execution.signal("add", 30)
    execution.signal("add", 12)
    flow.advance(days=2, hours=1)
    execution.signal("answer", {"approved": True})
    return execution.result()


if __name__ == "__main__":
    with Flow() as flow:  # a service of its own, where time skips over what is waited for
        print(json.dumps(demonstrate(flow)))

# On AWS: `pyflow worker examples/signals.py --domain office --task-list expenses`; any SWF client starts it and signals it.
