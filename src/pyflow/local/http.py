"""
The HTTP door: SWF's JSON 1.0 protocol for any client, one asyncio task a request.

What a web page in somebody's browser could send is refused before anything else is looked at: another name for this machine
in ``Host`` (DNS rebinding), an ``Origin``, a preflight. There is no ``Access-Control`` header in any answer.
"""

import asyncio
import contextlib
import hmac
import logging
import re
import threading
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any, Final

from pyflow.exceptions import PyflowException, ServiceFault

from . import api, wire
from .calls import Call
from .connections import Connection
from .mishaps import Delay, Drop, Duplicate, Lose, Mishap, Refuse
from .service import Service

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Headers = dict[bytes, bytes]

BODY_S: Final = 30.0
HEADERS_MAX: Final = 64
JSON: Final = b"application/x-amz-json-1.0"
OLD_JSON: Final = b"application/json"
POLLS: Final = frozenset({"PollForDecisionTask", "PollForActivityTask"})

# A client that forks shares its kept connection with its children, and they would read each other's answers (simpleflow
# does so after its first call). So a connection is kept from the calls on that workers and starters make in their loops.
KEPT: Final = POLLS | frozenset(
    {
        "RespondDecisionTaskCompleted",
        "RespondActivityTaskCompleted",
        "RespondActivityTaskFailed",
        "RespondActivityTaskCanceled",
        "RecordActivityTaskHeartbeat",
        "StartWorkflowExecution",
        "SignalWorkflowExecution",
        "DescribeWorkflowExecution",
        "GetWorkflowExecutionHistory",
    }
)

log = logging.getLogger(__name__)


class HttpCall(Call):
    """A call that an asyncio task waits for."""

    __slots__ = ("_future", "_loop", "_thread")

    def __init__(self, work: Any, region: str, connection: Connection) -> None:
        super().__init__(work, region)
        self.alive = connection.is_open
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._future: asyncio.Future[None] = self._loop.create_future()

    def finish(self) -> None:
        """Wake the task; its loop may have closed with the server."""
        if threading.get_ident() == self._thread:
            self._wake()
            return
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        if not self._future.done():
            self._future.set_result(None)

    async def wait(self) -> None:
        """Wait until there is a reply."""
        await self._future

    async def wait_or(self, gone: Awaitable[Any]) -> bool:
        """Wait until there is a reply or the client is gone; return whether there is a reply."""
        watcher = asyncio.ensure_future(gone)
        try:
            await asyncio.wait((self._future, watcher), return_when=asyncio.FIRST_COMPLETED)
        finally:
            watcher.cancel()
        return self._future.done()


class Refusal(Exception):
    """An answer given before the request is understood."""

    def __init__(self, status: int, code: str, message: str) -> None:
        self.fault = ServiceFault(code, message, status=status)
        super().__init__(message)


