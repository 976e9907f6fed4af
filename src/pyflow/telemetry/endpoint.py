"""
The health port: ``GET /health`` and ``GET /metrics`` over HTTP, and nothing else.

For orchestrators and Prometheus. It says names of types and numbers, never an id, an input or a result.
"""

import asyncio
import json
import socket
import threading
from collections.abc import Awaitable, Callable
from typing import Any, Self

import uvicorn

Send = Callable[[dict[str, Any]], Awaitable[None]]
Reply = tuple[int, bytes, bytes]
"""Status, content type, body."""


class Endpoint:
    """
    A small HTTP server in a thread of its own; ``url`` is where it listens. Also a context manager.

    Args:
        report: gives what ``/health`` says, as for JSON; 503 unless its ``status`` is ``ok``.
        metrics: gives the body and content type of ``/metrics``; None: there is no such page.
        host, port: where to listen; port 0 for any that is free.
        shared: another process of this user may listen there too, while it takes over from this one.

    Raises:
        OSError: the address cannot be had.
    """

    def __init__(
        self,
        report: Callable[[], dict[str, Any]],
        metrics: Callable[[], tuple[bytes, str]] | None,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        shared: bool = False,
    ) -> None:
        self._report = report
        self._metrics = metrics
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, port), family=family, reuse_port=shared)
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(
            self._answer,
            interface="asgi3",
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            limit_concurrency=32,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="pyflow-health", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.run(self._server.serve(sockets=[self._socket]))

    def close(self) -> None:
        """Stop listening. Idempotent."""
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def _answer(self, scope: dict[str, Any], _receive: Any, send: Send) -> None:
        status, kind, body = self._reply(scope["method"], scope["path"])
        headers = [
            (b"content-type", kind),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    def _reply(self, method: str, path: str) -> Reply:
        if method not in {"GET", "HEAD"}:
            return 405, b"text/plain", b"GET only\n"
        if path == "/health":
            report = self._report()
            return (200 if report["status"] == "ok" else 503), b"application/json", json.dumps(report).encode() + b"\n"
        if path == "/metrics" and self._metrics is not None:
            body, kind = self._metrics()
            return 200, kind.encode(), body
        return 404, b"text/plain", b"there are /health" + (b" and /metrics\n" if self._metrics else b"\n")
