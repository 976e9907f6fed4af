"""Where nobody waits for calls: tasks follow one another without the lanes' threads, and whatever does not go well reaches one."""

import threading
import time

import pytest

import pyflow
from crews import WAIT_S, Recording, attributes, kinds, site, wait_for
from pyflow.local.mishaps import Delay, Lose, Refuse
from pyflow.swf.posts import can_post
from pyflow.worker import express as express_module
from pyflow.worker import responding
from pyflow.worker.crew import Crew
from pyflow.worker.polling import Poller


@pyflow.activity("step", "1.0", start_to_close=60)
def step(number: int) -> int:
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

    def run(self, count):
        return [self.swf.receive("go") for _ in range(count)]


class Poison(pyflow.Workflow):
    NAME = "Poison"

    def run(self, _):
        while True:
            pass


@pytest.fixture
def rides(monkeypatch):
    """The times at which lanes had their turn, by their threads' names."""
    made = []
    is_due = Poller.is_due

    def noted(self):
        made.append(threading.current_thread().name)
        return is_due(self)

    monkeypatch.setattr(Poller, "is_due", noted)
    return made


@pytest.mark.parametrize("affinity", [True, False])
@pytest.mark.parametrize("threads", [1, 3])
def test_a_lane_has_its_turn_once_and_all_tasks_follow_one_another(rides, affinity, threads):
    with site(poll_wait_s=20) as here:
        here.decider(Waits, pollers=1, affinity=affinity, threads=threads)
        executions = [here.start(Waits, 12) for _ in range(5)]
        for number in range(12):
            for execution in executions:
                execution.signal("go", number)
        assert [execution.result(WAIT_S) for execution in executions] == [list(range(12))] * 5
        lanes = [name for name in rides if "lane" in name]
        assert len(lanes) == len(set(lanes)), "each has polled once, and no poll came back empty"


def test_a_client_whose_calls_are_waited_for_has_lanes_that_poll_again_and_again(rides):
    with site(poll_wait_s=1) as here:
        client = Recording(here.client)
        assert not can_post(client)
        here.decider(Steps, client=client, pollers=1, affinity=False)
        here.worker(step)
        assert here.start(Steps, 5).result(WAIT_S) == 5
        assert len([name for name in rides if "lane" in name]) >= 6


def test_it_stops_at_once_though_its_polls_wait(caplog):
    with site(poll_wait_s=600) as here:
        before = set(threading.enumerate())
        decider = pyflow.Decider([Waits], "d", "tl", "me", client=here.client)
        thread = here.run(decider.poll_for_decision_tasks, decider.stop)
        execution = here.start(Waits, 2)
        execution.signal("go")
        execution.signal("go")
        assert execution.result(WAIT_S) == [None, None]
        wait_for(lambda: decider.idle, "end of what is under way")
        decider.stop(grace_s=15)
        thread.join(WAIT_S)
        assert not thread.is_alive()
        assert not [each for each in set(threading.enumerate()) - before if "lane-pyflow" in each.name]
        assert "Traceback" not in caplog.text


@pytest.mark.parametrize(
    "mishap", [Lose(), Refuse("ThrottlingException", "slowly", 400), Delay(0.2)], ids=["Lose", "Refuse", "Delay"]
)
def test_an_answer_that_does_not_go_well_is_the_lanes_and_nothing_is_lost_or_doubled(mishap):
    with site(poll_wait_s=1) as here:
        met = []

        def plan(action, request):
            if action == "RespondDecisionTaskCompleted" and len(met) < 3:
                met.append(action)
                return mishap
            return None

        here.swf.plan_mishaps(plan)
        here.decider(Steps, pollers=1)
        here.worker(step)
        execution = here.start(Steps, 4)
        assert execution.result(WAIT_S) == 4
        happened = kinds(execution.history())
        assert len(met) == 3
        assert happened.count("ActivityTaskScheduled") == 4
        assert happened.count("DecisionTaskCompleted") == 5
        assert "DecisionTaskTimedOut" not in happened


def test_a_token_that_is_not_taken_makes_the_run_be_replayed(caplog):
    with site(poll_wait_s=1) as here:
        refused = []

        def plan(action, request):
            if action == "RespondDecisionTaskCompleted" and not refused:
                refused.append(request)
                return Refuse("UnknownResourceFault", "Unknown token", 400)
            return None

        here.swf.plan_mishaps(plan)
        decider = here.decider(Waits, pollers=1)
        execution = here.start(Waits, 2, task_start_to_close_timeout=1)
        wait_for(lambda: refused, "refusal")
        wait_for(lambda: decider.runs_alive == 0, "run that is let go of")
        for number in range(2):
            execution.signal("go", number)
        assert execution.result(WAIT_S) == [0, 1]
        assert "its response did not arrive" in caplog.text


