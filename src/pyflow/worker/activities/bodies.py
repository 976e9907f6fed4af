"""
A body is run here, whichever executor it is on, and whatever it does becomes an outcome.
"""

from asyncio import CancelledError
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal, NamedTuple

from pyflow.activities import Activity
from pyflow.converter import DataConverter
from pyflow.exceptions import ActivityCanceledException, InvocationException
from pyflow.failures import type_of, write
from pyflow.future import exception_of
from pyflow.replay.invocations import Failure
from pyflow.replay.tables import State
from pyflow.tasks import ActivityTask, performing


class Outcome(NamedTuple):
    """
    How a body ended.

    ``how`` is the answer it asks for; ``LEFT_OPEN``: somebody else answers. ``reason`` is that of a failure; ``text`` the JSON
    of the result, or the details. Texts only, so that it travels from a process to its parent as it is.
    """

    how: Literal["COMPLETED", "FAILED", "CANCELED", "LEFT_OPEN"]
    text: str = ""
    reason: str = ""


Surround = Callable[[ActivityTask], AbstractContextManager[object]]
"""Gives what a body is run in: the interceptors'."""


def unsurrounded(_: ActivityTask) -> AbstractContextManager[object]:
    """Surround a body with nothing."""
    return nullcontext()


def perform(
    activity: Activity[..., Any],
    task: ActivityTask,
    input: str | None,
    converter: DataConverter,
    surround: Surround = unsurrounded,
) -> Outcome:
    """Run a plain function's body in the calling thread."""
    try:
        with surround(task), _Current(task):
            result = activity.execute(input, converter)
    except BaseException as error:  # also SystemExit: the body ended, the worker goes on
        return raised(error, task)
    return _returned(result, task)


async def perform_async(
    activity: Activity[..., Any], task: ActivityTask, input: str | None, converter: DataConverter, surround: Surround
) -> Outcome:
    """Run the body of an ``async def`` on the running loop."""
    try:
        with surround(task), _Current(task):
            result = await activity.execute_async(input, converter)
    except BaseException as error:
        return raised(error, task)
    return _returned(result, task)


class _Current:
    """Lets ``activity.current()`` give a task."""

    def __init__(self, task: ActivityTask) -> None:
        task.deferred = False
        self._task = task

    def __enter__(self) -> None:
        self._before = performing.set(self._task)

    def __exit__(self, *_: object) -> None:
        performing.reset(self._before)


def _returned(result: str, task: ActivityTask) -> Outcome:
    return Outcome("LEFT_OPEN") if task.deferred else Outcome("COMPLETED", result)


def raised(error: BaseException, task: ActivityTask) -> Outcome:
    """Return the outcome of a body that raised."""
    if isinstance(error, ActivityCanceledException):
        return Outcome("CANCELED", str(error))
    if isinstance(error, CancelledError) and task.pulse.over:
        return Outcome("CANCELED", task.pulse.over)
    return Outcome("FAILED", write(error), type_of(error))


def failure_of(outcome: Outcome, task: ActivityTask) -> InvocationException:
    """Return the exception as which the workflow will see a failure."""
    return exception_of(State.FAILED, Failure(outcome.reason, outcome.text), task.activity_id)


def told(outcome: Outcome, task: ActivityTask) -> Exception | None:
    """Return the exception that tells what became of a body elsewhere; None if it did not fail."""
    if outcome.how == "FAILED":
        return failure_of(outcome, task)
    return ActivityCanceledException(outcome.text) if outcome.how == "CANCELED" else None
