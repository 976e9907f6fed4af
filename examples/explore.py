"""
A race that no plain test finds: the customer cancels while the card is being charged. Found by exploration, and mended.

    python examples/explore.py
"""

import json
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyflow
from pyflow.testing import Flow, ScheduleFailedException, raises, returns


@pyflow.activity(start_to_close=60)
def charge(amount: int) -> str:
    return f"paid {amount}"


@pyflow.activity(start_to_close=60)
def refund(amount: int) -> str:
    return f"gave {amount} back"


class Hasty(pyflow.Workflow):
    """A cancel ends it wherever it waits: also while the charge is under way, which then goes through."""

    NAME = "Hasty"

    def run(self, amount: int) -> str:
        return charge(amount)


class Careful(pyflow.Workflow):
    """A cancel waits for the charge to end, and gives back what was paid."""

    NAME = "Careful"

    def run(self, amount: int) -> str:
        charging = charge.submit(amount)
        try:
            return charging.result()
        except pyflow.WorkflowCanceledException:
            with self.swf.shield(), suppress(pyflow.InvocationFailedException):
                charging.result()
                refund(amount)
            raise


def explore(flow: Flow, workflow: type[pyflow.Workflow]) -> Any:
    given_back = flow.fake(refund, returns="given back")

    def check(result: object, history: list[dict[str, Any]]) -> None:
        paid = any("paid" in str(event) for event in history if event["eventType"] == "ActivityTaskCompleted")
        canceled = isinstance(result, pyflow.WorkflowCanceledException)
        assert not (paid and canceled) or given_back.called, "kept the money"

    outcomes = {charge: [returns("paid 5"), raises(ValueError("no money"))]}
    return flow.explore(workflow, 5, cancel=True, check=check, outcomes=outcomes)


def main() -> dict[str, Any]:
    with TemporaryDirectory() as folder, Flow() as flow:
        flow.folder = Path(folder)
        try:
            explore(flow, Hasty)
        except ScheduleFailedException as failure:
            race = failure.schedule
        else:
            raise AssertionError("the race was not found")
        report = explore(flow, Careful)
        return {"the race": race, "mended": report.complete}


if __name__ == "__main__":
    print(json.dumps(main()))
