"""Requests against the model: every constraint of every action, and the rules that stand only in its text."""

import pytest

import swf_requests
from local_driver import fault_of as fault
from pyflow.local import validation
from pyflow.swf.model import OPERATIONS, SHAPES
from swf_requests import ACTIONS

NOT_A = {"string": 5, "structure": "x", "list": {}, "integer": "5", "boolean": 1, "timestamp": "now", "long": True}


@pytest.fixture(params=ACTIONS)
def action(request: pytest.FixtureRequest) -> str:
    return request.param


def spoiled(action: str, path: tuple, value: object) -> tuple[str, str]:
    request = swf_requests.put(swf_requests.request(action), OPERATIONS[action]["input"], path, value)
    return fault(validation.check, action, request)


def members(action: str):
    return swf_requests.leaves(OPERATIONS[action]["input"])


def test_the_smallest_request_is_valid(action: str) -> None:
    validation.check(action, swf_requests.request(action))
    validation.check(action, {**swf_requests.request(action), "somethingNew": 1})


def test_each_limit_is_kept(action: str) -> None:
    for path, _, _, member in members(action):
        shape = SHAPES[member]
        at = f"at '{swf_requests.spelled(path)}' failed to satisfy constraint: Member must"
        if "max" in shape:
            over = shape["max"] + 1
            wrong = {"string": "x" * over, "list": ["x"] * over}.get(shape["type"], over)
            kind = "value" if shape["type"] == "integer" else "length"
            expected = f"{at} have {kind} less than or equal to {shape['max']}"
            code, text = spoiled(action, path, wrong)
            assert (code, expected in text) == ("ValidationException", True), path
        if shape.get("min") == 1 and shape["type"] == "string":
            code, text = spoiled(action, path, "")
            assert (code, f"Value '' {at} have length greater than or equal to 1" in text) == (
                "ValidationException",
                True,
            )
        if "enum" in shape:
            code, text = spoiled(action, path, "WHAT")
            expected = f"Value 'WHAT' {at} satisfy enum value set: [{', '.join(shape['enum'])}]"
            assert (code, expected in text) == ("ValidationException", True)


def test_each_required_member_is_asked_for(action: str) -> None:
    for path, owner, name, _ in members(action):
        if name in SHAPES[owner]["required"]:
            code, text = spoiled(action, path, None)
            expected = (
                f"Value null at '{swf_requests.spelled(path)}' failed to satisfy constraint: Member must not be null"
            )
            assert (code, expected in text) == ("ValidationException", True), path


def test_each_wrong_type_is_a_serialization_error(action: str) -> None:
    for path, _, _, member in members(action):
        code, text = spoiled(action, path, NOT_A[SHAPES[member]["type"]])
        assert (code, "can not be converted to" in text) == ("SerializationException", True), path


def test_an_absent_optional_member_may_be_null(action: str) -> None:
    for path, owner, name, _ in members(action):
        if len(path) == 1 and name not in SHAPES[owner]["required"]:
            made = swf_requests.put(swf_requests.request(action), OPERATIONS[action]["input"], path, None)
            validation.check(action, made)


def start(**more: object) -> dict:
    return {**swf_requests.request("StartWorkflowExecution"), **more}


@pytest.mark.parametrize("wrong", ["-1", "1.5", "x", "31536001", "٣", " 5", "NONE "])
def test_a_duration_is_seconds_up_to_a_year(wrong: str) -> None:
    for name in ("executionStartToCloseTimeout", "taskStartToCloseTimeout"):
        code, text = fault(validation.check, "StartWorkflowExecution", start(**{name: wrong}))
        assert (code, f"Value '{wrong}' at '{name}'" in text) == ("ValidationException", True)


