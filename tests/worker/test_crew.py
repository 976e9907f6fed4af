"""The decider's threads against the local service: affinity, stopping, and what a service that knows less makes of it."""

import signal
import threading
import time

import pytest

import pyflow
from crews import WAIT_S, Recording, attributes, kinds, site, wait_for
from pyflow.exceptions import ServiceFault
from pyflow.worker import crew as crew_module


@pyflow.activity("step", "1.0", start_to_close=60)
def step(number: int) -> int:
    time.sleep(0.003)  # SWF selects events by the millisecond
    return number + 1


class Steps(pyflow.Workflow):
    NAME = "Steps"

    def run(self, count):
        number = 0
        for _ in range(count):
            number = step(number)
        return number


class Waits(pyflow.Workflow):
    NAME = "Waits"

    def run(self, _):
        return [self.swf.receive("go") for _ in range(3)]


def test_a_kept_run_comes_back_to_its_process_with_its_new_events_alone():
    with site() as here:
        client = Recording(here.client)
        execution = here.start_before(Steps, 9)
        here.worker(step)
        here.decider(Steps, client=client)
        assert execution.result(WAIT_S) == 9

    (first_list, _), *others = client.tasks()
    assert first_list == "tl"
    assert {name for name, _ in others} == {client.answers()[0]["taskList"]["name"]}
    assert all(len(task["events"]) <= 12 for _, task in others)
    assert all(task["events"][0]["eventId"] > 1 for _, task in others)
    assert "taskList" not in client.answers()[-1], "a run that is closed does not come back"


def test_without_affinity_the_same_is_decided_and_nothing_is_asked_for():
    with site() as here:
        client = Recording(here.client)
        here.decider(Steps, client=client, affinity=False)
        here.worker(step)
        assert here.start(Steps, 5).result(WAIT_S) == 5

    assert {name for name, _ in client.tasks()} == {"tl"}
    assert not any("taskList" in answer for answer in client.answers())


@pytest.mark.parametrize("runs_kept", [0, 10])
def test_a_run_is_taken_back_from_a_process_that_is_gone(runs_kept):
    with site() as here:
        gone = pyflow.Decider([Waits], "d", "tl", "gone", client=here.client, affinity=1)
        thread = here.run(gone.poll_for_decision_tasks, gone.stop)
        execution = here.start(Waits)
        wait_for(lambda: "DecisionTaskCompleted" in kinds(execution.history()), "first decision")
        gone.stop()
        thread.join(WAIT_S)
        here.decider(Waits, runs_kept=runs_kept)
        for number in range(3):
            execution.signal("go", number)
        assert execution.result(WAIT_S) == [0, 1, 2]
        timed_out = attributes(execution.history(), "DecisionTaskTimedOut")
        assert [each["timeoutType"] for each in timed_out] == ["SCHEDULE_TO_START"]


def test_a_part_of_a_history_that_no_kept_run_goes_on_with_is_fetched_whole():
    with site() as here:
        client = Recording(here.client)
        execution = here.start_before(Waits)
        decider = here.decider(Waits, client=client)
        execution.signal("go", 0)
        wait_for(lambda: "DecisionTaskCompleted" in kinds(execution.history()), "first decision")
        (owner,) = decider._crews[0]._owners
        owner.forget(execution.run_id)
        execution.signal("go", 1)
        execution.signal("go", 2)
        assert execution.result(WAIT_S) == [0, 1, 2]
        fetched = [request for method, request, _ in client.calls if method == "get_workflow_execution_history"]
        assert fetched


def test_whose_history_cannot_be_fetched_does_without_affinity():
    def fail(method, **_):
        if method == "get_workflow_execution_history":
            raise ServiceFault("AccessDeniedException", "no", operation="GetWorkflowExecutionHistory")

    class Brief(Waits):
        NAME = "Brief"
        OPTIONS = {"defaultTaskStartToCloseTimeout": 1}

    with site() as here:
        client = Recording(here.client, fail)
        execution = here.start_before(Brief)
        decider = here.decider(Brief, client=client, affinity=1)
        wait_for(lambda: "DecisionTaskCompleted" in kinds(execution.history()), "first decision")
        (owner,) = decider._crews[0]._owners
        owner.forget(execution.run_id)
        for number in range(3):
            execution.signal("go", number)
        assert execution.result(WAIT_S) == [0, 1, 2]
        assert not decider._crews[0].affinity.on
        assert "DecisionTaskTimedOut" in kinds(execution.history())


class Forgetful(Recording):
    """As moto: takes the members and forgets them."""

    def __getattr__(self, method):
        call = super().__getattr__(method)
        if method != "respond_decision_task_completed":
            return call
        return lambda taskList=None, taskListScheduleToStartTimeout=None, **request: call(**request)


def test_a_service_that_forgets_the_task_list_is_noticed():
    with site() as here:
        decider = here.decider(Steps, client=Forgetful(here.client))
        here.worker(step)
        assert here.start(Steps, 3).result(WAIT_S) == 3
        assert not decider._crews[0].affinity.on


@pytest.mark.parametrize("refused", ["poll", "answer"])
def test_a_service_that_refuses_the_members_is_no_error(refused):
    def fail(method, **request):
        member = {"poll": "startAtPreviousStartedEvent", "answer": "taskListScheduleToStartTimeout"}[refused]
        if member in request:
            raise ServiceFault("ValidationException", f"no {member}")

    with site() as here:
        decider = here.decider(Steps, client=Recording(here.client, fail), affinity=1)
        here.worker(step)
        assert here.start(Steps, 3).result(WAIT_S) == 3
        assert not decider._crews[0].affinity.on


class OfOldModel(Recording):
    def __getattr__(self, method):
        return super().__getattr__(method) if method != "accepts" else lambda operation, member: False


