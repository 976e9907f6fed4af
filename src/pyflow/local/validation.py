"""
Requests against SWF's own shapes, before anything is done with them.

The shapes are compiled once into functions. All violations of one request are told together, in the words of AWS's validator;
a value of the wrong JSON type is told alone, as a serialisation error, as a body that did not parse.
"""

import math
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from pyflow.swf.decisions import CLOSING
from pyflow.swf.model import DECISION_ATTRIBUTES, OPERATIONS, SHAPES

from . import faults

Check = Callable[[Any, str, list[str]], None]
Rule = Callable[[Any], str | None]

YEAR_S: Final = 31_536_000
RETENTION_DAYS_MAX: Final = 90
LAMBDA_TIMEOUT_MAX_S: Final = 900

# The 15 places where the API reference forbids these characters: where things get their names, not where they are named again.
NAMING: Final = {
    ("RegisterDomainInput", "name"),
    ("RegisterActivityTypeInput", "name"),
    ("RegisterActivityTypeInput", "version"),
    ("RegisterWorkflowTypeInput", "name"),
    ("RegisterWorkflowTypeInput", "version"),
    ("StartWorkflowExecutionInput", "domain"),
    ("StartWorkflowExecutionInput", "workflowId"),
    ("StartWorkflowExecutionInput", "taskList"),
    ("PollForActivityTaskInput", "taskList"),
    ("PollForDecisionTaskInput", "taskList"),
    ("ScheduleActivityTaskDecisionAttributes", "activityId"),
    ("ScheduleActivityTaskDecisionAttributes", "taskList"),
    ("StartChildWorkflowExecutionDecisionAttributes", "workflowId"),
    ("StartChildWorkflowExecutionDecisionAttributes", "taskList"),
    ("StartTimerDecisionAttributes", "timerId"),
    # Not in the reference's text, but of the same kinds.
    ("RegisterActivityTypeInput", "defaultTaskList"),
    ("RegisterWorkflowTypeInput", "defaultTaskList"),
    ("ContinueAsNewWorkflowExecutionDecisionAttributes", "taskList"),
    ("RespondDecisionTaskCompletedInput", "taskList"),
    ("ScheduleLambdaFunctionDecisionAttributes", "id"),
}
FORBIDDEN: Final = re.compile(r"[:/|\x00-\x1f\x7f-\x9f]")
# botoflow names children "<run id>:<n>" and was tested against AWS, where run ids hold '/' besides: so AWS takes these.
BOTOFLOW_CHILD: Final = re.compile(r"22[A-Za-z0-9+/]{43}=:[^:/|\x00-\x1f\x7f-\x9f]+")

NO_NONE: Final = {
    ("RegisterWorkflowTypeInput", "defaultExecutionStartToCloseTimeout"),
    ("StartWorkflowExecutionInput", "executionStartToCloseTimeout"),
    ("StartChildWorkflowExecutionDecisionAttributes", "executionStartToCloseTimeout"),
    ("ContinueAsNewWorkflowExecutionDecisionAttributes", "executionStartToCloseTimeout"),
    ("StartTimerDecisionAttributes", "startToFireTimeout"),
}


def check(operation: str, request: dict[str, Any]) -> None:
    """
    Check a request.

    Args:
        operation: an action of SWF, in its spelling.
        request: the body, parsed; members that SWF does not know are ignored.

    Raises:
        ServiceFault: SerializationException or ValidationException.
    """
    violations: list[str] = []
    _check_of(OPERATIONS[operation]["input"])(request, "", violations)
    if operation == "RespondDecisionTaskCompleted":
        _check_decisions(request.get("decisions") or [], violations)
    if violations:
        noun = "error" if len(violations) == 1 else "errors"
        raise faults.invalid(f"{len(violations)} validation {noun} detected: {'; '.join(violations)}")


def _failed(value: Any, path: str, constraint: str) -> str:
    shown = "null" if value is None else f"'{value}'"
    return f"Value {shown} at '{path}' failed to satisfy constraint: {constraint}"


