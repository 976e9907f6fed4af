"""
What the service does of SWF, item by item: every action, fault, decision, event and cause of the model.

``docs/local-service.md`` holds it as tables (``make docs`` writes them; a test compares). How sure a thing is: **D**
documented by AWS, **C** seen in captured traffic of the real service, **M** taken over by others from the real service,
**I** inferred, and chosen here.
"""

import sys
from pathlib import Path
from typing import Final

from pyflow.swf.model import DECISION_ATTRIBUTES, EVENT_ATTRIBUTES, OPERATIONS, SHAPES

from .rules.decisions import REFUSED

ACTIONS: Final = {
    "CountClosedWorkflowExecutions": ("exact; never truncated", "AWS counts approximately", "D"),
    "CountOpenWorkflowExecutions": ("exact; never truncated", "AWS counts approximately", "D"),
    "CountPendingActivityTasks": ("the tasks that wait in the list", "AWS estimates", "D"),
    "CountPendingDecisionTasks": ("the tasks that wait in the list, not the started ones", "AWS estimates", "D"),
    "DeleteActivityType": ("what runs goes on; the same name and version may be registered again", "", "D; the last I"),
    "DeleteWorkflowType": ("what runs goes on; the same name and version may be registered again", "", "D; the last I"),
    "DeprecateActivityType": ("tasks that are scheduled go on", "", "D"),
    "DeprecateDomain": ("deprecates all types in it; what runs goes on", "", "D"),
    "DeprecateWorkflowType": ("executions that run go on", "", "D"),
    "DescribeActivityType": ("only the defaults that were given", "", "D"),
    "DescribeDomain": ("account 123456789012, the region of the caller's signature", "no real account", "M"),
    "DescribeWorkflowExecution": ("open, and closed until retention ends", "exact at once", "D, C"),
    "DescribeWorkflowType": ("only the defaults that were given", "", "D"),
    "GetWorkflowExecutionHistory": ("pages of up to 1,000; the token holds the order", "", "D"),
    "ListActivityTypes": ("by name, then version", "", "D; version I"),
    "ListClosedWorkflowExecutions": ("newest first, by start, or by close if filtered by close", "exact at once", "D"),
    "ListDomains": ("by name", "", "D"),
    "ListOpenWorkflowExecutions": ("newest first", "exact at once", "D"),
    "ListTagsForResource": ("of domains", "", "D"),
    "ListWorkflowTypes": ("by name, then version", "", "D; version I"),
    "PollForActivityTask": ("by priority, then age; waits up to 60 s (settable)", "AWS orders by best effort", "D"),
    "PollForDecisionTask": (
        "by priority, then age; waits up to 60 s (settable); a page token starts no task and dies with its task",
        "AWS orders by best effort",
        "D; token I",
    ),
    "RecordActivityTaskHeartbeat": ("no details keep the ones before", "", "D; details I"),
    "RegisterActivityType": ("in a registered domain only", "", "D"),
    "RegisterDomain": ("retention 0 to 90 days or NONE", "", "D"),
    "RegisterWorkflowType": ("in a registered domain only", "", "D"),
    "RequestCancelWorkflowExecution": ("an event and a decision task; closes nothing; may repeat", "", "D; repeat I"),
    "RespondActivityTaskCanceled": ("also unasked, then without latestCancelRequestedEventId", "", "D; unasked I"),
    "RespondActivityTaskCompleted": ("once", "", "D"),
    "RespondActivityTaskFailed": ("once", "", "D"),
    "RespondDecisionTaskCompleted": (
        "the whole list is checked first, then applied in order in one transaction",
        "AWS applies what concerns others a little later",
        "D, M",
    ),
    "SignalWorkflowExecution": ("an event and a decision task", "", "D"),
    "StartWorkflowExecution": ("one open run of a workflow id", "", "D"),
    "TagResource": ("of domains; up to 50", "", "D"),
    "TerminateWorkflowExecution": ("at once, with the child policy", "", "D"),
    "UndeprecateActivityType": ("tasks of it may be scheduled again", "", "D"),
    "UndeprecateDomain": ("the types that it deprecated stay so", "", "I"),
    "UndeprecateWorkflowType": ("executions of it may start again", "", "D"),
    "UntagResource": ("a key that is not there is no fault", "", "M"),
}
"""Action: what it does here, where it differs from AWS, how sure."""

