"""
Determinism: with a strict guard, plain time, random and uuid replay, and what cannot is named by its line.

    python examples/determinism.py
"""

import json
import random
import secrets
import time
import uuid
from pathlib import Path

import pyflow
from pyflow.testing import Flow


class Lottery(pyflow.Workflow):
    """Replayed any number of times, it draws the same tickets at the same times."""

    NAME = "Lottery"

    def run(self, players: list[str]) -> dict[str, bool | int]:
        begun = time.time()
        tickets = {player: str(uuid.uuid4()) for player in players}
        self.swf.sleep(3_600)
        winner = random.choice(players)
        seal = self.swf.invoke_once(secrets.token_hex, 4).result()  # recorded, so it may be anything
        return {
            "waited an hour": time.time() - begun >= 3_600,
            "tickets": len(set(tickets.values())),
            "won": winner in players,
            "seal": len(seal),
        }


class Careless(pyflow.Workflow):
    """Does by itself what belongs into activities."""

    NAME = "Careless"

    def run(self, what: str) -> object:
        if what == "secret":
            return secrets.token_hex(4)
        if what == "file":
            return Path("/tmp/tickets").write_text("sold out")
        time.sleep(1)
        return None


def demonstrate(flow: Flow) -> object:
    flow.guard = "strict"  # as the decider's: `pyflow.Decider(..., guard="strict")`
    said: dict[str, object] = {"lottery": flow.run(Lottery, ["Ada", "Grace", "Alan"])}
    for what in ("secret", "file", "sleep"):
        execution = flow.start(Careless, what)
        try:
            execution.result()
        except pyflow.GuardException as found:
            hazard, where, _remedy = found.findings[0]
            said[what] = f"{where.rpartition('/')[2]}: {hazard}"
        flow.forget(execution)  # it is stuck until its code is mended
        execution.terminate("careless")
    return said


if __name__ == "__main__":
    with Flow() as flow:
        print(json.dumps(demonstrate(flow)))

# On AWS: `pyflow worker examples/determinism.py --domain office --task-list lottery --guard strict`; a careless run is paused.
