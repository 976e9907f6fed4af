"""
Concurrency in one run: many calls a few at a time, the first two of five, and two pieces of code side by side.

    python examples/concurrency.py
"""

import json

import pyflow
from pyflow.testing import Flow


@pyflow.activity(start_to_close=60)
def measure(text: str) -> int:
    return len(text)


class Survey(pyflow.Workflow):
    NAME = "Survey"

    def run(self, words: list[str]) -> dict[str, object]:
        lengths = self.swf.map(measure, words, limit=2)  # at most two tasks are open at once
        quickest = self.swf.map(self.ask, [50, 10, 40, 20, 30], enough=2)  # the rest is canceled

        log: list[str] = []
        walks = [self.swf.spawn(self.walk, name, seconds, log) for name, seconds in (("slow", 7), ("fast", 3))]
        finished = [walk.result() for walk in self.swf.as_completed(walks)]
        return {"lengths": lengths, "quickest": quickest, "log": log, "finished": finished}

    def ask(self, seconds: int) -> int:
        self.swf.sleep(seconds)
        return seconds

    def walk(
        self, name: str, seconds: int, log: list[str]
    ) -> str:  # a fiber of this run: no locks, since one runs at a time
        for step in (1, 2):
            self.swf.sleep(seconds)
            log.append(f"{name} {step}")
        return name


def demonstrate(flow: Flow) -> object:
    return flow.run(Survey, ["one", "three", "eleven"])


if __name__ == "__main__":
    with Flow() as flow:  # a service of its own, where time skips over what is waited for
        print(json.dumps(demonstrate(flow)))

# On AWS: `pyflow worker examples/concurrency.py --domain lab --task-list surveys`.
