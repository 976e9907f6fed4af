"""The in-process door: a real boto3 client whose requests never leave the process."""

from typing import Any

from pyflow.exceptions import ServiceFault

from . import api, wire
from .calls import Call
from .service import Service


def make_client(service: Service) -> Any:
    """
    Return a boto3 SWF client of this service.

    boto3 does all that it does (checks, signs with made-up credentials, parses), but the request it would send is answered
    here. No credentials, region or configuration of the machine are looked at.
    """
    import boto3  # noqa: PLC0415 - half a second, and only this door needs it
    from botocore.awsrequest import AWSResponse  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415

    session = boto3.Session(aws_access_key_id="local", aws_secret_access_key="local", region_name=api.DEFAULT_REGION)
    config = Config(retries={"total_max_attempts": 1}, read_timeout=75)
    client = session.client("swf", endpoint_url="http://in-process.invalid", config=config)

    def answer(request: Any, **_: Any) -> Any:
        status, body = exchange(service, request)
        headers = {"Content-Type": "application/x-amz-json-1.0", "x-amzn-RequestId": service.ids.request_id()}
        return AWSResponse(request.url, status, headers, _Raw(body))

    client.meta.events.register("before-send.swf", answer)
    return client


def exchange(service: Service, request: Any) -> tuple[int, bytes]:
    """Answer one prepared request of botocore as the HTTP door would."""
    try:
        body = request.body or b""
        if len(body) > wire.BODY_MAX:
            raise ServiceFault(
                "RequestEntityTooLargeException", f"a request is at most {wire.BODY_MAX} bytes", status=413
            )
        action = wire.action_of(_text(request.headers.get("X-Amz-Target", "")))
        work = api.prepare(service, action, wire.parse(body))
        call = Call(work, wire.region_of(_text(request.headers.get("Authorization", ""))))
        service.submit(call)
        return 200, wire.render(call.result())
    except ServiceFault as fault:
        return fault.status, wire.render_fault(fault)


def _text(header: str | bytes) -> str:
    return header.decode("latin-1") if isinstance(header, bytes) else header


class _Raw:
    """What botocore reads a response's body from."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, amt: int = 1024, decode_content: bool | None = None) -> Any:
        """Yield the body."""
        yield self._body

    def read(self) -> bytes:
        """Return the body."""
        return self._body
