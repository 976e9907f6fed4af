from datetime import UTC, datetime, timedelta
from typing import Any

from pyflow import DataConverter, EncryptionCodec
from pyflow.cli.output import render
from pyflow.history import trace as trace_module
from pyflow.history.trace import ALONE, ANSWERED, ASKED, Line, Trace
from pyflow.swf.model import EVENT_ATTRIBUTES, SHAPES

PARENT = {"workflowId": "w", "runId": "r"}
CHILD = {"workflowId": "r.child_workflow1", "runId": "r2"}


class Histories:
    """A client over histories that grow; it pages backwards as SWF does."""

    def __init__(self, **histories: list[dict[str, Any]]) -> None:
        self.histories = histories
        self.pages = 0

    def get_workflow_execution_history(
        self, execution: dict[str, str], maximumPageSize: int, nextPageToken: str = "0", **_: Any
    ) -> dict[str, Any]:
        self.pages += 1
        events = list(reversed(self.histories[execution["runId"]]))
        start = int(nextPageToken)
        end = start + maximumPageSize
        more = {"nextPageToken": str(end)} if end < len(events) else {}
        return {"events": events[start:end], **more}


def history(*events: tuple[str, dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"eventId": number, "eventType": type_, "eventTimestamp": float(number), EVENT_ATTRIBUTES[type_]: attributes}
        for number, (type_, attributes) in enumerate(events, start=1)
    ]


STARTED = ("WorkflowExecutionStarted", {"workflowType": {"name": "Order", "version": "1.0"}, "input": '"book"'})
DECIDED = ("DecisionTaskCompleted", {"scheduledEventId": 2, "startedEventId": 3})


def lines(trace: Trace) -> list[tuple[Any, ...]]:
    return [(line.what, line.id, line.name, line.value) for line in trace.new()]


def test_each_thing_that_happens_is_one_line_with_id_name_and_value():
    client = Histories(
        r=history(
            STARTED,
            DECIDED,
            (
                "ActivityTaskScheduled",
                {"activityId": "activity1", "activityType": {"name": "charge", "version": "2"}, "input": "[1]"},
            ),
            ("TimerStarted", {"timerId": "sleep1", "startToFireTimeout": "5"}),
            ("ActivityTaskStarted", {"scheduledEventId": 3}),
            ("ActivityTaskFailed", {"scheduledEventId": 3, "startedEventId": 5, "reason": "Declined"}),
            ("TimerFired", {"timerId": "sleep1", "startedEventId": 4}),
            ("WorkflowExecutionCompleted", {"result": "1"}),
        )
    )
    trace = Trace(client, "d", PARENT)

    assert lines(trace) == [
        ("workflow started", "", "Order 1.0", '"book"'),
        ("activity asked for", "activity1", "charge 2", "[1]"),
        ("timer started", "sleep1", "", "5 s"),
        ("activity failed", "activity1", "charge 2", "Declined"),
        ("timer fired", "sleep1", "", None),
        ("workflow completed", "", "", "1"),
    ]
    assert trace.closed["eventId"] == 8


def test_a_line_is_given_once_and_a_closed_history_is_not_read_again():
    events = history(STARTED, ("TimerStarted", {"timerId": "sleep1", "startToFireTimeout": "5"}))
    client = Histories(r=events)
    trace = Trace(client, "d", PARENT)

    assert len(lines(trace)) == 2
    assert lines(trace) == []
    events += [{**history(("WorkflowExecutionCompleted", {}))[0], "eventId": 3}]
    assert [line[0] for line in lines(trace)] == ["workflow completed"]
    pages = client.pages
    assert lines(trace) == []
    assert client.pages == pages


