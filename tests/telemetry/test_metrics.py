"""Metrics: what is counted and timed, in Prometheus's form and through OpenTelemetry."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from pyflow.exceptions import ActivityCanceledException, NondeterminismException, ServiceFault
from pyflow.interceptors import chain
from pyflow.swf import decisions as swf
from pyflow.telemetry import instruments
from pyflow.telemetry.metrics import Metrics
from pyflow.telemetry.otel import OpenTelemetrySink
from pyflow.telemetry.prometheus import PrometheusSink

TASK = {"workflowType": {"name": "Order", "version": "1"}, "startedEventId": 1_003}
ACTIVITY: Any = SimpleNamespace(activity_type="charge")


def raising(error: BaseException) -> Any:
    def proceed() -> Any:
        raise error

    return proceed


@pytest.fixture
def prometheus() -> PrometheusSink:
    return PrometheusSink()


@pytest.fixture
def metrics(prometheus: PrometheusSink) -> Metrics:
    return Metrics(prometheus)


def value(prometheus: PrometheusSink, name: str, **labels: str) -> float | None:
    return prometheus.registry.get_sample_value(f"pyflow_{name}", labels)


def test_calls_are_counted_by_outcome(metrics: Metrics, prometheus: PrometheusSink) -> None:
    metrics.call("PollForDecisionTask", {}, lambda: {"taskToken": "t"})
    metrics.call("PollForDecisionTask", {}, dict)
    metrics.call("PollForDecisionTask", {}, dict)
    throttled = ServiceFault("ThrottlingException", "Rate exceeded")
    with pytest.raises(ServiceFault):
        metrics.call("PollForDecisionTask", {}, raising(throttled))
    outcomes = {
        outcome: value(prometheus, "calls_total", operation="PollForDecisionTask", outcome=outcome)
        for outcome in ("ok", "empty", "ThrottlingException")
    }
    assert outcomes == {"ok": 1, "empty": 2, "ThrottlingException": 1}
    assert value(prometheus, "call_seconds_count", operation="PollForDecisionTask") == 4


def test_polls_of_either_kind_may_be_empty(metrics: Metrics, prometheus: PrometheusSink) -> None:
    metrics.call("PollForActivityTask", {}, dict)
    assert value(prometheus, "calls_total", operation="PollForActivityTask", outcome="empty") == 1


def test_botocore_s_errors_count_under_their_code(metrics: Metrics, prometheus: PrometheusSink) -> None:
    from botocore.exceptions import ClientError, EndpointConnectionError

    denied = ClientError({"Error": {"Code": "AccessDeniedException"}}, "PollForActivityTask")
    for error in (denied, EndpointConnectionError(endpoint_url="http://nowhere")):
        with pytest.raises(type(error)):
            metrics.call("PollForActivityTask", {}, raising(error))
    for outcome in ("AccessDeniedException", "EndpointConnectionError"):
        assert value(prometheus, "calls_total", operation="PollForActivityTask", outcome=outcome) == 1


def test_decisions_are_counted_by_how_they_came_about(metrics: Metrics, prometheus: PrometheusSink) -> None:
    metrics.decide(TASK, lambda: SimpleNamespace(from_memory=True))
    for _ in range(2):
        metrics.decide(TASK, lambda: SimpleNamespace(from_memory=False))
    with pytest.raises(NondeterminismException):
        metrics.decide(TASK, raising(NondeterminismException("a timer", "an activity")))
    counted = {
        outcome: value(prometheus, "decision_tasks_total", workflow="Order", outcome=outcome)
        for outcome in ("memory", "replay", "NondeterminismException")
    }
    assert counted == {"memory": 1, "replay": 2, "NondeterminismException": 1}
    assert value(prometheus, "decision_seconds_count", workflow="Order") == 4
    assert value(prometheus, "history_events_bucket", workflow="Order", le="1000.0") == 0
    assert value(prometheus, "history_events_bucket", workflow="Order", le="3000.0") == 4


def test_times_are_seconds_from_the_beginning_to_the_end(
    metrics: Metrics, prometheus: PrometheusSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([100.0, 100.5, 200.0, 202.0, 300.0, 303.0])
    monkeypatch.setattr("pyflow.telemetry.metrics.perf_counter", lambda: next(clock))
    metrics.call("ListDomains", {}, dict)
    metrics.decide(TASK, lambda: SimpleNamespace(from_memory=True))
    with metrics.perform(ACTIVITY):
        pass
    assert value(prometheus, "call_seconds_sum", operation="ListDomains") == 0.5
    assert value(prometheus, "decision_seconds_sum", workflow="Order") == 2.0
    assert value(prometheus, "activity_seconds_sum", activity="charge") == 3.0


def test_each_sink_gets_all() -> None:
    sinks = [PrometheusSink(), PrometheusSink()]
    metrics = Metrics(*sinks)
    metrics.call("ListDomains", {}, dict)
    metrics.watch(instruments.RUNS_KEPT, lambda: 7.0)
    for sink in sinks:
        assert value(sink, "calls_total", operation="ListDomains", outcome="ok") == 1
        assert value(sink, "call_seconds_count", operation="ListDomains") == 1
        assert value(sink, "runs_kept") == 7.0


def test_parking_is_counted_when_it_is_sent(metrics: Metrics, prometheus: PrometheusSink) -> None:
    parked = {"decisions": [swf.start_timer("pyflow.park.1", "1"), swf.record_marker("pyflow.park.1", details="why")]}
    usual = {"decisions": [swf.record_marker("invoke_once1", details="1")]}
    for response in (parked, usual):
        metrics.call("RespondDecisionTaskCompleted", response, dict)
    with pytest.raises(ServiceFault):
        metrics.call("RespondDecisionTaskCompleted", parked, raising(ServiceFault("UnknownResourceFault", "gone")))
    assert value(prometheus, "parked_total") == 1


@pytest.mark.parametrize(
    ("proceed", "outcome"),
    [
        (lambda: "1", "completed"),
        (raising(ActivityCanceledException("asked")), "canceled"),
        (raising(SystemExit(1)), "failed"),
    ],
    ids=["completed", "canceled", "failed"],
)
def test_bodies_are_counted_by_outcome(
    metrics: Metrics, prometheus: PrometheusSink, proceed: Any, outcome: str
) -> None:
    try:
        with metrics.perform(ACTIVITY):
            proceed()
    except BaseException:
        assert outcome != "completed"
    assert value(prometheus, "activity_tasks_total", activity="charge", outcome=outcome) == 1
    assert value(prometheus, "activity_seconds_count", activity="charge") == 1


def test_a_gauge_is_read_when_it_is_asked_for(metrics: Metrics, prometheus: PrometheusSink) -> None:
    used = [3.0]
    metrics.watch(instruments.SLOTS_USED, lambda: used[0], "thread")
    metrics.watch(instruments.SLOTS_USED, lambda: 1.0, "process")
    assert b'pyflow_slots_used{executor="thread"} 3.0' in prometheus.text()
    used[0] = 4.0
    assert b'pyflow_slots_used{executor="thread"} 4.0' in prometheus.text()
    assert b'pyflow_slots_used{executor="process"} 1.0' in prometheus.text()


def test_opentelemetry_gets_the_same() -> None:
    reader = InMemoryMetricReader()
    metrics = Metrics(OpenTelemetrySink(MeterProvider([reader]).get_meter("test")))
    metrics.call("PollForDecisionTask", {}, dict)
    metrics.decide(TASK, lambda: SimpleNamespace(from_memory=True))
    metrics.watch(instruments.RUNS_KEPT, lambda: 7.0)
    metrics.watch(instruments.SLOTS, lambda: 10.0, "thread")
    metrics.watch(instruments.SLOTS, lambda: 2.0, "process")
    (resource,) = reader.get_metrics_data().resource_metrics
    found = {metric.name: metric.data.data_points for scope in resource.scope_metrics for metric in scope.metrics}
    (calls,) = found["pyflow.calls"]
    assert (dict(calls.attributes), calls.value) == (
        {"pyflow.operation": "PollForDecisionTask", "pyflow.outcome": "empty"},
        1,
    )
    (kept,) = found["pyflow.runs.kept"]
    assert kept.value == 7.0
    slots = [(dict(point.attributes), point.value) for point in found["pyflow.slots"]]
    assert slots == [({"pyflow.executor": "thread"}, 10.0), ({"pyflow.executor": "process"}, 2.0)]
    assert found["pyflow.decision.duration"][0].count == 1
    assert found["pyflow.history.events"][0].explicit_bounds == instruments.EVENTS
    assert found["pyflow.history.events"][0].sum == 1_003


def test_each_metric_is_in_the_operators_page() -> None:
    page = (Path(__file__).parents[2] / "docs" / "operating.md").read_text()
    for each in instruments.INSTRUMENTS:
        assert f"`pyflow_{each.name}`" in page
        for label in each.labels:
            assert label in page


def test_what_the_operators_page_shows_can_be_run() -> None:
    page = (Path(__file__).parents[2] / "docs" / "operating.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 2
    shown: dict[str, Any] = {}
    for block in blocks:
        exec(block, shown)
    shown["tracing"].shutdown()
    assert (
        chain([shown["SlowCalls"](), shown["tracing"]], "call", lambda operation, request: request)("ListDomains", {})
        == {}
    )
