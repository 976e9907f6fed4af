"""Interceptors surround calls, decisions and bodies, in order, and cost nothing where none is wanted."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import pytest

import pyflow
from pyflow.exceptions import ServiceFault
from pyflow.interceptors import Interceptor, chain, intercept
from pyflow.local import LocalSWF
from pyflow.telemetry.metrics import Metrics
from pyflow.telemetry.prometheus import PrometheusSink


class Noting(Interceptor):
    def __init__(self, name: str, notes: list[str]) -> None:
        self.name = name
        self.notes = notes

    def call(self, operation: str, request: dict[str, Any], proceed: Any) -> Any:
        self.notes.append(f"{self.name} {operation} {request.get('domain', request.get('name'))}")
        reply = proceed()
        self.notes.append(f"{self.name} done")
        return reply


def test_the_first_is_the_outermost() -> None:
    notes: list[str] = []
    send = chain([Noting("a", notes), Noting("b", notes)], "call", lambda operation, request: notes.append("sent"))
    send("ListDomains", {"domain": "d"})
    assert notes == ["a ListDomains d", "b ListDomains d", "sent", "b done", "a done"]


def test_a_hook_that_nobody_overrides_costs_nothing() -> None:
    def innermost() -> None:
        pass

    assert chain([Noting("a", []), Interceptor()], "decide", innermost) is innermost
    client = object()
    assert intercept(client, [Interceptor()]) is client


def test_a_client_s_calls_go_through_and_what_is_no_call_is_the_client_s() -> None:
    notes: list[str] = []
    with LocalSWF() as swf:
        client = intercept(swf.client(), [Noting("a", notes)])
        client.register_domain(name="d", workflowExecutionRetentionPeriodInDays="1")
        assert client.meta.region_name == swf.client().meta.region_name
    assert notes == ["a RegisterDomain d", "a done"]


def test_a_request_may_be_changed_on_the_way() -> None:
    class Tagging(Interceptor):
        def call(self, operation: str, request: dict[str, Any], proceed: Any) -> Any:
            if operation == "StartWorkflowExecution":
                request["tagList"] = ["by the interceptor"]
            return proceed()

    with LocalSWF() as swf:
        swf.direct().register_domain(name="d", workflowExecutionRetentionPeriodInDays="1")
        options = {"childPolicy": "TERMINATE", "taskStartToCloseTimeout": "9", "executionStartToCloseTimeout": "9"}
        swf.direct().register_workflow_type(
            domain="d",
            name="W",
            version="1",
            **{f"default{key[0].upper()}{key[1:]}": value for key, value in options.items()},
        )
        client = intercept(swf.direct(), [Tagging()])
        started = pyflow.start_workflow("d", "W", "1", "list", client=client)
        run = {"workflowId": started["workflowId"], "runId": started["runId"]}
        info = swf.direct().describe_workflow_execution(domain="d", execution=run)["executionInfo"]
        assert info["tagList"] == ["by the interceptor"]


def test_faults_pass_through() -> None:
    with LocalSWF() as swf:
        client = intercept(swf.direct(), [Noting("a", [])])
        with pytest.raises(ServiceFault, match="UnknownResourceFault"):
            client.describe_domain(name="nowhere")


class Order(pyflow.Workflow):
    NAME = "Order"

    def run(self, steps: int) -> int:
        for _ in range(steps):
            self.swf.sleep(0)
        return steps


class Asking(pyflow.Interceptor):
    """Looks at each task before it is decided, and at what came of it."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, bool]] = []

    def decide(self, task: dict[str, Any], proceed: Any) -> Any:
        decided = proceed()
        self.seen.append((task["startedEventId"], decided.from_memory))
        return decided


