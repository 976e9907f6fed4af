"""
Child workflows: a house with rooms, each painted by a workflow of its own; one is told another colour, one is given up.

    python examples/children.py
"""

import json

import pyflow
from pyflow.testing import Flow


@pyflow.activity(start_to_close=60)
def paint(room: str, colour: str) -> str:
    return f"{room} {colour}"


class Room(pyflow.Workflow):
    NAME = "Room"

    def run(self, room: str) -> str:
        try:
            colour = self.swf.receive("colour", timeout=3_600)
        except pyflow.WaitTimedOutException:
            colour = "white"
        return paint(room, colour)


class House(pyflow.Workflow):
    NAME = "House"

    def run(self, rooms: list[str]) -> dict[str, object]:
        children = [self.swf.start_child(Room, room, tags=["paint"]) for room in rooms]
        children[0].signal("colour", "blue").result()  # waits until SWF has delivered it
        children[-1].cancel(wait=True)  # waits until that child has closed
        painted = [child.result() for child in children if not child.failed]
        return {"painted": painted, "again": self.swf.child(Room, rooms[0])}  # by call: start it and wait


def demonstrate(flow: Flow) -> object:
    return flow.run(House, ["hall", "kitchen", "cellar"])


if __name__ == "__main__":
    with Flow() as flow:  # a service of its own, where time skips over what is waited for
        print(json.dumps(demonstrate(flow)))

# On AWS: `pyflow worker examples/children.py --domain houses --task-list painting`.
