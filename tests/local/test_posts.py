"""Calls that are handed in and not waited for: their outcomes, their order, and what becomes of them when things go wrong."""

import sqlite3
import threading
from queue import SimpleQueue

import pytest

from pyflow import Interceptor, PyflowException, ServiceFault
from pyflow.interceptors import intercept
from pyflow.local import LocalSWF
from pyflow.local.mishaps import THROTTLE, Drop, Duplicate, Lose, Refuse
from pyflow.local.rules import tasks
from pyflow.swf import decisions
from pyflow.swf.posts import Post, can_post

START = {
    "domain": "d",
    "workflowType": {"name": "w", "version": "1"},
    "taskList": {"name": "l"},
    "executionStartToCloseTimeout": "3600",
    "taskStartToCloseTimeout": "60",
    "childPolicy": "TERMINATE",
}
POLL = {"domain": "d", "taskList": {"name": "l"}}


@pytest.fixture
def swf(tmp_path):
    with LocalSWF(tmp_path / "db", poll_wait_s=20) as made:
        client = made.direct()
        client.register_domain(name="d", workflowExecutionRetentionPeriodInDays="1")
        client.register_workflow_type(domain="d", name="w", version="1")
        yield made


class Outcomes:
    """Takes the outcomes of posts, in the order in which they come."""

    def __init__(self):
        self._came = SimpleQueue()

    def of(self, action, request, alive=lambda: True, name=None):
        return Post(action, request, lambda reply: self._came.put((name or action, reply)), alive)

    def next(self):
        """Return whose outcome is next, with the reply or the error."""
        name, reply = self._came.get(timeout=10)
        try:
            return name, reply()
        except Exception as error:
            return name, error

    @property
    def none(self):
        return self._came.empty()


def in_thread(what, *args):
    """Do something where the service may be led: not in the main thread."""
    found = []
    thread = threading.Thread(target=lambda: found.append(what(*args)))
    thread.start()
    thread.join(10)
    return found[0]


@pytest.mark.parametrize("call", [in_thread, lambda what, *args: what(*args)], ids=["leading", "main thread"])
def test_outcomes_come_in_the_order_of_the_calls_and_a_poll_s_once_there_is_a_task(swf, call):
    client, outcomes = swf.direct(), Outcomes()
    call(
        client.post,
        outcomes.of("CountOpenWorkflowExecutions", {"domain": "d", "startTimeFilter": {"oldestDate": 0}}),
        outcomes.of("PollForDecisionTask", POLL),
        outcomes.of("ListDomains", {"registrationStatus": "REGISTERED"}),
    )
    assert outcomes.next() == ("CountOpenWorkflowExecutions", {"count": 0, "truncated": False})
    name, reply = outcomes.next()
    assert (name, reply["domainInfos"][0]["name"]) == ("ListDomains", "d")
    assert outcomes.none
    client.start_workflow_execution(workflowId="id", **START)
    name, task = outcomes.next()
    assert (name, task["workflowExecution"]["workflowId"]) == ("PollForDecisionTask", "id")


def test_an_answer_and_the_next_poll_share_one_commit(swf, monkeypatch):
    client, outcomes = swf.direct(), Outcomes()
    for number in range(2):
        client.start_workflow_execution(workflowId=f"id{number}", **START)
    task = client.poll_for_decision_task(**POLL)
    commits = []
    store = swf._service._store
    commit = store.commit
    monkeypatch.setattr(store, "commit", lambda: (commits.append(store._has_changed), commit()))
    respond = {"taskToken": task["taskToken"], "decisions": []}
    in_thread(
        client.post,
        outcomes.of("RespondDecisionTaskCompleted", respond),
        outcomes.of("PollForDecisionTask", POLL),
    )
    assert outcomes.next() == ("RespondDecisionTaskCompleted", {})
    assert outcomes.next()[1]["workflowExecution"]["workflowId"] == "id1"
    assert commits.count(True) == 1


