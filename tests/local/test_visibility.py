"""Lists and counts of executions, and retention."""

from datetime import UTC, datetime

import pytest

from local_driver import WORKFLOW, Driver
from local_driver import fault_of as fault
from pyflow.local import LocalSWF, VirtualClock
from pyflow.swf import decisions

SINCE_EVER = {"oldestDate": 0}
DAY_S = 86_400


@pytest.fixture
def many(flow: Driver, clock: VirtualClock) -> Driver:
    """Runs a b c d started a second apart; b and then a are closed, c is failed, d is open."""
    flow.client.register_workflow_type(domain="d", name="flow", version="2")
    for name in "abcd":
        flow.start(name, tagList=[name, "all"])
        clock.advance(1)
    for name, close in (
        ("b", decisions.complete_workflow_execution()),
        ("a", decisions.complete_workflow_execution()),
        ("c", decisions.fail_workflow_execution()),
    ):
        clock.advance(1)
        while (task := flow.decision_task())["workflowExecution"]["workflowId"] != name:
            flow.respond(task)
            flow.signal(task["workflowExecution"]["workflowId"])
        flow.respond(task, close)
    return flow


def listed(flow: Driver, status: str, **asked) -> str:
    found, token = "", {}
    while token is not None:
        page = getattr(flow.client, f"list_{status}_workflow_executions")(
            domain="d", maximumPageSize=1, **asked, **token
        )
        found += "".join(info["execution"]["workflowId"] for info in page["executionInfos"])
        token = {"nextPageToken": page["nextPageToken"]} if "nextPageToken" in page else None
    asked.pop("reverseOrder", None)
    count = getattr(flow.client, f"count_{status}_workflow_executions")(domain="d", **asked)
    assert count == {"count": len(found), "truncated": False}
    return found


@pytest.mark.parametrize(
    ("status", "asked", "found"),
    [
        ("open", {}, "d"),
        ("closed", {}, "cba"),
        ("closed", {"reverseOrder": True}, "abc"),
        ("closed", {"closeTimeFilter": SINCE_EVER}, "cab"),
        ("closed", {"closeTimeFilter": SINCE_EVER, "reverseOrder": True}, "bac"),
        ("closed", {"startTimeFilter": {"oldestDate": 1_000_001, "latestDate": 1_000_001.0}}, "b"),
        ("closed", {"startTimeFilter": {"oldestDate": datetime.fromtimestamp(1_000_001, UTC)}}, "cb"),
        ("closed", {"closeTimeFilter": {"oldestDate": 0, "latestDate": 1_000_006}}, "ab"),
        ("closed", {"executionFilter": {"workflowId": "b"}}, "b"),
        ("closed", {"closeStatusFilter": {"status": "FAILED"}}, "c"),
        ("closed", {"tagFilter": {"tag": "a"}}, "a"),
        ("open", {"tagFilter": {"tag": "all"}}, "d"),
        ("open", {"typeFilter": {"name": "flow"}}, "d"),
        ("open", {"typeFilter": {"name": "flow", "version": ""}}, "d"),
        ("open", {"typeFilter": {"name": "flow", "version": "2"}}, ""),
        ("open", {"executionFilter": {"workflowId": "a"}}, ""),
    ],
)
def test_lists_and_counts_agree_on_what_was_asked_for(many: Driver, status: str, asked: dict, found: str) -> None:
    times = {} if "startTimeFilter" in asked or "closeTimeFilter" in asked else {"startTimeFilter": SINCE_EVER}
    assert listed(many, status, **times, **asked) == found


def test_what_is_told_of_an_execution(many: Driver) -> None:
    page = many.client.list_closed_workflow_executions(
        domain="d", startTimeFilter=SINCE_EVER, executionFilter={"workflowId": "c"}
    )
    info = page["executionInfos"][0]
    assert info == many.describe(info["execution"]["runId"], "c")["executionInfo"]
    assert (info["executionStatus"], info["closeStatus"], info["workflowType"]) == ("CLOSED", "FAILED", WORKFLOW)
    assert (info["tagList"], info["cancelRequested"]) == (["c", "all"], False)
    assert info["closeTimestamp"] > info["startTimestamp"]


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ({}, "Must specify time filter"),
        (
            {"startTimeFilter": SINCE_EVER, "closeTimeFilter": SINCE_EVER},
            "Cannot specify more than one exclusive filters in the same query: [startTimeFilter, closeTimeFilter]",
        ),
        (
            {"startTimeFilter": SINCE_EVER, "tagFilter": {"tag": "t"}, "executionFilter": {"workflowId": "w"}},
            "Cannot specify more than one exclusive filters in the same query: [executionFilter, tagFilter]",
        ),
    ],
)
def test_filters_that_do_not_go_together(flow: Driver, asked: dict, text: str) -> None:
    assert fault(flow.client.count_closed_workflow_executions, domain="d", **asked) == ("ValidationException", text)
    assert fault(flow.client.list_closed_workflow_executions, domain="d", **asked) == ("ValidationException", text)