class Application:
    """
    SWF as an ASGI application.

    Args:
        service: who answers.
        hosts: the values of ``Host`` that are ours, or None where a token is asked for instead.
        token: the access key id that requests must be signed with, or None.
    """

    def __init__(self, service: Service, hosts: Iterable[str] | None, token: str | None = None) -> None:
        self._service = service
        self._hosts = None if hosts is None else {host.encode("ascii") for host in hosts}
        self._token = token
        self._calls: set[HttpCall] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        with self._service.busy():
            await self._meet_request(scope, receive, send)

    async def _meet_request(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        kept = False
        try:
            self._look_at(scope, headers)
            action = wire.action_of(headers.get(b"x-amz-target", b"").decode("latin-1"))
            kept = action in KEPT
            answer = await self._answer(action, headers, receive, scope["state"]["connection"])
            if answer is None:
                return
            status, body = answer
        except Refusal as refusal:
            kept = False
            status, body = refusal.fault.status, wire.render_fault(refusal.fault)
        except asyncio.CancelledError:
            # The server closes and has waited long enough for this one.
            return
        except Exception:
            log.exception("a request could not be answered")
            fault = ServiceFault("InternalFailure", "The service failed on this request", status=500)
            status, body = fault.status, wire.render_fault(fault)
        connection: Connection = scope["state"]["connection"]
        await self._send(connection, send, status, body, headers, kept=kept and status < 500 and status != 413)

    def release_polls(self) -> None:
        """Answer what waits for a task with nothing; called from any thread."""
        for call in list(self._calls):
            self._service.release(call)

    def _look_at(self, scope: Scope, headers: Headers) -> None:
        """
        Refuse what is not for us, before any of the body is read.

        Raises:
            Refusal: with the status that says why.
        """
        if self._hosts is not None and headers.get(b"host", b"").lower() not in self._hosts:
            raise Refusal(421, "AccessDeniedException", "this service answers only under its own address")
        if b"origin" in headers or headers.get(b"sec-fetch-site", b"none") not in (b"none", b"same-origin"):
            raise Refusal(403, "AccessDeniedException", "this service does not answer web pages")
        if scope["method"] != "POST":
            raise Refusal(405, "AccessDeniedException", "SWF is spoken with POST")
        if scope["path"] != "/":
            raise Refusal(404, "UnknownOperationException", "SWF is spoken at /")
        if len(scope["headers"]) > HEADERS_MAX:
            raise Refusal(431, "RequestEntityTooLargeException", f"a request has at most {HEADERS_MAX} headers")
        if not headers.get(b"content-type", JSON).startswith((b"application/x-amz-json", OLD_JSON)):
            raise Refusal(415, "SerializationException", f"SWF is spoken in {JSON.decode()}")
        if b"transfer-encoding" in headers or not headers.get(b"content-length", b"0").isdigit():
            raise Refusal(411, "SerializationException", "a request says how long it is: Content-Length")
        if self._token is not None and not hmac.compare_digest(_access_key(headers), self._token.encode()):
            raise Refusal(403, "UnrecognizedClientException", "sign requests with this service's access key id")

    async def _answer(
        self, action: str, headers: Headers, receive: Receive, connection: Connection
    ) -> tuple[int, bytes] | None:
        """Return status and body, or None where nobody is there to read them."""
        try:
            wire.check_size(int(headers.get(b"content-length", b"0")))
            body = await _read_body(receive)
            if body is None:
                return None
            request = wire.parse(body)
            region = wire.region_of(headers.get(b"authorization", b"").decode("latin-1"))
            ask = partial(self._carry_out, action, request, region, receive, connection)
            call = await _meet(self._service.plan(action, request), ask, connection)
            if call is None:
                return None
            if call.fault is not None:
                raise call.fault
            return 200, wire.render(call.reply)
        except ServiceFault as fault:
            return fault.status, wire.render_fault(fault)
        except PyflowException:
            return 503, wire.render_fault(ServiceFault("ServiceUnavailable", "the service is closing", status=503))

    async def _carry_out(
        self, action: str, request: dict[str, Any], region: str, receive: Receive, connection: Connection
    ) -> HttpCall | None:
        """Hand a request to the service; return its answered call, or None where the client went meanwhile."""
        call = HttpCall(api.prepare(self._service.engine, action, request), region, connection)
        self._service.submit(call, alone=True)
        if action not in POLLS:
            await call.wait()
        elif not await self._wait_for_task(call, receive, connection):
            self._service.abandon(call)
            return None
        return call

    async def _wait_for_task(self, call: HttpCall, receive: Receive, connection: Connection) -> bool:
        """Wait for a poll's reply; return whether it came before the client went."""
        # Where two processes share a connection, the other one's request must not wait for this one's task.
        connection.on_further_request = partial(self._service.release, call)
        if connection.has_further_request:
            connection.on_further_request()
        self._calls.add(call)
        try:
            with self._service.waiting():
                return await call.wait_or(receive())
        finally:
            self._calls.discard(call)
            connection.on_further_request = None

    async def _send(
        self, connection: Connection, send: Send, status: int, body: bytes, headers: Headers, *, kept: bool
    ) -> None:
        old = headers.get(b"content-type", b"").startswith(OLD_JSON)
        answered = [
            (b"content-type", OLD_JSON if old else JSON),
            (b"content-length", str(len(body)).encode("ascii")),
            (b"x-amzn-requestid", self._service.ids.request_id().encode("ascii")),
            (b"x-content-type-options", b"nosniff"),
            (b"cache-control", b"no-store"),
        ]
        if not kept:
            answered.append((b"connection", b"close"))
        connection.hold()
        await send({"type": "http.response.start", "status": status, "headers": answered})
        await send({"type": "http.response.body", "body": body})


async def _meet(
    mishap: Mishap | None, ask: Callable[[], Awaitable[HttpCall | None]], connection: Connection
) -> HttpCall | None:
    """
    Carry out a request with whatever mishap is planned for it; return the answered call, or None where none is to be told.

    Raises:
        ServiceFault: the planned one.
    """
    if mishap is None:
        return await ask()
    if isinstance(mishap, Refuse):
        raise ServiceFault(mishap.code, mishap.message, status=mishap.status)
    if isinstance(mishap, Delay):
        await asyncio.sleep(mishap.seconds)
    call = None if isinstance(mishap, Drop) else await ask()
    if isinstance(mishap, Duplicate):
        await ask()
    if isinstance(mishap, (Drop, Lose)):
        connection.transport.abort()
        return None
    return call


def _access_key(headers: Headers) -> bytes:
    found = re.search(rb"Credential=([^/,\s]+)/", headers.get(b"authorization", b""))
    return found[1] if found else b""


async def _read_body(receive: Receive) -> bytes | None:
    """
    Return the body, or None where the client went away.

    Raises:
        Refusal: it took too long.
        ServiceFault: over 1 MB after all.
    """
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_S):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return None
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                wire.check_size(size)
                if not message.get("more_body"):
                    return b"".join(parts)
    except TimeoutError:
        raise Refusal(408, "RequestExpired", f"the body did not come within {BODY_S:.0f} s") from None
