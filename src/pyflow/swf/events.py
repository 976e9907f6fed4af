"""
One entry of a workflow execution's history.

Source: SWF API Reference, HistoryEvent.
"""

from datetime import datetime
from typing import Any, Final, NamedTuple

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


class HistoryEvent(NamedTuple):
    """
    An event, taken out of the nested form that the API gives it.

    ``id`` is 1-based; ``type`` is SWF's spelling; ``timestamp`` is an aware datetime, or seconds since the epoch where the
    history came from a file; ``attributes`` is the dict that SWF nests under ``<type>EventAttributes``.
    """

    id: int
    type: str
    timestamp: datetime | float
    attributes: dict[str, Any]


def attributes_of(event: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes of an event in the API's form; an empty dict if it has none or SWF has no such type."""
    attributes: dict[str, Any] = event.get(EVENT_ATTRIBUTES.get(event["eventType"], ""), {})
    return attributes
