"""kill -9 of activity workers in the middle of bodies: each task times out, is tried again, and completes once."""

import asyncio
import json
import random
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

import pyflow
from pyflow import RetryPolicy, activity
from pyflow.local import LocalSWF, VirtualClock
from pyflow.swf.client import create_client

AGAIN = RetryPolicy(initial=0, max_attempts=100)
how = {"start_to_close": 60, "heartbeat": 1, "retry": AGAIN}


def say_begun(name):
    """In one piece: others print at the same time."""
    print(f"{name} began\n", end="", flush=True)


def work(name, seconds):
    """Say that it has begun, and take long at the first attempt; the attempt before says how far it was."""
    task = activity.current()
    task.heartbeat({"attempt": task.attempt})
    say_begun(name)
    time.sleep(seconds if task.attempt == 1 else 0)
    return [task.attempt, task.last_details]


@pyflow.activity(**how)
def in_a_thread(name, seconds):
    return work(name, seconds)


@pyflow.activity(executor="process", **how)
def in_a_process(name, seconds):
    return work(name, seconds)


@pyflow.activity(**how)
async def on_the_loop(name, seconds):
    task = activity.current()
    task.heartbeat({"attempt": task.attempt})
    while task.pulse.pending:
        await asyncio.sleep(0.01)
    say_begun(name)
    await asyncio.sleep(seconds if task.attempt == 1 else 0)
    return [task.attempt, task.last_details]


ALL = {each.name: each for each in (in_a_thread, in_a_process, on_the_loop)}


class Works(pyflow.Workflow):
    NAME = "Works"
    OPTIONS = {"defaultTaskStartToCloseTimeout": 10}

    def run(self, asked):
        return [future.result() for future in [ALL[name].submit(name, seconds) for name, seconds in asked]]


WORKER = """
import sys
sys.path[:0] = {path!r}
import test_killing
from pyflow import ActivityWorker
from pyflow.swf.client import create_client

if __name__ == "__main__":
    ActivityWorker(test_killing.ALL.values(), "d", "list", client=create_client({url!r})).run()
"""


@contextmanager
def service_and_decider(clock=None):
    """Serve SWF over HTTP, and decide; gives the client of this process and the URL."""
    with LocalSWF(clock=clock, poll_wait_s=0.2) as service:
        client = service.direct()
        client.register_domain(name="d", workflowExecutionRetentionPeriodInDays="1")
        decider = pyflow.Decider([Works], "d", "list", "me", client=client)
        decider.ensure_workflows_registered()
        pyflow.ActivityWorker(ALL.values(), "d", "list", client=client).ensure_activities_registered()
        thread = threading.Thread(target=decider.poll_for_decision_tasks)
        thread.start()
        try:
            yield client, service.serve().url
        finally:
            decider.stop()
            thread.join(30)


def worker(folder, url):
    file = folder / "worker.py"
    file.write_text(WORKER.format(path=[str(Path(__file__).parent), *sys.path], url=url))
    return subprocess.Popen([sys.executable, str(file)], stdout=subprocess.PIPE, text=True)


def start(client, asked):
    return pyflow.start_workflow("d", "Works", "1.0", "list", input=asked, client=client)


def outcome(client, execution):
    closed = pyflow.get_workflow_status("d", execution["workflowId"], execution["runId"], client)
    return None if closed.execution_status == "OPEN" else (closed.close_status, closed.result)


def test_a_worker_killed_in_the_middle_of_bodies_is_noticed_by_their_heartbeats_and_another_goes_on(tmp_path):
    clock = VirtualClock()
    with service_and_decider(clock) as (client, url):
        execution = start(client, [[name, 600] for name in ALL])
        with worker(tmp_path, url) as first:
            try:
                assert sorted(first.stdout.readline() for _ in ALL) == sorted(f"{name} began\n" for name in ALL)
            finally:
                first.kill()
        clock.advance(2)
        second = pyflow.ActivityWorker(ALL.values(), "d", "list", "second", client=client)
        deadline_s = time.monotonic() + 60
        while not outcome(client, execution):
            assert time.monotonic() < deadline_s
            second.work_once()
            clock.advance(0.5)  # the timers of the retries
        status, result = outcome(client, execution)

    assert status == "COMPLETED"
    assert json.loads(result) == [[2, {"attempt": 1}]] * 3


@pytest.mark.proof
def test_executions_complete_whatever_worker_is_killed_and_whenever(tmp_path):
    seed = time.time_ns()
    print(f"seed {seed}")
    chance = random.Random(seed)
    with service_and_decider() as (client, url):
        client_of_http = create_client(url)
        executions = [start(client_of_http, [[name, 0.3] for name in ALL]) for _ in range(20)]
        workers = [worker(tmp_path, url) for _ in range(2)]
        try:
            for _ in range(15):
                time.sleep(chance.uniform(0.5, 2.0))
                victim = workers.pop(0)
                victim.kill()
                victim.communicate()
                workers.append(worker(tmp_path, url))
            deadline_s = time.monotonic() + 120
            while not all(outcome(client, execution) for execution in executions):
                assert time.monotonic() < deadline_s
                time.sleep(0.2)
        finally:
            for each in workers:
                each.kill()
                each.communicate()
        attempts = 0
        for execution in executions:
            status, result = outcome(client, execution)
            assert status == "COMPLETED"
            attempts += sum(attempt for attempt, _ in json.loads(result))
    assert attempts > 60, "no kill met a body"
