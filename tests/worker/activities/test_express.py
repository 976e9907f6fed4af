"""Polls and answers that no thread waits for: what goes on by itself, what comes back to the thread, and what goes wrong."""

import json
import threading
from collections import Counter
from queue import Empty, SimpleQueue

import pytest

import pyflow
from activity_service import working
from pyflow import Interceptor, PyflowException, ServiceFault
from pyflow.interceptors import intercept
from pyflow.local import LocalSWF
from pyflow.local.direct import DirectClient
from pyflow.local.mishaps import EVERY, Delay, Drop, Duplicate, Lose, RandomMishaps, Refuse
from pyflow.swf import repeating
from pyflow.worker import polling, responding
from pyflow.worker.activities.express import Express
from pyflow.worker.activities.slots import Slots

TASK = {"taskToken": "t", "activityId": "activity1"}
EMPTY = {"taskToken": ""}


def fault(code, status=400):
    return ServiceFault(code, "no", operation="PollForActivityTask", status=status)


class Posts:
    """A client that takes polls; the test says what comes of each."""

    def __init__(self):
        self.came = SimpleQueue()
        self.withdrawn = []
        self.at_once = []

    def post(self, post):
        number = self.came.qsize() + len(self.withdrawn)
        if self.at_once:
            post.done(self.at_once.pop(0))
        self.came.put(post)
        return [Withdrawable(self, post, number)]

    def next(self):
        return self.came.get(timeout=10)


class Withdrawable:
    def __init__(self, client, post, number):
        self.client, self.post, self.number = client, post, number

    def withdraw(self):
        self.client.withdrawn.append(self.post)


def raising(error):
    def reply():
        raise error

    return reply


