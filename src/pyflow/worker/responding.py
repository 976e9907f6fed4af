"""
Responses to tasks: the same bytes again until they are taken, refused, or there is no point.
"""

import logging
import time
from collections.abc import Callable
from threading import Event
from typing import Any, Final

from pyflow.exceptions import PayloadStoreException, ServiceFault
from pyflow.swf.client import service_faults
from pyflow.swf.faults import Reply, Verdict, judge, reply_of
from pyflow.swf.repeating import backoff_s

from .polling import REPAIR_MIN_S

logger = logging.getLogger(__name__)

RETRY_S: Final = 600.0
"""How long a response is repeated. No reply to a poll says until when its token is good."""
STOPPING_RETRY_S: Final = 5.0
"""The same once the worker is asked to stop."""
BACKOFF_MAX_S: Final = 10.0


def respond(
    call: Callable[..., Any], operation: str, stop: Event, *, tried: Exception | None = None, **response: Any
) -> None:
    """
    Send a response, and repeat it while its outcome is unknown or the service pushes back.

    A token is good only once, so a repeated response that had been applied is refused, never applied twice. A refusal after a
    try whose outcome was unknown therefore means that this try was applied, most likely; and if not, the task is lost either way.

    Args:
        call: the client's method.
        operation: SWF's name for it, ``RespondActivityTaskCompleted``.
        stop: whether the worker is asked to stop; there is less patience then.
        tried: how a first try that was made elsewhere failed; None: there was none.
        response: what to send, ``taskToken`` among it; the same at every try.

    Raises:
        ServiceFault: ``judge(fault)`` says what it means: LOST, OURS, or RETRY and REPAIR where time ran out.
    """
    started_s = time.monotonic()
    failures = 0
    after_unknown = False
    while True:
        try:
            if tried is not None:
                first, tried = tried, None
                raise first
            with service_faults(operation):
                call(**response)
        except ServiceFault as fault:
            verdict = judge(fault, after_unknown=after_unknown)
            if verdict is Verdict.APPLIED:
                logger.info("%s: an earlier try was most likely applied: %s", operation, fault)
                return
            patience_s = STOPPING_RETRY_S if stop.is_set() else RETRY_S
            if verdict not in {Verdict.RETRY, Verdict.REPAIR} or time.monotonic() - started_s > patience_s:
                raise
            after_unknown = after_unknown or reply_of(fault) is Reply.UNKNOWN
            wait_s = backoff_s(failures, BACKOFF_MAX_S)
            if verdict is Verdict.REPAIR and not stop.is_set():
                wait_s += REPAIR_MIN_S
            failures += 1
            level = logging.ERROR if verdict is Verdict.REPAIR else logging.WARNING
            logger.log(level, "%s failed, next try in %.1f s: %s", operation, wait_s, fault)
            time.sleep(wait_s)
        else:
            return


def with_store(call: Callable[[str], str], text: str, stop: Event) -> str:
    """
    Seal or open a payload, and try again while its store does not answer.

    Args:
        call: ``converter.seal`` or ``converter.open``.
        text: what it is called with.
        stop: whether the worker is asked to stop; there is less patience then.

    Raises:
        PayloadStoreException: the store has not answered for ten minutes.
        PayloadException: the payload cannot be opened, however often it is tried.
    """
    started_s = time.monotonic()
    failures = 0
    while True:
        try:
            return call(text)
        except PayloadStoreException as error:
            patience_s = STOPPING_RETRY_S if stop.is_set() else RETRY_S
            if time.monotonic() - started_s > patience_s:
                raise
            wait_s = backoff_s(failures, BACKOFF_MAX_S)
            failures += 1
            logger.warning("next try in %.1f s: %s", wait_s, error)
            time.sleep(wait_s)
