"""
The one table of faults: what each reply to each call means, and so what its caller does.

A fault is first put among the *replies*, by its code, or by its status where the code is not known. Then the table says, for the
kind of call, which *verdict* follows. Two questions decide most of it: may the request have been applied, and what would it
mean to apply it twice? A task token is good only once, so a response may be repeated; a signal may not.

Source: SWF API Reference, the errors of each action and "Common Errors"; botocore's retry rules for the throttling codes.
"""

from enum import Enum
from typing import Final

from pyflow.exceptions import ServiceFault


class Verdict(Enum):
    """What a caller does about a fault. It is never: fail the customer's execution or task."""

    RETRY = "send the same again, after a back-off"
    SKIP = "let this one go; the next one does as well"
    REPAIR = "somebody must repair credentials, permissions, the clock or the domain; say so loudly, try again slowly"
    LOST = "the task is no longer ours: it timed out, or its execution closed; drop it"
    APPLIED = "an earlier try, whose outcome was unknown, was most likely applied; go on as if it had been"
    OURS = "the service read the request and refused what is in it: the fault is ours, the token is still good"
    CALLER = "only whoever made the call can know what to do: raise it"


class Reply(Enum):
    """What a fault says of its request."""

    PUSHED_BACK = "too many, or the service is not there for the moment; not applied"
    UNSENT = "no connection came about; not applied"
    UNKNOWN = "it may have been applied: no answer, one cut short, or an error of the service's own"
    GONE = "there is no such thing, or not any more"
    EXISTS = "an execution of that id is open already"
    INVALID = "the service, or botocore, refuses what is in it"
    DENIED = "credentials, permissions or the clock are not right"


class Call(Enum):
    """A kind of call, as far as faults matter."""

    POLL = 0
    RESPONSE = 1
    HEARTBEAT = 2
    START = 3
    SIGNAL = 4
    REPEATABLE = 5
    """Whatever does the same once or twice: reads, registrations, requests to cancel, terminations."""


CALLS: Final = {
    "PollForDecisionTask": Call.POLL,
    "PollForActivityTask": Call.POLL,
    "RespondDecisionTaskCompleted": Call.RESPONSE,
    "RespondActivityTaskCompleted": Call.RESPONSE,
    "RespondActivityTaskFailed": Call.RESPONSE,
    "RespondActivityTaskCanceled": Call.RESPONSE,
    "RecordActivityTaskHeartbeat": Call.HEARTBEAT,
    "StartWorkflowExecution": Call.START,
    "SignalWorkflowExecution": Call.SIGNAL,
}
"""The calls that are not REPEATABLE."""

_RETRY, _SKIP, _REPAIR, _LOST = Verdict.RETRY, Verdict.SKIP, Verdict.REPAIR, Verdict.LOST
_APPLIED, _OURS, _CALLER = Verdict.APPLIED, Verdict.OURS, Verdict.CALLER

TABLE: Final[dict[Reply, tuple[Verdict, ...]]] = {
    #                   POLL     RESPONSE  HEARTBEAT  START    SIGNAL   REPEATABLE
    Reply.PUSHED_BACK: (_RETRY, _RETRY, _SKIP, _RETRY, _RETRY, _RETRY),
    Reply.UNSENT: (_RETRY, _RETRY, _SKIP, _RETRY, _RETRY, _RETRY),
    Reply.UNKNOWN: (_RETRY, _RETRY, _SKIP, _RETRY, _CALLER, _RETRY),
    Reply.GONE: (_REPAIR, _LOST, _LOST, _CALLER, _CALLER, _CALLER),
    Reply.EXISTS: (_OURS, _OURS, _OURS, _CALLER, _CALLER, _CALLER),
    Reply.INVALID: (_OURS, _OURS, _OURS, _CALLER, _CALLER, _CALLER),
    Reply.DENIED: (_REPAIR, _REPAIR, _REPAIR, _CALLER, _CALLER, _CALLER),
}

AFTER_UNKNOWN: Final = {
    (Reply.GONE, Call.RESPONSE): Verdict.APPLIED,
    (Reply.EXISTS, Call.START): Verdict.APPLIED,
}
"""Cells that mean something else once an earlier try of the same request had an unknown outcome."""

CODES: Final = {
    Reply.PUSHED_BACK: {
        "BandwidthLimitExceeded",
        "LimitExceededFault",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottledException",
        "ThrottlingException",
        "TooManyRequestsException",
    },
    # botocore's own: it never had a connection to send the request on
    Reply.UNSENT: {"ConnectTimeoutError", "EndpointConnectionError", "ProxyConnectionError", "SSLError"},
    Reply.UNKNOWN: {"RequestTimeout", "RequestTimeoutException"},
    Reply.GONE: {"UnknownResourceFault"},
    Reply.EXISTS: {"WorkflowExecutionAlreadyStartedFault"},
    Reply.INVALID: {"ParamValidationError", "SerializationException", "ValidationError", "ValidationException"},
    Reply.DENIED: {
        "AccessDenied",
        "AccessDeniedException",
        "DomainDeprecatedFault",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "NotAuthorized",
        "OperationNotPermittedFault",
        "OptInRequired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
        # a clock that is wrong: botocore signs with it as it is
        "RequestExpired",
        "RequestTimeTooSkewed",
        # botocore's own, before anything is sent
        "CredentialRetrievalError",
        "NoAuthTokenError",
        "NoCredentialsError",
        "PartialCredentialsError",
        "SSOTokenLoadError",
        "TokenRetrievalError",
        "UnauthorizedSSOTokenError",
    },
}
"""What is known by its code; the rest goes by its status."""

_REPLIES: Final = {code: reply for reply, codes in CODES.items() for code in codes}

STALE_CREDENTIALS: Final = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException"}
)
"""
What a client is told whose keys were good once. botocore renews by itself what came with an expiry (roles, SSO, instance
profiles); keys from the environment or a file it reads only when a client is made.
"""


def reply_of(fault: ServiceFault) -> Reply:
    """Say what a fault means for its request: by code; else by status, where 0 is no answer at all."""
    known = _REPLIES.get(fault.code)
    if known is not None:
        return known
    if fault.status in {429, 503}:
        return Reply.PUSHED_BACK
    if fault.status == 0 or fault.status >= 500:
        return Reply.UNKNOWN
    return Reply.INVALID


def judge(fault: ServiceFault, *, after_unknown: bool = False) -> Verdict:
    """
    Say what a fault means for the call that it answers.

    Args:
        fault: its ``operation`` must be set.
        after_unknown: an earlier try of the very same request ended with ``Reply.UNKNOWN``.
    """
    reply, call = reply_of(fault), CALLS.get(fault.operation or "", Call.REPEATABLE)
    if after_unknown and (reply, call) in AFTER_UNKNOWN:
        return AFTER_UNKNOWN[reply, call]
    return TABLE[reply][call.value]
