"""
One entry of a workflow execution's history.

Source: SWF API Reference, HistoryEvent.
"""

from datetime import datetime
from typing import Any, Final

from .model import EVENT_ATTRIBUTES

CLOSE_EVENTS: Final = frozenset(
    {
        "WorkflowExecutionCompleted",
        "WorkflowExecutionFailed",
        "WorkflowExecutionCanceled",
        "WorkflowExecutionContinuedAsNew",
        "WorkflowExecutionTerminated",
        "WorkflowExecutionTimedOut",
    }
)
"""The events that close an execution; nothing follows one."""


HistoryEvent = tuple[int, str, datetime | float, dict[str, Any]]
"""
An event, taken out of the nested form that the API gives it: ``id, type, timestamp, attributes``.

The id is 1-based; the type is in SWF's spelling; the timestamp is an aware datetime, or seconds since the epoch where the history
came from a file; the attributes are the dict that SWF nests under ``<type>EventAttributes``. A plain tuple, because every
event of a replay is made into one and taken apart again.
"""


def attributes_of(event: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes of an event in the API's form; an empty dict if it has none or SWF has no such type."""
    attributes: dict[str, Any] = event.get(EVENT_ATTRIBUTES.get(event["eventType"], ""), {})
    return attributes