FAULTS: Final = {
    "UnknownResourceFault": (
        "a domain, type, execution or task is not there, not open where it has to be, past retention; or a token is spent",
        "AWS may answer a well-formed token that it does not know late, with a 500",
        "D; texts M",
    ),
    "DomainAlreadyExistsFault": (
        "registering a name that is or was registered; undeprecating a registered domain",
        "",
        "D; text M",
    ),
    "DomainDeprecatedFault": (
        "deprecating twice; starting or registering in a deprecated domain",
        "",
        "D; the latter I",
    ),
    "TypeAlreadyExistsFault": (
        "registering what is or was registered; undeprecating a registered type",
        "",
        "D; text M",
    ),
    "TypeDeprecatedFault": ("deprecating twice; starting an execution of a deprecated type", "", "D; text M"),
    "TypeNotDeprecatedFault": ("deleting a type that is registered", "", "D; text I"),
    "WorkflowExecutionAlreadyStartedFault": ("the workflow id has an open run", "the text may differ", "D; text M"),
    "DefaultUndefinedFault": (
        "neither the request nor the type gives a setting; the text names the first that is missing",
        "",
        "D; text and order M",
    ),
    "LimitExceededFault": (
        "100 domains, 10,000 types of a kind and 100,000 open executions in a domain, 1,000 polls at a list; never for tags",
        "most of AWS's figures are raised on request; it does not say when the actions on tags give it",
        "D; texts I",
    ),
    "TooManyTagsFault": ("over 50 tags on a domain", "", "D"),
    "OperationNotPermittedFault": ("never: access is not controlled here", "IAM", "D"),
}
"""Fault of the model: how it arises here, where AWS differs, how sure."""

ERRORS: Final = {
    "ValidationException": (
        "400: a request breaks the model or the API reference's text; a token is not one; filters do not go together",
        "",
        "M (texts)",
    ),
    "SerializationException": (
        "400, 411 or 415: the body is no JSON object, a member has the wrong type, half a surrogate pair, another content type",
        "",
        "M; namespace I",
    ),
    "UnknownOperationException": ("400: no action of SWF; 404: another path", "", "I"),
    "RequestEntityTooLargeException": (
        "413: a body over 1 MB; 431: over 64 headers",
        "the class may differ",
        "D; class I",
    ),
    "ThrottlingException": ("400: with `aws_throttles`, beyond AWS's rate; or planned", "AWS: always", "D"),
    "UnrecognizedClientException": (
        "403: the service has a token and the request is not signed with it",
        "AWS checks signatures",
        "D",
    ),
    "AccessDeniedException": ("403, 405 or 421: what a web page could send", "AWS: IAM", "I"),
    "RequestExpired": ("408: the body did not come within 30 s", "AWS: an old signature", "I"),
    "InternalFailure": ("500: the disk is full or fails, or a bug of ours; nothing was applied", "", "M"),
    "ServiceUnavailable": ("503: the service is closing; or planned. Too many connections: 503 in plain text", "", "D"),
}
"""Error that the model does not name: with which status and when it arises here, where AWS differs, how sure."""

_LATER_ON_AWS: Final = "AWS delivers a little later"

DECISIONS: Final = {
    "ScheduleActivityTask": (
        "the event has the effective timeouts, list and priority; an open id is taken, a closed one is free",
        "",
        "D; effective values I",
    ),
    "RequestCancelActivityTask": (
        "a task that nobody has is canceled at once; of one that runs, its worker is told",
        "",
        "D",
    ),
    "CompleteWorkflowExecution": ("open activities, timers and children do not hinder it", "", "D, C"),
    "FailWorkflowExecution": ("as CompleteWorkflowExecution", "", "D"),
    "CancelWorkflowExecution": ("as CompleteWorkflowExecution; also where nobody asked for it", "", "D, C; unasked M"),
    "ContinueAsNewWorkflowExecution": (
        "nothing passes but the names: settings are the decision's, else the type's; a child stays its parent's child",
        "",
        "D; the child I",
    ),
    "RecordMarker": ("a name may be used again", "", "C"),
    "StartTimer": ("0 seconds fire right behind the answer", "AWS fires it some 12 to 120 ms later", "C"),
    "CancelTimer": ("calls no decider", "", "C"),
    "SignalExternalWorkflowExecution": ("delivered with the answer; also to itself", _LATER_ON_AWS, "D; itself I"),
    "RequestCancelExternalWorkflowExecution": (
        "delivered with the answer; also to itself",
        _LATER_ON_AWS,
        "D; itself I",
    ),
    "StartChildWorkflowExecution": ("started with the answer", "AWS starts it some 40 to 100 ms later", "D, C"),
    "ScheduleLambdaFunction": (
        "a Python function in this process, or one at a Lambda endpoint; 1 to 900 s, 900 if left out",
        "AWS always has a role to assume; here only `require_lambda_role` asks for one",
        "D",
    ),
}
"""Decision: what it does here, where it differs from AWS, how sure."""