class TestExpress:
    @pytest.fixture(autouse=True)
    def express(self, monkeypatch):
        monkeypatch.setattr(repeating.random, "uniform", lambda low, high: high)
        self.client, self.stop, self.slots = Posts(), threading.Event(), Slots({"thread": 2})
        self.begun, self.takes, self.given = [], True, SimpleQueue()
        self.express = self.another()
        self.thread = threading.Thread(target=self.rides, daemon=True)
        yield
        self.stop.set()
        self.express.withdraw()

    def another(self):
        return Express(self.client, {"domain": "d"}, self.slots, self.begins, self.stop, backoff_max_s=2.0)

    def rides(self):
        try:
            self.given.put(self.express.next())
        except Exception as error:
            self.given.put(error)

    def begins(self, task):
        if self.takes:
            self.begun.append(task)
        return self.takes

    @property
    def taken(self):
        return 2 - self.slots._free["thread"]

    def ends(self):
        """End a body that was begun."""
        self.slots.give_back(["thread"])

    def nothing_comes(self):
        with pytest.raises(Empty):
            self.client.came.get_nowait()
        assert self.given.empty()

    def wait_for_room(self):
        while not self.slots._waiting:
            threading.Event().wait(0.001)

    def test_tasks_begin_and_polls_follow_while_the_thread_waits(self):
        self.thread.start()
        for number in range(3):
            poll = self.client.next()
            assert (poll.action, poll.request) == ("PollForActivityTask", {"domain": "d"})
            assert self.express.polling
            assert poll.alive()
            assert self.taken == 1
            poll.done(lambda number=number: {**TASK, "startedEventId": number})
            assert self.taken == 2, "of the body and of the next poll"
            self.ends()

        assert [task["startedEventId"] for task in self.begun] == [0, 1, 2]
        assert self.given.empty()
        last = self.client.next()
        last.done(lambda: EMPTY)
        assert self.given.get(timeout=10) is None
        self.thread.join(10)
        assert not last.alive()

    def test_without_room_no_poll_follows_until_whoever_gives_room_back_posts_it(self):
        self.slots.take(self.rides)
        self.thread.start()
        self.client.next().done(lambda: TASK)
        self.nothing_comes()
        assert self.begun == [TASK]
        assert self.taken == 2

        self.ends()

        self.client.next().done(lambda: {**TASK, "taskToken": "2"})
        assert len(self.begun) == 2
        self.nothing_comes()
        self.ends()
        self.ends()
        assert self.client.next() is not None
        self.nothing_comes()
        assert self.taken == 1, "of the poll"

    def test_a_ride_that_begins_without_room_sleeps_until_there_is_some(self):
        for _ in range(2):
            self.slots.take(self.rides)
        self.thread.start()
        self.wait_for_room()
        self.nothing_comes()

        self.ends()

        assert self.client.next() is not None

    def test_a_task_that_the_thread_is_to_begin_comes_to_it_with_its_slot(self):
        self.takes = False
        self.thread.start()
        self.client.next().done(lambda: TASK)

        assert self.given.get(timeout=10) == TASK
        assert not self.express.polling
        assert self.taken == 1
        self.nothing_comes()

    def test_a_poll_that_came_empty_is_the_thread_s_and_its_room_is_free(self):
        self.thread.start()
        self.client.next().done(lambda: EMPTY)

        assert self.given.get(timeout=10) is None
        assert self.taken == 0
        self.nothing_comes()

    def test_the_room_of_a_poll_that_came_empty_is_another_s(self):
        self.slots.take(self.rides)
        self.thread.start()
        first = self.client.next()
        other = self.another()
        other._go_on()
        self.nothing_comes()

        first.done(lambda: EMPTY)

        assert self.client.next().done == other._done

    def test_a_poll_that_failed_backs_off_as_any_and_a_task_before_it_has_cleared_that(self):
        waits = []
        self.stop.wait = waits.append
        for _ in range(3):
            self.rides_with(raising(fault("Throttling")))
        self.rides_with(lambda: TASK, raising(fault("Throttling")))
        self.rides_with(lambda: EMPTY)

        assert [self.given.get(timeout=10) for _ in range(5)] == [None] * 5
        assert waits == [0.5, 1.0, 2.0, 0.5]
        assert self.taken == 1, "of the body"

    def rides_with(self, *replies):
        self.client.at_once = list(replies)
        self.rides()

    @pytest.mark.parametrize("error", [fault("ValidationException"), PyflowException("closed")])
    def test_what_no_repetition_can_help_is_raised_in_the_thread(self, error):
        self.rides_with(raising(error))

        assert self.given.get(timeout=10) is error
        assert self.taken == 0

    def test_a_poll_that_cannot_be_posted_after_a_task_is_the_thread_s_to_tell(self):
        self.thread.start()
        poll = self.client.next()
        self.client.post = lambda _: raising(RuntimeError("can't start new thread"))()
        poll.done(lambda: TASK)

        assert isinstance(self.given.get(timeout=10), RuntimeError)
        assert self.begun == [TASK]
        assert self.taken == 1, "of the body"

    def test_a_poll_that_cannot_be_posted_once_there_is_room_is_the_thread_s_to_tell(self):
        self.slots.take(self.rides)
        self.thread.start()
        self.client.next().done(lambda: TASK)
        self.client.post = lambda _: raising(RuntimeError("can't start new thread"))()

        self.ends()

        assert isinstance(self.given.get(timeout=10), RuntimeError)
        assert self.taken == 1

    def test_many_polls_that_fail_as_soon_as_they_have_room_do_not_pile_up(self):
        for _ in range(2):
            self.slots.take(self.rides)
        self.client.post = lambda post: post.done(raising(PyflowException("closed"))) or []
        threads = []
        for _ in range(200):
            self.express = self.another()
            threads.append(threading.Thread(target=self.rides, daemon=True))
            threads[-1].start()
            while len(self.slots._waiting) < len(threads):
                threads[-1].join(0.001)

        self.ends()

        assert {str(self.given.get(timeout=10)) for _ in threads} == {"closed"}
        assert self.taken == 1

    def test_one_that_waits_for_room_is_let_go_at_the_end_and_posts_nothing_then(self):
        self.slots.take(self.rides)
        self.thread.start()
        self.client.next().done(lambda: TASK)
        self.stop.set()
        self.express.withdraw()

        assert self.given.get(timeout=10) is None
        self.ends()
        self.nothing_comes()
        assert self.taken == 1
        assert not self.client.withdrawn

    def test_room_that_comes_once_the_worker_is_to_stop_is_not_used(self):
        self.slots.take(self.rides)
        self.thread.start()
        self.client.next().done(lambda: TASK)
        self.stop.set()
        self.ends()
        self.express.withdraw()

        assert self.given.get(timeout=10) is None
        self.nothing_comes()
        assert self.taken == 1

    @pytest.mark.parametrize("room", [1, 2])
    def test_a_task_that_comes_once_the_worker_is_to_stop_is_begun_and_no_poll_follows(self, room):
        if room == 1:
            self.slots.take(self.rides)
        self.thread.start()
        poll = self.client.next()
        self.stop.set()
        self.express.withdraw()
        poll.done(lambda: TASK)

        assert self.given.get(timeout=10) is None
        assert self.begun == [TASK]
        assert self.taken == (2 if room == 1 else 1)
        self.nothing_comes()

    def test_the_newest_poll_is_withdrawn_also_where_the_first_brought_it_before_it_was_there(self):
        self.client.at_once = [lambda: TASK]
        self.thread.start()
        followed, first = self.client.next(), self.client.next()
        assert first.done is not None
        while len(self.express._open) != 1:
            self.thread.join(0.001)

        self.express.withdraw()

        assert self.client.withdrawn == [followed]
        followed.done(lambda: EMPTY)
        assert self.given.get(timeout=10) is None

    def test_a_poll_that_is_posted_while_the_worker_is_told_to_stop_is_withdrawn(self):
        post = self.client.post

        def stopping(poll):
            self.stop.set()
            self.express.withdraw()  # too early for this poll
            return post(poll)

        self.thread.start()
        first = self.client.next()
        self.client.post = stopping
        first.done(lambda: TASK)

        assert self.client.withdrawn[-1] is self.client.next()

    def test_one_that_begins_to_wait_for_room_as_the_worker_is_told_to_stop_is_let_go(self):
        """``withdraw`` is called just before it waits."""
        self.slots.take(self.rides)
        begins = self.begins

        def stopping(task):
            self.stop.set()
            self.express.withdraw()
            return begins(task)

        self.express._begins = stopping
        self.thread.start()
        self.client.next().done(lambda: TASK)

        assert self.given.get(timeout=10) is None
        self.nothing_comes()
        assert not self.slots._waiting