def test_a_run_that_cannot_be_decided_is_parked_and_the_lane_goes_on():
    with site(poll_wait_s=1) as here:
        here.decider(Poison, Steps, pollers=1, watchdog_s=0.3, affinity=False)
        here.worker(step)
        bad = here.start(Poison)
        good = here.start(Steps, 3)
        assert good.result(WAIT_S) == 3
        wait_for(lambda: attributes(bad.history(), "MarkerRecorded"), "marker of parking")
        assert here.start(Steps, 2).result(WAIT_S) == 2


def test_a_history_of_several_pages_is_gathered_by_the_lane():
    with site(poll_wait_s=1) as here:
        here.decider(Steps, Waits, pollers=1, affinity=False)
        here.worker(step)
        assert here.start(Steps, 1).result(WAIT_S) == 1
        stopped = here.start_before(Waits, 1_100)
        for number in range(1_100):
            stopped.signal("go", number)
        assert stopped.result(WAIT_S) == list(range(1_100))


def test_what_breaks_beside_the_lane_ends_the_loop(monkeypatch):
    def broken(*_):
        raise RuntimeError("no")

    with site() as here:
        decider = pyflow.Decider([Steps], "d", "tl", "me", client=here.client)
        decider.ensure_workflows_registered()
        monkeypatch.setattr(express_module.Answering, "response", broken)
        here.start(Steps, 1)
        with pytest.raises(RuntimeError, match="no"):
            decider.poll_for_decision_tasks(max_time=WAIT_S)


def test_while_an_answer_is_not_taken_the_lane_is_not_idle_and_takes_no_more_tasks(monkeypatch):
    monkeypatch.setattr(responding, "backoff_s", lambda *_: 0.01)
    with site(poll_wait_s=20) as here:
        refused = []
        throttled = threading.Event()
        throttled.set()

        def plan(action, request):
            if action == "RespondDecisionTaskCompleted" and throttled.is_set():
                refused.append(request["taskToken"])
                return Refuse("ThrottlingException", "slowly", 400)
            return None

        here.swf.plan_mishaps(plan)
        decider = here.decider(Waits, pollers=1, affinity=False)
        executions = [here.start(Waits, 1)]
        wait_for(lambda: len(refused) > 5, "tries of the answer")
        assert not decider.idle
        executions += [here.start(Waits, 1) for _ in range(5)]
        wait_for(lambda: len(refused) > 40, "tries of the answer")
        begun = sum(kinds(execution.history()).count("DecisionTaskStarted") for execution in executions)
        assert begun <= 2, "the one whose answer is not taken, and the one that was polled for together with it"
        throttled.clear()
        for execution in executions:
            execution.signal("go")
        assert [execution.result(WAIT_S) for execution in executions] == [[None]] * 6
        wait_for(lambda: decider.idle, "end of what is under way")


@pytest.mark.parametrize("where", ["begin", "end"])
def test_a_poll_whose_task_cannot_be_taken_ends_the_loop(monkeypatch, where):
    """Else the list would be polled no more, and nobody would know."""

    def broken(*_):
        raise RuntimeError("no")

    with site() as here:
        decider = pyflow.Decider([Steps], "d", "tl", "me", client=here.client)
        decider.ensure_workflows_registered()
        monkeypatch.setattr(*{"begin": (Crew, "_owner_of", broken), "end": (Poller, "end", broken)}[where])
        here.start(Steps, 1)
        with pytest.raises(RuntimeError, match="no"):
            decider.poll_for_decision_tasks(max_time=WAIT_S)


def test_tasks_under_way_when_it_stops_are_answered():
    """Again and again: decide for a moment, stop, let another go on."""
    with site(poll_wait_s=1) as here:
        here.worker(step)
        executions = [here.start_before(Steps, 20) for _ in range(4)]
        stops = 0
        while not all(execution.closed for execution in executions):
            decider = pyflow.Decider([Steps], "d", "tl", "me", client=here.client, affinity=1)
            thread = threading.Thread(target=decider.poll_for_decision_tasks, daemon=True)
            thread.start()
            time.sleep(0.02)
            decider.stop()
            thread.join(WAIT_S)
            assert not thread.is_alive()
            stops += 1
            assert stops < 1_000
        for execution in executions:
            assert execution.result(1) == 20
            timed_out = attributes(execution.history(), "DecisionTaskTimedOut")
            assert {each["timeoutType"] for each in timed_out} <= {"SCHEDULE_TO_START"}, "no task got lost"
