"""
An activity task as its body sees it, and the answers to one that are given later, from anywhere.
"""

import logging
import re
from contextvars import ContextVar
from typing import Any, Final

from . import _fiber
from .converter import DATA_MAX, JSON, REASON_MAX, DataConverter, sendable
from .exceptions import ActivityCanceledException, NotInActivityException, PayloadStoreException
from .failures import type_of, write
from .pulse import Pulse
from .swf.client import Client, create_client, service_faults
from .swf.events import attributes_of
from .swf.repeating import repeat

__all__ = [
    "ActivityTask",
    "cancel_activity",
    "complete_activity",
    "current_task",
    "fail_activity",
    "heartbeat_activity",
    "performing",
]

logger = logging.getLogger(__name__)

HEARTBEAT_MAX: Final = 2_048
"""Characters of a heartbeat's details."""

_LATER_ATTEMPT: Final = re.compile(r"(.+)\.([0-9]+)")

performing: Final[ContextVar["ActivityTask | None"]] = ContextVar("performing", default=None)
"""The task whose body runs in this context."""


class ActivityTask:
    """
    The activity task that a body works on.

    Args:
        client: an SWF client.
        domain: where the task is from.
        task: PollForActivityTask's reply.
        converter: writes heartbeats' details, and reads them.

    Attributes:
        task_token: what answers it; any process may, until one of its timeouts ends it.
        activity_id: ``activity3``; of a further attempt ``activity3.2``.
        workflow_id, run_id: the execution that asked for it.
        activity_type, activity_version: the registered type.
        started_event_id: its ActivityTaskStarted in the execution's history.
        attempt: which attempt of its retry policy this is, from 1.
        attempt_in_worker: which attempt of ``retry_in_worker`` at this task, from 1.
        deferred: ``complete_later`` was called.
        pulse: its heartbeats; for the worker.
    """

    def __init__(self, client: Client, domain: str, task: dict[str, Any], converter: DataConverter = JSON) -> None:
        execution = task["workflowExecution"]
        self.task_token: str = task["taskToken"]
        self.activity_id: str = task["activityId"]
        self.workflow_id: str = execution["workflowId"]
        self.run_id: str = execution["runId"]
        self.activity_type: str = task["activityType"]["name"]
        self.activity_version: str = task["activityType"]["version"]
        self.started_event_id: int = task["startedEventId"]
        later = _LATER_ATTEMPT.fullmatch(self.activity_id) if "." in self.activity_id else None
        self._first_id = later[1] if later else self.activity_id
        self.attempt = int(later[2]) if later else 1
        self.attempt_in_worker = 1
        self.deferred = False
        self.pulse = Pulse(client, self.task_token, self.activity_id)
        self._client = client
        self._domain = domain
        self._converter = converter

    def heartbeat(self, details: Any = None) -> None:
        """
        Say that the work goes on, and how far it is.

        In a running worker at most one a second goes to SWF for each task; one that comes sooner is sent when that second is
        over, with the newest details. On the asyncio loop none is waited for.

        Args:
            details: a JSON value, at most 2,048 characters of JSON: what the next attempt finds in ``last_details`` should
                this one time out. None: those of the heartbeat before stay.

        Raises:
            ActivityCanceledException: somebody asked the activity to cancel, SWF does not wait for it any more, or the worker is
                stopping. Let it pass, after cleaning up.
            SerializationException: the details are not JSON, or too long.
            ServiceFault: the service refuses the heartbeat. That it does not answer is logged only: the next one may pass.
            PyflowException: called in a fork of the worker's process.

        Source:
            SWF API Reference, RecordActivityTaskHeartbeat.
        """
        text = None
        if details is not None:
            try:
                text = _heartbeat_text(self._converter, details)
            except PayloadStoreException as error:
                logger.warning("a heartbeat of %s goes without its details: %s", self.activity_id, error)
        self.pulse.beat(text)
        if self.pulse.over:
            raise ActivityCanceledException(self.pulse.over)

    @property
    def lost(self) -> bool:
        """Whether SWF does not know the task any more: it timed out, or its execution has closed."""
        return self.pulse.lost

    @property
    def cancel_requested(self) -> bool:
        """
        Whether the body should stop; for one that would rather ask than be interrupted.

        Asking is a heartbeat. Also true once SWF does not wait for the task any more, or the worker is stopping.
        """
        if not self.pulse.over:
            self.pulse.beat()
        return self.pulse.over is not None

    @property
    def last_details(self) -> Any:
        """
        The details of the last heartbeat of the attempts before; None if there was none.

        SWF keeps them where an attempt timed out, not where it failed. They are read from the execution's history, each time
        this is asked for; a first attempt reads nothing.

        Raises:
            ServiceFault: the history cannot be read.

        Source:
            SWF API Reference, ActivityTaskTimedOutEventAttributes.
        """
        if self.attempt == 1:
            return None
        before = {self._first_id, *(f"{self._first_id}.{number}" for number in range(2, self.attempt))}
        details: dict[int, str] = {}  # by the id of the event that scheduled the attempt
        request = {
            "domain": self._domain,
            "execution": {"workflowId": self.workflow_id, "runId": self.run_id},
            "reverseOrder": True,
        }
        while True:
            with service_faults("GetWorkflowExecutionHistory"):
                page = self._client.get_workflow_execution_history(**request)
            for event in page["events"]:
                attributes = attributes_of(event)
                if event["eventType"] == "ActivityTaskTimedOut" and "details" in attributes:
                    details[attributes["scheduledEventId"]] = attributes["details"]
                elif event["eventType"] == "ActivityTaskScheduled" and attributes["activityId"] in before:
                    before.discard(attributes["activityId"])
                    if event["eventId"] in details:
                        return _decoded(self._converter, details[event["eventId"]])
            if not before or "nextPageToken" not in page:
                return None
            request["nextPageToken"] = page["nextPageToken"]

    def complete_later(self) -> str:
        """
        Leave the task open when the body returns: what it returns is dropped, and somebody else answers.

        The answer is ``pyflow.complete_activity``, ``fail_activity`` or ``cancel_activity`` with the token, from any process. The
        task's timeouts go on; ``pyflow.heartbeat_activity`` keeps a heartbeat timeout from ending it. A body that raises fails
        the task all the same.

        Returns:
            The task token.
        """
        self.deferred = True
        return self.task_token


