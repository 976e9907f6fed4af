"""The direct door: boto3's methods and dictionaries with nothing in between."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from pyflow.exceptions import ServiceFault
from pyflow.swf.methods import ACTIONS
from pyflow.swf.model import EVENT_ATTRIBUTES, OPERATIONS, SHAPES

from . import api
from .mishaps import NoAnswer
from .service import Service
from .state import Event

TIMESTAMPS: Final = {
    member for shape in SHAPES.values() for member, kind in shape.get("members", {}).items() if kind == "Timestamp"
}


class DirectClient:
    """
    Calls the service as boto3's SWF client calls AWS: ``client.poll_for_decision_task(domain=..., taskList=...)``.

    Takes and gives the same dictionaries, with times as aware datetimes (no ``ResponseMetadata``). Raises
    ``pyflow.exceptions.ServiceFault`` where boto3 raises ``ClientError``.

    Any number of threads may share one.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    def __getattr__(self, name: str) -> Callable[..., dict[str, Any]]:
        """Return the method of an action."""
        action = ACTIONS.get(name)
        if action is None:
            raise AttributeError(f"SWF has no action that boto3 would call {name!r}")
        known = frozenset(SHAPES[OPERATIONS[action]["input"]]["members"])

        def call(**request: Any) -> dict[str, Any]:
            unknown = request.keys() - known
            if unknown:
                raise TypeError(
                    f"{name}() got an unexpected keyword argument {min(unknown)!r}; SWF has {sorted(known)}"
                )
            return self._call(action, request)

        call.__name__ = name
        # Kept as an attribute of its own, so that the next look-up does not come here.
        self.__dict__[name] = call
        return call

    def wait_for_close(self, domain: str, execution: dict[str, str], timeout_s: float) -> None:
        """
        Wait until a run has closed, or until the time is over; returns at once if it is closed.

        SWF has no such call. ``handle.result()`` uses it where the client has one, and looks again and again where not.

        Args:
            domain: the execution's.
            execution: ``{"workflowId": ..., "runId": ...}``.
            timeout_s: real seconds.

        Raises:
            ServiceFault: UnknownResourceFault.
            PyflowException: the service is closed.
        """
        self._service.wait_for_close(domain, execution, timeout_s)

    def accepts(self, operation: str, member: str) -> bool:
        """Say whether an action's request has a member, as boto3's service model does."""
        return member in SHAPES[OPERATIONS[operation]["input"]]["members"]

    def __dir__(self) -> list[str]:
        """Offer the actions to completion."""
        return [*super().__dir__(), *ACTIONS]

    def _call(self, action: str, request: dict[str, Any]) -> dict[str, Any]:
        try:
            reply = self._service.ask(action, request, api.DEFAULT_REGION)
        except ServiceFault as fault:
            raise ServiceFault(fault.code, fault.message, operation=action, status=fault.status) from None
        except NoAnswer as none:
            raise ServiceFault(none.args[0], "a planned mishap", operation=action, status=0) from None
        return to_python(reply)


def to_python(reply: Any) -> dict[str, Any]:
    """Return a reply as boto3 would give it."""
    if reply is None:
        return {}
    return {name: _value(name, value) for name, value in reply.items()}


def _value(name: str, value: Any) -> Any:
    if type(value) is str:
        return value
    if name == "events":
        return _events(value)
    if isinstance(value, dict):
        return {key: _value(key, member) for key, member in value.items()}
    if isinstance(value, list):
        return [_value("", member) for member in value]
    return datetime.fromtimestamp(value, UTC) if name in TIMESTAMPS else value


def _events(events: list[Event]) -> list[dict[str, Any]]:
    # One text for all of them: parsing it at once takes a third of the time.
    parsed = json.loads(f"[{','.join([event.attributes for event in events])}]")
    return [
        {
            "eventTimestamp": datetime.fromtimestamp(at / 1000, UTC),
            "eventType": kind,
            "eventId": event_id,
            EVENT_ATTRIBUTES[kind]: attributes,
        }
        for (event_id, kind, at, _), attributes in zip(events, parsed, strict=True)
    ]
