"""Connections: requests one at a time, however they come; limits on what a client sends, and on how long it takes."""

import contextlib
import socket
import struct
import subprocess
import sys
import threading
import time

import pytest

from pyflow.serving.connections import BEHIND_MAX, Connection, Refused, Reply
from pyflow.serving.heads import Head
from pyflow.serving.listener import Listener, listen

BODY_MAX = 300_000


# A server whose process may have few files; it is slow to take in the first of many connections.
FEW_FILES = """
import resource, sys, time
from pyflow.serving.listener import Listener, listen

resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))
listens = listen("127.0.0.1", 0)
listener = Listener(None, listens, "listener", body_max=0)
listener.loop.call_soon_threadsafe(time.sleep, 0.5)
print(listens.getsockname()[1], flush=True)
sys.stdin.read()
listener.close()
"""


class Answers:
    """Says what it was asked: at once; for ``/later``, once it is let; for ``/task``, once it is let or hurried."""

    def __init__(self) -> None:
        self.open: dict[bytes, Exchange] = {}
        self.ended: list[bytes] = []
        self.asked: list[bytes] = []

    def admit(self, connection: Connection, head: Head) -> "Exchange":
        if head.target == b"/no":
            raise Refused(403, "no")
        return Exchange(self, connection, head.target)

    def refusal(self, refused: Refused) -> Reply:
        return Reply(refused.status, b"text/plain", str(refused).encode(), keeps=False)

    def let(self, target: bytes) -> None:
        exchange = self.open.pop(target)
        exchange.connection.loop.call_soon_threadsafe(exchange.tell, b"let")


class Exchange:
    def __init__(self, answers: Answers, connection: Connection, target: bytes) -> None:
        self.answers = answers
        self.connection = connection
        self.target = target
        self.perishable = target == b"/task"

    def answer(self, body: bytes) -> None:
        self.answers.asked.append(self.target)
        if self.target in (b"/later", b"/task"):
            self.answers.open[self.target] = self
        else:
            self.tell(b"x" * 500_000 if self.target == b"/large" else body)

    def tell(self, text: bytes) -> None:
        self.connection.reply(Reply(200, b"text/plain", self.target + b" " + text))

    def hurry(self) -> None:
        if self.target == b"/task":
            self.tell(b"none")

    def end(self) -> None:
        self.answers.ended.append(self.target)


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
def listener(answers):
    listens = listen("127.0.0.1", 0)
    made = Listener(answers, listens, "test-listener", body_max=BODY_MAX, connections_max=3, idle_s=60.0)
    made.port = listens.getsockname()[1]
    yield made
    made.close()


@pytest.fixture
def client(listener):
    with socket.create_connection(("127.0.0.1", listener.port), timeout=10) as made:
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield made


def request(target: str, body: bytes = b"", *lines: str) -> bytes:
    head = [f"POST {target} HTTP/1.1", "Host: a", f"Content-Length: {len(body)}", *lines, "", ""]
    return "\r\n".join(head).encode() + body