_NEVER: Final = ("never by itself: access is not controlled here; can be planned (`plan_refusals`)", "IAM", "D")
_NO_RATE: Final = (
    "never by itself; can be planned (`plan_refusals`)",
    "AWS has a rate, and does not publish it",
    "D",
)
_RATE: Final = ("with `aws_throttles`, beyond AWS's rate; or planned", "AWS: always", "D")
_OPEN: Final = ("1,000 are open in the execution", "raised on request", "D")
_DEFAULT: Final = ("neither the decision nor the type gives it", "", "D; order M")
_GONE: Final = ("the type is not registered", "", "D")
_DEPRECATED: Final = ("the type is deprecated", "", "D")

CAUSES: Final = {
    "OPERATION_NOT_PERMITTED": _NEVER,
    "UNHANDLED_DECISION": (
        "something that the decider has not seen has happened: a decision task is scheduled",
        "",
        "D, C; a failure earlier in the same answer does not count: I",
    ),
    "ACTIVITY_TYPE_DEPRECATED": _DEPRECATED,
    "ACTIVITY_TYPE_DOES_NOT_EXIST": _GONE,
    "ACTIVITY_ID_ALREADY_IN_USE": ("an open activity task has the id", "", "D, C"),
    "ACTIVITY_ID_UNKNOWN": ("no open activity task has the id", "", "D"),
    "OPEN_ACTIVITIES_LIMIT_EXCEEDED": _OPEN,
    "ACTIVITY_CREATION_RATE_EXCEEDED": _RATE,
    "DEFAULT_SCHEDULE_TO_CLOSE_TIMEOUT_UNDEFINED": _DEFAULT,
    "DEFAULT_SCHEDULE_TO_START_TIMEOUT_UNDEFINED": _DEFAULT,
    "DEFAULT_START_TO_CLOSE_TIMEOUT_UNDEFINED": _DEFAULT,
    "DEFAULT_HEARTBEAT_TIMEOUT_UNDEFINED": _DEFAULT,
    "DEFAULT_TASK_LIST_UNDEFINED": _DEFAULT,
    "DEFAULT_EXECUTION_START_TO_CLOSE_TIMEOUT_UNDEFINED": _DEFAULT,
    "DEFAULT_TASK_START_TO_CLOSE_TIMEOUT_UNDEFINED": _DEFAULT,
    "DEFAULT_CHILD_POLICY_UNDEFINED": _DEFAULT,
    "TIMER_ID_ALREADY_IN_USE": ("an open timer has the id", "", "D"),
    "TIMER_ID_UNKNOWN": ("no open timer has the id", "", "D"),
    "OPEN_TIMERS_LIMIT_EXCEEDED": _OPEN,
    "TIMER_CREATION_RATE_EXCEEDED": _RATE,
    "WORKFLOW_TYPE_DEPRECATED": _DEPRECATED,
    "WORKFLOW_TYPE_DOES_NOT_EXIST": _GONE,
    "WORKFLOW_ALREADY_RUNNING": (
        "an open run has the workflow id; told behind the initiated event",
        "",
        "D; decisionTaskCompletedEventId 0: I",
    ),
    "OPEN_CHILDREN_LIMIT_EXCEEDED": _OPEN,
    "OPEN_WORKFLOWS_LIMIT_EXCEEDED": ("100,000 executions are open in the domain", "raised on request", "D"),
    "CHILD_CREATION_RATE_EXCEEDED": _RATE,
    "CONTINUE_AS_NEW_WORKFLOW_EXECUTION_RATE_EXCEEDED": _NO_RATE,
    "UNKNOWN_EXTERNAL_WORKFLOW_EXECUTION": (
        "no open run has the workflow id, or the run asked for is not open",
        "",
        "D",
    ),
    "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_RATE_EXCEEDED": _RATE,
    "REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_RATE_EXCEEDED": _RATE,
    "ID_ALREADY_IN_USE": ("an open Lambda task has the id", "", "D"),
    "OPEN_LAMBDA_FUNCTIONS_LIMIT_EXCEEDED": (
        "1,000 are open in the execution",
        "AWS does not publish the number",
        "D; number I",
    ),
    "LAMBDA_FUNCTION_CREATION_RATE_EXCEEDED": _NO_RATE,
    "LAMBDA_SERVICE_NOT_AVAILABLE_IN_REGION": (
        "never by itself: the service is its own region; can be planned",
        "regions without Lambda",
        "D",
    ),
    "ASSUME_ROLE_FAILED": (
        "with `require_lambda_role`, where neither execution nor type has a role",
        "AWS: also where the role cannot be assumed",
        "D; for a missing role I",
    ),
    "CHILD_POLICY_APPLIED": ("the parent was terminated or timed out", "", "D"),
    "EVENT_LIMIT_EXCEEDED": (
        "the history has reached 25,000 events; what reaches it stands before the end",
        "AWS's cut is not exact: 25,044 was seen",
        "D",
    ),
    "OPERATOR_INITIATED": ("TerminateWorkflowExecution", "", "D, M"),
}
"""Cause: how it arises here, where AWS differs, how sure."""

