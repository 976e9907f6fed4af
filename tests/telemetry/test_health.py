"""A worker is well while its polls are answered, and its port says so."""

import json
import socket
from http.client import HTTPConnection
from typing import Any

import pytest

from pyflow.exceptions import ServiceFault
from pyflow.telemetry.endpoint import Endpoint
from pyflow.telemetry.health import Health


class Time:
    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def health(time: Time) -> Health:
    return Health(silence_max_s=100, clock=time)


def denied() -> Any:
    raise ServiceFault("AccessDeniedException", "not authorized")


def test_it_starts_and_is_well_from_the_first_answer(health: Health) -> None:
    assert health.report() == {"status": "starting", "polls": {}}
    health.call("PollForDecisionTask", {}, dict)
    assert health.report() == {
        "status": "ok",
        "polls": {"PollForDecisionTask": {"answered_s_ago": 0.0, "fault": None}},
    }


def test_silence_is_a_failure_and_an_answer_mends_it(health: Health, time: Time) -> None:
    health.call("PollForDecisionTask", {}, dict)
    time.now_s += 1_000

    def waits() -> dict[str, Any]:
        assert health.report()["status"] == "ok"
        time.now_s += 101
        assert health.report()["status"] == "failing"
        return {}

    health.call("PollForDecisionTask", {}, waits)
    assert health.report()["status"] == "ok"


def test_it_tells_how_long_ago_the_last_answer_was_and_the_fault_since(health: Health, time: Time) -> None:
    health.call("PollForDecisionTask", {}, dict)
    time.now_s += 5.26
    with pytest.raises(ServiceFault):
        health.call("PollForDecisionTask", {}, denied)
    (poll,) = health.report()["polls"].values()
    assert poll == {"answered_s_ago": 5.3, "fault": "AccessDeniedException: not authorized"}

    health.call("PollForDecisionTask", {}, dict)
    (poll,) = health.report()["polls"].values()
    assert poll == {"answered_s_ago": 0.0, "fault": None}


def test_one_that_is_told_to_end_is_stopping_whatever_its_polls_do(health: Health, time: Time) -> None:
    with pytest.raises(ServiceFault):
        health.call("PollForDecisionTask", {}, denied)
    time.now_s += 1_000
    health.stop()
    assert health.report()["status"] == "stopping"


def test_a_worker_whose_polls_fail_is_silent_from_the_first_of_them(health: Health, time: Time) -> None:
    health.call("PollForDecisionTask", {}, dict)
    for _ in range(3):
        assert health.report()["status"] == "ok"
        with pytest.raises(ServiceFault):
            health.call("PollForDecisionTask", {}, denied)
        time.now_s += 40
    assert health.report()["status"] == "failing"


def test_a_worker_that_has_no_room_to_poll_for_more_is_well(health: Health, time: Time) -> None:
    health.call("PollForActivityTask", {}, lambda: {"taskToken": "t"})
    time.now_s += 3_600  # its bodies take that long
    assert health.report()["status"] == "ok"


def test_a_worker_that_never_got_an_answer_fails_too(health: Health, time: Time) -> None:
    with pytest.raises(ServiceFault):
        health.call("PollForActivityTask", {}, denied)
    assert health.report()["status"] == "starting"
    time.now_s += 101
    report = health.report()
    assert report["status"] == "failing"
    assert "AccessDeniedException" in report["polls"]["PollForActivityTask"]["fault"]


def test_one_that_does_not_even_come_to_poll_fails_too(health: Health, time: Time) -> None:
    time.now_s += 101  # types are registered before, and may not be allowed
    assert health.report() == {"status": "failing", "polls": {}}


def test_one_kind_of_poll_that_is_silent_is_enough(health: Health, time: Time) -> None:
    with pytest.raises(ServiceFault):
        health.call("PollForActivityTask", {}, denied)
    time.now_s += 90
    health.call("PollForDecisionTask", {}, dict)
    with pytest.raises(ServiceFault):
        health.call("PollForDecisionTask", {}, denied)
    time.now_s += 20
    assert health.report()["status"] == "failing"


def test_other_calls_say_nothing(health: Health) -> None:
    health.call("RespondDecisionTaskCompleted", {}, dict)
    assert health.report()["status"] == "starting"


def raw(endpoint: Endpoint, request: bytes) -> bytes:
    """Return all that comes back, as it comes."""
    host, port = endpoint.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(4096), b""))


def get(endpoint: Endpoint, path: str, method: str = "GET") -> tuple[int, str | None, bytes]:
    connection = HTTPConnection(endpoint.url.removeprefix("http://"))
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, response.getheader("content-type"), response.read()
    finally:
        connection.close()


def test_the_port_serves_both_pages_and_nothing_else(health: Health) -> None:
    with Endpoint(health.report, lambda: (b"pyflow_x 1\n", "text/plain; version=0.0.4")) as endpoint:
        assert get(endpoint, "/health")[0] == 503
        health.call("PollForDecisionTask", {}, dict)
        status, kind, body = get(endpoint, "/health")
        assert (status, kind, json.loads(body)["status"]) == (200, "application/json", "ok")
        health.stop()
        assert get(endpoint, "/health")[0] == 503
        assert get(endpoint, "/metrics") == (200, "text/plain; version=0.0.4", b"pyflow_x 1\n")
        head = raw(endpoint, b"HEAD /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert head.endswith(b"\r\n\r\n")
        assert b"cache-control: no-store\r\n" in head
        assert get(endpoint, "/../etc/passwd")[0] == 404
        assert get(endpoint, "/health", "POST")[0] == 405


def test_without_metrics_there_is_no_such_page(health: Health) -> None:
    with Endpoint(health.report, None) as endpoint:
        assert get(endpoint, "/metrics")[0] == 404