def current_task() -> ActivityTask:
    """
    Return the task that the calling body works on; ``pyflow.activity.current``.

    Raises:
        NotInActivityException: no worker runs the caller as a body.
    """
    task = performing.get()
    if task is None or _fiber.current() is not None:
        raise NotInActivityException(
            "activity.current() is for the body of an activity, while an ActivityWorker runs it. A body that is called as "
            "a plain function has no task: catch NotInActivityException there. A thread that the body starts is outside "
            "too: hand it what current() gave."
        )
    return task


def complete_activity(
    task_token: str, result: Any = None, client: Client | None = None, *, converter: DataConverter = JSON
) -> None:
    """
    Complete an activity task that its body left open with ``complete_later``.

    Args:
        task_token: what ``complete_later`` returned.
        result: a value as an activity returns it.
        client: an SWF client; None: ``create_client()``.
        converter: what values become on their way; the one that its workers have.

    Raises:
        SerializationException: the result is not JSON, or too long.
        PayloadStoreException: the payload store did not take it.
        ServiceFault: ``UnknownResourceFault`` if the task is not open any more.

    Source:
        SWF API Reference, RespondActivityTaskCompleted.
    """
    text = converter.seal(converter.encode(result, "the result of the activity"))
    call = _made(client).respond_activity_task_completed
    repeat(call, "RespondActivityTaskCompleted", taskToken=task_token, result=text)


def fail_activity(
    task_token: str, reason: str | BaseException, details: str | None = None, client: Client | None = None
) -> None:
    """
    Fail an activity task that its body left open with ``complete_later``.

    Args:
        task_token: what ``complete_later`` returned.
        reason: a short text, such as an error's type, cut at 256 characters; or an exception, which fails it as if the body had
            raised it.
        details: a longer text, cut at 32,768 characters; an exception tells its own.
        client: an SWF client; None: ``create_client()``.

    Raises:
        ServiceFault: ``UnknownResourceFault`` if the task is not open any more.

    Source:
        SWF API Reference, RespondActivityTaskFailed.
    """
    if isinstance(reason, BaseException):
        details = write(reason)
        reason = type_of(reason)
    more = {} if details is None else {"details": sendable(details, DATA_MAX)}
    call = _made(client).respond_activity_task_failed
    repeat(call, "RespondActivityTaskFailed", taskToken=task_token, reason=sendable(reason, REASON_MAX), **more)


def cancel_activity(task_token: str, details: str | None = None, client: Client | None = None) -> None:
    """
    Say that an activity task that its body left open has stopped because it was asked to cancel.

    Args:
        task_token: what ``complete_later`` returned.
        details: a text; cut at 32,768 characters.
        client: an SWF client; None: ``create_client()``.

    Raises:
        ServiceFault: ``UnknownResourceFault`` if the task is not open any more.

    Source:
        SWF API Reference, RespondActivityTaskCanceled.
    """
    more = {} if details is None else {"details": sendable(details, DATA_MAX)}
    call = _made(client).respond_activity_task_canceled
    repeat(call, "RespondActivityTaskCanceled", taskToken=task_token, **more)


def heartbeat_activity(
    task_token: str, details: Any = None, client: Client | None = None, *, converter: DataConverter = JSON
) -> bool:
    """
    Say that the work on an activity task that its body left open goes on.

    Args:
        task_token: what ``complete_later`` returned.
        details: a JSON value, at most 2,048 characters of JSON; None sends none.
        client: an SWF client; None: ``create_client()``.
        converter: what values become on their way; the one that its workers have.

    Returns:
        Whether somebody asked the activity to cancel: then stop, and call ``cancel_activity``.

    Raises:
        SerializationException: the details are not JSON, or too long.
        ServiceFault: ``UnknownResourceFault`` if the task is not open any more.

    Source:
        SWF API Reference, RecordActivityTaskHeartbeat.
    """
    more = {} if details is None else {"details": _heartbeat_text(converter, details)}
    with service_faults("RecordActivityTaskHeartbeat"):
        reply = _made(client).record_activity_task_heartbeat(taskToken=task_token, **more)
    return bool(reply["cancelRequested"])


def _made(client: Client | None) -> Client:
    return create_client() if client is None else client


def _heartbeat_text(converter: DataConverter, details: Any) -> str:
    text = converter.encode(details, "the details of a heartbeat", limit=HEARTBEAT_MAX)
    return converter.seal(text, HEARTBEAT_MAX)


def _decoded(converter: DataConverter, text: str) -> Any:
    try:
        return converter.decode(text)
    except ValueError:  # another program's heartbeat
        return text