START = {
    "domain": "d",
    "workflowType": {"name": "w", "version": "1"},
    "taskList": {"name": "decisions"},
    "executionStartToCloseTimeout": "3600",
    "taskStartToCloseTimeout": "60",
    "childPolicy": "TERMINATE",
}
ENDS = {"ActivityTaskCompleted", "ActivityTaskFailed", "ActivityTaskCanceled", "ActivityTaskTimedOut"}


class Surrounding(Interceptor):
    """Has calls waited for."""

    def call(self, operation, request, proceed):
        return proceed()


def until(holds, what):
    for _ in range(2_000):
        if holds():
            return
        threading.Event().wait(0.01)
    raise AssertionError(f"no {what}")


class Site:
    """A service whose activity tasks a test asks for, and a client for the worker."""

    def __init__(self, folder, how, poll_wait_s=0.3):
        self.swf = LocalSWF(folder / "db", poll_wait_s=poll_wait_s)
        self.own = self.swf.direct()
        self.client = self.swf.direct() if how == "posts" else intercept(self.swf.direct(), [Surrounding()])
        self.own.register_domain(name="d", workflowExecutionRetentionPeriodInDays="1")
        self.own.register_workflow_type(domain="d", name="w", version="1")

    def registered(self):
        infos = self.own.list_activity_types(domain="d", registrationStatus="REGISTERED")["typeInfos"]
        return [info["activityType"] for info in infos]

    def ask(self, *inputs, name="charge", seconds=60):
        """Have an execution schedule a task for each input, in this order, all at once."""
        type_ = {"name": name, "version": "1.0"}
        until(lambda: type_ in self.registered(), "registration by the worker, which has just begun")
        self.own.start_workflow_execution(workflowId="id", **START)
        task = self.own.poll_for_decision_task(domain="d", taskList={"name": "decisions"})
        decisions = [
            {
                "decisionType": "ScheduleActivityTask",
                "scheduleActivityTaskDecisionAttributes": {
                    "activityType": type_,
                    "activityId": str(number),
                    "input": json.dumps(value),
                    "taskList": {"name": "list"},
                    "scheduleToStartTimeout": "NONE",
                    "scheduleToCloseTimeout": "NONE",
                    "startToCloseTimeout": str(seconds),
                    "heartbeatTimeout": "NONE",
                },
            }
            for number, value in enumerate(inputs)
        ]
        self._execution = task["workflowExecution"]  # from here on a body may ask for the history
        self.own.respond_decision_task_completed(taskToken=task["taskToken"], decisions=decisions)

    def history(self, *kinds):
        events, more = [], {}
        while True:
            page = self.own.get_workflow_execution_history(domain="d", execution=self._execution, **more)
            events += page["events"]
            if not page.get("nextPageToken"):
                return [event for event in events if event["eventType"] in kinds]
            more = {"nextPageToken": page["nextPageToken"]}

    def ended(self, number):
        """Wait until so many tasks have ended; give how, by activity id: its end and its result, reason or details."""
        for _ in range(2_000):
            if len(self.history(*ENDS)) >= number:
                break
            threading.Event().wait(0.01)
        scheduled = {
            event["eventId"]: event["activityTaskScheduledEventAttributes"]["activityId"]
            for event in self.history("ActivityTaskScheduled")
        }
        found = []
        for event in self.history(*ENDS):
            kind = event["eventType"]
            attributes = event[f"{kind[0].lower()}{kind[1:]}EventAttributes"]
            told = attributes.get("result") or attributes.get("reason") or attributes.get("details")
            found.append((int(scheduled[attributes["scheduledEventId"]]), kind.removeprefix("ActivityTask"), told))
        return sorted(found)


