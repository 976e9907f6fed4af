"""
Calls sent again: the pauses between tries, and the calls that are made on somebody's behalf.
"""

import random
import time
from collections.abc import Callable
from typing import Any, Final

from pyflow.exceptions import ServiceFault

from .client import service_faults
from .faults import Reply, Verdict, judge, reply_of

BACKOFF_FIRST_S: Final = 0.5
BACKOFF_MAX_S: Final = 60.0
TRIES: Final = 5
CALLER_BACKOFF_MAX_S: Final = 5.0


def backoff_s(failures: int, max_s: float = BACKOFF_MAX_S) -> float:
    """Draw the wait after ``failures`` earlier failures: full jitter, doubling, at most ``max_s``."""
    return random.uniform(0.0, min(max_s, BACKOFF_FIRST_S * 2.0 ** min(failures, 16)))  # noqa: S311 (not a secret)


def repeat(call: Callable[..., Any], operation: str, **request: Any) -> Any:
    """
    Make a call for somebody who waits for it; a few times, where the table says that it may be sent again.

    For what botocore may not repeat by itself: it would send a signal twice whose first answer was lost.

    Args:
        call: the client's method.
        operation: SWF's name for it, ``SignalWorkflowExecution``.
        request: what to send; the same at every try.

    Returns:
        The reply; None where an earlier try was most likely applied and its reply did not come.

    Raises:
        ServiceFault: the table leaves it to the caller, or five tries were not enough.
    """
    after_unknown = False
    for failures in range(TRIES):
        try:
            with service_faults(operation):
                return call(**request)
        except ServiceFault as fault:
            verdict = judge(fault, after_unknown=after_unknown)
            if verdict is Verdict.APPLIED:
                return None
            if verdict is not Verdict.RETRY or failures == TRIES - 1:
                raise
            after_unknown = after_unknown or reply_of(fault) is Reply.UNKNOWN
        time.sleep(backoff_s(failures, CALLER_BACKOFF_MAX_S))
    raise AssertionError("the last try returns or raises")