def _not_a(value: Any, wanted: str, path: str) -> None:
    raise faults.not_serializable(f"{type(value).__name__} can not be converted to {wanted} (at '{path}')")


_checks: dict[str, Check] = {}


def _check_of(shape_name: str) -> Check:
    """Return the compiled check of a shape; shapes refer to each other by name."""
    found = _checks.get(shape_name)
    if found is None:
        shape = SHAPES[shape_name]
        found = _checks[shape_name] = COMPILERS[shape["type"]](shape_name, shape)
    return found


def _structure(shape_name: str, shape: dict[str, Any]) -> Check:
    checks = {name: _member_check(shape_name, name, member) for name, member in shape["members"].items()}
    required = [name for name in checks if name in shape["required"]]

    def apply(value: Any, path: str, violations: list[str]) -> None:
        if not isinstance(value, dict):
            _not_a(value, "a structure", path)
        prefix = f"{path}." if path else ""
        # A decision has two of fourteen members: go through those that are there, in the model's order.
        for name in filter(value.__contains__, checks):
            member = value[name]
            if member is not None:
                checks[name](member, prefix + name, violations)
        absent = [name for name in required if value.get(name) is None]
        violations.extend(_failed(None, prefix + name, "Member must not be null") for name in absent)

    return apply


def _member_check(shape_name: str, name: str, member: str) -> Check:
    """Return the check of one member: its shape's, and what the API reference's text adds in this place."""
    check_shape = _check_of(member)
    rule = _rule_of(shape_name, name, member)
    if rule is None:
        return check_shape

    def apply(value: Any, path: str, violations: list[str]) -> None:
        before = len(violations)
        check_shape(value, path, violations)
        if len(violations) == before:
            constraint = rule(value)
            if constraint:
                violations.append(_failed(value, path, constraint))

    return apply


def _rule_of(shape_name: str, name: str, member: str) -> Rule | None:
    if (shape_name, name) in NAMING:
        return _workflow_id if name == "workflowId" else _name
    if member.startswith("DurationInSeconds"):
        if shape_name == "ScheduleLambdaFunctionDecisionAttributes":
            return _lambda_duration
        return _finite_duration if (shape_name, name) in NO_NONE else _duration
    return {"DurationInDays": _retention, "TaskPriority": _priority}.get(member)


def _name(value: str | dict[str, str]) -> str | None:
    text = value["name"] if isinstance(value, dict) else value
    if not FORBIDDEN.search(text) and text != "arn":
        return None
    return (
        "Member must not contain a : (colon), / (slash), | (vertical bar), or any control characters "
        "(\\u0000-\\u001f | \\u007f-\\u009f), and must not be the literal string arn"
    )


def _workflow_id(value: str) -> str | None:
    return None if BOTOFLOW_CHILD.fullmatch(value) else _name(value)


def _is_seconds(value: str, most: int) -> bool:
    return value.isascii() and value.isdigit() and int(value) <= most


def _duration(value: str) -> str | None:
    if value in ("NONE", "") or _is_seconds(value, YEAR_S):
        return None
    return f"Member must be NONE or a number of seconds from 0 to {YEAR_S}"


def _finite_duration(value: str) -> str | None:
    if value == "" or _is_seconds(value, YEAR_S):
        return None
    return f"Member must be a number of seconds from 0 to {YEAR_S}"


def _lambda_duration(value: str) -> str | None:
    if value == "" or (_is_seconds(value, LAMBDA_TIMEOUT_MAX_S) and int(value) > 0):
        return None
    return f"Member must be a number of seconds from 1 to {LAMBDA_TIMEOUT_MAX_S}"


def _retention(value: str) -> str | None:
    if value == "NONE" or _is_seconds(value, RETENTION_DAYS_MAX):
        return None
    return f"Member must be NONE or a number of days from 0 to {RETENTION_DAYS_MAX}"