def answer(client) -> tuple[int, dict, bytes]:
    """The next answer."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = client.recv(1)
        assert more, f"closed after {data!r}"
        data += more
    line, *lines = data[:-4].split(b"\r\n")
    headers = dict(each.split(b": ", 1) for each in lines)
    length = int(headers.get(b"content-length", 0))
    body = b""
    while len(body) < length:
        body += client.recv(length - len(body))
    return int(line.split()[1]), headers, body


def rest(client) -> bytes:
    """What comes until the server closes."""
    return b"".join(iter(lambda: client.recv(65536), b""))


def wait_for(what) -> None:
    until = time.monotonic() + 30
    while not what():
        assert time.monotonic() < until, "did not come"
        time.sleep(0.001)


def test_a_request_may_come_in_any_pieces(client) -> None:
    for byte in request("/a", b"body"):
        client.sendall(bytes([byte]))
    assert answer(client)[2] == b"/a body"
    text = request("/a", b"1") + request("/b", b"2")
    for cut in range(1, len(text)):
        client.sendall(text[:cut])
        client.sendall(text[cut:])
        assert (answer(client)[2], answer(client)[2]) == (b"/a 1", b"/b 2")


def test_an_answer_is_one_packet(client) -> None:
    client.sendall(request("/a", b"1"))
    assert client.recv(65536).endswith(b"\r\n\r\n/a 1")


def test_requests_behind_one_that_takes_time_wait_and_keep_their_order(client, answers) -> None:
    client.sendall(request("/a") + request("/later") + request("/b") + request("/later"))
    assert answer(client)[2] == b"/a "
    wait_for(lambda: answers.open)
    assert answers.asked == [b"/a", b"/later"]
    answers.let(b"/later")
    assert [answer(client)[2] for _ in range(2)] == [b"/later let", b"/b "]
    wait_for(lambda: answers.open)
    answers.let(b"/later")
    assert answer(client)[2] == b"/later let"
    wait_for(lambda: len(answers.ended) == 4)


def test_many_requests_in_one_piece_are_all_answered(client) -> None:
    client.sendall(b"".join(request(f"/{number}") for number in range(500)))
    assert [answer(client)[2] for _ in range(500)] == [f"/{number} ".encode() for number in range(500)]


def test_what_comes_behind_a_request_is_held_back_at_the_clients_side(monkeypatch, client, answers, listener) -> None:
    monkeypatch.setattr("pyflow.serving.listener.END_S", 0.02)
    client.sendall(request("/later"))
    wait_for(lambda: answers.open)
    client.settimeout(0.2)
    sent = 0
    with pytest.raises(TimeoutError):
        while sent < 64_000_000:
            sent += client.send(b"x" * 65536)
    (connection,) = listener._connections
    assert len(connection._received) <= BEHIND_MAX * 2


@pytest.mark.parametrize("pieces", [1, 2])
def test_what_comes_behind_a_request_hurries_it(client, answers, pieces: int) -> None:
    client.sendall(request("/task") + (request("/a") if pieces == 1 else b""))
    if pieces == 2:
        wait_for(lambda: answers.open)
        client.sendall(request("/a"))
    assert [answer(client)[2] for _ in range(2)] == [b"/task none", b"/a "]


def test_a_client_that_waits_for_a_word_gets_it(client) -> None:
    client.sendall(request("/a", b"1", "Expect: 100-continue")[:-1])
    assert answer(client)[0] == 100
    client.sendall(b"1")
    assert answer(client)[2] == b"/a 1"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x00\r\n\r\n", 400),
        (request("/no"), 403),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 300001\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nX: " + b"x" * 20_000, 431),
    ],
)
def test_a_refusal_ends_the_connection(client, answers, sent: bytes, status: int) -> None:
    client.sendall(sent + request("/a"))
    found, headers, _ = answer(client)
    assert (found, headers[b"connection"], rest(client), answers.asked) == (status, b"close", b"", [])


def test_a_client_hears_why_it_is_refused_while_it_still_sends(client) -> None:
    client.sendall(f"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: {BODY_MAX + 1}\r\n\r\n".encode())
    client.sendall(b"x" * (BODY_MAX + 1))
    assert answer(client)[0] == 413
    client.close()


@pytest.mark.parametrize("line", ["Connection: close", "X: y"])
def test_a_connection_is_kept_unless_the_client_says_no(client, line: str) -> None:
    client.sendall(request("/a", b"", line))
    assert (answer(client)[1].get(b"connection") == b"close") == (line != "X: y")
    if line == "X: y":
        client.sendall(request("/b", b"", "Connection: close"))
        answer(client)
    assert rest(client) == b""


def test_an_answer_to_head_has_no_body(client) -> None:
    client.sendall(request("/a", b"1").replace(b"POST", b"HEAD") + request("/b", b"", "Connection: close"))
    text = rest(client)
    assert text.count(b"content-length: 4\r\n") == 1
    assert b"\r\n\r\n/a" not in text
    assert text.endswith(b"\r\n\r\n/b ")


def test_a_refusal_of_head_has_no_body(client) -> None:
    client.sendall(request("/no").replace(b"POST", b"HEAD"))
    text = rest(client)
    assert text.startswith(b"HTTP/1.1 403")
    assert text.endswith(b"\r\n\r\n")


def test_clients_that_connect_together_need_not_try_again(listener, client) -> None:
    client.sendall(request("/a"))
    answer(client)
    busy = threading.Event()
    listener.loop.call_soon_threadsafe(busy.wait, 10)
    with contextlib.ExitStack() as stack:
        stack.callback(busy.set)
        for _ in range(200):
            stack.enter_context(socket.create_connection(("127.0.0.1", listener.port), timeout=0.5))


def test_a_client_that_has_only_closed_its_side_hears_the_answer(client, answers) -> None:
    client.sendall(request("/later"))
    wait_for(lambda: answers.open)
    client.shutdown(socket.SHUT_WR)
    time.sleep(0.02)
    answers.let(b"/later")
    assert answer(client)[2] == b"/later let"
    assert rest(client) == b""


@pytest.mark.parametrize("how", ["half", "closed", "reset"])
def test_what_is_held_for_a_client_alone_is_let_go_when_it_closes_its_side(client, answers, how: str) -> None:
    client.sendall(request("/task"))
    wait_for(lambda: answers.open)
    if how == "half":
        client.shutdown(socket.SHUT_WR)
    else:
        if how == "reset":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
    wait_for(lambda: answers.ended == [b"/task"])
    assert not answers.open[b"/task"].connection.is_open()


class TestTime:
    def test_the_head_of_a_first_and_of_a_further_request_has_its_time(self, listener, client, monkeypatch) -> None:
        client.sendall(request("/a"))
        answer(client)
        monkeypatch.setattr("pyflow.serving.connections.HEAD_S", 0.05)
        with socket.create_connection(("127.0.0.1", listener.port), timeout=10) as first:
            first.sendall(b"POST / HT")
            assert rest(first) == b""
        assert listener._connections, "between requests it has more"
        client.sendall(b"POST / HT")
        assert rest(client) == b""

    def test_a_body_that_comes_in_drops_has_its_time_as_a_whole(self, client, monkeypatch) -> None:
        monkeypatch.setattr("pyflow.serving.connections.BODY_S", 0.2)
        began = time.monotonic()
        client.sendall(request("/a", b"x" * 1_000)[:-1000])
        client.settimeout(0.01)
        for _ in range(900):
            client.sendall(b"x")
            try:
                text = client.recv(65536)
            except TimeoutError:
                continue
            break
        assert text.startswith(b"HTTP/1.1 408 ")
        assert time.monotonic() - began < 8

    def test_a_connection_on_which_nothing_is_asked_ends(self, client, listener) -> None:
        listener.idle_s = 0.05
        client.sendall(request("/a"))
        answer(client)
        assert rest(client) == b""

    def test_a_client_that_reads_nothing_is_answered_no_more_and_given_up(self, client, listener, answers) -> None:
        listener.idle_s = 0.3
        client.sendall(request("/large") * 20)
        wait_for(lambda: answers.asked)
        wait_for(lambda: not listener._connections)
        assert len(answers.asked) < 20

    def test_a_client_that_is_slow_to_read_gets_everything(self, client) -> None:
        client.sendall(request("/large") * 20)
        for _ in range(20):
            assert len(answer(client)[2]) == 500_007


class TestListener:
    def test_requests_over_too_many_connections_are_refused(self, listener) -> None:
        held = [socket.create_connection(("127.0.0.1", listener.port), timeout=10) for _ in range(3)]
        with socket.create_connection(("127.0.0.1", listener.port), timeout=10) as one_more:
            one_more.sendall(request("/a"))
            assert answer(one_more)[0] == 503
            assert rest(one_more) == b""
        for client in held:
            client.sendall(request("/a"))
            assert answer(client)[0] == 200
            client.close()

    def test_no_crowd_takes_the_process_s_last_file(self) -> None:
        with subprocess.Popen(
            [sys.executable, "-c", FEW_FILES],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as server:
            assert server.stdin is not None
            assert server.stdout is not None
            port = int(server.stdout.readline())
            with contextlib.ExitStack() as stack:
                for _ in range(400):
                    stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
                _, trouble = server.communicate("end")
        assert trouble == ""

    def test_far_too_many_are_broken_off(self, listener, monkeypatch) -> None:
        monkeypatch.setattr("pyflow.serving.connections.SURPLUS_MAX", 2)
        clients = [socket.create_connection(("127.0.0.1", listener.port), timeout=10) for _ in range(20)]
        wait_for(lambda: len(listener._connections) == 5)
        for client in clients:
            client.close()

    def test_closing_hurries_what_waits_and_ends_what_is_idle(self, listener, client, answers) -> None:
        client.sendall(request("/task"))
        wait_for(lambda: answers.open)
        with socket.create_connection(("127.0.0.1", listener.port), timeout=10) as idle:
            idle.sendall(request("/a"))
            answer(idle)
            listener.close()
            assert rest(idle) == b""
        status, headers, body = answer(client)
        assert (status, headers[b"connection"], body) == (200, b"close", b"/task none")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", listener.port))

    def test_closing_breaks_off_what_does_not_end(self, listener, client, answers, monkeypatch) -> None:
        monkeypatch.setattr("pyflow.serving.listener.END_S", 0.02)
        client.sendall(request("/later"))
        wait_for(lambda: answers.open)
        listener.close()
        assert rest(client) == b""
        assert answers.ended == [b"/later"]

    def test_closing_beside_clients_that_come(self, answers) -> None:
        for _ in range(5):
            listens = listen("127.0.0.1", 0)
            port = listens.getsockname()[1]
            listener = Listener(answers, listens, "test-listener", body_max=0)
            ended = threading.Event()

            def come(port: int = port, ended: threading.Event = ended) -> None:
                while not ended.is_set():
                    with contextlib.suppress(OSError):
                        socket.create_connection(("127.0.0.1", port), timeout=1).close()

            comer = threading.Thread(target=come)
            comer.start()
            time.sleep(0.002)
            listener.close()
            ended.set()
            comer.join()
            assert not listener._connections

    def test_a_busy_address_is_told_with_its_name(self, listener) -> None:
        with pytest.raises(OSError, match=rf"cannot listen on 127.0.0.1:{listener.port}: Address already in use"):
            listen("127.0.0.1", listener.port)
        with pytest.raises(OSError, match=r"cannot listen on 127\.0\.0\.1:70000"):
            listen("127.0.0.1", 70000)