_DECIDED: Final = "the decision"
_WORKER: Final = "the worker's answer"
_ANSWER: Final = "right behind the answer that asked for it"

EVENTS: Final = {
    "WorkflowExecutionStarted": ("StartWorkflowExecution, a parent's decision, or continue-as-new", "D, C"),
    "WorkflowExecutionCancelRequested": (
        "RequestCancelWorkflowExecution, another's decision, or the child policy",
        "D",
    ),
    "WorkflowExecutionCompleted": (_DECIDED, "D, C"),
    "CompleteWorkflowExecutionFailed": ("the decision, refused", "C"),
    "WorkflowExecutionFailed": (_DECIDED, "D"),
    "FailWorkflowExecutionFailed": ("the decision, refused", "D"),
    "WorkflowExecutionTimedOut": ("its time is over", "D"),
    "WorkflowExecutionCanceled": (_DECIDED, "D"),
    "CancelWorkflowExecutionFailed": ("the decision, refused", "D"),
    "WorkflowExecutionContinuedAsNew": (_DECIDED, "D"),
    "ContinueAsNewWorkflowExecutionFailed": ("the decision, refused", "D"),
    "WorkflowExecutionTerminated": ("TerminateWorkflowExecution, the child policy, or the event limit", "D"),
    "DecisionTaskScheduled": ("right behind an event that the decider must hear of, unless one is scheduled", "C"),
    "DecisionTaskStarted": ("a poll", "D, C"),
    "DecisionTaskCompleted": ("RespondDecisionTaskCompleted", "D, C"),
    "DecisionTaskTimedOut": ("its time is over: START_TO_CLOSE, or SCHEDULE_TO_START on an overridden list", "D"),
    "ActivityTaskScheduled": (_DECIDED, "D, C"),
    "ScheduleActivityTaskFailed": ("the decision, refused", "D"),
    "ActivityTaskStarted": ("a poll; calls no decider", "D, C"),
    "ActivityTaskCompleted": (_WORKER, "D, C"),
    "ActivityTaskFailed": (_WORKER, "D"),
    "ActivityTaskTimedOut": ("one of its four times is over; startedEventId is 0 where nobody had it", "D; 0 I"),
    "ActivityTaskCanceled": ("the worker's answer, or the cancel of a task that nobody had", "D"),
    "ActivityTaskCancelRequested": (_DECIDED, "D"),
    "RequestCancelActivityTaskFailed": ("the decision, refused", "D"),
    "WorkflowExecutionSignaled": ("SignalWorkflowExecution, or another's decision", "D, C"),
    "MarkerRecorded": (_DECIDED, "C"),
    "RecordMarkerFailed": ("only if planned", "D"),
    "TimerStarted": (_DECIDED, "C"),
    "StartTimerFailed": ("the decision, refused", "D"),
    "TimerFired": ("its time has come; at the time it was due", "C"),
    "TimerCanceled": (_DECIDED, "C"),
    "CancelTimerFailed": ("the decision, refused", "D"),
    "StartChildWorkflowExecutionInitiated": (_DECIDED, "C"),
    "StartChildWorkflowExecutionFailed": ("the decision, refused at once, or later where the workflow id runs", "D"),
    "ChildWorkflowExecutionStarted": ("right behind the answer that started the child", "C"),
    "ChildWorkflowExecutionCompleted": ("the child closed", "D, C"),
    "ChildWorkflowExecutionFailed": ("the child closed", "D"),
    "ChildWorkflowExecutionTimedOut": ("the child's time is over", "D"),
    "ChildWorkflowExecutionCanceled": ("the child closed", "D"),
    "ChildWorkflowExecutionTerminated": ("somebody terminated the child", "D"),
    "SignalExternalWorkflowExecutionInitiated": (_DECIDED, "D"),
    "SignalExternalWorkflowExecutionFailed": (_ANSWER, "D"),
    "ExternalWorkflowExecutionSignaled": (_ANSWER, "D"),
    "RequestCancelExternalWorkflowExecutionInitiated": (_DECIDED, "D"),
    "RequestCancelExternalWorkflowExecutionFailed": (_ANSWER, "D"),
    "ExternalWorkflowExecutionCancelRequested": (_ANSWER, "D"),
    "LambdaFunctionScheduled": (_DECIDED, "D"),
    "LambdaFunctionStarted": ("a thread is free for it; durable before it runs", "D"),
    "LambdaFunctionCompleted": ("the function returned", "D"),
    "LambdaFunctionFailed": ("the function raised, is not there, or ran when the service was killed", "I"),
    "LambdaFunctionTimedOut": ("its time is over; what it returns later is dropped", "D"),
    "ScheduleLambdaFunctionFailed": ("the decision, refused", "D"),
    "StartLambdaFunctionFailed": ("with `require_lambda_role`", "D"),
}
"""Event: how it arises here, how sure."""