def test_what_is_due_at_once_comes_before_the_next_call_of_its_group(swf):
    client, outcomes = swf.direct(), Outcomes()
    run_id = client.start_workflow_execution(workflowId="id", **START)["runId"]
    task = client.poll_for_decision_task(**POLL)
    respond = {"taskToken": task["taskToken"], "decisions": [decisions.start_timer("t", "0")]}
    in_thread(
        client.post,
        outcomes.of("RespondDecisionTaskCompleted", respond),
        outcomes.of("SignalWorkflowExecution", {"domain": "d", "workflowId": "id", "signalName": "s"}),
    )
    assert [outcomes.next()[1] for _ in range(2)] == [{}, {}]
    history = client.get_workflow_execution_history(domain="d", execution={"workflowId": "id", "runId": run_id})
    came = [event["eventType"] for event in history["events"]][4:]
    assert came == ["TimerStarted", "TimerFired", "DecisionTaskScheduled", "WorkflowExecutionSignaled"]


def test_what_time_brings_goes_to_the_poll_that_waits_not_to_the_one_that_comes(swf):
    client, outcomes = swf.direct(), Outcomes()
    client.start_workflow_execution(workflowId="id", **START)
    task = client.poll_for_decision_task(**POLL)
    respond = {"taskToken": task["taskToken"], "decisions": [decisions.start_timer("t", "0")]}
    in_thread(client.post, outcomes.of("PollForDecisionTask", POLL, name="waits"))
    in_thread(
        client.post,
        outcomes.of("RespondDecisionTaskCompleted", respond),
        outcomes.of("PollForDecisionTask", POLL, name="comes"),
    )
    assert sorted(outcomes.next()[0] for _ in range(2)) == ["RespondDecisionTaskCompleted", "waits"]


def test_what_is_refused_is_so_for_the_function_not_for_who_posts(swf):
    client, outcomes = swf.direct(), Outcomes()
    client.post(
        outcomes.of("PollForDecisionTask", {"domain": "d"}),
        outcomes.of("PollForDecisionTask", {**POLL, "domain": "nobody's"}),
    )
    faults = [outcomes.next()[1] for _ in range(2)]
    assert [(fault.code, fault.operation) for fault in faults] == [
        ("ValidationException", "PollForDecisionTask"),
        ("UnknownResourceFault", "PollForDecisionTask"),
    ]


def test_a_poll_that_is_withdrawn_is_answered_with_nothing_and_takes_no_task(swf):
    client, outcomes = swf.direct(), Outcomes()
    (posted,) = client.post(outcomes.of("PollForDecisionTask", POLL))
    posted.withdraw()
    assert not outcomes.next()[1].get("taskToken")
    posted.withdraw()
    client.start_workflow_execution(workflowId="id", **START)
    assert client.poll_for_decision_task(**POLL)["taskToken"]
    assert outcomes.none


def test_a_poll_that_is_withdrawn_in_a_group_that_fails_is_answered_once(swf, monkeypatch):
    client, outcomes, service = swf.direct(), Outcomes(), swf._service
    commit, failed = service._store.commit, []

    def fail_once():
        if not failed:
            failed.append(1)
            raise sqlite3.OperationalError("disk I/O error")
        commit()

    with service._at_work:  # so that all of it becomes one group
        (posted,) = client.post(outcomes.of("PollForDecisionTask", POLL))
        posted.withdraw()
        monkeypatch.setattr(service._store, "commit", fail_once)
    service._inbox.ring()
    assert not outcomes.next()[1].get("taskToken")
    client.start_workflow_execution(workflowId="id", **START)
    assert client.poll_for_decision_task(**POLL)["taskToken"]
    assert failed
    assert outcomes.none


def test_a_poll_whose_poster_is_gone_takes_no_task(swf):
    client, outcomes = swf.direct(), Outcomes()
    client.post(
        outcomes.of("PollForDecisionTask", POLL, alive=lambda: False, name="gone"),
        outcomes.of("PollForDecisionTask", POLL, name="there"),
    )
    client.start_workflow_execution(workflowId="id", **START)
    name, task = outcomes.next()
    assert (name, bool(task["taskToken"])) == ("there", True)


def test_when_the_service_closes_what_waits_gets_nothing_and_what_comes_is_told(swf):
    client, outcomes = swf.direct(), Outcomes()
    client.post(outcomes.of("PollForDecisionTask", POLL, name="waits"))
    swf.close()
    name, reply = outcomes.next()
    assert (name, reply.get("taskToken")) == ("waits", None)
    client.post(outcomes.of("PollForDecisionTask", POLL, name="late"))
    name, error = outcomes.next()
    assert name == "late"
    assert isinstance(error, PyflowException)
    assert "closed" in str(error)


