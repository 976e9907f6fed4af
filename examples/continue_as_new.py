"""
Continue as new: a counter that lives for ever, with a history that never grows long.

    python examples/continue_as_new.py
"""

import json

import pyflow
from pyflow.testing import Flow


class Counter(pyflow.Workflow):
    NAME = "Counter"

    def run(self, state: dict[str, int] | None) -> dict[str, int]:
        state = state or {"total": 0, "runs": 1}
        taken = 0
        while True:
            if taken == 3 or self.swf.should_continue_as_new:  # three, so that the example shows it
                self.swf.continue_as_new({**state, "runs": state["runs"] + 1})  # never returns
            try:
                number = self.swf.receive("add", timeout=86_400)
            except pyflow.WaitTimedOutException:
                return state
            taken += 1
            state["total"] += number


def demonstrate(flow: Flow) -> object:
    execution = flow.start(Counter)
    for number in range(1, 9):
        flow.client.signal_workflow_execution(  # without a run id: whichever run is open
            domain=flow.domain, workflowId=execution.workflow_id, signalName="add", input=json.dumps(number)
        )
        flow.run_until_blocked()
    return execution.result()


if __name__ == "__main__":
    with Flow() as flow:  # a service of its own, where time skips over what is waited for
        print(json.dumps(demonstrate(flow)))

# On AWS: `pyflow worker examples/continue_as_new.py --domain shop --task-list counters`.
