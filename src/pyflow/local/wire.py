"""AWS JSON 1.0: bodies to requests, replies and faults to bodies. The HTTP door and the in-process door share it."""

import json
import re
from typing import Any, Final

from pyflow.exceptions import ServiceFault
from pyflow.swf.model import EVENT_ATTRIBUTES, SHAPES

from . import api, faults
from .state import Event
from .text import encode

BODY_MAX: Final = 1024 * 1024

NAMESPACES: Final = {
    "ValidationException": "com.amazon.coral.validate#",
    "SerializationException": "com.amazon.coral.service#",
    "UnknownOperationException": "com.amazon.coral.service#",
    "InternalFailure": "com.amazon.coral.service#",
    "RequestEntityTooLargeException": "com.amazon.coral.service#",
    "ServiceUnavailable": "com.amazon.coral.service#",
}
SWF_NAMESPACE: Final = "com.amazonaws.swf.base.model#"


def action_of(target: str) -> str:
    """
    Return the action of an ``X-Amz-Target``.

    boto 2 and boto3 spell what stands before the last dot differently; the service's own actions keep it.
    """
    return target if target in api.CONTROL else target.rpartition(".")[2]


def region_of(authorization: str) -> str:
    """Return the region of a signature's credential scope; nothing else of it is looked at."""
    found = re.search(r"Credential=[^/,\s]+/\d+/([a-z0-9-]+)/swf/", authorization)
    return found[1] if found else api.DEFAULT_REGION


def check_size(length: int) -> None:
    """
    Refuse a body that is larger than SWF takes.

    Raises:
        ServiceFault: with HTTP's status 413.
    """
    if length > BODY_MAX:
        raise ServiceFault("RequestEntityTooLargeException", f"a request is at most {BODY_MAX} bytes", status=413)


def parse(body: bytes) -> dict[str, Any]:
    """
    Return the request in a body.

    Raises:
        ServiceFault: SerializationException; not a JSON object, or nested deeper than any request is.
    """
    try:
        request = json.loads(body or b"{}", parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise faults.not_serializable(f"the body is not JSON: {error}") from None
    if type(request) is not dict:
        raise faults.not_serializable("the body is not a JSON object")
    return request


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def render(reply: Any) -> bytes:
    """Return the body of a reply; the attributes of events are put in as the text they are kept as."""
    if reply is None:
        return b""
    events: list[Event] | None = reply.get("events")
    if events is None:
        return encode(reply).encode("ascii")
    rest = encode({name: value for name, value in reply.items() if name != "events"})
    texts = ",".join(
        f'{{"{EVENT_ATTRIBUTES[event.type]}":{event.attributes},"eventId":{event.id},'
        f'"eventTimestamp":{event.at / 1000},"eventType":"{event.type}"}}'
        for event in events
    )
    opening = rest[:-1] + "," if len(rest) > 2 else "{"
    return f'{opening}"events":[{texts}]}}'.encode("ascii")


def render_fault(fault: ServiceFault) -> bytes:
    """Return the body of a fault, in AWS's shape."""
    namespace = SWF_NAMESPACE if fault.code in SHAPES else NAMESPACES.get(fault.code, "com.amazon.coral.service#")
    return encode({"__type": namespace + fault.code, "message": fault.message}).encode("ascii")