@pytest.mark.parametrize(
    ("mishap", "code", "is_done"),
    [
        (Drop(), "ConnectionClosedError", False),
        (Lose(), "ReadTimeoutError", True),
        (Refuse("ThrottlingException", "no", 400), "ThrottlingException", False),
        (Duplicate(), None, True),
    ],
    ids=["Drop", "Lose", "Refuse", "Duplicate"],
)
def test_a_posted_call_meets_its_mishap(swf, mishap, code, is_done):
    client, outcomes = swf.direct(), Outcomes()
    client.start_workflow_execution(workflowId="id", **START)
    swf.plan_mishaps(lambda action, request: mishap if action == "SignalWorkflowExecution" else None)
    client.post(outcomes.of("SignalWorkflowExecution", {"domain": "d", "workflowId": "id", "signalName": "s"}))
    outcome = outcomes.next()[1]
    assert getattr(outcome, "code", None) == code
    assert code is None or isinstance(outcome, ServiceFault)
    (open_,) = client.list_open_workflow_executions(domain="d", startTimeFilter={"oldestDate": 0})["executionInfos"]
    history = client.get_workflow_execution_history(domain="d", execution=open_["execution"])["events"]
    assert ("WorkflowExecutionSignaled" in [event["eventType"] for event in history]) is is_done


def test_a_function_that_raises_harms_no_other_call(swf, caplog):
    client, outcomes = swf.direct(), Outcomes()
    request = {"registrationStatus": "REGISTERED"}
    in_thread(
        client.post,
        Post("ListDomains", request, lambda reply: 1 / 0, lambda: True),
        outcomes.of("ListDomains", request),
    )
    assert outcomes.next()[1]["domainInfos"]
    assert "the outcome of ListDomains was not taken" in caplog.text
    assert client.list_domains(**request)["domainInfos"]


def test_a_post_is_read_when_it_is_handed_in_first_and_counts_each_time(swf):
    client, outcomes = swf.direct(), Outcomes()
    request = {"registrationStatus": "REGISTERED"}
    post = outcomes.of("ListDomains", request)
    in_thread(client.post, post)
    request["registrationStatus"] = "DEPRECATED"
    in_thread(client.post, post)
    assert [[each["name"] for each in outcomes.next()[1]["domainInfos"]] for _ in range(2)] == [["d"], ["d"]]
    swf.plan_mishaps(lambda action, request: THROTTLE)
    in_thread(client.post, post)
    assert outcomes.next()[1].code == "ThrottlingException"


def test_a_post_that_is_not_in_order_is_refused_each_time(swf):
    client, outcomes = swf.direct(), Outcomes()
    post = outcomes.of("ListDomains", {"registrationStatus": "NONE"})
    for _ in range(2):
        in_thread(client.post, post)
        assert outcomes.next()[1].code == "ValidationException"


def test_a_poll_that_fails_to_get_its_task_stands_in_line_as_before(swf, monkeypatch):
    """What is wrong may be the disk: then the group is done over, and the task is for the same poll."""
    client, outcomes = swf.direct(), Outcomes()
    client.post(*[outcomes.of("PollForDecisionTask", POLL, name=name) for name in ("first", "second")])
    start = tasks.start_decision_task
    failing = [True]

    def once(*args):
        if failing:
            failing.pop()
            raise ZeroDivisionError
        return start(*args)

    monkeypatch.setattr(tasks, "start_decision_task", once)
    client.start_workflow_execution(workflowId="one", **START)
    client.start_workflow_execution(workflowId="two", **START)
    came = [outcomes.next() for _ in range(2)]
    assert [(name, task["workflowExecution"]["workflowId"]) for name, task in came] == [
        ("first", "one"),
        ("second", "two"),
    ]
    assert not failing
    assert not swf._service._waiting


def test_clients_whose_calls_are_surrounded_or_carried_out_by_their_caller_cannot_post(swf):
    class Surrounding(Interceptor):
        def call(self, action, request, proceed):
            return proceed()

    assert can_post(swf.direct())
    assert not can_post(intercept(swf.direct(), [Surrounding()]))
    assert not can_post(object())
    with LocalSWF(thread=False) as threadless:
        assert not can_post(threadless.direct())
