"""One activity alone: its body is run as a worker would run it, and what it tells SWF is kept."""

import asyncio
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from pyflow.activities import Activity
from pyflow.converter import JSON, DataConverter
from pyflow.exceptions import ServiceFault
from pyflow.payloads.hints import hints_of
from pyflow.tasks import ActivityTask, performing

__all__ = ["ActivityEnvironment"]

__tracebackhide__ = True

P = ParamSpec("P")
R = TypeVar("R")


class ActivityEnvironment:
    """
    Runs the body of an activity with a task of its own, and no service.

    Arguments and result go through their text, as in a worker, so that what cannot be sent fails here too.

    Args:
        attempt: which attempt of its retry policy this is, from 1.
        last_details: what the attempt before told in its last heartbeat; for an attempt after the first.
        cancel_after: the heartbeat, counted from 1, whose answer is that somebody asked to cancel.
        lose_after: the heartbeat whose answer is that SWF does not know the task any more.
        workflow_id, run_id: of the execution that asked for it.
        converter: what values become on their way.

    Attributes:
        heartbeats: the details of each heartbeat.
        task: what ``activity.current()`` gave in the body that ran last; ``task.deferred`` tells whether it will be answered
            later.

    Raises:
        ValueError: ``last_details`` of a first attempt.
    """

    def __init__(
        self,
        *,
        attempt: int = 1,
        last_details: Any = None,
        cancel_after: int | None = None,
        lose_after: int | None = None,
        workflow_id: str = "a workflow",
        run_id: str = "a run",
        converter: DataConverter = JSON,
    ) -> None:
        if attempt == 1 and last_details is not None:
            raise ValueError("a first attempt has no attempt before it that told last_details: give attempt=2")
        self.heartbeats: list[Any] = []
        self.task: ActivityTask | None = None
        self._attempt = attempt
        self._last_details = None if last_details is None else converter.encode(last_details, "last_details")
        self._cancel_after = cancel_after
        self._lose_after = lose_after
        self._execution = {"workflowId": workflow_id, "runId": run_id}
        self._converter = converter

    def run(self, activity: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """
        Run the body.

        Args:
            activity: what ``@pyflow.activity`` made; of an ``async def`` too.
            args, kwargs: as the workflow would pass them.

        Returns:
            Its result, as the workflow would get it. None if the body has left its answer for later.

        Raises:
            TypeError: not an activity, or the arguments do not fit it.
            SerializationException: an argument or the result cannot be sent.
            ActivityCanceledException: the body was asked to cancel, and let that pass.
            Exception: what the body raises.
        """
        if not isinstance(activity, Activity):
            raise TypeError(f"run() takes what @pyflow.activity made, not {activity!r}")
        self.heartbeats.clear()
        own_id = "activity1" if self._attempt == 1 else f"activity1.{self._attempt}"
        type_ = {"name": activity.name, "version": activity.version}
        task = {"taskToken": "a token", "activityId": own_id, "activityType": type_, "startedEventId": 6}
        self.task = ActivityTask(self, "a domain", {**task, "workflowExecution": self._execution}, self._converter)
        text = activity.text_of(args, kwargs, self._converter)
        token = performing.set(self.task)
        try:
            if inspect.iscoroutinefunction(activity.function):
                result = asyncio.run(activity.execute_async(text, self._converter))
            else:
                result = activity.execute(text, self._converter)
        finally:
            performing.reset(token)
        value: R = self._converter.decode(result, hints_of(activity.function).result)
        return value

    # -- the client that the task speaks to

    def record_activity_task_heartbeat(self, *, taskToken: str, details: str | None = None) -> dict[str, Any]:  # noqa: N803 - SWF's names
        """Keep the details; answer as was asked for."""
        self.heartbeats.append(None if details is None else self._converter.decode(details))
        count = len(self.heartbeats)
        if self._lose_after is not None and count >= self._lose_after:
            raise ServiceFault("UnknownResourceFault", f"Unknown activity, {taskToken}")
        return {"cancelRequested": self._cancel_after is not None and count >= self._cancel_after}

    def get_workflow_execution_history(self, **_: Any) -> dict[str, Any]:
        """Tell of the attempt before, backwards."""
        before = "activity1" if self._attempt == 2 else f"activity1.{self._attempt - 1}"
        told = {} if self._last_details is None else {"details": self._last_details}
        events: list[dict[str, Any]] = [
            {
                "eventId": 7,
                "eventType": "ActivityTaskTimedOut",
                "activityTaskTimedOutEventAttributes": {"scheduledEventId": 5, **told},
            },
            {
                "eventId": 5,
                "eventType": "ActivityTaskScheduled",
                "activityTaskScheduledEventAttributes": {"activityId": before},
            },
        ]
        return {"events": events}
