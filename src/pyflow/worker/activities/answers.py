"""
The answer to a task: what came of its body, told to SWF in a form that SWF takes.
"""

import logging
from threading import Event
from typing import Any, Final

from pyflow.converter import DATA_MAX, REASON_MAX, sendable
from pyflow.exceptions import ServiceFault
from pyflow.failures import read
from pyflow.swf.client import Client
from pyflow.swf.faults import Verdict, judge
from pyflow.worker.responding import respond, with_store

from .bodies import Outcome
from .performance import Performance

logger = logging.getLogger(__name__)

WORKER_STOPPED: Final = "WORKER_STOPPED"
"""The reason of a failure whose body was still running when its worker had to end."""


class Answers:
    """
    Answers tasks.

    Args:
        client: an SWF client.
        stop: whether the worker is asked to stop; answers are repeated for a shorter time then.
    """

    def __init__(self, client: Client, stop: Event) -> None:
        self._client = client
        self._stop = stop

    def give(self, performance: Performance, outcome: Outcome) -> None:
        """Answer a task, unless that was done already; whatever comes of it is logged."""
        if performance.claim():
            self.try_to(performance, lambda: self.tell(performance, outcome))

    def unknown(self, raw: dict[str, Any], identity: str, served: str) -> None:
        """Fail a task whose type the worker does not serve: at once, and not by a timeout."""
        type_ = raw["activityType"]
        reason = f"unknown activity type {type_['name']} {type_['version']}"
        self._fail(raw["taskToken"], raw.get("activityId"), reason, f"{identity} serves: {served}")

    def try_to(self, who: object, answer: Any) -> None:
        """Do something that answers a task, and log what goes wrong."""
        try:
            answer()
        except BaseException as error:
            if isinstance(error, ServiceFault) and judge(error) is Verdict.LOST:
                logger.warning("activity %s was answered too late, its outcome is dropped: %s", who, error)
            else:
                logger.exception("activity %s could not be answered, it will time out", who)

    def tell(self, performance: Performance, outcome: Outcome) -> None:
        """Answer a task; raises ServiceFault or PayloadStoreException where that cannot be done."""
        token, pulse, converter = performance.task.task_token, performance.task.pulse, performance.converter
        if outcome.how == "LEFT_OPEN":
            logger.info("activity %s is left open, to be completed by its token", performance)
        elif outcome.how == "FAILED":
            self._fail(token, performance, outcome.reason, outcome.text)
        elif outcome.how == "COMPLETED":
            result = with_store(converter.seal, outcome.text, self._stop)
            try:
                self._respond("Completed", token, result=result)
            except ServiceFault as fault:
                if judge(fault) is not Verdict.OURS:
                    raise
                self._fail(token, performance, "result refused", str(fault))  # the token is still good
        elif pulse.lost:
            logger.warning("activity %s has stopped: SWF did not wait for it any more", performance)
        elif pulse.stopping and not pulse.cancel_requested:
            # Nobody asked the activity to cancel. As a failure it is tried again where its retry policy says so.
            self._fail(token, performance, WORKER_STOPPED, outcome.text)
        else:
            logger.info("activity %s is canceled: %s", performance, outcome.text)
            self._respond("Canceled", token, details=sendable(outcome.text))

    def _fail(self, token: str, who: object, reason: str, details: str) -> None:
        report = read(details)
        logger.warning("activity %s fails: %s: %s", who, reason, details if report is None else report.traceback)
        self._respond("Failed", token, reason=sendable(reason, REASON_MAX), details=sendable(details, DATA_MAX))

    def _respond(self, how: str, token: str, **response: Any) -> None:
        call = getattr(self._client, f"respond_activity_task_{how.lower()}")
        respond(call, f"RespondActivityTask{how}", self._stop, taskToken=token, **response)
