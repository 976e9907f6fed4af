"""Executions with boto3 over HTTP, beside a fresh moto server; and ten thousand of them, to see whether it stays flat."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from benchmarks.peers import PEERS, Peer, asked
from benchmarks.rows import OURS, Goal, Row
from benchmarks.timing import medians
from pyflow.local import LocalSWF

__all__ = ["Driver", "measure", "measure_flatness"]

EXECUTIONS = 40
FIRST, LAST, BLOCK = 10, 10_000, 100
GOAL = 2


def measure(*, small: bool = False) -> list[Row]:
    """
    Return executions a second: each has one activity, and costs seven calls of one boto3 client, one after the other.

    Each turn has a fresh server on either side, for moto's slows down with each execution that it has seen.
    """
    executions = 3 if small else EXECUTIONS
    with asked(*(() if small else ("moto",))) as peers:
        peers.try_out("fresh")
        timed: dict[str, Callable[[], float]] = {OURS: partial(_ours, executions)}
        for title, peer in peers.peers.items():
            timed[title] = partial(_theirs, peer, executions)
        figures = medians(timed, turns=1 if small else 5)
    what = f"executions of one activity over HTTP, the first {executions} of a server"
    goals = (Goal(PEERS["moto"]["title"], GOAL),)
    return [Row(what, "executions/s", figures, peers.missing, goals, more_is_better=True)]


def measure_flatness(*, small: bool = False) -> list[Row]:
    """
    Return what an execution costs late and early, on one service: through the direct client, as it is 10,000 of them.

    In between they are run as fast as may be; what is timed are blocks of them at the beginning and at the end.
    """
    first, last, block = (2, 30, 5) if small else (FIRST, LAST, BLOCK)
    with tempfile.TemporaryDirectory() as folder, LocalSWF(Path(folder) / "flow.db") as swf:
        driver = Driver(swf.direct())
        driver.run(first)
        early = driver.median(block)
        driver.run(last - first - 2 * block)
        late = driver.median(block)
    figures = {OURS: late * 1e3, "the 10th": early * 1e3}
    return [Row(f"the {last:,}th execution of one activity", "ms", figures, goals=(Goal("the 10th", 1.25, most=True),))]


def _ours(executions: int) -> float:
    """A process of its own on either side of the connection, as with moto."""
    with tempfile.TemporaryDirectory() as name:
        port = Path(name) / "port"
        command: list[str | Path] = [
            sys.executable,
            "-m",
            "pyflow",
            "server",
            "--port",
            "0",
            "--port-file",
            port,
            "--db",
            port.with_name("db"),
        ]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            while not port.exists():
                time.sleep(0.01)
                assert server.poll() is None, "the server did not start"
            return _rate(f"http://127.0.0.1:{port.read_text(encoding='ascii').strip()}", executions)
        finally:
            server.terminate()
            server.wait()


def _theirs(moto: Peer, executions: int) -> float:
    return _rate(moto.ask("fresh"), executions)


def _rate(url: str, executions: int) -> float:
    import boto3

    keys = {"aws_access_key_id": "any", "aws_secret_access_key": "any"}
    with closing(boto3.client("swf", endpoint_url=url, region_name="us-east-1", **keys)) as client:
        return 1 / Driver(client).run(executions)


class Driver:
    """A hand that is starter, decider and worker in turn."""

    def __init__(self, client: Any, *, known: bool = False) -> None:
        self._client = client
        self._number = 0 if not known else 1
        if not known:
            self._register(client)

    def _register(self, client: Any) -> None:
        client.register_domain(name="domain", workflowExecutionRetentionPeriodInDays="1")
        client.register_workflow_type(
            domain="domain",
            name="flow",
            version="1",
            defaultTaskStartToCloseTimeout="60",
            defaultExecutionStartToCloseTimeout="3600",
            defaultChildPolicy="TERMINATE",
            defaultTaskList={"name": "list"},
        )
        client.register_activity_type(
            domain="domain",
            name="act",
            version="1",
            defaultTaskStartToCloseTimeout="60",
            defaultTaskHeartbeatTimeout="NONE",
            defaultTaskScheduleToStartTimeout="NONE",
            defaultTaskScheduleToCloseTimeout="NONE",
            defaultTaskList={"name": "list"},
        )

    def run(self, executions: int) -> float:
        """Run so many, one after the other; return the seconds that one took on average."""
        before = perf_counter()
        for _ in range(executions):
            self._run_one()
        return (perf_counter() - before) / executions

    def median(self, executions: int) -> float:
        """Run so many; return the median of their seconds."""
        return median([self.run(1) for _ in range(executions)])

    def leave_open(self, events: int) -> None:
        """Leave an execution of about so many events with an activity that a worker has."""
        self._start_one()
        for number in range(max(1, events - 9)):
            self._client.signal_workflow_execution(
                domain="domain", workflowId=f"w{self._number}", signalName=str(number)
            )
        self._decide()

    def _start_one(self) -> dict[str, Any]:
        """Start an execution; return its activity's task."""
        self._number += 1
        kind = {"name": "flow", "version": "1"}
        self._client.start_workflow_execution(domain="domain", workflowId=f"w{self._number}", workflowType=kind)
        schedule = {"activityId": "a", "activityType": {"name": "act", "version": "1"}}
        self._decide(decisionType="ScheduleActivityTask", scheduleActivityTaskDecisionAttributes=schedule)
        task: dict[str, Any] = self._client.poll_for_activity_task(domain="domain", taskList={"name": "list"})
        return task

    def _run_one(self) -> None:
        task = self._start_one()
        self._client.respond_activity_task_completed(taskToken=task["taskToken"], result="1")
        self._decide(decisionType="CompleteWorkflowExecution", completeWorkflowExecutionDecisionAttributes={})

    def _decide(self, **decision: Any) -> None:
        task = self._client.poll_for_decision_task(domain="domain", taskList={"name": "list"})
        self._client.respond_decision_task_completed(
            taskToken=task["taskToken"], decisions=[decision] if decision else []
        )
