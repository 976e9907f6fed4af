"""
Retries: a shaky activity is tried again after longer and longer pauses, but not for an error that would only come back.

    python examples/retries.py
"""

import json

import pyflow
from pyflow.testing import Flow

PATIENT = pyflow.RetryPolicy(initial=2, factor=3, max_interval=60, jitter=0, max_attempts=5, no_retry_on=ValueError)
calls: list[str] = []


@pyflow.activity(start_to_close=60, retry=PATIENT)
def fetch(address: str) -> str:
    calls.append(address)
    if "://" not in address:
        raise ValueError(f"not an address: {address}")
    if calls.count(address) < 4:
        raise ConnectionError("the line is busy")
    return f"page of {address}"


class Fetching(pyflow.Workflow):
    NAME = "Fetching"

    def run(self, address: str) -> dict[str, object]:
        began = self.swf.now()
        try:
            page = fetch(address)
        except pyflow.InvocationFailedException as failure:
            page = failure.reason or ""
        seconds = round((self.swf.now() - began).total_seconds())
        try:
            fetch.options(retry=pyflow.RetryPolicy(initial=1, max_attempts=2))("gopher://elsewhere")
        except pyflow.InvocationFailedException as failure:
            return {"page": page, "seconds": seconds, "other": failure.reason}
        return {"page": page, "seconds": seconds}


def demonstrate(flow: Flow) -> object:
    calls.clear()
    results = [flow.run(Fetching, "gopher://here")]
    calls.clear()
    return [*results, flow.run(Fetching, "nowhere")]


if __name__ == "__main__":
    with Flow() as flow:  # a service of its own, where time skips over the pauses
        print(json.dumps(demonstrate(flow)))

# On AWS: `pyflow worker examples/retries.py --domain web --task-list fetching`; the pauses are timers of SWF's.
