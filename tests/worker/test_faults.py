import pytest

from pyflow.exceptions import ServiceFault
from pyflow.worker.faults import Verdict, judge

POLLS = ["PollForDecisionTask", "PollForActivityTask"]
RESPONSES = [
    "RespondDecisionTaskCompleted",
    "RespondActivityTaskCompleted",
    "RespondActivityTaskFailed",
    "RespondActivityTaskCanceled",
]

# reply -> (of a poll, of a response), as SWF's documentation and failures seen in the field have it
EXPECTED = {
    ("ThrottlingException", 400): (Verdict.RETRY, Verdict.RETRY),
    ("LimitExceededFault", 400): (Verdict.RETRY, Verdict.RETRY),
    ("RequestLimitExceeded", 503): (Verdict.RETRY, Verdict.RETRY),
    ("", 429): (Verdict.RETRY, Verdict.RETRY),
    ("InternalFailure", 500): (Verdict.RETRY, Verdict.RETRY),
    ("502", 502): (Verdict.RETRY, Verdict.RETRY),
    ("ServiceUnavailable", 503): (Verdict.RETRY, Verdict.RETRY),
    ("ReadTimeoutError", 0): (Verdict.RETRY, Verdict.RETRY),
    ("ConnectionClosedError", 0): (Verdict.RETRY, Verdict.RETRY),
    ("EndpointConnectionError", 0): (Verdict.RETRY, Verdict.RETRY),
    ("ResponseParserError", 0): (Verdict.RETRY, Verdict.RETRY),
    ("RequestTimeTooSkewed", 403): (Verdict.RETRY, Verdict.RETRY),
    ("UnknownResourceFault", 400): (Verdict.REPAIR, Verdict.LOST),
    ("OperationNotPermittedFault", 400): (Verdict.REPAIR, Verdict.REPAIR),
    ("AccessDeniedException", 400): (Verdict.REPAIR, Verdict.REPAIR),
    ("UnrecognizedClientException", 400): (Verdict.REPAIR, Verdict.REPAIR),
    ("ExpiredTokenException", 400): (Verdict.REPAIR, Verdict.REPAIR),
    ("InvalidSignatureException", 403): (Verdict.REPAIR, Verdict.REPAIR),
    ("NoCredentialsError", 0): (Verdict.REPAIR, Verdict.REPAIR),
    ("ValidationException", 400): (Verdict.OURS, Verdict.OURS),
    ("SerializationException", 400): (Verdict.OURS, Verdict.OURS),
    ("ParamValidationError", 0): (Verdict.OURS, Verdict.OURS),
    ("SomethingNew", 400): (Verdict.OURS, Verdict.OURS),
    ("RequestEntityTooLarge", 413): (Verdict.OURS, Verdict.OURS),
}


@pytest.mark.parametrize("operation", POLLS + RESPONSES)
@pytest.mark.parametrize("reply", EXPECTED, ids=lambda reply: f"{reply[0]}-{reply[1]}")
def test_each_reply_to_each_call_has_one_meaning(operation, reply):
    code, status = reply

    verdict = judge(ServiceFault(code, "", operation=operation, status=status))

    assert verdict is EXPECTED[reply][operation in RESPONSES]