def test_a_client_of_an_older_model_is_asked_for_nothing_it_lacks():
    with site() as here:
        client = OfOldModel(here.client)
        here.decider(Steps, client=client)
        here.worker(step)
        assert here.start(Steps, 3).result(WAIT_S) == 3
        assert not any("startAtPreviousStartedEvent" in request for _, request, _ in client.calls)
        assert not any("taskList" in answer for answer in client.answers())


def test_a_boto3_client_of_this_day_has_what_affinity_needs():
    with site() as here:
        client = here.swf.client()
        decider = here.decider(Steps, client=client)
        here.worker(step)
        execution = here.start(Steps, 3)
        assert execution.result(WAIT_S) == 3
        assert decider._crews[0].affinity.on
        client.close()


def test_stopping_hands_runs_back():
    with site(poll_wait_s=0.6) as here:
        client = Recording(here.client)
        decider = pyflow.Decider([Waits], "d", "tl", "me", client=client, affinity=1)
        thread = here.run(decider.poll_for_decision_tasks, decider.stop)
        execution = here.start(Waits)
        wait_for(client.answers, "first decision")
        decider.stop()
        wait_for(decider._stopping.is_set, "stop")
        execution.signal("go", 1)  # to the poll of the own list, which is still under way
        thread.join(WAIT_S)
        assert ["taskList" in answer for answer in client.answers()] in ([True, False], [True])
        here.decider(Waits, affinity=False)
        execution.signal("go", 2)
        execution.signal("go", 3)
        assert execution.result(WAIT_S) == [1, 2, 3]


def test_a_run_is_decided_by_one_thread_and_runs_by_several():
    seen = {}

    class Where(pyflow.Workflow):
        NAME = "Where"

        def run(self, number):
            for _ in range(3):
                seen.setdefault(number, set()).add(threading.get_ident())
                step(number)

    with site() as here:
        here.decider(Where, threads=3)
        here.worker(step)
        executions = [here.start(Where, number) for number in range(12)]
        for execution in executions:
            execution.result(WAIT_S)
    assert all(len(threads) == 1 for threads in seen.values())
    assert len(set.union(*seen.values())) > 1


def test_kept_runs_are_let_go_of_by_their_own_thread_at_the_end():
    let_go = []

    class Held(pyflow.Workflow):
        NAME = "Held"

        def run(self, _):
            mine = threading.get_ident()
            try:
                self.swf.receive("never")
            finally:
                let_go.append(threading.get_ident() == mine)

    with site() as here:
        decider = here.decider(Held)
        executions = [here.start(Held) for _ in range(5)]
        for execution in executions:
            wait_for(lambda one=execution: "DecisionTaskCompleted" in kinds(one.history()), "first decision")
        decider.stop()
    assert let_go == [True] * 5


@pytest.mark.parametrize("watchdog_s", [2.0, None])
def test_stop_from_a_signal_handler_of_the_polling_thread(watchdog_s):
    with site() as here:
        decider = pyflow.Decider([Steps], "d", "tl", "me", client=here.client, watchdog_s=watchdog_s)
        asked_s: list[float] = []
        before = signal.signal(signal.SIGUSR1, lambda *_: (asked_s.append(time.monotonic()), decider.stop()))
        raised_s = time.monotonic() + 0.3
        # It is another thread that gets the signal, so it ends no wait of this one.
        threading.Timer(0.3, signal.raise_signal, [signal.SIGUSR1]).start()
        try:
            decider.poll_for_decision_tasks(max_time=60)
        finally:
            signal.signal(signal.SIGUSR1, before)
        assert asked_s[0] - raised_s < 15
        assert decider._stopping.wait(5)


def test_a_grace_ends_the_wait_for_polls_under_way():
    with site(poll_wait_s=30.0) as here:
        decider = pyflow.Decider([Steps], "d", "tl", "me", client=Recording(here.client))
        thread = here.run(decider.poll_for_decision_tasks, lambda: None)
        wait_for(lambda: decider._crews and decider.idle, "polls under way")
        began_s = time.monotonic()
        decider.stop()
        time.sleep(0.05)
        assert thread.is_alive()
        decider.stop(grace_s=0.0)
        thread.join(WAIT_S)
        assert time.monotonic() - began_s < 20.0
        here.swf.close()


def test_a_poll_that_can_never_be_right_ends_the_loop_with_its_fault():
    def fail(method, **request):
        if method == "poll_for_decision_task":
            raise ServiceFault("ValidationException", "identity too long")

    with site() as here:
        decider = pyflow.Decider([Steps], "d", "tl", "me", client=Recording(here.client, fail), affinity=False)
        with pytest.raises(ServiceFault, match="identity too long"):
            decider.poll_for_decision_tasks(max_time=WAIT_S)


def test_what_python_cannot_survive_in_a_lane_ends_the_loop(monkeypatch):
    def broken(*_):
        raise SystemError("no")

    monkeypatch.setattr(crew_module.Crew, "has_decided", broken)
    with site() as here:
        decider = pyflow.Decider([Steps], "d", "tl", "me", client=Recording(here.client))
        decider.ensure_workflows_registered()
        here.start(Steps, 1)
        with pytest.raises(SystemError):
            decider.poll_for_decision_tasks(max_time=WAIT_S)


@pytest.mark.parametrize(
    "settings",
    [{"threads": 0}, {"pollers": 0}, {"affinity": -1}, {"watchdog_s": 0}, {"on_undecidable": "ignore"}],
)
def test_a_setting_out_of_range_is_refused(settings):
    with pytest.raises(ValueError):
        pyflow.Decider([Steps], "d", "tl", "me", client=object(), **settings)
