"""
The activity worker: takes activity tasks from a task list, runs their functions in threads, and answers.
"""

import logging
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Semaphore
from typing import Any, Final

from pyflow import logs
from pyflow.activities import Activity
from pyflow.converter import DATA_MAX, JSON, REASON_MAX, DataConverter, sendable
from pyflow.exceptions import (
    ActivityCanceledException,
    PayloadException,
    PayloadStoreException,
    PyflowException,
    ServiceFault,
)
from pyflow.failures import read, type_of, write
from pyflow.swf.client import Client, create_client
from pyflow.swf.faults import Verdict, judge
from pyflow.tasks import ActivityTask, performing

from .polling import Poller, Task, backoff_max_s, poll_activity_task
from .registration import ACTIVITY_TYPES, register_types
from .responding import respond, with_store

logger = logging.getLogger(__name__)

CONCURRENCY: Final = 10


class ActivityWorker:
    """
    Runs the activities of a task list, several at a time.

    Args:
        activities: what ``@pyflow.activity`` made; no two of one name and version.
        domain: a registered domain.
        task_list: the task list to poll.
        identity: recorded in ActivityTaskStarted; at most 256 characters.
        client: an SWF client; None: ``create_client(for_worker=True)``.
        concurrency: how many bodies may run at once. A task is polled for only while there is room for it.
        converter: what values become on their way; give the deciders and the starters the same.

    Raises:
        PyflowException: two activities have one name and version.
    """

    def __init__(
        self,
        activities: Iterable[Activity[..., Any]],
        domain: str,
        task_list: str,
        identity: str,
        client: Client | None = None,
        *,
        concurrency: int = CONCURRENCY,
        converter: DataConverter = JSON,
    ) -> None:
        logs.install()
        self._activities: dict[tuple[str, str], Activity[..., Any]] = {}
        for activity in activities:
            if self._activities.setdefault((activity.name, activity.version), activity) is not activity:
                raise PyflowException(
                    f"two activities are both named {activity.name!r} with version {activity.version!r}; "
                    "give one of them another name or version"
                )
        self._domain = domain
        self._task_list = task_list
        self._identity = identity
        self._client = create_client(for_worker=True) if client is None else client
        self._concurrency = concurrency
        self._converter = converter
        self._slots = Semaphore(concurrency)
        self._stop = Event()
        self._poller = Poller(self._poll, self._stop, backoff_max_s=backoff_max_s(self._client))
        self._under_way: set[str] = set()  # task tokens

    @property
    def idle(self) -> bool:
        """Whether nothing but a poll is under way."""
        return self._poller.polling and not self._under_way

    def ensure_activities_registered(self) -> None:
        """
        Register the activity types that the domain does not have, and log what those that it has have otherwise.

        Raises:
            ServiceFault: ``UnknownResourceFault`` (no such domain), ``LimitExceededFault``, ...
        """
        own_list = {"defaultTaskList": {"name": self._task_list}}
        wanted = {type_: {**own_list, **each.registration} for type_, each in self._activities.items()}
        register_types(self._client, ACTIVITY_TYPES, self._domain, wanted, self._stop)

    def run(self) -> None:
        """
        Register what is missing, then work until ``stop``; the poll and the bodies under way are finished first.

        Raises:
            ServiceFault: registration failed, or the service refuses the names in a poll.
        """
        self.ensure_activities_registered()
        with ThreadPoolExecutor(self._concurrency, thread_name_prefix="activity") as bodies:
            while not self._stop.is_set():
                self._slots.acquire()
                task = self._poller.next()
                if task is None:
                    self._slots.release()
                else:
                    self._under_way.add(task["taskToken"])
                    bodies.submit(self._perform, task)

    def work_once(self) -> bool:
        """Poll once, and do what comes right here; tell whether anything came. For tests, where nothing runs beside them."""
        task = self._poll()
        if task is not None:
            self._answer(task)
        return task is not None

    def do(self, task: Task) -> None:
        """
        Do a task right here that somebody else has polled for, and answer it.

        Raises:
            ServiceFault: the answer was not taken.
        """
        self._answer(task)

    def stop(self) -> None:
        """Make ``run`` end after the poll and the bodies under way. Any thread may call it, more than once."""
        self._stop.set()

    def _poll(self) -> Task | None:
        return poll_activity_task(self._client, self._domain, self._task_list, self._identity)

    def _perform(self, task: Task) -> None:
        """Run the body of a task and answer it; whatever happens, the slot is free again."""
        try:
            self._answer(task)
        except BaseException as error:
            if isinstance(error, ServiceFault) and judge(error) is Verdict.LOST:
                logger.warning("activity %s was answered too late, its outcome is dropped: %s", _label(task), error)
            else:
                logger.exception("activity %s could not be answered, it will time out", _label(task))
        finally:
            self._under_way.discard(task["taskToken"])
            self._slots.release()

    def _answer(self, task: Task) -> None:
        type_ = task["activityType"]
        activity = self._activities.get((type_["name"], type_["version"]))
        if activity is None:
            served = ", ".join(f"{name} {version}" for name, version in sorted(self._activities)) or "none"
            self._fail(
                task,
                f"unknown activity type {type_['name']} {type_['version']}",
                f"{self._identity} serves: {served}",
            )
            return
        current = ActivityTask(self._client, self._domain, task, self._converter)
        text = task.get("input")
        try:
            text = None if text is None else with_store(self._converter.open, text, self._stop)
        except PayloadStoreException:
            raise  # not answered: who takes it after its timeout may reach the store
        except PayloadException as error:
            self._fail(task, type_of(error), write(error))
            return
        try:
            result = _executed(activity, current, text, self._converter)
        except ActivityCanceledException as canceled:
            self._cancel(task, current, canceled)
            return
        except BaseException as error:  # also SystemExit: the body ended, the worker goes on
            self._fail(task, type_of(error), write(error))
            return
        if current.deferred:
            logger.info("activity %s is left open, to be completed by its token", _label(task))
            return
        result = with_store(self._converter.seal, result, self._stop)
        try:
            self._respond("Completed", task, result=result)
        except ServiceFault as fault:
            if judge(fault) is not Verdict.OURS:
                raise
            self._fail(task, "result refused", str(fault))  # the token is still good

    def _cancel(self, task: Task, current: ActivityTask, canceled: ActivityCanceledException) -> None:
        if current.lost:
            logger.warning("activity %s has stopped: SWF did not wait for it any more", _label(task))
            return
        logger.info("activity %s is canceled: %s", _label(task), canceled)
        self._respond("Canceled", task, details=sendable(str(canceled)))

    def _fail(self, task: Task, reason: str, details: str) -> None:
        report = read(details)
        logger.warning(
            "activity %s fails: %s: %s", _label(task), reason, details if report is None else report.traceback
        )
        self._respond("Failed", task, reason=sendable(reason, REASON_MAX), details=sendable(details, DATA_MAX))

    def _respond(self, how: str, task: Task, **response: str) -> None:
        call = getattr(self._client, f"respond_activity_task_{how.lower()}")
        respond(call, f"RespondActivityTask{how}", self._stop, taskToken=task["taskToken"], **response)


def _executed(activity: Activity[..., Any], current: ActivityTask, text: str | None, converter: DataConverter) -> str:
    """Run a body, with its task to be had by ``activity.current()``."""
    token = performing.set(current)
    try:
        return activity.execute(text, converter)
    finally:
        performing.reset(token)


def _label(task: Task) -> str:
    execution: dict[str, Any] = task.get("workflowExecution", {})
    return f"{task.get('activityId')} ({task['activityType']['name']}) of {execution.get('workflowId')}"
