"""The HTTP door: SWF's JSON 1.0 protocol for any client, on loopback, with one asyncio task a request."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, Self

import uvicorn

from pyflow.exceptions import PyflowException, ServiceFault

from . import api, faults, wire
from .calls import Call
from .service import Service

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
JSON: Final = b"application/x-amz-json-1.0"


class HttpCall(Call):
    """A call that an asyncio task waits for."""

    __slots__ = ("_future", "_loop")

    def __init__(self, work: Any, region: str) -> None:
        super().__init__(work, region)
        self._loop = asyncio.get_running_loop()
        self._future: asyncio.Future[None] = self._loop.create_future()

    def finish(self) -> None:
        """Wake the task; its loop may have closed with the server."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        if not self._future.done():
            self._future.set_result(None)

    async def wait(self, gone: Awaitable[Any]) -> bool:
        """Wait until there is a reply or the client is gone; return whether there is a reply."""
        watcher = asyncio.ensure_future(gone)
        try:
            await asyncio.wait((self._future, watcher), return_when=asyncio.FIRST_COMPLETED)
        finally:
            watcher.cancel()
        return self._future.done()


class Application:
    """
    SWF as an ASGI application.

    Args:
        service: who answers.
        hosts: the values of ``Host`` that are ours. A page in a browser that reaches us under another name, or with an
            ``Origin``, is refused before anything else is looked at.
    """

    def __init__(self, service: Service, hosts: Iterable[str]) -> None:
        self._service = service
        self._hosts = {host.encode("ascii") for host in hosts}
        self._calls: set[HttpCall] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        headers = dict(scope["headers"])
        content_type = JSON
        if headers.get(b"content-type", b"").startswith(b"application/json"):
            content_type = b"application/json"
        refusal = self._refuse(scope, headers)
        if refusal is not None:
            status, message = refusal
            body = wire.render_fault(ServiceFault("AccessDeniedException", message, status=status))
        else:
            answer = await self._answer(headers, receive)
            if answer is None:
                return
            status, body = answer
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [
                    (b"content-type", content_type),
                    (b"content-length", str(len(body)).encode("ascii")),
                    (b"x-amzn-requestid", self._service.ids.request_id().encode("ascii")),
                    (b"x-content-type-options", b"nosniff"),
                ],
            }
        )
        await send({"type": "http.response.body", "body": body})

    def release_polls(self) -> None:
        """Answer what waits for a task with nothing; called from any thread."""
        for call in list(self._calls):
            self._service.release(call)

    def _refuse(self, scope: Scope, headers: dict[bytes, bytes]) -> tuple[int, str] | None:
        """Return why a request is not even looked at, if so."""
        if headers.get(b"host", b"").lower() not in self._hosts:
            return 421, "this service answers only under its own address"
        if b"origin" in headers or headers.get(b"sec-fetch-site", b"none") not in (b"none", b"same-origin"):
            return 403, "this service does not answer web pages"
        if scope["method"] != "POST":
            return 405, "SWF is spoken with POST"
        if scope["path"] != "/":
            return 404, "SWF is spoken at /"
        return None

    async def _answer(self, headers: dict[bytes, bytes], receive: Receive) -> tuple[int, bytes] | None:
        """Return status and body, or None where nobody is there to read them."""
        try:
            body = await _read_body(headers, receive)
            if body is None:
                return None
            action = wire.action_of(headers.get(b"x-amz-target", b"").decode("latin-1"))
            work = api.prepare(self._service.engine, action, wire.parse(body))
            call = HttpCall(work, wire.region_of(headers.get(b"authorization", b"").decode("latin-1")))
            self._service.submit(call)
            self._calls.add(call)
            try:
                answered = await call.wait(receive())
            finally:
                self._calls.discard(call)
            if not answered:
                self._service.abandon(call)
                return None
            if call.fault is not None:
                raise call.fault
            return 200, wire.render(call.reply)
        except ServiceFault as fault:
            return fault.status, wire.render_fault(fault)
        except PyflowException:
            return 503, wire.render_fault(ServiceFault("ServiceUnavailable", "the service is closing", status=503))


async def _read_body(headers: dict[bytes, bytes], receive: Receive) -> bytes | None:
    """
    Return the body, or None where the client went away.

    Raises:
        ServiceFault: over 1 MB; told before more of it is read.
    """
    length = headers.get(b"content-length", b"0")
    if not length.isdigit():
        raise faults.not_serializable("Content-Length is not a number")
    wire.check_size(int(length))
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        wire.check_size(size)
        if not message.get("more_body"):
            return b"".join(parts)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only where the protocol is named; with it each reply would wait 40 ms for an ACK.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(1024)
    except OSError:
        listener.close()
        raise
    return listener


class Server:
    """
    A running HTTP server: ``url`` is where it listens; ``close`` ends it. Also a context manager.

    Args:
        service: who answers.
        port: 0 for any that is free.
        host: a loopback address.

    Raises:
        OSError: the address cannot be had; the text names it.
        ValueError: not a loopback address.
    """

    def __init__(self, service: Service, port: int, host: str) -> None:
        if host not in LOOPBACK:
            raise ValueError(f"the local service has no access control: it listens on loopback only, not on {host!r}")
        try:
            self._socket = _listen(host, port)
        except OSError as error:
            raise OSError(error.errno, f"cannot listen on {host}:{port}: {error.strerror}") from error
        self.port: int = self._socket.getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self.port}"
        names = {shown, "127.0.0.1", "localhost", "[::1]"}
        hosts = {f"{name}:{self.port}" for name in names} | (names if self.port == 80 else set())
        self._application = Application(service, hosts)
        config = uvicorn.Config(
            self._application,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            http="h11",
            loop="asyncio",
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="pyflow-local-http", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.run(self._server.serve(sockets=[self._socket]))

    def close(self) -> None:
        """Stop listening and give waiting polls the empty answer. Idempotent."""
        self._server.should_exit = True
        self._application.release_polls()
        self._thread.join()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
