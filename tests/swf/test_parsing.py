"""Replies to workers are those of the general parser, but for their times; and botocore still has the place for it."""

import json
from datetime import datetime
from typing import Any

import botocore.session
import pytest
from benchmarks.histories import as_page, decision_task, fan_out_task
from botocore.exceptions import ClientError

from pyflow.swf import parsing
from pyflow.swf.client import create_client
from stub_service import fault, stub_service

POLL = {"domain": "d", "taskList": {"name": "l"}}
EXECUTION = {"workflowId": "w", "runId": "r"}


def with_times(value: Any) -> Any:
    """A reply with its datetimes as numbers."""
    if isinstance(value, dict):
        return {key: with_times(member) for key, member in value.items()}
    if isinstance(value, list):
        return [with_times(member) for member in value]
    return value.timestamp() if isinstance(value, datetime) else value


def body_of(reply: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in reply.items() if key != "ResponseMetadata"}


@pytest.mark.parametrize("task", [decision_task(3, of=4), fan_out_task(3)], ids=["sequential", "fan-out"])
def test_a_page_is_what_the_general_parser_makes_of_it_but_for_its_times(task):
    replies = []
    for for_worker in (True, False):
        with stub_service() as stub:
            stub.script((200, as_page(task)))
            replies.append(create_client(stub.url, for_worker=for_worker).poll_for_decision_task(**POLL))

    worker, general = replies
    assert body_of(worker) == with_times(body_of(general))
    assert type(worker["events"][0]["eventTimestamp"]) is float
    assert type(general["events"][0]["eventTimestamp"]) is datetime
    assert worker["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert worker["ResponseMetadata"].keys() == general["ResponseMetadata"].keys()


@pytest.mark.parametrize(
    ("operation", "request_", "reply"),
    [
        ("poll_for_activity_task", POLL, {"taskToken": "t", "activityId": "a", "startedEventId": 3, "input": "null"}),
        ("record_activity_task_heartbeat", {"taskToken": "t"}, {"cancelRequested": False}),
        ("get_workflow_execution_history", {"domain": "d", "execution": EXECUTION}, {"events": []}),
        ("respond_activity_task_completed", {"taskToken": "t"}, None),
        ("poll_for_decision_task", POLL, {"startedEventId": 0, "previousStartedEventId": 0}),
    ],
)
def test_whatever_workers_call_is_answered_as_by_the_general_parser(operation, request_, reply):
    replies = []
    for for_worker in (True, False):
        with stub_service() as stub:
            stub.script((200, b"" if reply is None else json.dumps(reply).encode()))
            replies.append(getattr(create_client(stub.url, for_worker=for_worker), operation)(**request_))

    assert body_of(replies[0]) == body_of(replies[1])


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_members_that_are_null_are_left_out_and_texts_are_not_touched(separators):
    event = {"eventId": 1, "eventType": "WorkflowExecutionStarted"}
    event["workflowExecutionStartedEventAttributes"] = {"input": '{"a":null,"b": null}', "tagList": None}
    body = json.dumps({"taskToken": "t", "nextPageToken": None, "events": [event]}, separators=separators)
    with stub_service() as stub:
        stub.script((200, body.encode()))

        reply = create_client(stub.url, for_worker=True).poll_for_decision_task(**POLL)

    assert "nextPageToken" not in reply
    assert reply["events"][0]["workflowExecutionStartedEventAttributes"] == {"input": '{"a":null,"b": null}'}


def test_texts_that_hold_null_cost_nothing(monkeypatch):
    monkeypatch.setattr(parsing, "_without_nulls", lambda _: pytest.fail("walked through a reply that has no null"))
    reply = {"taskToken": "t", "input": '{"a":null,"b": null}', "activityId": "null"}
    with stub_service() as stub:
        stub.script((200, json.dumps(reply).encode()))

        assert body_of(create_client(stub.url, for_worker=True).poll_for_activity_task(**POLL)) == reply


def test_a_fault_is_parsed_with_its_code_message_and_status():
    with stub_service() as stub:
        stub.script(fault("UnknownResourceFault", message="Unknown domain: d"))

        with pytest.raises(ClientError) as caught:
            create_client(stub.url, for_worker=True).poll_for_decision_task(**POLL)

    assert caught.value.response["Error"] == {"Code": "UnknownResourceFault", "Message": "Unknown domain: d"}
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


@pytest.mark.parametrize("body", [b'{"events": [[', b"[]", b'"text"', b"", b"\xff"])
def test_what_is_no_object_is_left_to_the_general_parser(body):
    outcomes = []
    for for_worker in (True, False):
        with stub_service() as stub:
            stub.script((200, body))
            client = create_client(stub.url, for_worker=for_worker)
            try:
                outcomes.append(body_of(client.poll_for_decision_task(**POLL)))
            except Exception as error:
                outcomes.append(type(error))

    assert outcomes[0] == outcomes[1]


def test_requests_of_workers_are_not_checked_before_they_are_sent():
    with stub_service() as stub:
        stub.script(fault("ValidationException"))

        with pytest.raises(ClientError, match="ValidationException"):
            create_client(stub.url, for_worker=True).poll_for_decision_task(domain="d" * 300, taskList={})

    assert stub.asked() == ["PollForDecisionTask"]


def test_the_installed_botocore_has_the_component_that_we_replace():
    assert parsing.parse_plainly(botocore.session.Session())


def test_a_botocore_without_it_parses_as_it_always_does(monkeypatch):
    monkeypatch.setattr(parsing, "COMPONENT", "no_such_component")
    with stub_service() as stub:
        stub.script((200, as_page(decision_task(1, of=2))))

        reply = create_client(stub.url, for_worker=True).poll_for_decision_task(**POLL)

    assert type(reply["events"][0]["eventTimestamp"]) is datetime
