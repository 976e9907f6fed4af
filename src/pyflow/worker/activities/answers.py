"""
The answer to a task: what came of its body, told to SWF in a form that SWF takes.
"""

import logging
from collections.abc import Callable
from functools import partial
from threading import Event
from typing import Any, Final, NamedTuple, TypeVar

from pyflow.converter import DATA_MAX, REASON_MAX, sendable
from pyflow.exceptions import ServiceFault
from pyflow.failures import read
from pyflow.swf.client import Client
from pyflow.swf.faults import Verdict, judge
from pyflow.swf.posts import Post, Reply, can_post
from pyflow.worker.responding import respond, with_store

from .bodies import Outcome
from .performance import Performance
from .threads import Threads

logger = logging.getLogger(__name__)

T = TypeVar("T")

WORKER_STOPPED: Final = "WORKER_STOPPED"
"""The reason of a failure whose body was still running when its worker had to end."""


class Answer(NamedTuple):
    """What is sent for a task: the end of the action's name, its members, and in words whose answer it is."""

    how: str
    members: dict[str, str]
    whose: object

    @property
    def action(self) -> str:
        """SWF's name for it."""
        return f"RespondActivityTask{self.how}"


class Answers:
    """
    Answers tasks.

    Where the client takes calls that nobody waits for, an answer's first try is one. Only if it fails, a thread sees to the rest.

    Args:
        client: an SWF client.
        stop: whether the worker is asked to stop; answers are repeated for a shorter time then.
        threads: where answers go on whose first try has failed.
    """

    def __init__(self, client: Client, stop: Event, threads: Threads) -> None:
        self._client = client
        self._posts = can_post(client)
        self._stop = stop
        self._threads = threads

    def give(self, performance: Performance, outcome: Outcome, then: Callable[[], object]) -> None:
        """
        Answer a task, unless that was done already; whatever comes of it is logged.

        Args:
            performance: the task's.
            outcome: what came of its body.
            then: called when no more is to be done for the task, in any thread; where the service may stand still meanwhile.
        """
        answer = None
        if performance.claim():
            answer = _tried(performance, lambda: self._made(performance, outcome))
        if answer is None:
            then()
        elif self._posts:
            self._client.post(Post(answer.action, answer.members, partial(self._was_posted, answer, then), _always))
        else:
            self._finish(answer, then)

    def give_unknown(self, raw: dict[str, Any], identity: str, served: str) -> None:
        """Fail a task whose type the worker does not serve, and log what goes wrong."""
        _tried(raw.get("activityId"), lambda: self.unknown(raw, identity, served))

    def unknown(self, raw: dict[str, Any], identity: str, served: str) -> None:
        """Fail a task whose type the worker does not serve: at once, and not by a timeout."""
        type_ = raw["activityType"]
        reason = f"unknown activity type {type_['name']} {type_['version']}"
        self._send(_failed(raw["taskToken"], raw.get("activityId"), reason, f"{identity} serves: {served}"))

    def tell(self, performance: Performance, outcome: Outcome) -> None:
        """Answer a task; raises ServiceFault or PayloadStoreException where that cannot be done."""
        answer = self._made(performance, outcome)
        if answer is not None:
            self._send(answer)

    def _was_posted(self, answer: Answer, then: Callable[[], object], reply: Reply) -> None:
        """Take what came of a first try."""
        try:
            reply()
        except Exception as error:
            tried = error if isinstance(error, ServiceFault) else None
            self._threads.run(f"pyflow-answer {answer.whose}", self._finish, answer, then, tried)
        else:
            then()

    def _finish(self, answer: Answer, then: Callable[[], object], tried: ServiceFault | None = None) -> None:
        try:
            _tried(answer.whose, lambda: self._send(answer, tried))
        finally:
            then()

    def _made(self, performance: Performance, outcome: Outcome) -> Answer | None:
        """
        Put an outcome into the form of an answer; None: there is nothing to be sent.

        Raises:
            PayloadStoreException: the payload store does not answer.
        """
        token, pulse, converter = performance.task.task_token, performance.task.pulse, performance.converter
        if outcome.how == "COMPLETED":
            result = with_store(converter.seal, outcome.text, self._stop)
            return Answer("Completed", {"taskToken": token, "result": result}, performance)
        if outcome.how == "LEFT_OPEN":
            logger.info("activity %s is left open, to be completed by its token", performance)
        elif outcome.how == "FAILED":
            return _failed(token, performance, outcome.reason, outcome.text)
        elif pulse.lost:
            logger.warning("activity %s has stopped: SWF did not wait for it any more", performance)
        elif pulse.stopping and not pulse.cancel_requested:
            # Nobody asked the activity to cancel. As a failure it is tried again where its retry policy says so.
            return _failed(token, performance, WORKER_STOPPED, outcome.text)
        else:
            logger.info("activity %s is canceled: %s", performance, outcome.text)
            return Answer("Canceled", {"taskToken": token, "details": sendable(outcome.text)}, performance)
        return None

    def _send(self, answer: Answer, tried: ServiceFault | None = None) -> None:
        try:
            self._respond(answer, tried)
        except ServiceFault as fault:
            if answer.how != "Completed" or judge(fault) is not Verdict.OURS:
                raise
            # the token is still good
            self._respond(_failed(answer.members["taskToken"], answer.whose, "result refused", str(fault)))

    def _respond(self, answer: Answer, tried: ServiceFault | None = None) -> None:
        call = getattr(self._client, f"respond_activity_task_{answer.how.lower()}")
        respond(call, answer.action, self._stop, tried=tried, **answer.members)


def _failed(token: str, whose: object, reason: str, details: str) -> Answer:
    report = read(details)
    logger.warning("activity %s fails: %s: %s", whose, reason, details if report is None else report.traceback)
    members = {"taskToken": token, "reason": sendable(reason, REASON_MAX), "details": sendable(details, DATA_MAX)}
    return Answer("Failed", members, whose)


def _tried(whose: object, step: Callable[[], T]) -> T | None:
    """Do a step of answering a task, and log what goes wrong."""
    try:
        return step()
    except BaseException as error:
        if isinstance(error, ServiceFault) and judge(error) is Verdict.LOST:
            logger.warning("activity %s was answered too late, its outcome is dropped: %s", whose, error)
        else:
            logger.exception("activity %s could not be answered, it will time out", whose)
    return None


def _always() -> bool:
    return True
