"""``pyflow worker --otlp`` against a collector: what it sends over HTTP is what OpenTelemetry's own protocol reads."""

import json
import signal
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from command import WAIT_S, served, serving, wait_for
from pyflow import handle, start_workflow
from pyflow.cli import observing
from pyflow.cli.observing import Observation
from pyflow.swf.client import create_client
from pyflow.telemetry.tracing import STARTED_EVENT, span_id, trace_id

SHOP = """
import logging
import pyflow

@pyflow.activity(start_to_close=60)
def price(item):
    logging.getLogger('shop').info('pricing')
    return len(item)

class Shop(pyflow.Workflow):
    NAME = 'Shop'
    def run(self, item):
        logging.getLogger('shop').info('begun')
        return price(item)
"""


class Collector:
    """Takes what exporters post."""

    def __init__(self) -> None:
        posts: list[tuple[str, bytes]] = []
        answers = Event()
        answers.set()

        class Door(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                answers.wait(20)
                posts.append((self.path, body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self._posts = posts
        self.answers = answers
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    @property
    def spans(self) -> dict[str, Span]:
        requests = [ExportTraceServiceRequest.FromString(body) for path, body in self._posts if path == "/v1/traces"]
        scopes = [scope for each in requests for resource in each.resource_spans for scope in resource.scope_spans]
        return {span.name: span for scope in scopes for span in scope.spans}

    @property
    def metrics(self) -> set[str]:
        requests = [ExportMetricsServiceRequest.FromString(body) for path, body in self._posts if path == "/v1/metrics"]
        scopes = [scope for each in requests for resource in each.resource_metrics for scope in resource.scope_metrics]
        return {metric.name for scope in scopes for metric in scope.metrics}


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    collector = Collector()
    thread = Thread(target=collector.server.serve_forever)
    thread.start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    yield collector
    collector.server.shutdown()
    thread.join()
    collector.server.server_close()


def test_spans_metrics_and_log_lines_carry_the_ids_of_the_run(tmp_path: Path, collector: Collector) -> None:
    (tmp_path / "shop.py").write_text(SHOP)
    options = ("--domain", "d", "--task-list", "l", "--otlp", "--log-format", "json")
    with served(tmp_path) as url, serving(tmp_path, "worker", "shop.py", *options, "--endpoint-url", url) as worker:
        worker.line("polls")
        execution = start_workflow("d", "Shop", "1.0", "l", input=["book"], client=create_client(url))
        run = handle(execution["workflowId"], execution["runId"], domain="d", client=create_client(url))
        assert run.result(timeout=WAIT_S) == 1
        worker.line("pricing")
        assert worker.end(signal.SIGTERM) == 0

    run_id = execution["runId"]
    spans = collector.spans
    assert set(spans) == {"decide Shop", "perform price"}
    for span in spans.values():
        assert span.trace_id == trace_id(run_id).to_bytes(16)
        assert span.parent_span_id == span_id(run_id, STARTED_EVENT).to_bytes(8)
    assert {
        "pyflow.calls",
        "pyflow.decision.duration",
        "pyflow.history.events",
        "pyflow.runs.kept",
        "pyflow.activity.tasks",
        "pyflow.slots",
        "pyflow.slots.used",
    } <= collector.metrics
    records = [json.loads(line) for line in worker.log.read_text().splitlines() if line.startswith("{")]
    begun, pricing = (next(each for each in records if each["message"] == text) for text in ("begun", "pricing"))
    for record in (begun, pricing):
        assert (record["workflow_id"], record["run_id"]) == (execution["workflowId"], run_id)
    assert (begun["workflow_type"], pricing["attempt"]) == ("Shop", 1)


def test_a_collector_that_does_not_answer_does_not_hold_up_the_end(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(observing, "CLOSE_S", 0.05)
    observed = Observation(None, None, otlp=True, own=[])
    observed.metrics.call("PollForDecisionTask", {}, dict)
    collector.answers.clear()
    observed.close()
    assert "has not taken the last metrics" in caplog.text
    assert not collector.metrics
    collector.answers.set()
    wait_for(lambda: collector.metrics == {"pyflow.calls", "pyflow.call.duration"}, "metrics, late")
