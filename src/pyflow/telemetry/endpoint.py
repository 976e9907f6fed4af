"""
The health port: ``GET /health`` and ``GET /metrics`` over HTTP, and nothing else.

For orchestrators and Prometheus. It says names of types and numbers, never an id, an input or a result.
"""

import json
import logging
from collections.abc import Callable
from typing import Any, Final, Self

from pyflow.serving.connections import Connection, Refused, Reply
from pyflow.serving.heads import Head
from pyflow.serving.listener import Listener, listen

HEADERS: Final = b"cache-control: no-store\r\nx-content-type-options: nosniff\r\n"
CONNECTIONS_MAX: Final = 32
IDLE_S: Final = 15.0

log = logging.getLogger(__name__)

Report = Callable[[], dict[str, Any]]
Metrics = Callable[[], tuple[bytes, str]]


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
        report: Report,
        metrics: Metrics | None,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        shared: bool = False,
    ) -> None:
        listens = listen(host, port, shared=shared)
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{listens.getsockname()[1]}"
        self._listener = Listener(
            Pages(report, metrics), listens, "pyflow-health", body_max=0, connections_max=CONNECTIONS_MAX, idle_s=IDLE_S
        )

    def close(self) -> None:
        """Stop listening. Idempotent."""
        self._listener.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Pages:
    """What the port serves; see ``Endpoint``."""

    def __init__(self, report: Report, metrics: Metrics | None) -> None:
        self._report = report
        self._metrics = metrics

    def admit(self, connection: Connection, head: Head) -> "Visit":
        """Take any request; its page says what is wrong with it."""
        return Visit(self, connection, head)

    def refusal(self, refused: Refused) -> Reply:
        """Return the page for what is no request."""
        return Reply(refused.status, b"text/plain", f"{refused}\n".encode(), HEADERS, keeps=False)

    def page(self, head: Head) -> Reply:
        """Return the page that is asked for."""
        if head.method not in {b"GET", b"HEAD"}:
            return Reply(405, b"text/plain", b"GET only\n", HEADERS)
        path = head.target.partition(b"?")[0]
        if path == b"/health":
            report = self._report()
            status = 200 if report["status"] == "ok" else 503
            return Reply(status, b"application/json", json.dumps(report).encode() + b"\n", HEADERS)
        if path == b"/metrics" and self._metrics is not None:
            body, kind = self._metrics()
            return Reply(200, kind.encode(), body, HEADERS)
        return Reply(
            404, b"text/plain", b"there are /health" + (b" and /metrics\n" if self._metrics else b"\n"), HEADERS
        )


class Visit:
    """One request for a page."""

    perishable = False

    def __init__(self, pages: Pages, connection: Connection, head: Head) -> None:
        self._pages = pages
        self._connection = connection
        self._head = head

    def answer(self, body: bytes) -> None:
        """Give the page."""
        try:
            page = self._pages.page(self._head)
        except Exception:
            log.exception("the health port could not answer")
            page = Reply(500, b"text/plain", b"failed; the log has more\n", HEADERS, keeps=False)
        self._connection.reply(page)

    def hurry(self) -> None:
        """It never waits."""

    def end(self) -> None:
        """Nothing is held."""
