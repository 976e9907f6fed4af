"""
Recorded values: a raffle whose draw, names and times are the same in every replay; and where it stands, for all to see.

    python examples/recorded_values.py
"""

import json
import random
from datetime import datetime

import pyflow
from pyflow.testing import Execution, Flow


def look_up(town: str) -> float:
    """Read what only this process knows: each call gives something else."""
    return len(town) + random.random()


class Raffle(pyflow.Workflow):
    NAME = "Raffle"

    def run(self, names: list[str]) -> dict[str, object]:
        began: datetime = self.swf.now()
        first = self.swf.invoke_once(look_up, "Bern").result()  # called once, recorded in history
        ticket = self.swf.uuid4()
        winner = self.swf.random.choice(names)
        self.swf.set_status({"drawn": winner, "paid out": False})  # in the execution's description, with no worker up
        self.swf.receive("collected", timeout=86_400)
        again = self.swf.invoke_once(look_up, "Bern").result()
        return {
            "winner is one of them": winner in names,
            "seconds": (self.swf.now() - began).total_seconds(),
            "tickets": len({ticket, self.swf.uuid4()}),
            "looked up": len({first, again}),
        }


def shown(flow: Flow, raffle: Execution) -> str:
    """What `aws swf describe-workflow-execution` shows as latestExecutionContext, but for the winner's name."""
    execution = {"workflowId": raffle.workflow_id, "runId": raffle.run_id}
    text = flow.client.describe_workflow_execution(domain=flow.domain, execution=execution)["latestExecutionContext"]
    return str(text.splitlines()[3].strip())


def demonstrate(flow: Flow) -> object:
    raffle = flow.start(Raffle, ["Ada", "Grace", "Alan"])
    flow.advance(minutes=90)
    blocked = shown(flow, raffle)
    raffle.signal("collected")
    return [blocked, raffle.result()]


if __name__ == "__main__":
    with Flow() as flow:  # a service of its own, where time skips; at the end every history is replayed
        print(json.dumps(demonstrate(flow)))

# On AWS: `pyflow worker examples/recorded_values.py --domain fair --task-list raffles`.
