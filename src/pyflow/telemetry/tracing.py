"""
Traces over starts, decisions and activities, with ids made from run and event.

A trace is a run: its trace id is made from the run id, and the id of each span from the run id and the event that it stands
for. So starters, deciders and workers on any machine write into one trace, with nothing handed along in inputs or history.
The first decision of a child links to the run of its parent.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from hashlib import sha256
from time import time_ns
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    TraceFlags,
    set_span_in_context,
    use_span,
)

from pyflow.interceptors import Interceptor
from pyflow.swf.events import attributes_of
from pyflow.tasks import ActivityTask

STARTED_EVENT: Final = 1
"""The id of WorkflowExecutionStarted, for which the first span of a run stands."""


def trace_id(run_id: str) -> int:
    """Return the trace of a run: 128 bits."""
    return int.from_bytes(sha256(run_id.encode()).digest()[:16]) or 1


def span_id(run_id: str, event_id: int) -> int:
    """Return the span of an event of a run: 64 bits."""
    return int.from_bytes(sha256(f"{run_id} {event_id}".encode()).digest()[:8]) or 1


class Tracing(Interceptor):
    """
    Writes a span for each start, decision task and activity body.

    Args:
        processors: where spans go, ``BatchSpanProcessor(OTLPSpanExporter())``.
        resource: says which process this is; None: what OpenTelemetry finds in the environment (``OTEL_SERVICE_NAME``).
    """

    def __init__(self, *processors: SpanProcessor, resource: Resource | None = None) -> None:
        self._provider = TracerProvider(id_generator=_RunIds(), resource=resource)
        for processor in processors:
            self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("pyflow")

    def shutdown(self) -> None:
        """Send what is left."""
        self._provider.shutdown()

    def call(self, operation: str, request: dict[str, Any], proceed: Callable[[], Any]) -> Any:
        """Write the first span of a run where it is started; other calls have none."""
        if operation != "StartWorkflowExecution":
            return proceed()
        started_ns = time_ns()
        reply = proceed()
        workflow_type, run_id = request["workflowType"], reply["runId"]
        attributes = _attributes(request["workflowId"], run_id, workflow_type)
        self._start(
            f"start {workflow_type['name']}", run_id, STARTED_EVENT, SpanKind.PRODUCER, attributes, started_ns
        ).end()
        return reply

    def decide(self, task: dict[str, Any], proceed: Callable[[], Any]) -> Any:
        """Write the span of a decision task."""
        execution, workflow_type = task["workflowExecution"], task["workflowType"]
        run_id = execution["runId"]
        attributes = _attributes(execution["workflowId"], run_id, workflow_type)
        links = [] if task.get("previousStartedEventId") else _link_to_parent(task["events"])
        name = f"decide {workflow_type['name']}"
        span = self._start(name, run_id, task["startedEventId"], SpanKind.CONSUMER, attributes, links=links)
        with use_span(span, end_on_exit=True):
            decided = proceed()
            span.set_attribute("pyflow.from_memory", decided.from_memory)
            span.set_attribute("pyflow.decisions", [each["decisionType"] for each in decided.task.decisions])
            return decided

    @contextmanager
    def perform(self, task: ActivityTask) -> Iterator[None]:
        """Write the span of an activity's body; it is the current span there, so that what the body calls stands below it."""
        attributes = _attributes(task.workflow_id, task.run_id)
        attributes |= {"pyflow.activity": task.activity_type, "pyflow.activity.version": task.activity_version}
        attributes |= {"pyflow.activity.id": task.activity_id, "pyflow.attempt": task.attempt}
        name = f"perform {task.activity_type}"
        span = self._start(name, task.run_id, task.started_event_id, SpanKind.CONSUMER, attributes)
        with use_span(span, end_on_exit=True):
            yield

    def _start(
        self,
        name: str,
        run_id: str,
        event_id: int,
        kind: SpanKind,
        attributes: dict[str, Any],
        start_ns: int | None = None,
        links: Sequence[Link] = (),
    ) -> Span:
        trace = trace_id(run_id)
        token = _next_ids.set((trace, span_id(run_id, event_id)))
        try:
            return self._tracer.start_span(name, self._below_start(run_id, event_id), kind, attributes, links, start_ns)
        finally:
            _next_ids.reset(token)

    def _below_start(self, run_id: str, event_id: int) -> Context:
        """Return the context in which a span stands below the first one of its run, wherever that was written."""
        if event_id == STARTED_EVENT:
            return Context()
        trace = trace_id(run_id)
        sampled = self._provider.sampler.should_sample(None, trace, "run").decision is Decision.RECORD_AND_SAMPLE
        flags = TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT)
        first = SpanContext(trace, span_id(run_id, STARTED_EVENT), is_remote=True, trace_flags=flags)
        return set_span_in_context(NonRecordingSpan(first), Context())


_next_ids: ContextVar[tuple[int, int] | None] = ContextVar("pyflow_next_span_ids", default=None)


class _RunIds(IdGenerator):
    """Gives the ids that were set for the next span; random ones to whoever else asks."""

    def __init__(self) -> None:
        self._random = RandomIdGenerator()

    def generate_trace_id(self) -> int:
        """Return 128 bits."""
        ids = _next_ids.get()
        return self._random.generate_trace_id() if ids is None else ids[0]

    def generate_span_id(self) -> int:
        """Return 64 bits."""
        ids = _next_ids.get()
        return self._random.generate_span_id() if ids is None else ids[1]


def _attributes(workflow_id: str, run_id: str, workflow_type: dict[str, str] | None = None) -> dict[str, Any]:
    attributes = {"pyflow.workflow.id": workflow_id, "pyflow.run.id": run_id}
    if workflow_type is not None:
        attributes |= {"pyflow.workflow": workflow_type["name"], "pyflow.workflow.version": workflow_type["version"]}
    return attributes


def _link_to_parent(events: list[dict[str, Any]]) -> list[Link]:
    """Link a child's decision to the start of its parent's run."""
    if not events or events[0]["eventType"] != "WorkflowExecutionStarted":
        return []
    parent = attributes_of(events[0]).get("parentWorkflowExecution")
    if parent is None:
        return []
    context = SpanContext(trace_id(parent["runId"]), span_id(parent["runId"], STARTED_EVENT), is_remote=True)
    return [Link(context, {"pyflow.link": "parent"})]
