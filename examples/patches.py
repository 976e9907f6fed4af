"""
Patches: the code of a workflow is changed while executions of it are open. They end the old way; new ones go the new way.

    python examples/patches.py
"""

import json

import pyflow
from pyflow.testing import Flow


@pyflow.activity(start_to_close=60)
def bake(bread: str) -> str:
    return bread


@pyflow.activity(start_to_close=60)
def slice_it(bread: str) -> str:
    return f"{bread}, sliced"


class Bakery(pyflow.Workflow):
    NAME = "Bakery"

    def run(self, bread: str) -> str:
        bread = bake(bread)
        if self.swf.patched("slice before cooling"):
            bread = slice_it(bread)
        self.swf.sleep(3_600)  # it cools down
        return bread


class BakeryBefore(pyflow.Workflow):
    """What Bakery was before the change. Without a NAME nobody serves it."""

    def run(self, bread: str) -> str:
        bread = bake(bread)
        self.swf.sleep(3_600)
        return bread


def demonstrate(flow: Flow) -> object:
    old_code = type("Bakery", (BakeryBefore,), {"NAME": "Bakery"})
    flow.deploy(old_code)
    before = flow.start(old_code, "rye")
    flow.advance(minutes=10)  # it is baked, and cools down
    flow.deploy(Bakery)
    after = flow.start(Bakery, "wheat")
    return [before.result(), after.result()]


if __name__ == "__main__":
    with Flow() as flow:  # a service of its own, where time skips over what is waited for
        print(json.dumps(demonstrate(flow)))

# On AWS: stop the workers of the old code, start `pyflow worker examples/patches.py --domain food --task-list bakery`.
