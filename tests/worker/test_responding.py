from collections import deque
from threading import Event
from typing import Any

import pytest

from pyflow.exceptions import ServiceFault
from pyflow.worker import responding
from pyflow.worker.responding import respond

OPERATION = "RespondActivityTaskCompleted"


def fault(code: str, status: int = 400) -> ServiceFault:
    return ServiceFault(code, "no", operation=OPERATION, status=status)


class Call:
    """A client's method that fails as scripted, then succeeds; keeps what it was given."""

    def __init__(self, *faults: ServiceFault) -> None:
        self.faults = deque(faults)
        self.sent: list[dict[str, Any]] = []

    def __call__(self, **response: Any) -> None:
        self.sent.append(response)
        if self.faults:
            raise self.faults.popleft()


@pytest.fixture
def naps(monkeypatch) -> list[float]:
    """The waits between tries, which pass on a clock of their own."""
    naps: list[float] = []
    monkeypatch.setattr(responding.time, "sleep", naps.append)
    monkeypatch.setattr(responding.time, "monotonic", lambda: sum(naps))
    monkeypatch.setattr(responding, "backoff_s", lambda failures, longest: min(longest, 2.0**failures))
    return naps


@pytest.mark.parametrize(
    "trouble",
    [
        fault("ThrottlingException"),
        fault("InternalFailure", 500),
        fault("ReadTimeoutError", 0),
    ],
)
def test_a_response_that_did_not_get_through_is_sent_again_the_same(naps, trouble):
    call = Call(trouble, trouble)

    respond(call, OPERATION, Event(), taskToken="t", result="1")

    assert call.sent == [{"taskToken": "t", "result": "1"}] * 3
    assert naps == [1.0, 2.0]


def test_what_somebody_must_repair_is_sent_again_slowly_and_said_loudly(naps, caplog):
    call = Call(fault("ExpiredTokenException"))

    respond(call, OPERATION, Event(), taskToken="t")

    assert naps == [6.0]
    assert [record.levelname for record in caplog.records] == ["ERROR"]


@pytest.mark.parametrize("unknown", [fault("InternalFailure", 500), fault("ReadTimeoutError", 0)])
def test_lost_after_a_try_of_unknown_outcome_is_taken_for_applied(naps, unknown):
    call = Call(unknown, fault("ThrottlingException"), fault("UnknownResourceFault"))

    respond(call, OPERATION, Event(), taskToken="t")

    assert len(call.sent) == 3


@pytest.mark.parametrize("not_applied", [fault("ThrottlingException"), fault("EndpointConnectionError", 0)])
def test_lost_after_tries_that_were_not_applied_is_lost(naps, not_applied):
    with pytest.raises(ServiceFault, match="UnknownResourceFault"):
        respond(Call(not_applied, fault("UnknownResourceFault")), OPERATION, Event(), taskToken="t")


@pytest.mark.parametrize("code", ["UnknownResourceFault", "ValidationException"])
def test_a_refusal_is_raised_at_once(naps, code):
    call = Call(fault(code))

    with pytest.raises(ServiceFault, match=code):
        respond(call, OPERATION, Event(), taskToken="t")

    assert len(call.sent) == 1


def test_a_service_that_stays_away_is_given_up_after_ten_minutes(naps):
    with pytest.raises(ServiceFault, match="InternalFailure"):
        respond(Call(*[fault("InternalFailure", 500)] * 1000), OPERATION, Event(), taskToken="t")

    assert 600 <= sum(naps) < 620


def test_a_worker_that_stops_gives_it_up_sooner(naps):
    stop = Event()
    stop.set()

    with pytest.raises(ServiceFault):
        respond(Call(*[fault("InternalFailure", 500)] * 1000), OPERATION, stop, taskToken="t")

    assert sum(naps) < 20


def test_a_try_that_was_made_elsewhere_counts_as_the_first(naps):
    call = Call(fault("UnknownResourceFault"))

    respond(call, OPERATION, Event(), tried=fault("ReadTimeoutError", 0), taskToken="t")

    assert (len(call.sent), naps) == (1, [1.0]), "taken for applied, since the outcome of that try was unknown"

    with pytest.raises(ServiceFault, match="UnknownResourceFault"):
        respond(call, OPERATION, Event(), tried=fault("UnknownResourceFault"), taskToken="t")
    assert len(call.sent) == 1
