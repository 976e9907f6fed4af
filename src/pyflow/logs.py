"""
What code says through the standard library's logging, from whichever logger: once, and with the ids of who says it.

One method of ``logging.Logger`` is replaced while pyflow decides or works: ``handle``, which each record of each logger passes
after its place in the code is found and before any filter or handler sees it. Outside of workflows and activities that costs
one call more.
"""

import logging
import threading
from typing import Any, Final, Literal

from ._fiber import Fiber, getcurrent
from .tasks import performing

__all__ = ["Logs", "install", "uninstall"]

Logs = Literal["live", "always", "never"]
"""When a run's code is heard: not while it replays, also then, or not at all."""

_lock: Final = threading.Lock()
_handle = logging.Logger.handle
_is_installed = False


def install() -> None:
    """Begin; once is enough, and again does nothing."""
    global _handle, _is_installed  # noqa: PLW0603 - what it replaces belongs to the process too
    with _lock:
        if not _is_installed:
            _handle = logging.Logger.handle
            logging.Logger.handle = _handle_with_ids  # type: ignore[method-assign] # the one place that all loggers share
            _is_installed = True


def uninstall() -> None:
    """Put back the method that was there; if somebody else has put theirs over ours since, ours stays beneath it."""
    global _is_installed  # noqa: PLW0603 - as above
    with _lock:
        if logging.Logger.handle is _handle_with_ids:
            logging.Logger.handle = _handle  # type: ignore[method-assign] # as above
            _is_installed = False


def _handle_with_ids(self: logging.Logger, record: logging.LogRecord) -> None:
    fiber = getcurrent()
    if type(fiber) is Fiber:
        _handle_of_workflow(self, record, fiber, fiber.owner)
        return
    task = performing.get()
    if task is not None:
        _tell(
            record,
            workflow_id=task.workflow_id,
            run_id=task.run_id,
            activity_id=task.activity_id,
            attempt=task.attempt,
        )
    _handle(self, record)


def _handle_of_workflow(logger: logging.Logger, record: logging.LogRecord, fiber: Fiber, runtime: Any) -> None:
    """Handle a record of a run's code, if it is to be heard; handlers may do what the code itself may not."""
    if not _is_heard(fiber, runtime):
        return
    _tell(
        record,
        workflow_id=runtime.workflow_id,
        run_id=runtime.run_id,
        workflow_type=runtime.workflow_class.NAME,
        workflow_version=runtime.workflow_class.VERSION,
    )
    runtime.freely(_handle, logger, record)


def _is_heard(fiber: Fiber, runtime: Any) -> bool:
    if fiber.closing:
        return False
    if runtime.is_free:  # a recorded value is made, which happens once; or pyflow itself speaks
        return True
    return runtime.logs == "always" or (runtime.logs == "live" and not runtime.is_replaying)


def _tell(record: logging.LogRecord, **ids: Any) -> None:
    """Attach ids, but for those that the author has given with ``extra``."""
    for name, value in ids.items():
        record.__dict__.setdefault(name, value)