@pytest.fixture
def hurry(monkeypatch):
    monkeypatch.setattr(polling, "EMPTY_POLL_S", 0.01)
    monkeypatch.setattr(polling, "backoff_s", lambda *_: 0.01)
    monkeypatch.setattr(responding, "backoff_s", lambda *_: 0.01)


@pytest.fixture(params=["posts", "waits"])
def site(request, tmp_path, hurry):
    made = Site(tmp_path, request.param)
    with made.swf:
        yield made


@pytest.fixture
def posting(tmp_path, hurry):
    made = Site(tmp_path, "posts", poll_wait_s=60)
    with made.swf:
        yield made


@pyflow.activity("charge", start_to_close=60)
def charge(number):
    return number + 1


def completed(*numbers):
    return [(number, "Completed", str(number + 1)) for number in numbers]


def test_while_all_goes_well_nobody_waits_for_a_poll_or_an_answer(posting, monkeypatch):
    waited = []
    ask = DirectClient._call
    monkeypatch.setattr(
        DirectClient,
        "_call",
        lambda client, action, request: waited.append((client, action)) or ask(client, action, request),
    )
    with working(posting.client, charge, concurrency=30):
        posting.ask(*range(20))
        assert posting.ended(20) == completed(*range(20))

    assert {action for client, action in waited if client is posting.client} <= {
        "ListActivityTypes",
        "RegisterActivityType",
    }


