import botocore.exceptions
import pytest

from pyflow.exceptions import ServiceFault
from pyflow.swf.faults import CODES, TABLE, Call, Reply, Verdict, judge, reply_of
from pyflow.swf.model import OPERATIONS

COLUMNS = [
    ["PollForDecisionTask", "PollForActivityTask"],
    [
        "RespondDecisionTaskCompleted",
        "RespondActivityTaskCompleted",
        "RespondActivityTaskFailed",
        "RespondActivityTaskCanceled",
    ],
    ["RecordActivityTaskHeartbeat"],
    ["StartWorkflowExecution"],
    ["SignalWorkflowExecution"],
    [
        "RequestCancelWorkflowExecution",
        "TerminateWorkflowExecution",
        "GetWorkflowExecutionHistory",
        "DescribeWorkflowExecution",
        "RegisterWorkflowType",
    ],
]
EVERY = {operation for column in COLUMNS for operation in column}
WORKERS = {operation for column in COLUMNS[:3] for operation in column}
RETRY, SKIP, REPAIR, LOST = Verdict.RETRY, Verdict.SKIP, Verdict.REPAIR, Verdict.LOST
APPLIED, OURS, CALLER = Verdict.APPLIED, Verdict.OURS, Verdict.CALLER

NOT_APPLIED = (RETRY, RETRY, SKIP, RETRY, RETRY, RETRY)
UNKNOWN = (RETRY, RETRY, SKIP, RETRY, CALLER, RETRY)
INVALID = (OURS, OURS, OURS, CALLER, CALLER, CALLER)
DENIED = (REPAIR, REPAIR, REPAIR, CALLER, CALLER, CALLER)

# reply -> its verdict by column, as SWF's documentation and failures seen in the field have it; written without the table
EXPECTED = {
    ("ThrottlingException", 400): NOT_APPLIED,
    ("Throttling", 400): NOT_APPLIED,
    ("LimitExceededFault", 400): NOT_APPLIED,
    ("RequestLimitExceeded", 503): NOT_APPLIED,
    ("", 429): NOT_APPLIED,
    ("ServiceUnavailable", 503): NOT_APPLIED,
    ("503", 503): NOT_APPLIED,
    ("EndpointConnectionError", 0): NOT_APPLIED,
    ("ConnectTimeoutError", 0): NOT_APPLIED,
    ("InternalFailure", 500): UNKNOWN,
    ("502", 502): UNKNOWN,
    ("504", 504): UNKNOWN,
    ("ReadTimeoutError", 0): UNKNOWN,
    ("ConnectionClosedError", 0): UNKNOWN,
    ("ResponseParserError", 0): UNKNOWN,
    ("IncompleteReadError", 0): UNKNOWN,
    ("RequestTimeout", 400): UNKNOWN,
    ("UnknownResourceFault", 400): (REPAIR, LOST, LOST, CALLER, CALLER, CALLER),
    ("DomainDeprecatedFault", 400): DENIED,
    ("OperationNotPermittedFault", 400): DENIED,
    ("AccessDeniedException", 400): DENIED,
    ("UnrecognizedClientException", 400): DENIED,
    ("ExpiredTokenException", 400): DENIED,
    ("InvalidSignatureException", 403): DENIED,
    ("RequestTimeTooSkewed", 403): DENIED,
    ("RequestExpired", 400): DENIED,
    ("NoCredentialsError", 0): DENIED,
    ("ValidationException", 400): INVALID,
    ("SerializationException", 400): INVALID,
    ("ParamValidationError", 0): INVALID,
    ("SomethingNew", 400): INVALID,
    ("RequestEntityTooLarge", 413): INVALID,
    ("WorkflowExecutionAlreadyStartedFault", 400): INVALID,
}
# the cells that an earlier try of unknown outcome changes; all others stay
AFTER_UNKNOWN = {
    ("UnknownResourceFault", 1): APPLIED,
    ("WorkflowExecutionAlreadyStartedFault", 3): APPLIED,
}

CELLS = [
    pytest.param(reply, column, operation, id=f"{reply[0]}-{reply[1]}-{operation}")
    for reply in EXPECTED
    for column, operations in enumerate(COLUMNS)
    for operation in operations
]


@pytest.mark.parametrize(("reply", "column", "operation"), CELLS)
def test_each_reply_to_each_call_has_one_meaning(reply, column, operation):
    code, status = reply
    fault = ServiceFault(code, "", operation=operation, status=status)

    assert judge(fault) is EXPECTED[reply][column]
    assert judge(fault, after_unknown=True) is AFTER_UNKNOWN.get((code, column), EXPECTED[reply][column])


def test_each_operation_of_swf_stands_in_one_column():
    assert set(OPERATIONS) >= EVERY
    assert all(len(row) == len(Call) for row in TABLE.values())
    assert TABLE.keys() == set(Reply)


def test_no_code_stands_in_two_rows():
    codes = [code for row in CODES.values() for code in row]
    assert len(codes) == len(set(codes))


def test_botocore_has_the_errors_that_are_named_as_its_own():
    ours = {code for row in CODES.values() for code in row if code.endswith("Error") and code != "ValidationError"}
    assert {code for code in ours if not hasattr(botocore.exceptions, code)} == set()


@pytest.mark.parametrize("operation", sorted(EVERY))
def test_no_verdict_ever_is_to_fail_what_belongs_to_a_customer(operation):
    for code, status in EXPECTED:
        verdict = judge(ServiceFault(code, "", operation=operation, status=status))
        assert (verdict is CALLER) == (operation in EVERY - WORKERS and verdict is not RETRY)


def test_what_may_have_been_applied_is_told_from_what_was_not():
    def says(code, status):
        return reply_of(ServiceFault(code, "", operation="RespondDecisionTaskCompleted", status=status))

    assert says("ReadTimeoutError", 0) is says("InternalFailure", 500) is Reply.UNKNOWN
    assert says("EndpointConnectionError", 0) is Reply.UNSENT
    assert says("ThrottlingException", 400) is Reply.PUSHED_BACK