def test_a_decider_has_its_calls_and_decisions_surrounded() -> None:
    notes: list[str] = []
    asking, prometheus = Asking(), PrometheusSink()
    with LocalSWF(poll_wait_s=0.2) as swf:
        swf.direct().register_domain(name="d", workflowExecutionRetentionPeriodInDays="1")
        interceptors = [asking, Noting("a", notes), Metrics(prometheus)]
        decider = pyflow.Decider([Order], "d", "l", "me", swf.direct(), interceptors=interceptors)
        decider.ensure_workflows_registered()
        started = pyflow.start_workflow("d", workflow=Order, task_list="l", input=2, client=swf.direct())
        deciding = threading.Thread(target=decider.poll_for_decision_tasks)
        deciding.start()
        handle = pyflow.handle(started["workflowId"], started["runId"], domain="d", client=swf.direct())
        assert handle.result(timeout=20) == 2
        decider.stop()
        deciding.join()
    assert [from_memory for _, from_memory in asking.seen] == [False, True, True]
    assert notes.count("a RespondDecisionTaskCompleted None") == 3

    def value(name: str, **labels: str) -> float | None:
        return prometheus.registry.get_sample_value(f"pyflow_{name}", labels)

    assert value("decision_tasks_total", workflow="Order", outcome="replay") == 1
    assert value("decision_tasks_total", workflow="Order", outcome="memory") == 2
    assert value("calls_total", operation="RespondDecisionTaskCompleted", outcome="ok") == 3


@pyflow.activity(start_to_close=60)
def in_a_thread(fails: bool) -> str:
    if fails:
        raise ValueError("no")
    return SEEN.get()


@pyflow.activity(start_to_close=60, executor="async")
async def on_the_loop(fails: bool) -> str:
    await asyncio.sleep(0)
    if fails:
        raise ValueError("no")
    return SEEN.get()


@pyflow.activity(start_to_close=60, executor="process")
def in_a_process(fails: bool) -> str:
    if fails:
        raise ValueError("no")
    return "elsewhere"


SEEN: ContextVar[str] = ContextVar("SEEN")


class Bodies(pyflow.Workflow):
    NAME = "Bodies"

    def run(self, _input: None) -> list[str]:
        ends = []
        for body in (in_a_thread, on_the_loop, in_a_process):
            ends.append(body(False))
            future = body.submit(True)
            self.swf.wait_for_all(future)
            ends.append(str(future.exception))
        return ends


class Around(pyflow.Interceptor):
    def __init__(self) -> None:
        self.seen: list[tuple[str, str | None]] = []

    @contextmanager
    def perform(self, task: pyflow.ActivityTask) -> Iterator[None]:
        token = SEEN.set(f"around {task.activity_type}")
        error: str | None = None
        try:
            yield
        except Exception as raised:
            error = f"{type(raised).__name__}: {raised}"
            raise
        finally:
            SEEN.reset(token)
            self.seen.append((task.activity_type, error))


def test_bodies_of_every_executor_are_surrounded() -> None:
    around = Around()
    with LocalSWF(poll_wait_s=0.2) as swf:
        swf.direct().register_domain(name="d", workflowExecutionRetentionPeriodInDays="1")
        decider = pyflow.Decider([Bodies], "d", "l", "me", swf.direct())
        activities = [in_a_thread, on_the_loop, in_a_process]
        worker = pyflow.ActivityWorker(activities, "d", "l", "me", swf.direct(), interceptors=[around])
        decider.ensure_workflows_registered()
        worker.ensure_activities_registered()
        running = [threading.Thread(target=run) for run in (decider.poll_for_decision_tasks, worker.run)]
        for thread in running:
            thread.start()
        started = pyflow.start_workflow("d", workflow=Bodies, task_list="l", client=swf.direct())
        handle = pyflow.handle(started["workflowId"], started["runId"], domain="d", client=swf.direct())
        result = handle.result(timeout=30)
        decider.stop()
        worker.stop()
        for thread in running:
            thread.join()
    failed = "ValueError: no"
    assert result == ["around in_a_thread", failed, "around on_the_loop", failed, "elsewhere", failed]
    assert around.seen == [
        ("in_a_thread", None),
        ("in_a_thread", "ValueError: no"),
        ("on_the_loop", None),
        ("on_the_loop", "ValueError: no"),
        ("in_a_process", None),
        ("in_a_process", f"InvocationFailedException: {failed}"),
    ]