def test_page_tokens_live_a_day_and_serve_one_kind_of_request(many: Driver, clock: VirtualClock) -> None:
    client = many.client
    asked = {"domain": "d", "startTimeFilter": SINCE_EVER, "maximumPageSize": 1}
    token = client.list_closed_workflow_executions(**asked)["nextPageToken"]
    invalid = ("ValidationException", "Invalid token")
    assert fault(client.list_open_workflow_executions, **asked, nextPageToken=token) == invalid
    assert fault(client.list_closed_workflow_executions, **asked, nextPageToken="what") == invalid
    assert fault(client.list_closed_workflow_executions, **asked, nextPageToken=token[:-1] + "g") == invalid
    assert fault(client.list_closed_workflow_executions, **asked, nextPageToken=token.replace("~1", "~2")) == invalid
    client.register_domain(name="e", workflowExecutionRetentionPeriodInDays="1")
    assert fault(client.list_closed_workflow_executions, **{**asked, "domain": "e"}, nextPageToken=token) == invalid
    clock.advance(DAY_S + 1)
    expired = ("ValidationException", "Specified token has exceeded its maximum lifetime")
    assert fault(client.list_closed_workflow_executions, **asked, nextPageToken=token) == expired


def test_closed_executions_are_forgotten_when_retention_ends(many: Driver, clock: VirtualClock, swf: LocalSWF) -> None:
    info = many.client.list_closed_workflow_executions(
        domain="d", startTimeFilter=SINCE_EVER, executionFilter={"workflowId": "b"}
    )["executionInfos"][0]
    # b, a and c were closed 5, 6 and 7 seconds after the start; d timed out later.
    clock.advance(7 * DAY_S - 2.5)
    many.describe(info["execution"]["runId"], "b")
    clock.advance(1)
    assert listed(many, "closed", startTimeFilter=SINCE_EVER) == "dca"
    assert fault(many.describe, info["execution"]["runId"], "b")[0] == "UnknownResourceFault"
    assert fault(many.events, info["execution"]["runId"], "b")[0] == "UnknownResourceFault"
    assert swf._service._store._connection.execute("SELECT COUNT(*) FROM executions").fetchone() == (3,)
    assert listed(many, "open", startTimeFilter=SINCE_EVER) == ""


@pytest.mark.parametrize("retention", ["NONE", "0"])
def test_without_retention_an_execution_is_gone_when_it_closes(swf: LocalSWF, retention: str) -> None:
    client = swf.direct()
    client.register_domain(name="x", workflowExecutionRetentionPeriodInDays=retention)
    client.register_workflow_type(domain="x", **WORKFLOW)
    more = {"executionStartToCloseTimeout": "9", "taskStartToCloseTimeout": "9", "childPolicy": "ABANDON"}
    asked = {"domain": "x", "workflowId": "w", "workflowType": WORKFLOW, "taskList": {"name": "tl"}, **more}
    run_id = client.start_workflow_execution(**asked)["runId"]
    client.terminate_workflow_execution(domain="x", workflowId="w")
    execution = {"workflowId": "w", "runId": run_id}
    assert fault(client.describe_workflow_execution, domain="x", execution=execution)[0] == "UnknownResourceFault"
    # The number of a forgotten run names no other one: its tokens must not fit the next.
    assert client.start_workflow_execution(**asked)["runId"] != run_id
    task = client.poll_for_decision_task(domain="x", taskList={"name": "tl"})
    assert swf._service.engine.tokens.unseal(task["taskToken"], "decision")[0] == 2


def test_the_token_of_a_forgotten_run_is_unknown(swf: LocalSWF) -> None:
    client = swf.direct()
    token = swf._service.engine.tokens.seal("activity", 77, 5, 6)
    assert fault(client.respond_activity_task_completed, taskToken=token)[0] == "UnknownResourceFault"