EVENT_SHAPES: Final = {event: SHAPES["HistoryEvent"]["members"][member] for event, member in EVENT_ATTRIBUTES.items()}
"""Event: the model's shape of its attributes."""

BEGIN: Final = "<!-- The tables below are written by make docs, from pyflow/local/catalogue.py -->"


def tables() -> str:
    """Return all of it as Markdown."""
    told = ("here", "AWS differs", "sure")
    parts = [
        _table("Actions", ("action", *told), [(name, *row) for name, row in ACTIONS.items()]),
        _table("Faults", ("fault", *told, "of"), [(name, *row, _actions_with(name)) for name, row in FAULTS.items()]),
        _table("Errors beside the model", ("error", *told), [(name, *row) for name, row in ERRORS.items()]),
        _table(
            "Decisions",
            ("decision", *told, "refused with"),
            [(name, *row, ", ".join(_causes_of(name))) for name, row in DECISIONS.items()],
        ),
        _table("Events", ("event", "arises from", "sure"), [(name, *row) for name, row in EVENTS.items()]),
        _table("Causes", ("cause", *told, "in"), [(name, *row, _events_with(name)) for name, row in CAUSES.items()]),
    ]
    return "\n".join(parts)


def _causes_of(decision: str) -> list[str]:
    """Return what the model says a decision can be refused with, but for OPERATION_NOT_PERMITTED, which all can."""
    attributes = SHAPES[EVENT_SHAPES[REFUSED[decision][0]]]
    causes: list[str] = SHAPES[attributes["members"]["cause"]]["enum"]
    return [cause for cause in causes if cause != "OPERATION_NOT_PERMITTED"]


def _events_with(cause: str) -> str:
    found = [
        event
        for event, shape in EVENT_SHAPES.items()
        if cause in SHAPES.get(SHAPES[shape]["members"].get("cause", ""), {}).get("enum", ())
    ]
    return f"{len(found)} events" if len(found) > 4 else ", ".join(found)


def _actions_with(fault: str) -> str:
    found = [action for action, operation in OPERATIONS.items() if fault in operation["faults"]]
    return "all" if len(found) == len(OPERATIONS) else f"{len(found)} actions" if len(found) > 6 else ", ".join(found)


def _table(title: str, head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [f"### {title}", "", f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def written_into(page: str) -> str:
    """Return a page with its tables made anew."""
    return page[: page.index(BEGIN)] + f"{BEGIN}\n\n{tables()}"


def main() -> None:
    """Write the tables into the page that is named."""
    assert set(EVENTS) == set(EVENT_ATTRIBUTES)
    assert set(DECISIONS) == set(DECISION_ATTRIBUTES)
    page = Path(sys.argv[1])
    page.write_text(written_into(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
