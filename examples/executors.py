"""
Bodies in threads, in processes and on an asyncio loop, side by side in one worker, with retries that no history sees.

    python examples/executors.py
"""

import asyncio
import hashlib
import json
from threading import Thread
from typing import Any

import pyflow
from pyflow import RetryPolicy, activity
from pyflow.local import LocalSWF
from pyflow.testing import Flow


@pyflow.activity(start_to_close=60)
def read(page: str) -> str:
    """In a thread, which is for whatever waits: files, databases, requests."""
    return f"text of {page}"


@pyflow.activity(start_to_close=300, heartbeat=30, executor="process")
def digest(text: str, rounds: int) -> str:
    """In a process of its own: it may use a whole processor, and if it crashes the workflow is told at once."""
    data = text.encode()
    for _ in range(rounds):
        data = hashlib.sha256(data).digest()
    return data.hex()[:8]


@pyflow.activity(start_to_close=60, heartbeat=10, retry_in_worker=RetryPolicy(initial=0.01, max_attempts=3))
async def ping(hosts: list[str]) -> list[str]:
    """On the worker's loop, with hundreds of others; a cancel arrives at the await."""
    if activity.current().attempt_in_worker == 1:
        raise ConnectionError("the first try fails, and is repeated without a word to SWF")
    await asyncio.sleep(0.01)
    return [f"{host} is up" for host in hosts]


class Survey(pyflow.Workflow):
    NAME = "Survey"

    def run(self, hosts: list[str]) -> dict[str, Any]:
        answers = ping.submit(hosts)
        text = read("page 1")
        return {"digest": digest(text, 1000), "hosts": answers.result()}


def demonstrate(flow: Flow) -> Any:
    return flow.run(Survey, ["a", "b"])


def main() -> None:
    with LocalSWF(poll_wait_s=0.5) as service:
        client = service.direct()
        client.register_domain(name="d", workflowExecutionRetentionPeriodInDays="1")
        decider = pyflow.Decider([Survey], "d", "list", "decider", client)
        worker = pyflow.ActivityWorker([read, digest, ping], "d", "list", client=client, concurrency={"process": 2})
        decider.ensure_workflows_registered()
        worker.ensure_activities_registered()
        threads = [Thread(target=runs) for runs in (decider.poll_for_decision_tasks, worker.run)]
        for thread in threads:
            thread.start()
        execution = pyflow.start_workflow("d", workflow=Survey, task_list="list", input=["a", "b"], client=client)
        print(json.dumps(execution.handle.result()))
        decider.stop()
        worker.stop()
        for thread in threads:
            thread.join()


if __name__ == "__main__":  # needed: the process of `digest` imports this file
    main()

# On AWS: `pyflow worker examples/executors.py --domain d --task-list list`.
