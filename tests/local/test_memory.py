"""What requests leave in memory: nothing, however their connections end."""

import gc
import http.client
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pyflow.local import LocalSWF
from pyflow.local.http import HttpCall, SwfExchange
from pyflow.serving.connections import Connection
from pyflow.serving.heads import Head

KINDS = (Connection, SwfExchange, HttpCall, Head)


def request(port: int, action: str, body: bytes) -> bytes:
    lines = (
        "POST / HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        f"X-Amz-Target: SimpleWorkflowService.{action}",
        f"Content-Length: {len(body)}",
        "",
        "",
    )
    return "\r\n".join(lines).encode() + body


def call(port: int, calls: int, connections: int) -> None:
    """Calls over connections of which each ends in one of five ways: closed by either side, with a poll or half a request open, refused."""
    kept = request(port, "RespondActivityTaskCompleted", b'{"taskToken": "unknown"}')
    last = (
        request(port, "ListDomains", b'{"registrationStatus": "REGISTERED"}'),
        request(port, "PollForActivityTask", b'{"domain": "d", "taskList": {"name": "tl"}}'),
        kept[:-5],
        b"no HTTP\r\n\r\n",
        b"",
    )
    clients = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(connections)]
    for _ in range(calls // connections - 1):
        for client in clients:
            client.sendall(kept)
        for client in clients:
            assert client.recv(65536).startswith(b"HTTP/1.1 400 ")
    for number, client in enumerate(clients):
        client.sendall(last[number % 5])
        if number % 5 in (0, 3):
            assert client.recv(65536).startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 400 "))
    for client in clients:
        client.close()


def test_calls_and_connections_leave_no_object() -> None:
    def there() -> list[object]:
        gc.collect()
        return [each for each in gc.get_objects() if type(each) in KINDS]

    before = there()
    with LocalSWF(poll_wait_s=30.0) as swf, swf.serve() as server:
        swf.direct().register_domain(name="d", workflowExecutionRetentionPeriodInDays="1")
        call(server.port, 400, 20)
        until = time.monotonic() + 30
        while server._listener._connections or swf._service._waiting:
            assert time.monotonic() < until
            time.sleep(0.005)
        left = [type(each).__name__ for each in there() if not any(each is one for one in before)]
        # Who asked last is remembered, to tell whether it is alone.
        assert left in ([], ["Connection"])
        assert swf._service._requests == 0


@pytest.mark.proof
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="resident memory is read from /proc")
def test_five_thousand_calls_over_two_hundred_connections_leave_no_growth(tmp_path) -> None:
    def resident() -> int:
        return int(Path(f"/proc/{server.pid}/statm").read_text().split()[1]) * 4_096

    port_file = tmp_path / "port"
    command = [sys.executable, "-m", "pyflow", "server", "--port", "0", "--port-file", port_file, "--memory"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not port_file.exists() or not port_file.read_text():
            time.sleep(0.01)
        port = int(port_file.read_text())
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        target = {"X-Amz-Target": "SimpleWorkflowService.RegisterDomain"}
        connection.request("POST", "/", '{"name": "d", "workflowExecutionRetentionPeriodInDays": "1"}', target)
        assert connection.getresponse().status == 200
        connection.close()
        sizes = []
        for _ in range(6):
            call(port, 5_000, 200)
            sizes.append(resident())
        # Python takes memory by arenas of 1 MiB, and one of them may be due just now. 100 bytes left of each call would be 1.5 MB.
        assert sizes[-1] - sizes[2] < 1_500_000, (
            f"15,000 calls more took it from {sizes[2]:,} to {sizes[-1]:,} bytes: {sizes}"
        )
    finally:
        server.terminate()
        server.wait()