@pytest.mark.parametrize(
    ("action", "path", "none"),
    [
        ("StartWorkflowExecution", ("taskStartToCloseTimeout",), True),
        ("StartWorkflowExecution", ("executionStartToCloseTimeout",), False),
        ("RegisterWorkflowType", ("defaultExecutionStartToCloseTimeout",), False),
        ("RegisterWorkflowType", ("defaultTaskStartToCloseTimeout",), True),
        ("RegisterActivityType", ("defaultTaskHeartbeatTimeout",), True),
        ("RespondDecisionTaskCompleted", ("taskListScheduleToStartTimeout",), True),
        ("RespondDecisionTaskCompleted", ("decisions", 0, "startTimerDecisionAttributes", "startToFireTimeout"), False),
        (
            "RespondDecisionTaskCompleted",
            ("decisions", 0, "scheduleLambdaFunctionDecisionAttributes", "startToCloseTimeout"),
            False,
        ),
    ],
)
def test_none_is_a_duration_where_something_may_last_for_ever(action: str, path: tuple, none: bool) -> None:
    made = swf_requests.put(swf_requests.request(action), OPERATIONS[action]["input"], path, "NONE")
    if none:
        validation.check(action, made)
    else:
        code, text = fault(validation.check, action, made)
        assert (code, f"Value 'NONE' at '{swf_requests.spelled(path)}'" in text) == ("ValidationException", True)


@pytest.mark.parametrize(("seconds", "good"), [("0", False), ("1", True), ("900", True), ("901", False)])
def test_a_function_runs_up_to_900_seconds(seconds: str, good: bool) -> None:
    path = ("decisions", 0, "scheduleLambdaFunctionDecisionAttributes", "startToCloseTimeout")
    made = swf_requests.put(
        swf_requests.request("RespondDecisionTaskCompleted"), "RespondDecisionTaskCompletedInput", path, seconds
    )
    if good:
        validation.check("RespondDecisionTaskCompleted", made)
    else:
        assert fault(validation.check, "RespondDecisionTaskCompleted", made)[0] == "ValidationException"


@pytest.mark.parametrize(
    ("days", "good"), [("0", True), ("90", True), ("NONE", True), ("91", False), ("-1", False), ("1.5", False)]
)
def test_retention_is_up_to_90_days(days: str, good: bool) -> None:
    made = {"name": "d", "workflowExecutionRetentionPeriodInDays": days}
    if good:
        validation.check("RegisterDomain", made)
    else:
        assert fault(validation.check, "RegisterDomain", made)[0] == "ValidationException"


@pytest.mark.parametrize(
    ("priority", "good"),
    [("-2147483648", True), ("2147483647", True), ("2147483648", False), ("1.0", False), ("x", False), ("--1", False)],
)
def test_a_priority_is_a_32_bit_number(priority: str, good: bool) -> None:
    if good:
        validation.check("StartWorkflowExecution", start(taskPriority=priority))
    else:
        assert (
            fault(validation.check, "StartWorkflowExecution", start(taskPriority=priority))[0] == "ValidationException"
        )


# The 15 places of the API reference, as they are spelled there.
NAMED = [
    ("RegisterDomain", ("name",)),
    ("RegisterActivityType", ("name",)),
    ("RegisterActivityType", ("version",)),
    ("RegisterWorkflowType", ("name",)),
    ("RegisterWorkflowType", ("version",)),
    ("StartWorkflowExecution", ("domain",)),
    ("StartWorkflowExecution", ("workflowId",)),
    ("StartWorkflowExecution", ("taskList", "name")),
    ("PollForActivityTask", ("taskList", "name")),
    ("PollForDecisionTask", ("taskList", "name")),
    ("RespondDecisionTaskCompleted", ("decisions", 0, "scheduleActivityTaskDecisionAttributes", "activityId")),
    ("RespondDecisionTaskCompleted", ("decisions", 0, "scheduleActivityTaskDecisionAttributes", "taskList", "name")),
    ("RespondDecisionTaskCompleted", ("decisions", 0, "startChildWorkflowExecutionDecisionAttributes", "workflowId")),
    (
        "RespondDecisionTaskCompleted",
        ("decisions", 0, "startChildWorkflowExecutionDecisionAttributes", "taskList", "name"),
    ),
    ("RespondDecisionTaskCompleted", ("decisions", 0, "startTimerDecisionAttributes", "timerId")),
]


