"""The HTTP door: its protocol, what it refuses, and polls whose clients go away."""

import http.client
import json
import socket
import struct
import threading
import time

import pytest

from local_driver import Driver
from pyflow.local import LocalSWF, VirtualClock
from pyflow.swf import decisions

JSON = "application/x-amz-json-1.0"


def exchanged(server, *parts: bytes) -> bytes:
    """What comes back until the server closes, after sending these bytes; nothing if it keeps the connection."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        for part in parts:
            connection.sendall(part)
        answer = b""
        while data := connection.recv(65536):
            answer += data
        return answer


def parsed(answer: bytes) -> tuple[int, dict[str, str], dict[str, str]]:
    head, _, body = answer.partition(b"\r\n\r\n")
    line, *lines = head.decode().split("\r\n")
    return int(line.split()[1]), dict(each.split(": ", 1) for each in lines), json.loads(body)


def raw(server, body: bytes = b"{}", action: str = "ListDomains", *headers: str) -> bytes:
    head = [
        "POST / HTTP/1.1",
        f"Host: 127.0.0.1:{server.port}",
        f"X-Amz-Target: SimpleWorkflowService.{action}",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    return "\r\n".join([*head, "", ""]).encode() + body


@pytest.fixture(scope="module")
def served():
    with LocalSWF(poll_wait_s=20.0) as swf:
        yield swf, swf.serve()


def post(server, target: str, body: object = None, method: str = "POST", path: str = "/", **headers: str):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    sent = {
        "X-Amz-Target": target,
        "Content-Type": JSON,
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    data = body if isinstance(body, (bytes, str)) else json.dumps(body or {})
    try:
        connection.request(method, path, data, sent)
        response = connection.getresponse()
        text = response.read()
        return response.status, dict(response.getheaders()), json.loads(text) if text else None
    finally:
        connection.close()


def test_both_spellings_of_the_target_are_understood(served) -> None:
    server = served[1]
    status, headers, reply = post(server, "SimpleWorkflowService.ListDomains", {"registrationStatus": "DEPRECATED"})
    assert (status, reply["domainInfos"]) == (200, [])
    assert headers["content-type"] == JSON
    assert headers["x-amzn-requestid"]
    assert "server" not in headers
    assert not [name for name in headers if name.lower().startswith("access-control")]
    target = "com.amazonaws.swf.service.model.SimpleWorkflowService.ListDomains"
    old = {"Content_Type": "Application/JSON; charset=UTF-8", "Content_Encoding": "amz-1.0"}
    status, headers, _ = post(server, target, {"registrationStatus": "REGISTERED"}, **old)
    assert (status, headers["content-type"]) == (200, "application/json")


def test_an_action_without_output_has_an_empty_body(served) -> None:
    server = served[1]
    body = {"name": "empty", "workflowExecutionRetentionPeriodInDays": "1"}
    status, headers, reply = post(server, "SimpleWorkflowService.RegisterDomain", body)
    assert (status, headers["content-length"], reply) == (200, "0", None)


@pytest.mark.parametrize(
    ("target", "body", "kind"),
    [
        ("SimpleWorkflowService.DescribeDomain", {"name": "?"}, "com.amazonaws.swf.base.model#UnknownResourceFault"),
        ("SimpleWorkflowService.DescribeDomain", {}, "com.amazon.coral.validate#ValidationException"),
        ("SimpleWorkflowService.DescribeDomain", {"name": 3}, "com.amazon.coral.service#SerializationException"),
        ("SimpleWorkflowService.DescribeDomain", "{", "com.amazon.coral.service#SerializationException"),
        ("SimpleWorkflowService.DescribeDomain", "[]", "com.amazon.coral.service#SerializationException"),
        ("SimpleWorkflowService.DescribeDomain", '{"name": NaN}', "com.amazon.coral.service#SerializationException"),
        ("SimpleWorkflowService.DescribeDomain", "[" * 100_000, "com.amazon.coral.service#SerializationException"),
        ("SimpleWorkflowService.DescribeDomain", b"\xff\xfe", "com.amazon.coral.service#SerializationException"),
        (
            "SimpleWorkflowService.DescribeDomain",
            '{"name": "\\ud800"}',
            "com.amazon.coral.service#SerializationException",
        ),
        ("SimpleWorkflowService.MakeCoffee", {}, "com.amazon.coral.service#UnknownOperationException"),
        ("", {}, "com.amazon.coral.service#UnknownOperationException"),
    ],
)
def test_errors_are_in_awss_shape(served, target: str, body: object, kind: str) -> None:
    status, _, reply = post(served[1], target, body)
    assert (status, reply["__type"]) == (400, kind)
    assert set(reply) == {"__type", "message"}


def test_a_body_over_a_megabyte_is_refused_before_it_is_read(served) -> None:
    server = served[1]
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(
            f"POST / HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nX-Amz-Target: SimpleWorkflowService.ListDomains\r\n"
            "Content-Length: 999999999\r\n\r\n".encode()
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "127.0.0.1.evil.example"}, 421),
        ({"Host": "127.0.0.1:1"}, 421),
        ({"Host": ""}, 421),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"method": "GET"}, 405),
        ({"method": "OPTIONS"}, 405),
        ({"path": "/../etc/passwd"}, 404),
    ],
)
def test_what_a_web_page_could_send_is_refused(served, headers: dict, status: int) -> None:
    assert (
        post(served[1], "SimpleWorkflowService.ListDomains", {"registrationStatus": "REGISTERED"}, **headers)[0]
        == status
    )


def test_other_names_of_this_machine_are_taken(served) -> None:
    host = f"LocalHost:{served[1].port}"
    assert (
        post(served[1], "SimpleWorkflowService.ListDomains", {"registrationStatus": "REGISTERED"}, Host=host)[0] == 200
    )


@pytest.mark.parametrize("how", ["half-closed", "closed", "reset", "half-closed with a request behind"])
def test_a_task_goes_to_the_next_poll_where_the_client_of_the_first_is_gone(how: str) -> None:
    with LocalSWF(poll_wait_s=30.0) as swf, swf.serve() as server:
        flow = Driver(swf.direct())
        poll = raw(server, b'{"domain": "d", "taskList": {"name": "tl"}}', "PollForDecisionTask")
        gone, there = (socket.create_connection(("127.0.0.1", server.port), timeout=30) for _ in range(2))
        for number, each in enumerate((gone, there), 1):
            each.sendall(poll)
            while len(swf._service._waiting) < number:
                time.sleep(0.001)
        if how == "reset":
            gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if how.endswith("behind"):
            gone.sendall(b"POST")
        if how.startswith("half-closed"):
            gone.shutdown(socket.SHUT_WR)
        else:
            gone.close()
        # At once: its thread need not have looked at the connection before.
        flow.start()
        assert b'"taskToken"' in there.recv(65536)
        gone.close()
        there.close()


def test_a_poll_whose_client_is_gone_gets_no_task(served) -> None:
    swf, server = served
    flow = Driver(swf.direct())
    poll = json.dumps({"domain": "d", "taskList": {"name": "tl"}})
    gone = http.client.HTTPConnection("127.0.0.1", server.port)
    gone.request("POST", "/", poll, {"X-Amz-Target": "SimpleWorkflowService.PollForDecisionTask"})
    while not swf._service._waiting:
        time.sleep(0.001)
    gone.close()
    while swf._service._waiting:
        time.sleep(0.001)
    run_id = flow.start()
    assert flow.history(run_id)[-1] == "DecisionTaskScheduled"
    assert flow.decision_task()["startedEventId"] == 3


def test_a_poll_whose_client_is_gone_before_it_is_read_gets_no_task() -> None:
    with LocalSWF(poll_wait_s=30.0) as swf, swf.serve() as server:
        flow = Driver(swf.direct())
        flow.start()
        busy = threading.Event()
        server._listener.loop.call_soon_threadsafe(busy.wait, 10)
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as gone:
            gone.sendall(raw(server, b'{"domain": "d", "taskList": {"name": "tl"}}', "PollForDecisionTask"))
        busy.set()
        assert exchanged(server, raw(server, b'{"registrationStatus": "REGISTERED"}')).startswith(b"HTTP/1.1 200")
        while swf._service._waiting:
            time.sleep(0.001)
        assert flow.decision_task()["startedEventId"] == 3


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00\x01\x02\r\n\r\n",
        b"GET\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"POST / HTTP/1.1\r\n\r\n",
        b"POST / HTTP/0.9\r\nHost: a\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nX-Long: " + b"x" * 20_000 + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nBad Name: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
def test_what_is_not_http_is_refused_in_awss_shape_and_the_connection_closed(served, sent: bytes) -> None:
    server = served[1]
    status, headers, fault = parsed(exchanged(server, sent))
    assert 400 <= status < 500
    assert (headers["content-type"], headers["connection"]) == (JSON, "close")
    assert (set(fault), fault["__type"].partition("#")[0]) == ({"__type", "message"}, "com.amazon.coral.service")
    assert post(server, "SimpleWorkflowService.ListDomains", {"registrationStatus": "REGISTERED"})[0] == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (["Transfer-Encoding: chunked"], b"411"),
        (["Content-Type: text/plain"], b"415"),
        (["Content-Type: application/x-www-form-urlencoded"], b"415"),
        ([f"X-{n}: 1" for n in range(70)], b"431"),
    ],
)
def test_a_head_that_no_client_of_ours_sends_is_refused(served, headers: list, status: bytes) -> None:
    sent = raw(served[1], b"", "ListDomains", *headers)
    if b"chunked" in sent:
        sent = sent.replace(b"Content-Length: 0\r\n", b"")
    answer = exchanged(served[1], sent)
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert b"connection: close" in answer


def test_a_head_and_a_body_that_do_not_come_end_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    with LocalSWF() as swf, swf.serve() as server:
        with monkeypatch.context() as patched:
            patched.setattr("pyflow.serving.connections.HEAD_S", 0.05)
            assert exchanged(server, b"POST / HT") == b""
            assert exchanged(server) == b""
        monkeypatch.setattr("pyflow.serving.connections.BODY_S", 0.05)
        status, _, fault = parsed(exchanged(server, raw(server, b"{}")[:-1]))
        assert (status, fault["__type"]) == (408, "com.amazon.coral.service#RequestExpired")


def test_a_slow_client_hinders_no_other(served) -> None:
    server = served[1]
    slow = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(100)]
    for connection in slow:
        connection.sendall(b"POST / HTTP/1.1\r\nHo")
    assert post(server, "SimpleWorkflowService.ListDomains", {"registrationStatus": "REGISTERED"})[0] == 200
    for connection in slow:
        connection.close()


def test_too_many_connections_are_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyflow.local.server.CONNECTIONS_MAX", 2)
    with LocalSWF() as swf, swf.serve() as server:
        held = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(2)]
        status, headers, fault = parsed(exchanged(server, raw(server)))
        assert (status, headers["content-type"]) == (503, JSON)
        assert fault["__type"] == "com.amazon.coral.service#ServiceUnavailable"
        for connection in held:
            connection.close()


def test_connections_are_kept_for_the_calls_that_loops_make(served) -> None:
    _, headers, _ = post(served[1], "SimpleWorkflowService.ListDomains", {"registrationStatus": "REGISTERED"})
    assert headers["connection"] == "close"
    _, headers, _ = post(served[1], "SimpleWorkflowService.RespondActivityTaskCompleted", {"taskToken": "x"})
    assert "connection" not in headers


def test_a_request_behind_a_waiting_poll_ends_it() -> None:
    with LocalSWF(poll_wait_s=30.0) as swf, swf.serve() as server:
        Driver(swf.direct())
        poll = b'{"domain": "d", "taskList": {"name": "tl"}}'
        began = time.monotonic()
        answer = exchanged(server, raw(server, poll, "PollForDecisionTask"), raw(server, b"{}"))
        assert answer.count(b"HTTP/1.1 ") == 2
        assert b'{"previousStartedEventId":0,"startedEventId":0}' in answer
        assert time.monotonic() - began < 20


def test_the_network_is_served_with_a_token_only() -> None:
    with LocalSWF() as swf:
        with pytest.raises(ValueError, match="at least 16"):
            swf.serve(token="short")
        server = swf.serve(host="0.0.0.0", token="0123456789abcdef")
        body = {"registrationStatus": "REGISTERED"}
        good = "AWS4-HMAC-SHA256 Credential=0123456789abcdef/20260101/us-east-1/swf/aws4_request, SignedHeaders=host"
        assert post(server, "SimpleWorkflowService.ListDomains", body, Authorization=good)[0] == 200
        for bad in ({}, {"Authorization": good.replace("0123", "1123")}, {"Authorization": "0123456789abcdef"}):
            status, _, reply = post(server, "SimpleWorkflowService.ListDomains", body, **bad)
            assert (status, reply["__type"].partition("#")[2]) == (403, "UnrecognizedClientException")


def test_no_answer_tells_what_we_run_on(served) -> None:
    for _, headers, _ in (
        post(served[1], "SimpleWorkflowService.ListDomains", {}),
        post(served[1], "x", {}, method="GET"),
        post(served[1], "x", {}, Host="evil.example"),
    ):
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert "server" not in headers


def test_a_virtual_clock_is_moved_over_http(clock: VirtualClock) -> None:
    with LocalSWF(clock=clock, poll_wait_s=0.0) as swf, swf.serve() as server:
        flow = Driver(swf.direct())
        run_id = flow.start()
        flow.decide(decisions.start_timer("t", "600"))
        assert post(server, "PyflowLocal.AdvanceClock", {"seconds": 600})[2] == {"now": 1_000_600.0}
        assert flow.history(run_id)[-2] == "TimerFired"
        assert post(server, "PyflowLocal.AdvanceClock", {"seconds": -1})[0] == 400
        assert post(server, "PyflowLocal.AdvanceClock", {"seconds": "x"})[0] == 400


def test_the_systems_clock_is_not_moved(served) -> None:
    assert post(served[1], "PyflowLocal.AdvanceClock", {})[0] == 200
    assert post(served[1], "PyflowLocal.AdvanceClock", {"seconds": 1})[0] == 400


def test_no_timeout_strikes_work_of_a_connected_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyflow.local.service.POLLER_SEEN_S", 60.0)  # it comes, however slow this machine is
    with LocalSWF(clock=VirtualClock(skip=True), poll_wait_s=0.0) as swf, swf.serve() as server:
        flow = Driver(swf.direct())
        flow.start(taskStartToCloseTimeout="60")
        worker = http.client.HTTPConnection("127.0.0.1", server.port)
        worker.request(
            "POST",
            "/",
            '{"domain": "d", "taskList": {"name": "tl"}}',
            {"X-Amz-Target": "SimpleWorkflowService.PollForDecisionTask"},
        )
        run_id = json.loads(worker.getresponse().read())["workflowExecution"]["runId"]
        time.sleep(0.1)
        assert flow.history(run_id)[-1] == "DecisionTaskStarted"
        worker.close()
        while "DecisionTaskTimedOut" not in flow.history(run_id):
            time.sleep(0.001)


def test_a_busy_port_is_told_at_once_with_its_address(served) -> None:
    swf, server = served
    with pytest.raises(OSError, match=rf"cannot listen on 127.0.0.1:{server.port}: Address already in use"):
        swf.serve(server.port)


def test_only_loopback_is_served(served) -> None:
    with pytest.raises(ValueError, match="loopback only"):
        served[0].serve(host="0.0.0.0")


def test_closing_gives_waiting_polls_the_empty_answer() -> None:
    swf = LocalSWF(poll_wait_s=30.0)
    Driver(swf.direct())
    server = swf.serve()
    replies = []

    def poll() -> None:
        body = {"domain": "d", "taskList": {"name": "tl"}}
        replies.append(post(server, "SimpleWorkflowService.PollForDecisionTask", body)[2])

    thread = threading.Thread(target=poll)
    thread.start()
    while not swf._service._waiting:
        time.sleep(0.001)
    swf.close()
    thread.join()
    assert replies == [{"previousStartedEventId": 0, "startedEventId": 0}]
