"""
Continue as new: a counter that lives for ever, with a history that never grows long.

    python examples/continue_as_new.py
"""

import json
from typing import Any

import pyflow
from pyflow.testing import Flow


class Counter(pyflow.Workflow):
    NAME = "Counter"

    def run(self, state: dict[str, Any] | None) -> dict[str, int]:
        state = state or {"total": 0, "runs": 1, "signals": {}}
        self.swf.put_signals(state.pop("signals"))
        while True:
            # Nothing is open here. 20 events, so that the example shows it; 20,000 if left out.
            self.swf.checkpoint(lambda: self.successor(state), events=20)
            try:
                state["total"] += self.swf.receive("add", timeout=86_400)
            except pyflow.WaitTimedOutException:
                return state

    def successor(self, state: dict[str, Any]) -> dict[str, Any]:
        """What the next run begins with: also the signals that this one has not received yet."""
        return {**state, "runs": state["runs"] + 1, "signals": self.swf.unreceived_signals()}


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
