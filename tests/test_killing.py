"""kill -9 and SIGTERM, again and again: nothing that was acknowledged is lost, and every execution comes to its result."""

import json
import random
import signal
import time
from pathlib import Path

import pytest

from command import WAIT_S, Serving, wait_for
from pyflow import get_workflow_status, start_workflow
from pyflow.exceptions import ServiceFault
from pyflow.swf.client import Client, create_client

SHOP = """
import time
import pyflow

@pyflow.activity(start_to_close=1)
def double(number):
    time.sleep(0.1)
    return number * 2

class Doubles(pyflow.Workflow):
    NAME = 'Doubles'
    OPTIONS = {'defaultTaskStartToCloseTimeout': 1}

    def run(self, number):
        for _ in range(STEPS):
            number = self.doubled(number)
        self.swf.wait_for_all([double.submit(0), self.swf.start_timer(1)])
        return number

    def doubled(self, number):
        while True:
            try:
                return double(number)
            except pyflow.InvocationTimedOutException:
                pass
"""
STEPS = 12
RUNS = 30
KILLS = 30
WHERE = ("--domain", "d", "--task-list", "l")


def part(folder: Path, name: str, port: int) -> Serving:
    url = f"http://127.0.0.1:{port}"
    if name == "server":
        return Serving(folder, "server", "--port", str(port), "--db", "kill.db")
    return Serving(folder, "worker", "shop.py", *WHERE, "--endpoint-url", url, "--only", name)


@pytest.mark.proof
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["kill", "term"])
def test_every_execution_completes_whatever_is_ended(tmp_path, how):
    seed = time.time_ns()
    print(f"seed {seed}")
    chance = random.Random(seed)
    (tmp_path / "shop.py").write_text(SHOP.replace("STEPS", str(STEPS)))
    server = part(tmp_path, "server", 0)
    port = int(server.line("ready").split(",")[0].rpartition(":")[2])
    parts = {"server": server} | {name: part(tmp_path, name, port) for name in ("deciders", "activities")}
    client = create_client(f"http://127.0.0.1:{port}")
    try:
        for name in ("deciders", "activities"):
            parts[name].line("polls")
        runs = [
            (number, start_workflow("d", "Doubles", "1.0", "l", input=number, client=client)) for number in range(RUNS)
        ]
        for _ in range(KILLS):
            time.sleep(chance.uniform(0.3, 1.0))
            victim = chance.choice(list(parts))
            parts[victim].process.send_signal(how)
            status = parts[victim].process.wait(WAIT_S)
            # it ends by the signal itself where it has not come far enough to take it, or found no service to start with
            told = parts[victim].log.read_text()
            assert how == signal.SIGKILL or status in {0, -signal.SIGTERM} or "no service answers" in told, told
            supervise(tmp_path, parts, port)
        timeouts = 0
        for number, execution in runs:
            wait_for(lambda: is_closed(client, execution) or supervise(tmp_path, parts, port), "end of an execution")
            kinds = kinds_of_sound_history(client, execution)
            timeouts += kinds.count("ActivityTaskTimedOut") + kinds.count("DecisionTaskTimedOut")
            status = get_workflow_status("d", execution["workflowId"], execution["runId"], client)
            assert status.close_status == "COMPLETED", status
            assert json.loads(status.result) == number * 2**STEPS
        if how == signal.SIGKILL:
            assert timeouts > 0, "nothing was killed at its work: this run proves nothing"
    finally:
        for each in parts.values():
            each.process.kill()
            each.process.wait()


def supervise(folder: Path, parts: dict[str, Serving], port: int) -> None:
    """Start again what was killed, and workers that found no service when they started."""
    for name, each in parts.items():
        if each.process.poll() is not None:
            parts[name] = part(folder, name, port)


def is_closed(client: Client, execution: dict[str, str]) -> bool:
    try:
        status = get_workflow_status("d", execution["workflowId"], execution["runId"], client)
    except ServiceFault as fault:
        assert fault.status in {0, 503}, fault  # the server starts again
        return False
    assert status is not None
    return status.execution_status == "CLOSED"


def kinds_of_sound_history(client: Client, execution: dict[str, str]) -> list[str]:
    events, more = [], {}
    while more is not None:
        page = client.get_workflow_execution_history(domain="d", execution=execution, **more)
        events += page["events"]
        more = {"nextPageToken": page["nextPageToken"]} if page.get("nextPageToken") else None
    kinds = [event["eventType"] for event in events]
    ended = [
        event[key]["scheduledEventId"]
        for event in events
        for key in event
        if key.startswith(("activityTaskCompleted", "activityTaskTimedOut", "activityTaskFailed"))
    ]

    assert [event["eventId"] for event in events] == list(range(1, len(events) + 1))
    assert kinds.count("WorkflowExecutionCompleted") == 1
    assert len(ended) == len(set(ended)) == kinds.count("ActivityTaskScheduled")
    return kinds
