import threading
from collections.abc import Callable
from typing import Any

import pytest

from activity_service import Service
from pyflow.activities import WorkerSide
from pyflow.converter import DataConverter
from pyflow.exceptions import PyflowException, ServiceFault
from pyflow.worker import polling, responding
from pyflow.worker.activities import ActivityWorker


class Charge:
    """An activity of the test's own making."""

    registration = {"defaultTaskStartToCloseTimeout": "60"}
    worker_side = WorkerSide()

    def __init__(self, body: Callable[[Any], Any], name: str = "charge", version: str = "1.0") -> None:
        self.body = body
        self.name = name
        self.version = version

    def execute(self, input: str | None, converter: DataConverter) -> str:
        return converter.encode(self.body(converter.decode(input)), "the result")


@pytest.fixture(autouse=True)
def hurry(monkeypatch) -> None:
    monkeypatch.setattr(polling, "EMPTY_POLL_S", 0.0)
    monkeypatch.setattr(responding, "backoff_s", lambda *_: 0.0)


def work(service: Service, *activities: Any, until: int, **options: Any) -> list[tuple[str, dict[str, Any]]]:
    """Run a worker until it has answered so often; give the answers."""
    worker = ActivityWorker(activities, "d", "list", "me", service, **options)
    answer = service.answer

    def count(how: str, response: dict[str, Any]) -> None:
        try:
            answer(how, response)
        finally:
            if len(service.answers) >= until:
                worker.stop()

    service.answer = count  # type: ignore[method-assign]
    worker.run()
    return service.answers


def only(answers: list[tuple[str, dict[str, Any]]]) -> tuple[str, dict[str, Any]]:
    (answer,) = answers
    return answer


def test_a_body_is_run_and_its_result_sent():
    service = Service()
    service.put("[1, 2]")

    answers = work(service, Charge(sum), until=1)

    assert answers == [("completed", {"taskToken": "token0", "result": "3"})]


def test_types_are_registered_with_their_timeouts_before_the_first_poll():
    service = Service()
    service.put("[1]", "[2]")

    work(service, Charge(sum), Charge(sum, "refund"), until=2)

    assert [request["name"] for request in service.registered] == ["charge", "refund"]
    assert service.registered[0] == {
        "domain": "d",
        "name": "charge",
        "version": "1.0",
        "defaultTaskList": {"name": "list"},
        "defaultTaskStartToCloseTimeout": "60",
    }


def test_a_registered_type_is_no_error():
    service = Service()
    worker = ActivityWorker([Charge(sum)], "d", "list", "me", service)

    worker.ensure_activities_registered()
    worker.ensure_activities_registered()

    assert len(service.registered) == 1


def test_two_activities_of_one_type_are_refused():
    with pytest.raises(PyflowException, match="'charge' with version"):
        ActivityWorker([Charge(sum), Charge(len)], "d", "list", "me", Service())


def test_an_unknown_type_is_answered_at_once_by_name():
    service = Service()
    service.put("1", name="refund")

    how, answer = only(work(service, Charge(sum), until=1))

    assert how == "failed"
    assert answer["reason"] == "unknown activity type refund 1.0"
    assert answer["details"] == "me serves: charge 1.0"


class Declined(Exception):
    pass


def decline(order: Any) -> None:
    raise Declined(f"no money for {order}")


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
def test_whatever_a_body_raises_fails_its_task_and_the_worker_goes_on(error):
    def body(number: int) -> int:
        if number == 0:
            raise error
        return number

    service = Service()
    service.put("0", "1")

    answers = work(service, Charge(body), until=2, concurrency=1)

    assert [how for how, _ in answers] == ["failed", "completed"]
    assert answers[0][1]["reason"] == type(error).__name__


def test_a_body_that_raises_fails_with_type_message_and_the_authors_frames():
    service = Service()
    service.put('"book"')

    how, answer = only(work(service, Charge(decline), until=1))

    assert (how, answer["reason"]) == ("failed", "Declined")
    assert answer["details"].startswith("pyflow.failure/1 Declined message=17\nno money for book\n\nTraceback")
    assert "in decline" in answer["details"]
    assert "worker/activities.py" not in answer["details"]


def test_a_result_that_is_too_long_fails_with_its_size():
    service = Service()
    service.put("32767")

    how, answer = only(work(service, Charge(lambda length: "x" * length), until=1))

    assert how == "failed"
    assert "32,769 characters" in answer["details"]


