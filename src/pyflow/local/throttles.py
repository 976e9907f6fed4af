"""
AWS's request rates, so that a design can be tried against those that it will meet. Off unless asked for.

Each account has a bucket of tokens for each action, and for some decisions; some actions have one for each execution besides. A
request takes a token; an empty bucket refuses it. The figures are of the SWF Developer Guide, "Amazon SWF Quotas".
"""

import threading
from typing import Any, Final

from pyflow.exceptions import ServiceFault

from .clock import Clock

_RATES: Final = (
    # burst, refill a second, actions
    (
        2000,
        200,
        ("PollForActivityTask", "PollForDecisionTask", "RespondDecisionTaskCompleted", "StartWorkflowExecution"),
    ),
    (2000, 200, ("RespondActivityTaskCompleted", "RespondActivityTaskFailed", "RespondActivityTaskCanceled")),
    (2000, 160, ("RecordActivityTaskHeartbeat",)),
    (2000, 60, ("GetWorkflowExecutionHistory", "TerminateWorkflowExecution")),
    (2000, 30, ("SignalWorkflowExecution", "RequestCancelWorkflowExecution")),
    (2000, 6, ("CountOpenWorkflowExecutions", "CountClosedWorkflowExecutions", "DescribeWorkflowExecution")),
    (2000, 6, ("DescribeActivityType", "DescribeWorkflowType")),
    (200, 60, ("RegisterActivityType", "RegisterWorkflowType")),
    (200, 48, ("ListOpenWorkflowExecutions",)),
    (200, 6, ("CountPendingActivityTasks", "CountPendingDecisionTasks", "DescribeDomain")),
    (200, 6, ("ListActivityTypes", "ListWorkflowTypes", "ListClosedWorkflowExecutions")),
    (200, 6, ("DeprecateActivityType", "UndeprecateActivityType", "DeleteActivityType")),
    (200, 6, ("DeprecateWorkflowType", "UndeprecateWorkflowType", "DeleteWorkflowType")),
    (100, 6, ("RegisterDomain", "ListDomains", "DeprecateDomain", "UndeprecateDomain")),
    (50, 30, ("TagResource", "UntagResource", "ListTagsForResource")),
)
ACTIONS: Final = {action: (burst, refill) for burst, refill, actions in _RATES for action in actions}
DECISIONS: Final = {
    "ScheduleActivityTask": (1000, 200, "ACTIVITY_CREATION_RATE_EXCEEDED"),
    "StartTimer": (2000, 200, "TIMER_CREATION_RATE_EXCEEDED"),
    "SignalExternalWorkflowExecution": (1200, 120, "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_RATE_EXCEEDED"),
    "RequestCancelExternalWorkflowExecution": (1200, 120, "REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_RATE_EXCEEDED"),
    "StartChildWorkflowExecution": (500, 12, "CHILD_CREATION_RATE_EXCEEDED"),
}
EXECUTION_ACTIONS: Final = {
    "GetWorkflowExecutionHistory": (400, 200),
    "SignalWorkflowExecution": (1000, 1000),
    "RecordActivityTaskHeartbeat": (1000, 1000),
    "RequestCancelWorkflowExecution": (200, 200),
}
TASK_LIST: Final = (2000, 2000)
BUCKETS_MAX: Final = 10_000

Rate = tuple[int, int]


class Throttles:
    """
    The buckets of one account.

    Args:
        clock: whose seconds refill them.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buckets: dict[tuple[str, ...], tuple[float, int]] = {}
        self._lock = threading.Lock()

    def take(self, action: str, request: dict[str, Any]) -> None:
        """
        Take what a request costs.

        Raises:
            ServiceFault: ThrottlingException, ``Rate exceeded``.
        """
        rate = ACTIONS.get(action)
        allowed = rate is None or self._take((action,), rate)
        one = EXECUTION_ACTIONS.get(action)
        if allowed and one is not None:
            allowed = self._take((action, *_execution_of(request)), one)
        if not allowed:
            raise ServiceFault("ThrottlingException", "Rate exceeded")

    def refusal(self, decision: str, attributes: dict[str, Any]) -> str | None:
        """Take what a decision costs, and an activity's place in its task list; return the cause where it is not there."""
        found = DECISIONS.get(decision)
        if found is None:
            return None
        burst, refill, cause = found
        allowed = self._take((decision,), (burst, refill))
        if allowed and "activityType" in attributes:
            task_list = attributes.get("taskList") or attributes["activityType"]
            allowed = self._take(("task list", *task_list.values()), TASK_LIST)
        return None if allowed else cause

    def _take(self, key: tuple[str, ...], rate: Rate) -> bool:
        burst, refill = rate
        now = self._clock.now_ms()
        with self._lock:
            level, since = self._buckets.get(key, (float(burst), now))
            level = min(float(burst), level + refill * (now - since) / 1000)
            allowed = level >= 1
            self._buckets[key] = (level - 1 if allowed else level, now)
            if len(self._buckets) > BUCKETS_MAX:
                # The longest untouched has had the longest time to fill up again.
                del self._buckets[min(self._buckets, key=lambda each: self._buckets[each][1])]
            return allowed


def _execution_of(request: dict[str, Any]) -> tuple[str, str]:
    """Return what names the execution of a request: its workflow id, or the head of an activity's token, which holds its run."""
    if "taskToken" in request:
        return "", "~".join(str(request["taskToken"]).split("~")[:2])
    named = request.get("execution") or request
    return str(request.get("domain")), str(named.get("workflowId"))
