"""A local service with deciders and activity workers in threads of this process, for tests of what they do together."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pyflow
from pyflow.exceptions import ServiceFault
from pyflow.local import LocalSWF
from pyflow.swf.events import attributes_of

WAIT_S = 60.0
"""What takes longer on however slow a machine is broken."""


class Recording:
    """A client that keeps its requests and replies, by method; ``fail(method, **request)`` may raise instead."""

    def __init__(self, client: Any, fail: Callable[..., None] = lambda method, **request: None) -> None:
        self._client = client
        self._fail = fail
        self.calls: list[tuple[str, dict[str, Any], Any]] = []

    def __getattr__(self, method: str) -> Any:
        real = getattr(self._client, method)
        if method == "accepts":
            return real

        def call(**request: Any) -> Any:
            self._fail(method, **request)
            reply = real(**request)
            self.calls.append((method, request, reply))
            return reply

        return call

    def tasks(self) -> list[tuple[str, dict[str, Any]]]:
        """The decision tasks got: (task list, reply)."""
        return [
            (request["taskList"]["name"], reply)
            for method, request, reply in self.calls
            if method == "poll_for_decision_task" and reply.get("taskToken")
        ]

    def answers(self) -> list[dict[str, Any]]:
        return [request for method, request, _ in self.calls if method == "respond_decision_task_completed"]


class Site:
    """One domain of a service, and who works in it."""

    def __init__(self, **options: Any) -> None:
        self.swf = LocalSWF(**{"poll_wait_s": 0.2, "seed": 0} | options)
        self.client = self.swf.direct()
        self.client.register_domain(name="d", workflowExecutionRetentionPeriodInDays="1")
        self._ends: list[Callable[[], None]] = []

    def decider(self, *classes: Any, client: Any = None, **options: Any) -> pyflow.Decider:
        decider = pyflow.Decider(classes, "d", "tl", "me", client=client or self.client, **options)
        self.run(decider.poll_for_decision_tasks, decider.stop)
        return decider

    def worker(self, *activities: Any, client: Any = None, **options: Any) -> pyflow.ActivityWorker:
        worker = pyflow.ActivityWorker(activities, "d", "tl", "me", client=client or self.client, **options)
        worker.ensure_activities_registered()
        self.run(worker.run, worker.stop)
        return worker

    def run(self, work: Callable[[], None], stop: Callable[[], None]) -> threading.Thread:
        thread = threading.Thread(target=work, daemon=True)
        thread.start()

        def end() -> None:
            stop()
            thread.join(WAIT_S)
            assert not thread.is_alive(), "it does not end"

        self._ends.append(end)
        return thread

    def start(self, workflow: Any, input: Any = None, **options: Any) -> Any:
        def started() -> Any:
            try:
                return pyflow.start_workflow(
                    "d", workflow.NAME, "1.0", "tl", input=json.dumps(input), client=self.client, **options
                ).handle
            except ServiceFault as fault:
                assert fault.code in {"UnknownResourceFault", "TypeDeprecatedFault"}, fault  # not registered yet
                return None

        return wait_for(started, "registration")

    def start_before(self, workflow: Any, input: Any = None) -> Any:
        """Start an execution before anybody decides, a moment ago: SWF selects events by the millisecond."""
        pyflow.Decider([workflow], "d", "tl", "me", client=self.client).ensure_workflows_registered()
        handle = self.start(workflow, input)
        time.sleep(0.01)
        return handle

    def close(self) -> None:
        for end in reversed(self._ends):
            end()
        self.swf.close()


@contextmanager
def site(**options: Any) -> Iterator[Site]:
    one = Site(**options)
    try:
        yield one
    finally:
        one.close()


def wait_for(condition: Callable[[], Any], what: str, wait_s: float = WAIT_S) -> Any:
    deadline = time.monotonic() + wait_s
    while not (found := condition()):
        assert time.monotonic() < deadline, f"no {what} after {wait_s} s"
        time.sleep(0.005)
    return found


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return [event["eventType"] for event in events]


def attributes(events: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [attributes_of(event) for event in events if event["eventType"] == kind]
