"""
One entry of a workflow execution's history.

Source: SWF API Reference, HistoryEvent.
"""

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


HistoryEvent = tuple[int, str, dict[str, Any]]
"""
An event, taken out of the nested form that the API gives it: ``id, type, attributes``.

The id is 1-based; the type is in SWF's spelling; the attributes are the dict that SWF nests under ``<type>EventAttributes``.
"""


def attributes_of(event: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes of an event in the API's form; an empty dict if it has none or SWF has no such type."""
    attributes: dict[str, Any] = event.get(EVENT_ATTRIBUTES.get(event["eventType"], ""), {})
    return attributes
