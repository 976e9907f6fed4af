"""The in-process door: a real boto3 client whose requests never leave the process."""

from collections.abc import Iterator
from typing import Any, Final

from pyflow.exceptions import ServiceFault

from . import api, wire
from .mishaps import NoAnswer
from .service import Service

MADE_UP: Final = "local"


def make_client(service: Service) -> Any:
    """
    Return a boto3 SWF client of this service.

    boto3 does all that it does (checks, signs with made-up credentials, parses), but the request it would send is answered
    here. No credentials, profile, region or endpoint that the machine is configured for is looked at.
    """
    import boto3  # noqa: PLC0415 - a quarter of a second, and only this door needs it
    import botocore.session  # noqa: PLC0415
    from botocore import exceptions  # noqa: PLC0415
    from botocore.awsrequest import AWSResponse  # noqa: PLC0415

    # A profile that the environment names need not exist for us.
    own = {"profile": (None, None, None, None), "config_file": (None, None, "", None)}
    session = boto3.Session(botocore_session=botocore.session.Session(session_vars=own))
    client = session.client(
        "swf",
        endpoint_url="http://localhost",
        region_name=api.DEFAULT_REGION,
        aws_access_key_id=MADE_UP,
        aws_secret_access_key=MADE_UP,
    )

    def answer(request: Any, **_: Any) -> Any:
        try:
            status, body = exchange(service, request)
        except NoAnswer as none:
            raise getattr(exceptions, none.args[0])(endpoint_url=request.url, error="a planned mishap") from none
        headers = {"Content-Type": "application/x-amz-json-1.0", "x-amzn-RequestId": service.ids.request_id()}
        return AWSResponse(request.url, status, headers, _Raw(body))

    client.meta.events.register("before-send.swf", answer)
    return client


def exchange(service: Service, request: Any) -> tuple[int, bytes]:
    """Answer one prepared request of botocore as the HTTP door would."""
    try:
        body = request.body or b""
        wire.check_size(len(body))
        action = wire.action_of(_text(request.headers.get("X-Amz-Target", "")))
        region = wire.region_of(_text(request.headers.get("Authorization", "")))
        return 200, wire.render(service.ask(action, wire.parse(body), region))
    except ServiceFault as fault:
        return fault.status, wire.render_fault(fault)


def _text(header: str | bytes) -> str:
    return header.decode("latin-1") if isinstance(header, bytes) else header


class _Raw:
    """What botocore reads a response's body from."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self) -> Iterator[bytes]:
        """Yield the body."""
        yield self._body
