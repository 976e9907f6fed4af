"""
Limits: far more at once than SWF takes in one response or keeps open in one execution; the code does not notice.

    python examples/fan_out.py
"""

import json
from collections import Counter

import pyflow
from pyflow.testing import Flow


@pyflow.activity(start_to_close=60)
def square(number: int) -> int:
    return number * number


class FanOut(pyflow.Workflow):
    NAME = "FanOut"

    def run(self, count: int) -> int:
        futures = [square.submit(number) for number in range(count)]  # SWF keeps 1,000 open, and takes 100 a response
        self.swf.wait_for_all(futures)
        return sum(future.result() for future in futures)


def demonstrate(flow: Flow) -> object:
    execution = flow.start(FanOut, 1_100)
    result = execution.result()
    events = Counter(event["eventType"] for event in execution.history)
    return {
        "result": result,
        "scheduled": events["ActivityTaskScheduled"],
        "refused": events["ScheduleActivityTaskFailed"],
    }


if __name__ == "__main__":
    with Flow() as flow:  # a service of its own, with SWF's limits
        print(json.dumps(demonstrate(flow)))

# On AWS: `pyflow worker examples/fan_out.py --domain lab --task-list squares`; nothing else changes.
