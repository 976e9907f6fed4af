"""
Requests against SWF's own shapes, before anything is done with them.

The shapes are compiled once into functions. All violations of one request are told together, in the words of AWS's validator;
a value of the wrong JSON type is told alone, as a serialisation error, as a body that did not parse.
"""

import math
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from pyflow.swf.decisions import CLOSING
from pyflow.swf.model import DECISION_ATTRIBUTES, OPERATIONS, SHAPES

from . import faults

Rule = Callable[[Any], str | None]


class Violation(NamedTuple):
    """What is wrong with a value, and where in the checked one it stands; ``misfits``: it is of the wrong JSON type."""

    path: str
    value: Any
    constraint: str
    misfits: bool = False

    def under(self, name: str) -> "Violation":
        """Return it as seen from where the checked value has this name."""
        return self._replace(path=f"{name}.{self.path}" if self.path else name)


Violations = Sequence[Violation]
Check = Callable[[Any], Violations]
NONE: Final[Violations] = ()
NOT_NULL: Final = "Member must not be null"
NONE_THERE: Final[Violations] = (Violation("", None, NOT_NULL),)

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
    violations = _REQUESTS[operation](request)
    if violations:
        _refuse_misfits(violations)
    if operation == "RespondDecisionTaskCompleted":
        violations = [*violations, *_check_decisions(request.get("decisions") or [])]
    if violations:
        noun = "error" if len(violations) == 1 else "errors"
        raise faults.invalid(f"{len(violations)} validation {noun} detected: {'; '.join(map(_told, violations))}")


def _refuse_misfits(violations: Violations) -> None:
    for violation in violations:
        if violation.misfits:
            raise faults.not_serializable(f"{violation.constraint} (at '{violation.path}')")


def _told(violation: Violation) -> str:
    shown = "null" if violation.value is None else f"'{violation.value}'"
    return f"Value {shown} at '{violation.path}' failed to satisfy constraint: {violation.constraint}"


def _not_a(value: Any, wanted: str) -> Violations:
    return (Violation("", value, f"{type(value).__name__} can not be converted to {wanted}", misfits=True),)


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
    required = frozenset(shape["required"])
    check_of = checks.get

    def apply(value: Any) -> Violations:
        if not isinstance(value, dict):
            return _not_a(value, "a structure")
        for name, member in value.items():
            check = check_of(name)
            if check is not None and (check(member) if member is not None else name in required):
                return tell(value)
        return NONE if value.keys() >= required else tell(value)

    def tell(value: dict[str, Any]) -> Violations:
        """Return what is wrong in the model's order, what is absent last."""
        there = [(name, check) for name, check in checks.items() if value.get(name) is not None]
        wrong = [each.under(name) for name, check in there for each in check(value[name])]
        absent = [name for name in checks if name in required and value.get(name) is None]
        return wrong + [Violation(name, None, NOT_NULL) for name in absent]

    return apply


def _member_check(shape_name: str, name: str, member: str) -> Check:
    """Return the check of one member: its shape's, and what the API reference's text adds in this place."""
    check_shape = _check_of(member)
    rule = _rule_of(shape_name, name, member)
    if rule is None:
        return check_shape

    def apply(value: Any) -> Violations:
        violations = check_shape(value)
        if violations:
            return violations
        constraint = rule(value)
        return (Violation("", value, constraint),) if constraint else NONE

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
    most = shape.get("max", math.inf)

    def apply(value: Any) -> Violations:
        if not isinstance(value, (list, tuple)):
            return _not_a(value, "a list")
        found: list[Violation] = []
        if len(value) > most:
            shown = "[" + ", ".join(map(str, value)) + "]"
            found.append(Violation("", shown, f"Member must have length less than or equal to {most}"))
        for index, member in enumerate(value, 1):
            violations = NONE_THERE if member is None else check_member(member)
            if violations:
                found += [each.under(f"{index}.member") for each in violations]
        return found

    return apply


def _string(_: str, shape: dict[str, Any]) -> Check:
    least, most, enum = shape.get("min", 0), shape.get("max", math.inf), shape.get("enum")

    def apply(value: Any) -> Violations:
        # Nearly all are short, plain and right: for them this is all.
        if type(value) is str and value.isascii() and least <= len(value) <= most and (enum is None or value in enum):
            return NONE
        return tell(value)

    def tell(value: Any) -> Violations:
        if not isinstance(value, str):
            return _not_a(value, "a String")
        try:
            value.encode()
        except UnicodeEncodeError:
            return (Violation("", value, "half a surrogate pair is no character", misfits=True),)
        found: list[Violation] = []
        if enum is not None and value not in enum:
            found.append(Violation("", value, f"Member must satisfy enum value set: [{', '.join(enum)}]"))
        if len(value) > most:
            found.append(Violation("", value, f"Member must have length less than or equal to {most}"))
        if len(value) < least:
            found.append(Violation("", value, f"Member must have length greater than or equal to {least}"))
        return found

    return apply


def _integer(_: str, shape: dict[str, Any]) -> Check:
    least, most = shape.get("min", -math.inf), shape.get("max", math.inf)

    def apply(value: Any) -> Violations:
        if type(value) is not int:
            return _not_a(value, "an Integer")
        if value > most:
            return (Violation("", value, f"Member must have value less than or equal to {most}"),)
        if value < least:
            return (Violation("", value, f"Member must have value greater than or equal to {least}"),)
        return NONE

    return apply


def _boolean(_: str, __: dict[str, Any]) -> Check:
    def apply(value: Any) -> Violations:
        return NONE if type(value) is bool else _not_a(value, "a Boolean")

    return apply


def _timestamp(_: str, __: dict[str, Any]) -> Check:
    def apply(value: Any) -> Violations:
        if isinstance(value, datetime):
            return NONE
        if type(value) not in (int, float) or not math.isfinite(value) or abs(value) > 1e13:
            return _not_a(value, "a Timestamp")
        return NONE

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


def _check_decisions(decisions: list[Any]) -> Iterator[Violation]:
    """Check what the shapes don't say: a close stands last, and the attributes of the decision's own kind are there."""
    there = [(index, decision) for index, decision in enumerate(decisions, 1) if decision is not None]
    for index, decision in there:
        if decision.get("decisionType") in CLOSING and index < len(decisions):
            raise faults.invalid("Close must be last decision in list")
    for index, decision in there:
        member = DECISION_ATTRIBUTES.get(decision.get("decisionType") or "")
        if member is not None and decision.get(member) is None:
            # An absent structure is told by its required leaves, as an empty one is.
            shape = f"{member[0].upper()}{member[1:]}"
            for violation in _check_of(shape)({}):
                yield violation.under(f"decisions.{index}.member.{member}")


_REQUESTS: Final = {name: _check_of(operation["input"]) for name, operation in OPERATIONS.items()}