@pytest.mark.parametrize(("action", "path"), NAMED)
def test_a_name_is_free_of_what_would_break_an_arn(action: str, path: tuple) -> None:
    for wrong in ("a:b", "a/b", "a|b", "a\nb", "\x00", "a\x7f", "\x9f", "arn"):
        assert spoiled(action, path, wrong)[0] == "ValidationException", wrong
    for right in ("a b", "arn2", "ä", "\xa0", "x" * 64):
        made = swf_requests.put(swf_requests.request(action), OPERATIONS[action]["input"], path, right)
        validation.check(action, made)


def test_a_child_may_be_named_after_its_parents_run_as_botoflow_does() -> None:
    path = ("decisions", 0, "startChildWorkflowExecutionDecisionAttributes", "workflowId")
    run_id = "22X56OQhwfy+AtGx1iSo3HX51AK2DdtKzfUnU+RQElbms="
    made = swf_requests.put(
        swf_requests.request("RespondDecisionTaskCompleted"), "RespondDecisionTaskCompletedInput", path, f"{run_id}:1"
    )
    validation.check("RespondDecisionTaskCompleted", made)


def test_names_that_refer_are_not_judged() -> None:
    validation.check("SignalWorkflowExecution", {"domain": "a:b", "workflowId": "x/y", "signalName": "s|\n"})


def test_lengths_count_characters() -> None:
    validation.check("StartWorkflowExecution", start(input="\U0001f600" * 32_768))


def test_half_a_character_is_none() -> None:
    code, text = fault(validation.check, "StartWorkflowExecution", start(input="\udc00"))
    assert (code, "surrogate" in text) == ("SerializationException", True)


@pytest.mark.parametrize("close", ["Complete", "Fail", "Cancel", "ContinueAsNew"])
def test_a_close_stands_last_and_that_is_looked_at_first(close: str) -> None:
    first = {"decisionType": f"{close}WorkflowExecution"}
    code, text = fault(
        validation.check,
        "RespondDecisionTaskCompleted",
        {"taskToken": "t", "decisions": [first, {"decisionType": "RecordMarker"}]},
    )
    assert (code, text) == ("ValidationException", "Close must be last decision in list")


def test_a_decisions_own_attributes_are_asked_for_and_those_of_others_are_checked() -> None:
    decision = {"decisionType": "StartTimer", "recordMarkerDecisionAttributes": {"details": "d"}}
    _, text = fault(validation.check, "RespondDecisionTaskCompleted", {"taskToken": "t", "decisions": [decision]})
    null = "failed to satisfy constraint: Member must not be null"
    assert text == (
        f"3 validation errors detected: Value null at 'decisions.1.member.recordMarkerDecisionAttributes.markerName' {null}; "
        f"Value null at 'decisions.1.member.startTimerDecisionAttributes.timerId' {null}; "
        f"Value null at 'decisions.1.member.startTimerDecisionAttributes.startToFireTimeout' {null}"
    )


def test_a_decision_that_is_null_is_told_as_one() -> None:
    code, text = fault(validation.check, "RespondDecisionTaskCompleted", {"taskToken": "t", "decisions": [None]})
    assert (code, "Value null at 'decisions.1.member' failed" in text) == ("ValidationException", True)


def test_violations_are_told_in_the_models_order_whatever_the_requests() -> None:
    wrong = {"workflowType": {"version": "", "name": ""}, "workflowId": "a:b", "domain": ""}
    _, text = fault(validation.check, "StartWorkflowExecution", wrong)
    assert [told.split("'")[3] for told in text.split("; ")] == [
        "domain",
        "workflowId",
        "workflowType.name",
        "workflowType.version",
    ]