def test_a_result_of_just_swfs_length_is_sent():
    service = Service()
    service.put("32766")

    how, answer = only(work(service, Charge(lambda length: "x" * length), until=1))

    assert (how, len(answer["result"])) == ("completed", 32_768)


def test_a_result_that_cannot_be_encoded_fails_with_its_type():
    service = Service()
    service.put("1")

    how, answer = only(work(service, Charge(lambda _: {1j}), until=1))

    assert how == "failed"
    assert "complex" in answer["details"]


def test_a_report_too_long_is_cut_and_says_so():
    def body(_: Any) -> None:
        raise Declined("x" * 100_000)

    service = Service()
    service.put("1")

    _, answer = only(work(service, Charge(body), until=1))

    assert len(answer["details"]) < 32_768
    assert "[cut]" in answer["details"]


def test_a_reason_too_long_is_cut():
    service = Service()
    service.put("1")

    def body(_: Any) -> None:
        raise type("E" * 300, (Exception,), {})

    _, answer = only(work(service, Charge(body), until=1))

    assert len(answer["reason"]) == 256


def test_half_a_surrogate_in_a_message_is_replaced():
    def body(_: Any) -> None:
        raise Declined("\ud800")

    service = Service()
    service.put("1")

    _, answer = only(work(service, Charge(body), until=1))

    answer["details"].encode("utf-8")


@pytest.mark.parametrize(("code", "status"), [("ThrottlingException", 400), ("InternalFailure", 500), ("Timeout", 0)])
def test_an_answer_that_did_not_get_through_is_repeated_and_never_becomes_a_failure(code, status):
    service = Service()
    service.put("[1]")
    service.trouble = [ServiceFault(code, "no", operation="RespondActivityTaskCompleted", status=status)] * 2

    answers = work(service, Charge(sum), until=3)

    assert answers == [("completed", {"taskToken": "token0", "result": "1"})] * 3


def test_an_answer_to_a_lost_task_is_dropped_and_the_worker_goes_on(caplog):
    service = Service()
    service.put("[1]", "[2]")
    service.trouble = [ServiceFault("UnknownResourceFault", "no", operation="RespondActivityTaskCompleted")]

    answers = work(service, Charge(sum), until=2, concurrency=1)

    assert [answer["taskToken"] for _, answer in answers] == ["token0", "token1"]
    assert "dropped" in caplog.text


def test_a_result_that_the_service_refuses_fails_its_task():
    service = Service()
    service.put("[1]")
    service.trouble = [ServiceFault("ValidationException", "odd text", operation="RespondActivityTaskCompleted")]

    answers = work(service, Charge(sum), until=2)

    assert [how for how, _ in answers] == ["completed", "failed"]
    assert "odd text" in answers[1][1]["details"]


def test_bodies_run_at_once_up_to_the_concurrency_and_no_task_is_polled_for_without_room():
    together = threading.Barrier(3)
    polls_seen: list[int] = []
    service = Service()
    service.put("0", "1", "2", "3", "4", "5")

    def body(_: int) -> None:
        together.wait(timeout=30)
        polls_seen.append(service.polls)
        together.wait(timeout=30)

    answers = work(service, Charge(body), until=6, concurrency=3)

    assert [how for how, _ in answers] == ["completed"] * 6
    assert polls_seen[:3] == [3] * 3


def test_stop_waits_for_the_body_under_way():
    started, go_on = threading.Event(), threading.Event()
    service = Service()
    service.put("1")

    def body(_: int) -> int:
        started.set()
        go_on.wait(30)
        return 7

    worker = ActivityWorker([Charge(body)], "d", "list", "me", service)
    thread = threading.Thread(target=worker.run)
    thread.start()
    assert started.wait(30)
    worker.stop()
    assert not worker.idle
    go_on.set()
    thread.join(30)

    assert not thread.is_alive()
    assert service.answers == [("completed", {"taskToken": "token0", "result": "7"})]


def test_stopped_while_it_waits_for_room_it_polls_no_more():
    started, go_on = threading.Event(), threading.Event()
    service = Service()
    service.put("1")

    def body(_: int) -> None:
        started.set()
        go_on.wait(30)

    worker = ActivityWorker([Charge(body)], "d", "list", "me", service, concurrency=1)
    thread = threading.Thread(target=worker.run)
    thread.start()
    assert started.wait(30)
    worker.stop()
    go_on.set()
    thread.join(30)

    assert not thread.is_alive()
    assert service.polls == 1
