"""A service that answers over HTTP with what a test has scripted, and keeps what it was asked."""

import json
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Request(NamedTuple):
    operation: str
    body: dict[str, Any]
    headers: dict[str, str]


class StubService:
    """``replies``: (status, body as dict or bytes) in order, the last one for ever; None: drop the connection."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.replies: deque[tuple[int, Any] | None] = deque([(200, {})])
        self.requests: list[Request] = []

    def script(self, *replies: tuple[int, Any] | None) -> None:
        self.replies = deque(replies)

    def asked(self) -> list[str]:
        return [request.operation for request in self.requests]


def fault(code: str, status: int = 400, message: str = "no") -> tuple[int, dict[str, str]]:
    return status, {"__type": f"com.amazonaws.swf.base.model#{code}", "message": message}


@contextmanager
def stub_service() -> Iterator[StubService]:
    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            stub.requests.append(Request(self.headers["X-Amz-Target"].split(".")[-1], body, dict(self.headers)))
            reply = stub.replies.popleft() if len(stub.replies) > 1 else stub.replies[0]
            if reply is None:
                self.close_connection = True
                return
            status, content = reply
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.0")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    stub = StubService(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield stub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
