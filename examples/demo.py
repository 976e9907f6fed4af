"""
What ``make demo`` runs: a service, a decider and an activity worker as processes of their own, and a decider that is killed.

Ends with 0 if everything was as it should be, within a minute.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console

import pyflow
from pyflow.cli.output import render
from pyflow.history.trace import Line, Trace
from pyflow.swf.client import create_client

HERE = Path(__file__).parent
DOMAIN, TASK_LIST = "demo", "demo-tasks"
DEADLINE_S = 55.0
ORDER = {"id": "o-1", "customer": "Ada", "items": ["book", "lamp", "tea"]}

console = Console(highlight=False, soft_wrap=True)
began_s = time.monotonic()


class Wrong(Exception):
    """Something was not as it should be."""


def wait_until(condition: Callable[[], object], what: str) -> None:
    while not condition():
        if time.monotonic() - began_s > DEADLINE_S:
            raise Wrong(f"still waiting for {what} after {DEADLINE_S:.0f} s")
        time.sleep(0.02)


def expect(what: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise Wrong(f"{what} should be {wanted!r}, and is {found!r}")
    console.print(f"  [green]✓[/] {what} is {json.dumps(found)}")


class Process:
    """A pyflow command in a process of its own; what it prints goes to a file."""

    def __init__(self, folder: Path, name: str, *arguments: str) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        with self.log.open("wb") as log:
            command = [sys.executable, "-m", "pyflow", *arguments]
            self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=folder)

    def ready(self, sign: str) -> str:
        """Wait until a line with a sign is printed, and give that line."""
        lines: list[str] = []

        def printed() -> bool:
            if self.process.poll() is not None:
                raise Wrong(f"{self.name} ended:\n{self.log.read_text()}")
            lines[:] = [line for line in self.log.read_text().splitlines() if sign in line]
            return bool(lines)

        wait_until(printed, f"{self.name} to be ready")
        console.print(f"  {self.name:<12} process {self.process.pid:<8} {lines[0].strip()}")
        return lines[0]

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.kill()


class Demo:
    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.stack = stack
        lambdas = [
            f"--lambda={name}={HERE / 'my_workflow.py'}:{name}" for name in ("some_lambda_func", "other_lambda_func")
        ]
        server = self.start("server", "server", "--port", "0", "--db", str(folder / "demo.db"), *lambdas)
        self.url = server.ready("ready").split(" at ")[1].split(",")[0]
        self.client = create_client(self.url)

    def start(self, name: str, *arguments: str) -> Process:
        process = Process(self.folder, name, *arguments)
        self.stack.callback(process.end)
        return process

    def worker(self, name: str, kind: str) -> Process:
        files = [str(HERE / "my_workflow.py"), str(HERE / "order.py")]
        where = ["--domain", DOMAIN, "--task-list", TASK_LIST, "--endpoint-url", self.url]
        process = self.start(name, "worker", *files, *where, "--only", kind, "--identity", name)
        process.ready("polls")
        return process

    def begin(self, workflow: str, value: object) -> dict[str, str]:
        return pyflow.start_workflow(DOMAIN, workflow, "1.0", TASK_LIST, input=json.dumps(value), client=self.client)

    def follow(self, execution: dict[str, str], *, at: Callable[[Line], object] = lambda line: None) -> dict[str, str]:
        """Print what happens until an execution closes; ``at`` sees each line."""
        trace = Trace(self.client, DOMAIN, execution)
        began: list[object] = []

        def closed() -> bool:
            ended = trace.closed is not None
            for line in trace.new():
                began.append(line.time)
                console.print(render(line, began[0]))
                at(line)
            return ended

        wait_until(closed, f"{execution['workflowId']} to close")
        return execution

    def is_decided(self, execution: dict[str, str]) -> bool:
        """Whether nobody owes the execution a decision: it waits for something else."""
        about = self.client.describe_workflow_execution(domain=DOMAIN, execution=execution)
        return not about["openCounts"]["openDecisionTasks"]

    def status(self, execution: dict[str, str]) -> pyflow.WorkflowStatus:
        status = pyflow.get_workflow_status(DOMAIN, execution["workflowId"], execution["runId"], self.client)
        if status is None:
            raise Wrong(f"execution {execution} is gone")
        return status

    def events(self, execution: dict[str, str], event_type: str) -> list[dict[str, Any]]:
        history = self.client.get_workflow_execution_history(domain=DOMAIN, execution=execution)["events"]
        return [event for event in history if event["eventType"] == event_type]


def demonstrate(demo: Demo) -> None:
    decider = demo.worker("decider-1", "deciders")
    demo.worker("activities", "activities")

    console.print("\n[bold]MyWorkflow, with a good input[/]: two Lambda functions, one after the other")
    status = demo.status(demo.follow(demo.begin("MyWorkflow", "Hello")))
    expect("its close status", status.close_status, "COMPLETED")
    expect("its result", json.loads(status.result or "null"), 49)

    console.print("\n[bold]MyWorkflow, with bad_input[/]: it fails on purpose")
    status = demo.status(demo.follow(demo.begin("MyWorkflow", "bad_input")))
    expect("its close status", status.close_status, "FAILED")
    expect("its reason", status.failure_reason, "BAD_INPUT")

    console.print(
        "\n[bold]Order[/]: activities in parallel, a child workflow, timers; its decider is killed in the middle"
    )

    execution = demo.begin("Order", ORDER)

    def kill_at_the_timer(line: Line) -> None:
        if line.depth == 1 and line.what == "timer started":
            wait_until(lambda: demo.is_decided(execution), "the decider to wait")
            decider.kill()
            console.print("              [red bold]decider-1 is killed with SIGKILL[/], while the order is on its way")
            demo.worker("decider-2", "deciders")

    demo.follow(execution, at=kill_at_the_timer)
    status = demo.status(execution)
    expect("its close status", status.close_status, "COMPLETED")
    expect(
        "its result", json.loads(status.result or "null"), {"receipt": "Ada paid 59", "parcel": "parcel o-1, 3 items"}
    )
    started = demo.events(execution, "DecisionTaskStarted")
    deciders = [event["decisionTaskStartedEventAttributes"]["identity"] for event in started]
    expect("who decided first and last", [deciders[0], deciders[-1]], ["decider-1", "decider-2"])
    expect("the number of activities asked for", len(demo.events(execution, "ActivityTaskScheduled")), 4)
    expect("the number of activities done", len(demo.events(execution, "ActivityTaskCompleted")), 4)


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is ended
    os.environ.pop("AWS_PROFILE", None)
    console.print("[bold]pyflow demo[/]: SWF, a decider and an activity worker, on this machine")
    with TemporaryDirectory(prefix="pyflow-demo-") as folder, ExitStack() as stack:
        try:
            demonstrate(Demo(Path(folder), stack))
        except Wrong as wrong:
            console.print(f"\n[red bold]Not as it should be:[/] {wrong}", markup=True)
            for log in sorted(Path(folder).glob("*.log")):
                console.print(f"\n--- {log.name}\n{log.read_text()[-2_000:]}", markup=False)
            return 1
    console.print(f"\n[green bold]All as it should be[/], in {time.monotonic() - began_s:.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