def _priority(value: str) -> str | None:
    if value == "" or (re.fullmatch(r"-?[0-9]{1,10}", value) and -(2**31) <= int(value) < 2**31):
        return None
    return f"Member must be a whole number from {-(2**31)} to {2**31 - 1}"


def _list(_: str, shape: dict[str, Any]) -> Check:
    check_member = _check_of(shape["member"])
    most = shape.get("max")

    def apply(value: Any, path: str, violations: list[str]) -> None:
        if not isinstance(value, (list, tuple)):
            _not_a(value, "a list", path)
        if most is not None and len(value) > most:
            shown = "[" + ", ".join(map(str, value)) + "]"
            constraint = f"Member must have length less than or equal to {most}"
            violations.append(_failed(shown, path, constraint))
        for index, member in enumerate(value, 1):
            if member is None:
                violations.append(_failed(None, f"{path}.{index}.member", "Member must not be null"))
            else:
                check_member(member, f"{path}.{index}.member", violations)

    return apply


def _string(_: str, shape: dict[str, Any]) -> Check:
    least, most, enum = shape.get("min", 0), shape.get("max"), shape.get("enum")

    def apply(value: Any, path: str, violations: list[str]) -> None:
        if not isinstance(value, str):
            _not_a(value, "a String", path)
        if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
            raise faults.not_serializable(f"half a surrogate pair is no character (at '{path}')")
        if enum is not None and value not in enum:
            constraint = f"Member must satisfy enum value set: [{', '.join(enum)}]"
            violations.append(_failed(value, path, constraint))
        if most is not None and len(value) > most:
            constraint = f"Member must have length less than or equal to {most}"
            violations.append(_failed(value, path, constraint))
        if len(value) < least:
            constraint = f"Member must have length greater than or equal to {least}"
            violations.append(_failed(value, path, constraint))

    return apply


def _integer(_: str, shape: dict[str, Any]) -> Check:
    least, most = shape.get("min"), shape.get("max")

    def apply(value: Any, path: str, violations: list[str]) -> None:
        if type(value) is not int:
            _not_a(value, "an Integer", path)
        if most is not None and value > most:
            violations.append(_failed(value, path, f"Member must have value less than or equal to {most}"))
        if least is not None and value < least:
            violations.append(_failed(value, path, f"Member must have value greater than or equal to {least}"))

    return apply


def _boolean(_: str, __: dict[str, Any]) -> Check:
    def apply(value: Any, path: str, _: list[str]) -> None:
        if type(value) is not bool:
            _not_a(value, "a Boolean", path)

    return apply


def _timestamp(_: str, __: dict[str, Any]) -> Check:
    def apply(value: Any, path: str, _: list[str]) -> None:
        if isinstance(value, datetime):
            return
        if type(value) not in (int, float) or not math.isfinite(value) or abs(value) > 1e13:
            _not_a(value, "a Timestamp", path)

    return apply


COMPILERS: Final[dict[str, Callable[[str, dict[str, Any]], Check]]] = {
    "structure": _structure,
    "list": _list,
    "string": _string,
    "integer": _integer,
    "long": _integer,
    "boolean": _boolean,
    "timestamp": _timestamp,
}


def _check_decisions(decisions: list[Any], violations: list[str]) -> None:
    """Check what the shapes don't say: a close stands last, and the attributes of the decision's own kind are there."""
    for decision in decisions[:-1]:
        if decision.get("decisionType") in CLOSING:
            raise faults.invalid("Close must be last decision in list")
    for index, decision in enumerate(decisions, 1):
        member = DECISION_ATTRIBUTES.get(decision.get("decisionType") or "")
        if member is not None and decision.get(member) is None:
            # An absent structure is told by its required leaves, as an empty one is.
            shape = f"{member[0].upper()}{member[1:]}"
            _check_of(shape)({}, f"decisions.{index}.member.{member}", violations)


for _operation in OPERATIONS.values():
    _check_of(_operation["input"])
