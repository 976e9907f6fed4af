"""
Deciders that fight over the same runs, on a network that drops, loses, doubles and refuses: nothing lost, doubled or wrong.

Time runs faster than it should, so that timeouts strike in the middle of work. Each plan is drawn from a seed, which a failure
names.
"""

import json
import random
import threading
import time

import pytest

import oracle
import pyflow
from crews import Recording, Site
from pyflow.exceptions import ServiceFault
from pyflow.local import VirtualClock
from pyflow.local.mishaps import RandomMishaps
from pyflow.swf import repeating
from pyflow.worker import polling, responding

SPEED = 20.0
"""Seconds of the service for each real one."""

ledger: dict[str, list[str]] = {}


@pyflow.activity("grow", "1.0", start_to_close=4)
def grow(number: int) -> int:
    current = pyflow.activity.current()
    ledger.setdefault(current.run_id, []).append(current.activity_id)
    return number + 1


def grown(number):
    while True:
        try:
            return grow(number)
        except pyflow.InvocationTimedOutException:
            pass


class Mix(pyflow.Workflow):
    NAME = "Mix"
    OPTIONS = {"defaultTaskStartToCloseTimeout": 4}

    def run(self, number):
        futures = [self.swf.spawn(grown, number + i) for i in range(3)]
        timer = self.swf.start_timer(2)
        recorded = self.swf.invoke_once(lambda: number * 7).result()
        total = sum(future.result() for future in futures) + recorded
        timer.result()
        for _ in range(3):
            total = grown(total)
        return total + self.swf.receive("go")


def reference(number):
    return sum(number + i + 1 for i in range(3)) + number * 7 + 3 + 1_000


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(repeating, "BACKOFF_FIRST_S", 0.01)
    monkeypatch.setattr(polling, "EMPTY_POLL_S", 0.01)
    monkeypatch.setattr(polling, "REPAIR_MIN_S", 0.02)
    monkeypatch.setattr(polling, "BACKOFF_LOCAL_MAX_S", 0.1)
    monkeypatch.setattr(responding, "BACKOFF_MAX_S", 0.1)


def fight(seed: int, runs: int, *, rate: float) -> None:
    chance = random.Random(seed)
    clock = VirtualClock()
    here = Site(clock=clock, poll_wait_s=0.05, seed=seed)
    ended = threading.Event()

    def hurry() -> None:
        while not ended.wait(0.005):
            clock.advance(0.005 * SPEED)

    hurrying = threading.Thread(target=hurry, daemon=True)
    clients = [Recording(here.client) for _ in range(chance.randint(2, 4))]
    try:
        for client in clients:
            here.decider(
                Mix,
                client=client,
                runs_kept=chance.choice([0, 1, 8, 1_000]),
                affinity=chance.choice([False, 1, 5]),
                threads=chance.choice([1, 2]),
                pollers=chance.choice([1, 2]),
            )
        for _ in range(2):
            here.worker(grow)
        executions = [here.start(Mix, number) for number in range(runs)]
        hurrying.start()
        spared = ("StartWorkflowExecution", "SignalWorkflowExecution", "RegisterActivityType", "RegisterWorkflowType")
        here.swf.plan_mishaps(RandomMishaps(seed, rate, spared=spared))
        for execution in executions:
            send_until_taken(execution)
        results = [execution.result(60) for execution in executions]
        here.swf.plan_mishaps(None)
        assert results == [reference(number) for number in range(runs)]
        acknowledged: dict[str, set[int]] = {}
        for client in clients:
            started = {reply["taskToken"]: reply for _, reply in client.tasks()}
            for answer in client.answers():
                task = started[answer["taskToken"]]
                acknowledged.setdefault(task["workflowExecution"]["runId"], set()).add(task["startedEventId"])
        for execution in executions:
            events = execution.history()
            oracle.sound(events)
            oracle.holds_what_was_acknowledged(events, acknowledged.get(execution.run_id, ()))
            oracle.bodies_ran_once(events, ledger.pop(execution.run_id, ()))
            oracle.is_not_stuck(events)
            oracle.replays(Mix, execution.workflow_id, execution.run_id, events)
            assert "pyflow.park" not in json.dumps(events, default=str)
    finally:
        here.swf.plan_mishaps(None)
        ended.set()
        here.close()


def send_until_taken(execution) -> None:
    while True:
        try:
            execution.signal("go", 1_000)
        except ServiceFault as fault:
            assert fault.status in {0, 500, 503}, fault
            time.sleep(0.01)
        else:
            return


@pytest.mark.parametrize("seed", range(3))
def test_deciders_that_fight_on_a_bad_network(seed):
    fight(seed, runs=6, rate=0.1)


@pytest.mark.proof
def test_deciders_that_fight_on_a_bad_network_many_times():
    first = time.time_ns() % 1_000_000
    print(f"first seed {first}")
    for seed in range(first, first + 60):
        fight(seed, runs=25, rate=0.15)
