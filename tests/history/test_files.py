"""Histories as files: what is read, what is written, what is refused and how."""

import json
from datetime import UTC, datetime

import pytest

import pyflow
from histories import START, history
from pyflow.history.files import History, load, save

EVENTS = history("""
    1 WorkflowExecutionStarted workflowType=W/1.0 input="ä"
    2 DecisionTaskScheduled
    3 DecisionTaskStarted scheduledEventId=2
""")
NUMBERED = [{**event, "eventTimestamp": event["eventTimestamp"].timestamp()} for event in EVENTS]
TYPE = {"name": "W", "version": "1.0"}


def write(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_what_is_saved_is_loaded_with_times_as_numbers(tmp_path):
    path = tmp_path / "order.json"
    save(History(EVENTS, TYPE, "domain", "order-1", "run/1="), path)

    assert load(path) == History(NUMBERED, TYPE, "domain", "order-1", "run/1=")


def test_file_is_the_documented_form_with_one_event_a_line(tmp_path):
    save(History(NUMBERED, TYPE, "domain", "order-1", "run-1"), tmp_path / "order.json")
    text = (tmp_path / "order.json").read_text()

    assert json.loads(text) == {
        "format": "pyflow.history/1",
        "domain": "domain",
        "workflowId": "order-1",
        "runId": "run-1",
        "workflowType": TYPE,
        "events": NUMBERED,
    }
    assert sum('"eventId"' in line for line in text.splitlines()) == 3


def test_what_is_not_known_is_left_out(tmp_path):
    save(History(NUMBERED, TYPE), tmp_path / "order.json")

    assert set(json.loads((tmp_path / "order.json").read_text())) == {"format", "workflowType", "events"}


@pytest.mark.parametrize(
    "time", [START.timestamp(), int(START.timestamp()), "2026-01-01T00:00:00Z", "2026-01-01T01:00:00.000000+01:00"]
)
def test_what_the_aws_cli_prints_is_read(time, tmp_path):
    printed = {"events": [{**EVENTS[0], "eventTimestamp": time}]}

    read = load(write(tmp_path / "printed.json", printed))

    assert read.events[0]["eventTimestamp"] == datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    assert (read.workflow_type, read.domain, read.workflow_id, read.run_id) == (TYPE, None, None, None)


def test_members_of_later_forms_are_passed_over(tmp_path):
    content = {"format": "pyflow.history/1", "workflowType": TYPE, "events": NUMBERED, "note": [1]}

    assert load(write(tmp_path / "noted.json", content)).events == NUMBERED


def test_byte_order_mark_is_passed_over(tmp_path):
    path = tmp_path / "windows.json"
    path.write_text(json.dumps({"events": NUMBERED}), encoding="utf-8-sig")

    assert len(load(path).events) == 3


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("{", "it is not JSON"),
        ("[" * 100_000, "it is not JSON"),
        ([1], 'no JSON object with "events"'),
        ({"taskToken": "x"}, 'no JSON object with "events"'),
        ({"format": "pyflow.history/2", "events": NUMBERED}, "its format is 'pyflow.history/2'"),
        ({"format": ["x"], "events": NUMBERED}, "its format is"),
        ({"events": {}}, "no list of events"),
        ({"events": []}, "no list of events"),
        ({"events": [NUMBERED[0], 5]}, "event 2 of its list lacks an eventId"),
        ({"events": [{"eventId": 1, "eventType": "X"}]}, "event 1 of its list lacks"),
        ({"events": [{**NUMBERED[0], "eventTimestamp": "soon"}]}, "the eventTimestamp of event 1 is 'soon'"),
        ({"events": [{**NUMBERED[0], "eventTimestamp": "2026-01-01T00:00:00"}]}, "ISO time with its zone"),
        ({"events": [{**NUMBERED[0], "eventTimestamp": None}]}, "the eventTimestamp of event 1 is None"),
        (
            '{"events": [{"eventId": 1, "eventType": "X", "eventTimestamp": NaN}]}',
            "the eventTimestamp of event 1 is nan",
        ),
        ({"events": NUMBERED[1:]}, "names no workflowType"),
        ({"workflowType": "W", "events": NUMBERED}, "its workflowType is 'W'"),
        ({"workflowType": TYPE, "runId": 5, "events": NUMBERED}, "its runId is 5, not a text"),
    ],
)
def test_other_file_is_refused_by_name_and_says_what_is_wrong(content, problem, tmp_path):
    path = write(tmp_path / "other.json", content)

    with pytest.raises(pyflow.PyflowException) as caught:
        load(path)

    assert str(caught.value).startswith(f"{path} is not a history file: ")
    assert problem in str(caught.value)


def test_file_that_is_not_there_is_refused_by_name(tmp_path):
    with pytest.raises(pyflow.PyflowException, match=r"cannot read history file .*gone.json: No such file"):
        load(tmp_path / "gone.json")


def test_folder_that_is_not_there_is_refused_by_name(tmp_path):
    with pytest.raises(pyflow.PyflowException, match=r"cannot write history file .*gone/order.json: No such file"):
        save(History(NUMBERED, TYPE), tmp_path / "gone" / "order.json")


def test_time_without_a_zone_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="event 1"):
        save(History([{**EVENTS[0], "eventTimestamp": datetime(2026, 1, 1)}], TYPE), tmp_path / "order.json")
