"""What happened in executions under test, for a person whose test has failed."""

from itertools import pairwise
from typing import Any, Final

from pyflow.handles import ExecutionHandle
from pyflow.history.trace import Trace, columns
from pyflow.swf.events import attributes_of

__all__ = ["hints", "stacks", "tell", "waiting"]

LINES_MAX: Final = 60

HINTS: Final = {
    "ACTIVITY_TYPE_DOES_NOT_EXIST": "no activity of that name and version is known to this flow: give it the function with "
    "flow.use(...), or a stand-in with flow.fake(...)",
    "WORKFLOW_TYPE_DOES_NOT_EXIST": "no workflow of that name and version is known to this flow: give it the class with "
    "flow.use(...), or a stand-in with flow.fake(...)",
    "EVENT_LIMIT_EXCEEDED": "its history has 25,000 events: does a loop in it ever end?",
}
"""What to do about some of SWF's causes, where the test can do something."""


def tell(execution: ExecutionHandle, title: str, *, lines_max: int = LINES_MAX) -> str:
    """
    Tell an execution: what was asked and came back, when in the service's time, and where each fiber waits.

    Args:
        execution: its children are told too.
        title: what it is called.
        lines_max: of a longer trace, the middle is left out.
    """
    trace = Trace(execution.client, execution.domain, execution.execution, converter=execution.converter)
    happened = trace.new()
    lines = ["  " + "".join(columns(line, happened[0].time)).rstrip() for line in happened]
    if len(lines) > lines_max:
        left_out = len(lines) - lines_max
        lines[lines_max // 2 : -lines_max // 2] = [f"  ... {left_out} lines left out ..."]
    state = "closed" if trace.closed else "open"
    told = [f"{title}, workflow id {execution.workflow_id!r}: {state}", *lines]
    if not trace.closed:
        told += [f"  {line}" for line in stacks(execution) or ["no decision has been made"]]
    return "\n".join(told)


def stacks(execution: ExecutionHandle) -> list[str]:
    """Return where each fiber of an execution waits, for what, and how it came there, as its last response said."""
    context = execution.describe().get("latestExecutionContext", "")
    return [line for line in context.splitlines() if not line.startswith(("pyflow rules ", "status "))]


def waiting(execution: ExecutionHandle) -> str | None:
    """Return what the code of ``run`` waits for and where, ``activity1 (charge) at shop.py:30 in Order.run``; None if nowhere."""
    for place, what in pairwise(stacks(execution)):
        if place.startswith("waiting at "):
            return f"{what.strip().removeprefix('for ')} at {place.removeprefix('waiting at ')}"
    return None


def hints(events: list[dict[str, Any]]) -> list[str]:
    """Say what a test can do about what SWF refused in a history."""
    causes = {
        attributes_of(event).get("cause"): attributes_of(event) for event in events if "Failed" in event["eventType"]
    }
    causes |= {attributes_of(events[-1]).get("cause"): attributes_of(events[-1])}
    found = []
    for cause, attributes in causes.items():
        if cause in HINTS:
            name = attributes.get("activityType") or attributes.get("workflowType") or {}
            found.append(f"{' '.join(name.values())} {cause}: {HINTS[cause]}".strip())
    return found