def test_no_task_is_taken_without_room_and_all_are_done(site):
    together, running, most = threading.Barrier(3), Counter(), []

    @pyflow.activity("charge", start_to_close=60)
    def charge(number):
        running["bodies"] += 1
        together.wait(20)
        most.append((running["bodies"], len(site.history("ActivityTaskStarted")) - len(site.history(*ENDS))))
        together.wait(20)
        running["bodies"] -= 1
        return number + 1

    with working(site.client, charge, concurrency=3, pollers=4) as worker:
        site.ask(*range(12))
        assert site.ended(12) == completed(*range(12))
    assert worker.slots_in_use == {"thread": 0}
    assert {bodies for bodies, _ in most} == {3}
    assert max(started for _, started in most) == 3


def test_a_pace_holds_back_the_polls_themselves(site):
    """A task that is taken and not begun is kept from other workers, and its timeout goes on."""
    with working(site.client, charge, concurrency=10, max_per_second=4):
        site.ask(*range(3))
        assert site.ended(3) == completed(*range(3))
    at = [event["eventTimestamp"].timestamp() for event in site.history("ActivityTaskStarted")]
    assert at[2] - at[0] > 0.2


def test_a_worker_that_waits_for_tasks_ends_at_once(posting):
    with working(posting.client, charge) as worker:
        posting.ask(1)
        assert posting.ended(1) == [(0, "Completed", "2")]
        while not worker.idle:
            threading.Event().wait(0.001)


@pytest.mark.parametrize("concurrency", [1, 3, 20])
def test_what_a_poll_brings_while_the_worker_stops_is_done_and_all_room_is_free_after(site, concurrency):
    """Each body stops the worker: what other polls have got by then is done, and what they have not is left in the list."""
    workers = []

    @pyflow.activity("charge", start_to_close=60)
    def charge(number):
        workers[0].stop()
        return number + 1

    with working(site.client, charge, concurrency=concurrency, pollers=4) as worker:
        workers.append(worker)
        site.ask(*range(40))
        site.ended(1)
    started = len(site.history("ActivityTaskStarted"))
    assert site.ended(0) == completed(*[number for number, _, _ in site.ended(0)])
    assert len(site.ended(0)) == started
    waiting = site.own.count_pending_activity_tasks(domain="d", taskList={"name": "list"})["count"]
    assert waiting == 40 - started
    assert worker._slots._free == worker.slots
    assert not worker._slots._waiting


@pytest.mark.parametrize(
    ("mishap", "said"),
    [
        (Refuse("ThrottlingException", "no", 400), "next try"),
        (Drop(), "next try"),
        (Lose(), "most likely applied"),
        (Duplicate(), None),
    ],
    ids=["refused for now", "dropped", "applied, but its reply is lost", "applied twice"],
)
def test_an_answer_whose_first_try_went_wrong_goes_on_and_its_slot_is_free_after(site, caplog, mishap, said):
    caplog.set_level("INFO")
    planned = [mishap]
    site.swf.plan_mishaps(
        lambda action, request: planned.pop() if action.startswith("RespondActivity") and planned else None
    )
    with working(site.client, charge, concurrency=1):
        site.ask(*range(2))
        assert site.ended(2) == completed(*range(2))
    assert said is None or said in caplog.text


def test_a_result_that_is_refused_fails_its_task_and_its_slot_is_free_after(site):
    planned = [Refuse("ValidationException", "odd", 400)]
    site.swf.plan_mishaps(
        lambda action, request: planned.pop() if action == "RespondActivityTaskCompleted" and planned else None
    )
    with working(site.client, charge, concurrency=1):
        site.ask(*range(2))
        assert site.ended(2) == [(0, "Failed", "result refused"), *completed(1)]


def test_an_answer_that_came_too_late_is_dropped_and_its_slot_is_free_after(site, caplog):
    @pyflow.activity("charge", start_to_close=60)
    def charge(number):
        if number == 0:
            site.own.respond_activity_task_canceled(taskToken=pyflow.activity.current().task_token)
        return number + 1

    with working(site.client, charge, concurrency=1):
        site.ask(*range(2))
        assert site.ended(2) == [(0, "Canceled", None), *completed(1)]
    assert "answered too late" in caplog.text


