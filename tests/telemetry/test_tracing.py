"""Traces: ids made from run and event, so that every process writes into one trace."""

from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from pyflow.telemetry.tracing import Tracing, span_id, trace_id

TYPE = {"name": "Order", "version": "1"}


def task(run_id: str = "run", *, started: int = 9, previous: int = 3, parent: str | None = None) -> dict[str, Any]:
    attributes = {} if parent is None else {"parentWorkflowExecution": {"workflowId": "p", "runId": parent}}
    first = {"eventType": "WorkflowExecutionStarted", "workflowExecutionStartedEventAttributes": attributes}
    execution = {"workflowId": "w", "runId": run_id}
    return {
        "workflowType": TYPE,
        "workflowExecution": execution,
        "startedEventId": started,
        "previousStartedEventId": previous,
        "events": [first],
    }


def activity_task(**changed: Any) -> Any:
    usual = {
        "activity_type": "charge",
        "activity_version": "1",
        "activity_id": "activity1",
        "attempt": 2,
        "workflow_id": "w",
        "run_id": "run",
        "started_event_id": 6,
    }
    return SimpleNamespace(**{**usual, **changed})


def decided() -> Any:
    return SimpleNamespace(from_memory=True, task=SimpleNamespace(decisions=[{"decisionType": "StartTimer"}]))


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracing(exporter: InMemorySpanExporter) -> Any:
    made = Tracing(SimpleSpanProcessor(exporter))
    yield made
    made.shutdown()


def start(tracing: Tracing) -> None:
    request = {"workflowId": "w", "workflowType": TYPE}
    tracing.call("StartWorkflowExecution", request, lambda: {"runId": "run"})


def perform(tracing: Tracing) -> None:
    with tracing.perform(activity_task()):
        pass


def test_ids_never_change() -> None:
    assert format(trace_id("run"), "032x") == "acba25512100f80b56fc3ccd14c65be5"
    assert format(span_id("run", 9), "016x") == "1c91ed5461e11bba"


def test_start_decision_and_body_are_one_trace_whoever_writes_them(exporter: InMemorySpanExporter) -> None:
    for work in (
        start,
        lambda tracing: tracing.decide(task(), decided),
        perform,
    ):
        tracing = Tracing(SimpleSpanProcessor(exporter))  # as in three processes
        work(tracing)
    started, decision, body = exporter.get_finished_spans()
    assert {span.context.trace_id for span in (started, decision, body)} == {trace_id("run")}
    assert [span.context.span_id for span in (started, decision, body)] == [
        span_id("run", event) for event in (1, 9, 6)
    ]
    assert started.parent is None
    assert [span.kind for span in (started, decision, body)] == [
        SpanKind.PRODUCER,
        SpanKind.CONSUMER,
        SpanKind.CONSUMER,
    ]
    for span in (started, decision, body):
        assert (span.attributes["pyflow.workflow.id"], span.attributes["pyflow.run.id"]) == ("w", "run")
    assert decision.attributes["pyflow.from_memory"] is True
    assert {span.parent.span_id for span in (decision, body)} == {span_id("run", 1)}
    assert [span.name for span in (started, decision, body)] == ["start Order", "decide Order", "perform charge"]
    assert decision.attributes["pyflow.decisions"] == ("StartTimer",)
    assert body.attributes["pyflow.attempt"] == 2


def test_a_task_done_again_writes_the_same_span(tracing: Tracing, exporter: InMemorySpanExporter) -> None:
    tracing.decide(task(), decided)
    tracing.decide(task(), decided)
    one, other = exporter.get_finished_spans()
    assert one.context == other.context


def test_a_child_s_first_decision_links_to_its_parent(tracing: Tracing, exporter: InMemorySpanExporter) -> None:
    tracing.decide(task("child", previous=0, parent="run"), decided)
    tracing.decide(task("child", parent="run"), decided)
    first, second = exporter.get_finished_spans()
    assert [(link.context.trace_id, link.context.span_id) for link in first.links] == [
        (trace_id("run"), span_id("run", 1))
    ]
    assert second.links == ()


def test_what_a_body_traces_stands_below_it_with_ids_of_its_own(
    tracing: Tracing, exporter: InMemorySpanExporter
) -> None:
    seen = []
    with tracing.perform(activity_task()):
        seen.append(trace.get_current_span().get_span_context())
    (body,) = exporter.get_finished_spans()
    assert seen == [body.context]


def test_what_is_traced_around_them_is_no_parent_of_theirs(tracing: Tracing, exporter: InMemorySpanExporter) -> None:
    provider = TracerProvider()
    with provider.get_tracer("author's").start_as_current_span("request"):
        start(tracing)
        perform(tracing)
    started, body = exporter.get_finished_spans()
    assert (started.parent, body.parent.span_id) == (None, span_id("run", 1))


def test_spans_that_the_author_begins_beside_them_have_ids_of_their_own(
    tracing: Tracing, exporter: InMemorySpanExporter
) -> None:
    perform(tracing)
    tracing._provider.get_tracer("author's").start_span("of the author").end()
    body, other = exporter.get_finished_spans()
    assert other.context.span_id != body.context.span_id
    assert other.context.trace_id != body.context.trace_id


def test_a_start_lasts_as_long_as_its_call(
    tracing: Tracing, exporter: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_ns = [1_000]

    def call() -> dict[str, str]:
        now_ns[0] = 5_000
        return {"runId": "run"}

    monkeypatch.setattr("pyflow.telemetry.tracing.time_ns", lambda: now_ns[0])
    tracing.call("StartWorkflowExecution", {"workflowId": "w", "workflowType": TYPE}, call)
    (started,) = exporter.get_finished_spans()
    assert started.start_time == 1_000


def test_a_decision_that_fails_is_told_and_raised(tracing: Tracing, exporter: InMemorySpanExporter) -> None:
    def undecidable() -> Any:
        raise ValueError("no such code")

    with pytest.raises(ValueError, match="no such code"):
        tracing.decide(task(), undecidable)
    (decision,) = exporter.get_finished_spans()
    assert decision.status.description == "ValueError: no such code"


def test_a_failure_is_told_and_raised(tracing: Tracing, exporter: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="no money"), tracing.perform(activity_task()):
        raise ValueError("no money")
    (body,) = exporter.get_finished_spans()
    assert body.status.description == "ValueError: no money"


def test_other_calls_have_no_span(tracing: Tracing, exporter: InMemorySpanExporter) -> None:
    tracing.call("PollForDecisionTask", {}, dict)
    assert exporter.get_finished_spans() == ()