def test_a_history_of_many_pages_is_read_whole_once_and_then_only_its_end(monkeypatch):
    monkeypatch.setattr(trace_module, "PAGE_EVENTS", 3)
    client = Histories(r=history(STARTED, *[("WorkflowExecutionSignaled", {"signalName": str(n)}) for n in range(9)]))
    trace = Trace(client, "d", PARENT)

    assert [line[2] for line in lines(trace)[1:]] == [str(n) for n in range(9)]
    client.pages = 0
    assert lines(trace) == []
    assert client.pages == 1


def test_children_are_followed_one_level_deeper_also_after_their_parent_closed():
    client = Histories(
        r=history(STARTED, ("ChildWorkflowExecutionStarted", {"workflowExecution": CHILD})),
        r2=history(STARTED),
    )
    trace = Trace(client, "d", PARENT)

    assert [line.depth for line in trace.new()] == [0, 1]
    client.histories["r"] += [{**history(("WorkflowExecutionCompleted", {}))[0], "eventId": 3}]
    client.histories["r2"] += [{**history(("WorkflowExecutionCompleted", {}))[0], "eventId": 2}]
    assert [(line.depth, line.what) for line in trace.new()] == [(0, "workflow completed"), (1, "workflow completed")]


def test_every_member_that_is_read_is_one_that_swf_has():
    def members(type_: str) -> set[str]:
        shape = EVENT_ATTRIBUTES[type_]
        return set(SHAPES[shape[0].upper() + shape[1:]]["members"])

    for type_, (_, id_in, name_in, value_in) in {**ASKED, **ALONE}.items():
        assert {id_in, name_in, value_in} - {None} <= members(type_), type_
    for type_, (_, back, value_in) in ANSWERED.items():
        assert {back, value_in} - {None} <= members(type_), type_


def line(**changes: Any) -> Line:
    return Line(0, 2.5, "activity completed", "activity1", "charge 2", '"ok"')._replace(**changes)


class TestRender:
    def test_seconds_are_counted_from_the_start(self):
        assert render(line(), 1.0).plain.startswith("    1.50 s  activity completed")

    def test_times_may_be_datetimes(self):
        began = datetime(2026, 1, 1, tzinfo=UTC)

        assert render(line(time=began + timedelta(seconds=90)), began).plain.startswith("   90.00 s")

    def test_markup_and_escapes_of_payloads_are_shown_not_obeyed(self):
        text = render(line(value="[red]x[/] \x1b[31m"), 0.0).plain

        assert "[red]x[/] \\u001b[31m" in text

    def test_long_values_are_shortened_to_one_line(self):
        text = render(line(value="a\nb" + "x" * 500), 0.0).plain

        assert "\n" not in text
        assert len(text) < 140

    def test_a_childs_id_is_shown_without_its_parents_run_id(self):
        text = render(line(id="22c8vJ4QXqV7R3xJ2M8kFh1f9wB0aVnS6c5tYbZr1DzU.child_workflow3"), 0.0).plain

        assert " child_workflow3 " in text


def sealed_lines(sealing: DataConverter, **how: Any) -> list[tuple[Any, ...]]:
    started = (STARTED[0], {**STARTED[1], "input": sealing.seal('"book"')})
    client = Histories(
        r=history(started, ("ChildWorkflowExecutionStarted", {"workflowExecution": CHILD})), r2=history(started)
    )
    return lines(Trace(client, "d", PARENT, **how))


def test_what_is_sealed_is_shown_opened_where_it_can_be_also_in_children():
    converter = DataConverter(codecs=[EncryptionCodec({"k": b"k" * 32})])

    assert sealed_lines(converter, converter=converter) == [("workflow started", "", "Order 1.0", '"book"')] * 2


def test_what_cannot_be_opened_is_a_mark_with_codecs_and_size():
    encrypted = DataConverter(codecs=[EncryptionCodec({"k": b"k" * 32})])

    shown = "(sealed by aes-gcm, 36 bytes)"  # id and its length, nonce, six characters, tag
    assert sealed_lines(encrypted) == [("workflow started", "", "Order 1.0", shown)] * 2
