"""
The one table of faults: which reply to a poll, or to a response, means what to its worker.

Source: SWF API Reference, the errors of the polls and of RespondDecisionTaskCompleted and RespondActivityTask...;
botocore's legacy and standard retry rules for the throttling codes.
"""

from enum import Enum
from typing import Final

from pyflow.exceptions import ServiceFault


class Verdict(Enum):
    """What a worker does about a fault. It is never: fail the customer's execution or task."""

    RETRY = "send the same again, after a back-off: it may have been applied, and a token is good only once"
    REPAIR = "somebody must repair credentials, permissions or the domain; say so loudly, try again slowly"
    LOST = "the task is no longer ours: it timed out, its execution closed, or an earlier try was applied; drop it"
    OURS = "the service read the request and refused what is in it: the fault is ours, the token is still good"


_POLL, _RESPOND = 0, 1

_THROTTLED = (Verdict.RETRY, Verdict.RETRY)
_DENIED = (Verdict.REPAIR, Verdict.REPAIR)
_INVALID = (Verdict.OURS, Verdict.OURS)

FAULTS: Final[dict[str, tuple[Verdict, Verdict]]] = {
    # code: (of a poll, of a response)
    "UnknownResourceFault": (Verdict.REPAIR, Verdict.LOST),
    "DomainDeprecatedFault": (Verdict.REPAIR, Verdict.REPAIR),
    "OperationNotPermittedFault": _DENIED,
    "LimitExceededFault": _THROTTLED,
    "Throttling": _THROTTLED,
    "ThrottlingException": _THROTTLED,
    "ThrottledException": _THROTTLED,
    "RequestThrottled": _THROTTLED,
    "RequestThrottledException": _THROTTLED,
    "RequestLimitExceeded": _THROTTLED,
    "TooManyRequestsException": _THROTTLED,
    "BandwidthLimitExceeded": _THROTTLED,
    "SlowDown": _THROTTLED,
    "RequestTimeout": _THROTTLED,
    "RequestTimeoutException": _THROTTLED,
    # botocore has corrected its clock by the time of the next try
    "RequestExpired": _THROTTLED,
    "RequestTimeTooSkewed": _THROTTLED,
    "AccessDenied": _DENIED,
    "AccessDeniedException": _DENIED,
    "ExpiredToken": _DENIED,
    "ExpiredTokenException": _DENIED,
    "IncompleteSignature": _DENIED,
    "InvalidClientTokenId": _DENIED,
    "InvalidSignatureException": _DENIED,
    "MissingAuthenticationToken": _DENIED,
    "MissingAuthenticationTokenException": _DENIED,
    "NotAuthorized": _DENIED,
    "OptInRequired": _DENIED,
    "SignatureDoesNotMatch": _DENIED,
    "UnrecognizedClientException": _DENIED,
    # botocore's own, before anything is sent
    "CredentialRetrievalError": _DENIED,
    "NoAuthTokenError": _DENIED,
    "NoCredentialsError": _DENIED,
    "PartialCredentialsError": _DENIED,
    "SSOTokenLoadError": _DENIED,
    "TokenRetrievalError": _DENIED,
    "UnauthorizedSSOTokenError": _DENIED,
    "ParamValidationError": _INVALID,
    "SerializationException": _INVALID,
    "ValidationException": _INVALID,
    "ValidationError": _INVALID,
}


def judge(fault: ServiceFault) -> Verdict:
    """
    Say what a fault of a poll or of a response means.

    Args:
        fault: its ``operation`` must be set; anything but ``PollFor...`` is taken for a response.

    Returns:
        By code where the table has it; else by status: no answer (0), 429 and 5xx may pass, another 4xx is ours.
    """
    column = _POLL if (fault.operation or "").startswith("PollFor") else _RESPOND
    if fault.code in FAULTS:
        return FAULTS[fault.code][column]
    if fault.status in {0, 429} or fault.status >= 500:
        return Verdict.RETRY
    return Verdict.OURS
