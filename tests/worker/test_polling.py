import threading
from collections import deque
from typing import Any

import pytest

from pyflow.exceptions import ServiceFault
from pyflow.swf import repeating
from pyflow.worker import polling
from pyflow.worker.polling import Poller, decision_poll, poll_activity_task, poll_decision_task, whole_history


def fault(code: str, status: int = 400) -> ServiceFault:
    return ServiceFault(code, "no", operation="PollForDecisionTask", status=status)


class Replies:
    """A client whose polls answer from a script and keep what they were asked; an exception in it is raised."""

    def __init__(self, *replies: dict[str, Any] | Exception) -> None:
        self.replies = deque(replies)
        self.requests: list[dict[str, Any]] = []

    def poll_for_decision_task(self, **request: Any) -> dict[str, Any]:
        self.requests.append(dict(request))
        reply = self.replies.popleft()
        if isinstance(reply, Exception):
            raise reply
        return reply

    poll_for_activity_task = poll_for_decision_task


class Waits(threading.Event):
    """An event on which nobody waits in earnest: it keeps for how long they would have."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout or 0.0)
        return self.is_set()


def first_page(events: list[int], **more: Any) -> dict[str, Any]:
    return {"taskToken": "t", "workflowExecution": {"workflowId": "w", "runId": "r"}, "events": events, **more}


def poll(client: Replies, stop: threading.Event | None = None) -> dict[str, Any] | None:
    return poll_decision_task(client, decision_poll("d", "list", "me"), stop or Waits())


class TestDecisionTask:
    def test_an_empty_poll_is_none(self):
        assert poll(Replies({"taskToken": ""})) is None
        assert poll(Replies({"startedEventId": 0})) is None

    def test_all_pages_are_gathered_through_the_same_action(self):
        client = Replies(
            first_page([1, 2], nextPageToken="p2"),
            first_page([3, 4], nextPageToken="p3"),
            first_page([5]),
        )

        task = poll(client)

        assert task == first_page([1, 2, 3, 4, 5])
        asked = {"domain": "d", "taskList": {"name": "list"}, "identity": "me"}
        assert client.requests == [asked, {**asked, "nextPageToken": "p2"}, {**asked, "nextPageToken": "p3"}]

    @pytest.mark.parametrize(
        "trouble",
        [fault("ThrottlingException"), fault("InternalFailure", 500), fault("ReadTimeoutError", 0), {}],
        ids=["throttled", "500", "no answer", "cut short"],
    )
    def test_a_page_that_fails_is_asked_for_again(self, trouble):
        client = Replies(first_page([1], nextPageToken="p2"), trouble, first_page([2]))

        assert poll(client)["events"] == [1, 2]
        assert [request.get("nextPageToken") for request in client.requests] == [None, "p2", "p2"]

    @pytest.mark.parametrize("refusal", [fault("ValidationException"), fault("UnknownResourceFault")])
    def test_an_expired_page_token_gives_the_task_up(self, refusal):
        client = Replies(first_page([1], nextPageToken="p2"), refusal)

        assert poll(client) is None

    def test_a_page_that_never_comes_gives_the_task_up(self):
        client = Replies(first_page([1], nextPageToken="p2"), *[fault("ThrottlingException")] * polling.PAGE_TRIES)

        assert poll(client) is None
        assert not client.replies

    def test_an_empty_page_is_a_page(self):
        client = Replies(first_page([1], nextPageToken="p2"), first_page([], nextPageToken="p3"), first_page([]))

        assert poll(client)["events"] == [1]

    def test_stopping_gives_up_a_task_whose_page_fails(self):
        stop = Waits()
        stop.set()
        client = Replies(first_page([1], nextPageToken="p2"), fault("ThrottlingException"), first_page([2]))

        assert poll(client, stop) is None

    def test_a_fault_of_the_first_page_is_raised(self):
        with pytest.raises(ServiceFault):
            poll(Replies(fault("ThrottlingException")))


def test_activity_poll_gives_the_task_or_none():
    client = Replies({"taskToken": "t", "activityId": "a"}, {"taskToken": ""})

    assert poll_activity_task(client, "d", "l", "me") == {"taskToken": "t", "activityId": "a"}
    assert poll_activity_task(client, "d", "l", "me") is None


def script(*steps: Any) -> Any:
    remaining = deque(steps)

    def poll() -> Any:
        step = remaining.popleft()
        if isinstance(step, Exception):
            raise step
        return step

    return poll


class Histories:
    """A client whose GetWorkflowExecutionHistory answers from a script."""

    def __init__(self, *replies: dict[str, Any] | Exception) -> None:
        self.replies = deque(replies)
        self.requests: list[dict[str, Any]] = []

    get_workflow_execution_history = Replies.poll_for_decision_task


class TestWholeHistory:
    TASK = first_page([{"eventId": 3}], startedEventId=4)

    def whole(self, *replies: dict[str, Any] | Exception) -> tuple[list[int] | None, list[dict[str, Any]]]:
        client = Histories(*replies)
        task = whole_history(client, "d", self.TASK, Waits())
        return (None if task is None else task["events"]), client.requests

    def test_it_ends_at_the_task_whatever_has_happened_since(self):
        events, requests = self.whole(
            {"events": [1, 2], "nextPageToken": "p"}, {"events": [3, 4, 5], "nextPageToken": "q"}
        )

        assert events == [1, 2, 3, 4]
        asked = {"domain": "d", "execution": {"workflowId": "w", "runId": "r"}}
        assert [request.get("nextPageToken") for request in requests] == [None, "p"]
        assert {key: requests[0][key] for key in asked} == asked

    @pytest.mark.parametrize("trouble", [fault("ThrottlingException"), fault("InternalFailure", 500), {}])
    def test_a_page_that_fails_is_asked_for_again(self, trouble):
        assert self.whole(trouble, {"events": [1, 2, 3, 4]})[0] == [1, 2, 3, 4]

    @pytest.mark.parametrize("refusal", [fault("AccessDeniedException"), fault("UnknownResourceFault")])
    def test_what_cannot_be_had_is_none(self, refusal):
        assert self.whole(refusal)[0] is None

    def test_the_task_keeps_what_else_it_has(self):
        task = whole_history(Histories({"events": [1, 2, 3, 4]}), "d", self.TASK, Waits())
        assert task == {**self.TASK, "events": [1, 2, 3, 4]}


class TestPoller:
    @pytest.fixture(autouse=True)
    def longest_jitter(self, monkeypatch):
        monkeypatch.setattr(repeating.random, "uniform", lambda low, high: high)

    def test_tasks_come_without_waits(self):
        stop = Waits()
        poller = Poller(script({"a": 1}, {"a": 2}), stop)

        assert [poller.next(), poller.next()] == [{"a": 1}, {"a": 2}]
        assert stop.waits == []

    def test_polls_that_come_back_empty_at_once_are_at_most_two_a_second(self):
        stop = Waits()
        poller = Poller(script(None, None, None), stop)

        for _ in range(3):
            poller.next()

        assert stop.waits == [pytest.approx(0.5, abs=0.1)] * 2

    def test_an_empty_long_poll_is_followed_at_once(self, monkeypatch):
        now = iter([0.0, 60.0, 60.0, 120.0])
        monkeypatch.setattr(polling.time, "monotonic", lambda: next(now))
        stop = Waits()
        poller = Poller(script(None, None), stop)

        poller.next()
        poller.next()

        assert stop.waits == []

    def test_failed_polls_back_off_twice_as_long_up_to_the_longest(self):
        stop = Waits()
        poller = Poller(script(*[fault("ThrottlingException")] * 6, None), stop, backoff_max_s=4.0)

        for _ in range(7):
            assert poller.next() is None

        assert stop.waits == [0.5, 1.0, 2.0, 4.0, 4.0, 4.0]

    def test_a_task_clears_the_back_off(self):
        stop = Waits()
        poller = Poller(script(*[fault("InternalFailure", 500)] * 3, {"a": 1}, fault("Throttling"), {"a": 2}), stop)

        for _ in range(6):
            poller.next()

        assert stop.waits == [0.5, 1.0, 2.0, 0.5]

    def test_back_off_is_drawn_from_nothing_to_the_full_wait(self, monkeypatch):
        monkeypatch.setattr(repeating.random, "uniform", lambda low, high: (low, high))

        assert repeating.backoff_s(3) == (0.0, 4.0)

    @pytest.mark.parametrize("code", ["AccessDeniedException", "UnknownResourceFault", "ExpiredTokenException"])
    def test_what_somebody_must_repair_waits_long_and_is_said_loudly(self, code, caplog):
        stop = Waits()
        poller = Poller(script(fault(code), {"a": 1}), stop)

        assert poller.next() is None
        assert poller.next() == {"a": 1}
        assert stop.waits[0] >= 5.0
        assert [record.levelname for record in caplog.records] == ["ERROR"]
        assert code in caplog.text

    def test_a_poll_that_can_never_be_right_is_raised(self):
        with pytest.raises(ServiceFault):
            Poller(script(fault("ValidationException")), Waits()).next()

    def test_stopped_it_polls_no_more(self):
        stop = Waits()
        stop.set()

        assert Poller(script(), stop).next() is None

    def test_stopped_during_a_back_off_it_polls_no_more(self):
        stop = Waits()
        poller = Poller(script(fault("Throttling")), stop)
        poller.next()
        stop.set()

        assert poller.next() is None

    def test_an_own_list_is_polled_to_its_last_task_after_the_stop(self):
        stop = Waits()
        poller = Poller(script({"a": 1}, {"a": 2}, None), stop, is_own=True)

        assert poller.next() == {"a": 1}
        stop.set()
        assert [poller.next(), poller.next(), poller.next()] == [{"a": 2}, None, None]
        assert poller.over

    def test_an_own_list_that_is_refused_is_not_insisted_on(self):
        with pytest.raises(ServiceFault):
            Poller(script(fault("AccessDeniedException")), Waits(), is_own=True).next()

    @pytest.mark.parametrize("is_own", [False, True])
    def test_credentials_that_are_stale_are_renewed(self, is_own):
        renewed = []
        poller = Poller(
            script(fault("ExpiredTokenException"), {"a": 1}), Waits(), is_own=is_own, renew=lambda: renewed.append(1)
        )

        assert [poller.next(), poller.next()] == [None, {"a": 1}]
        assert renewed == [1]

    def test_it_says_when_a_poll_is_under_way(self):
        seen = []
        poller = Poller(lambda: seen.append(poller.polling), Waits())

        poller.next()

        assert seen == [True]
        assert not poller.polling

    def test_a_poll_that_another_has_made_sets_its_pace_as_well(self):
        stop = Waits()
        poller = Poller(script({"a": 2}), stop)
        poller.begin()
        assert poller.polling

        assert poller.end(script(fault("Throttling"))) is None
        assert not poller.polling
        assert poller.next() == {"a": 2}
        assert len(stop.waits) == 1, "it backed off"