def test_bodies_that_do_not_end_are_answered_for_before_the_worker_does(site):
    begun, go_on = threading.Event(), threading.Event()

    @pyflow.activity("charge", start_to_close=60)
    def charge(_):
        begun.set()
        go_on.wait(30)

    site.swf.plan_mishaps(lambda action, request: Delay(0.3) if action == "RespondActivityTaskFailed" else None)
    try:
        with working(site.client, charge, grace_s=0, cancel_grace_s=0):
            site.ask(1)
            assert begun.wait(30)
        assert site.ended(0) == [(0, "Failed", "WORKER_STOPPED")]
    finally:
        go_on.set()


def test_what_is_left_open_is_answered_by_its_token_and_its_slot_is_free_at_once(site):
    tokens = SimpleQueue()

    @pyflow.activity("charge", start_to_close=60)
    def charge(number):
        if number == 0:
            tokens.put(pyflow.activity.current().complete_later())
        return number + 1

    with working(site.client, charge, concurrency=1):
        site.ask(*range(2))
        assert site.ended(1) == completed(1)
        pyflow.complete_activity(tokens.get(timeout=10), 1, client=site.own)
        assert site.ended(2) == completed(*range(2))


def test_a_type_that_is_unknown_is_failed_and_the_polls_go_on(site):
    site.own.register_activity_type(domain="d", name="refund", version="1.0")
    with working(site.client, charge, concurrency=1):
        site.ask(1, name="refund")
        assert site.ended(1) == [(0, "Failed", "unknown activity type refund 1.0")]


def test_a_task_that_cannot_be_begun_ends_the_worker_and_says_why(site, monkeypatch):
    worker = pyflow.ActivityWorker([charge], "d", "list", "me", site.client)
    monkeypatch.setattr(worker, "_taken", lambda raw: 1 / 0)
    threading.Timer(0.1, site.ask, [1]).start()
    with pytest.raises(ZeroDivisionError):
        worker.run()


def test_a_service_that_closes_ends_the_worker(site):
    worker = pyflow.ActivityWorker([charge], "d", "list", "me", site.client)
    threading.Timer(0.1, site.swf.close).start()
    with pytest.raises(PyflowException, match="closed"):
        worker.run()


@pytest.mark.parametrize("seed", range(3))
def test_whatever_happens_to_calls_each_task_ends_once_and_right(site, seed):
    """A poll whose reply is lost has taken its task, which times out; nothing else may."""
    tasks = 30
    plan = RandomMishaps(seed, 0.25, kinds=EVERY, spared=["StartWorkflowExecution"])
    done = Counter()
    lost = []

    def planned(action, request):
        if threading.current_thread() is threading.main_thread() or not action.endswith(("ActivityTask", "Completed")):
            return None
        mishap = plan(action, request)
        if action == "PollForActivityTask" and isinstance(mishap, Lose | Duplicate):
            lost.append(mishap)
        return mishap

    @pyflow.activity("charge", start_to_close=60)
    def charge(number):
        done[number] += 1
        return number + 1

    site.swf.plan_mishaps(planned)
    with working(site.client, charge, concurrency=4, pollers=3) as worker:
        site.ask(*range(tasks), seconds=1)
        ends = site.ended(tasks)
    assert worker.slots_in_use == {"thread": 0}
    assert [number for number, _, _ in ends] == list(range(tasks)), "each once"
    timed_out = [number for number, how, _ in ends if how == "TimedOut"]
    assert len(timed_out) <= len(lost)
    assert not any(done[number] for number in timed_out)
    assert [end for end in ends if end[0] not in timed_out] == completed(
        *[n for n in range(tasks) if n not in timed_out]
    )
    assert max(done.values()) == 1
