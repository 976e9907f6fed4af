"""Pages of history as a client parses them, beside botocore's general parser and beside bare JSON."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from benchmarks.histories import as_page, decision_task, fan_out_task
from benchmarks.rows import FLOOR, OURS, Goal, Row
from benchmarks.timing import medians, seconds
from pyflow.swf.client import create_client
from pyflow.swf.parsing import COMPONENT, parse_plainly

__all__ = ["canned", "measure"]

EVENTS: Final = 1_000
CALLS: Final = 5
_POLL: Final = {"domain": "domain", "taskList": {"name": "list"}, "identity": "benchmark"}
_DECISION: Final = {
    "decisionType": "ScheduleActivityTask",
    "scheduleActivityTaskDecisionAttributes": {
        "activityId": "activity1",
        "activityType": {"name": "step", "version": "1.0"},
        "input": '{"number": 1, "total": 1}',
        "taskList": {"name": "list"},
    },
}


def measure(*, small: bool = False) -> list[Row]:
    """Parse pages; and call through a whole client (checks, signing, hooks, parsing), where only the connection is not there."""
    events = 60 if small else EVENTS
    sequential, parallel = as_page(decision_task(events // 6, of=events)), as_page(fan_out_task(events // 3))
    short = as_page(decision_task(1, of=5))
    respond = {"taskToken": "token", "decisions": [_DECISION], "executionContext": "pyflow rules 1"}
    turns = 1 if small else 15
    return [
        _parser_row(f"the parser, a page of {events:,} events, sequential steps", sequential, turns),
        _parser_row(f"the parser, a page of {events:,} events, a fan-out", parallel, turns),
        _call_row(
            f"a whole PollForDecisionTask, {events:,} events", sequential, "poll_for_decision_task", _POLL, turns
        ),
        _call_row("a whole PollForDecisionTask, 9 events", short, "poll_for_decision_task", _POLL, turns),
        _call_row("a whole RespondDecisionTaskCompleted", b"", "respond_decision_task_completed", respond, turns),
    ]


def _parser_row(what: str, body: bytes, turns: int) -> Row:
    import botocore.session

    core = botocore.session.Session()
    output = core.get_service_model("swf").operation_model("PollForDecisionTask").output_shape
    response = {"status_code": 200, "headers": {}, "body": body}
    theirs = core.get_component(COMPONENT).create_parser("json")
    assert parse_plainly(core)
    ours = core.get_component(COMPONENT).create_parser("json")
    assert len(ours.parse(response, output)["events"]) == len(theirs.parse(response, output)["events"])
    timed: dict[str, Callable[[], float]] = {
        OURS: partial(seconds, partial(ours.parse, response, output), calls=CALLS),
        "botocore": partial(seconds, partial(theirs.parse, response, output), calls=CALLS),
        FLOOR: partial(seconds, partial(json.loads, body), calls=CALLS),
    }
    return Row(what, "ms", _in_ms(medians(timed, turns=turns)), goals=(Goal("botocore", 10),))


def _call_row(what: str, body: bytes, method: str, request: dict[str, Any], turns: int) -> Row:
    timed: dict[str, Callable[[], float]] = {
        OURS: partial(_call, getattr(canned(body, ours=True), method), request),
        "boto3": partial(_call, getattr(canned(body, ours=False), method), request),
    }
    return Row(what, "ms", _in_ms(medians(timed, turns=turns)))


def _in_ms(figures: dict[str, float]) -> dict[str, float]:
    return {who: figure * 1e3 for who, figure in figures.items()}


def canned(body: bytes, *, ours: bool) -> Any:
    """Return a client, ours or boto3's, that is always answered with the same body."""
    from botocore.awsrequest import AWSResponse

    class Raw:
        def stream(self) -> list[bytes]:
            return [body]

    def answer(request: Any, **_: Any) -> Any:
        return AWSResponse(request.url, 200, {"Content-Type": "application/x-amz-json-1.0"}, Raw())

    if ours:
        client = create_client("http://localhost:1", for_worker=True)
    else:
        import boto3

        keys = {"aws_access_key_id": "any", "aws_secret_access_key": "any"}
        client = boto3.client("swf", endpoint_url="http://localhost:1", region_name="us-east-1", **keys)
    for each in {client, client.poll_for_decision_task.__self__}:
        each.meta.events.register("before-send.swf", answer)
    return client


def _call(method: Callable[..., Any], request: dict[str, Any]) -> float:
    return seconds(partial(method, **request), calls=CALLS)
