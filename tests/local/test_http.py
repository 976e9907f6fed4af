"""The HTTP door: its protocol, what it refuses, and polls whose clients go away."""

import http.client
import json
import socket
import threading
import time

import pytest

from local_driver import Driver
from pyflow.local import LocalSWF

JSON = "application/x-amz-json-1.0"


@pytest.fixture(scope="module")
def served():
    with LocalSWF(poll_wait_s=5.0) as swf:
        yield swf, swf.serve()


def post(server, target: str, body: object = None, method: str = "POST", path: str = "/", **headers: str):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
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
    old = {"Content_Type": "application/json; charset=UTF-8", "Content_Encoding": "amz-1.0"}
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
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
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
