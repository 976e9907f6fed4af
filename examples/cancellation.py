"""
Cancellation: a trip is booked step by step; a cancel, or a step that takes too long, takes back what was booked.

    python examples/cancellation.py
"""

import json

import pyflow
from pyflow.testing import Flow


@pyflow.activity(start_to_close=60)
def book(what: str) -> str:
    return f"{what} booked"


@pyflow.activity(start_to_close=60)
def take_back(what: str) -> str:
    return f"{what} taken back"


class Trip(pyflow.Workflow):
    NAME = "Trip"

    def run(self, steps: list[str]) -> list[str]:
        done: list[str] = []
        log: list[str] = []
        try:
            for what in steps:
                log.append(book(what))
                done.append(what)
            with self.swf.scope(timeout=3_600) as scope:  # an hour for the traveller to confirm
                log.append(self.swf.receive("confirm"))
            if scope.canceled:
                raise pyflow.WorkflowCanceledException("never confirmed")
        except pyflow.WorkflowCanceledException as cancel:
            with self.swf.shield():  # a second cancel does not stop the cleanup
                log += [take_back(what) for what in reversed(done)]
            raise pyflow.WorkflowCanceledException(json.dumps(log)) from cancel  # the execution closes CANCELED
        return log


def demonstrate(flow: Flow) -> object:
    ends: dict[str, object] = {}
    for name in ("confirmed", "canceled", "forgotten"):
        execution = flow.start(Trip, ["flight", "hotel"])
        flow.run_until_blocked()
        if name == "confirmed":
            execution.signal("confirm", "off we go")
        elif name == "canceled":
            execution.cancel()
        try:
            ends[name] = execution.result()
        except pyflow.WorkflowCanceledException as canceled:
            ends[name] = ["CANCELED", *json.loads(canceled.details or "")]
    return ends


if __name__ == "__main__":
    with Flow() as flow:  # a service of its own, where time skips over what is waited for
        print(json.dumps(demonstrate(flow), indent=1))

# On AWS: `pyflow worker examples/cancellation.py --domain travel --task-list trips`; `aws swf request-cancel-workflow-execution`.
