"""Code that does not come to a wait: reported with its place, stopped where Python lets it be, and no harm to others."""

import re
import sys
import threading
import time
from types import SimpleNamespace

import pytest

import pyflow
from crews import WAIT_S, attributes, kinds, site, wait_for
from pyflow.replay.invocations import format_place
from pyflow.worker import crew as crew_module
from pyflow.worker import watchdog as watchdog_module
from pyflow.worker.owners import Job
from pyflow.worker.watchdog import Watchdog

LIMIT_S = 0.3

stubborn = threading.Event()
"""Set at the end of a test, so that code that nobody can stop does come to its end."""
over = [False]
"""The same for code that is to spin without a call: it would take the processor from all tests that follow."""


@pytest.fixture(autouse=True)
def let_go():
    stubborn.clear()
    over[0] = False
    yield
    stubborn.set()
    over[0] = True


def spin():
    while not over[0]:
        pass


def spin_and_swallow():
    while not over[0]:
        try:
            spin()
        except:  # noqa: E722
            hits.append(1)
            if len(hits) > 10:
                raise


def spin_in_finally():
    try:
        spin()
    finally:
        while not stubborn.is_set() and len(hits) < 2:
            hits.append(1)
            spin()


def sum_of_much():
    while not over[0]:
        sum(range(1000))


def catch_exception():
    while not over[0]:
        try:
            time.monotonic()
        except Exception:
            continue


def sleep_in_slices():
    while not over[0]:
        time.sleep(0.01)


hits: list[int] = []


def poison(what):
    class Poison(pyflow.Workflow):
        NAME = "Poison"

        def run(self, _):
            what()

    return Poison


class Good(pyflow.Workflow):
    NAME = "Good"

    def run(self, _):
        return self.swf.receive("go")


def parked(execution):
    return wait_for(lambda: attributes(execution.history(), "MarkerRecorded"), "marker of parking")


@pytest.mark.parametrize(
    "what", [spin, spin_and_swallow, spin_in_finally, sum_of_much, catch_exception, sleep_in_slices]
)
def test_code_that_spins_is_reported_stopped_and_parked_and_others_go_on(what, caplog):
    hits.clear()

    def interrupted():
        try:
            what()
        except BaseException:
            hits.append(1)
            raise

    with site() as here:
        here.decider(poison(interrupted), Good, watchdog_s=LIMIT_S)
        bad = here.start(poison(interrupted), workflow_id="bad")
        good = here.start(Good)
        good.signal("go", 1)
        assert good.result(WAIT_S) == 1
        marker = parked(bad)[0]
        assert marker["markerName"] == "pyflow.park.1"
        assert re.search(
            r"did not come to a wait within 0.3 s; it stood at .*test_watchdog.py:\d+ in \w+", marker["details"]
        )
        report = next(each.getMessage() for each in caplog.records if "did not come to a wait" in each.getMessage())
        assert "workflow id 'bad'" in report
        assert f"in {what.__name__}" in report, "the stack is there"
        assert "WorkflowExecutionFailed" not in kinds(bad.history())
        wait_for(lambda: hits, "interrupt")


class Standing:
    """An owner whose code does not come on, as the watchdog sees it."""

    ident = None
    jobs_begun = 1
    job = Job(lambda: "deciding", lambda _: None)

    def __init__(self):
        self.decider = SimpleNamespace(at_work=None, kept_runs=list)
        self.interrupted = 0

    def interrupt(self, job, reason):
        self.interrupted += 1


@pytest.mark.parametrize("limit_s", [0.3, 2.0])
def test_a_machine_that_stands_still_is_not_counted_as_the_codes_time(limit_s, monkeypatch):
    now_s = [0.0]
    monkeypatch.setattr(watchdog_module, "time", SimpleNamespace(monotonic=lambda: now_s[0]))
    owner, watchdog = Standing(), Watchdog(limit_s)
    watchdog.look([owner])
    now_s[0] += 100 * limit_s
    watchdog.look([owner])
    assert not owner.interrupted
    while not owner.interrupted:
        now_s[0] += watchdog.pause_s
        watchdog.look([owner])
        assert now_s[0] < 102 * limit_s


@pytest.mark.parametrize("limit_s", [0.1, 0.3, 2.0, 60.0])
def test_code_is_looked_at_often_enough_to_be_reported_within_half_a_second_of_its_time(limit_s):
    assert Watchdog(limit_s).pause_s <= min(0.5, limit_s)


@pytest.mark.proof
def test_a_report_comes_within_half_a_second_of_its_time(caplog):
    """On a machine that has not much else to do."""
    with site() as here:
        here.decider(poison(spin), watchdog_s=LIMIT_S)
        bad = here.start(poison(spin))
        parked(bad)
        started, done = [
            next(event["eventTimestamp"] for event in bad.history() if event["eventType"] == kind)
            for kind in ("DecisionTaskStarted", "DecisionTaskCompleted")
        ]
        assert LIMIT_S <= (done - started).total_seconds() < LIMIT_S + 0.5


def test_a_thread_that_cannot_be_stopped_is_written_off_and_replaced(caplog):
    with site() as here:
        decider = here.decider(poison(stubborn.wait), Good, watchdog_s=LIMIT_S)
        good = here.start(Good)
        wait_for(lambda: "DecisionTaskCompleted" in kinds(good.history()), "first decision")
        (before,) = decider._crews[0]._owners
        bad = here.start(poison(stubborn.wait))
        assert "could not be stopped" in parked(bad)[0]["details"]
        (after,) = decider._crews[0]._owners
        assert after is not before
        good.signal("go", 2)
        assert good.result(WAIT_S) == 2, "its run was kept by the thread that is gone, and is replayed"
        stubborn.set()
        before.join(WAIT_S)
        assert not before.is_alive()
        assert len(before.decider.kept_runs()) == 0


def test_too_many_threads_that_cannot_be_stopped_end_the_loop(monkeypatch):
    monkeypatch.setattr(crew_module, "STUCK_MAX", 1)
    with site() as here:
        decider = pyflow.Decider([poison(stubborn.wait)], "d", "tl", "me", client=here.client, watchdog_s=LIMIT_S)
        here.start_before(poison(stubborn.wait))
        with pytest.raises(pyflow.DeciderStuckException, match="blocks 1 threads") as caught:
            decider.poll_for_decision_tasks(max_time=60)
        assert caught.value.exit_status == 70
        assert caught.value.threads == 1


LOCK = threading.Lock()


class Holds(pyflow.Workflow):
    NAME = "Holds"

    def run(self, _):
        with LOCK:
            self.swf.receive("never")


class Wants(pyflow.Workflow):
    NAME = "Wants"

    def run(self, _):
        with LOCK:
            return 1


def test_a_lock_held_over_a_wait_is_named_with_its_holder(caplog):
    with site() as here:
        here.decider(Holds, Wants, watchdog_s=LIMIT_S)
        holds = here.start(Holds, workflow_id="the holder")
        wait_for(lambda: "DecisionTaskCompleted" in kinds(holds.history()), "first decision")
        wants = here.start(Wants)
        details = parked(wants)[0]["details"]
        assert "the lock LOCK, which workflow id 'the holder'" in details
        assert "seems to hold over its wait at" in details
        holds.terminate()
        LOCK.release()


def test_a_long_replay_that_comes_on_is_no_fault():
    class Long(pyflow.Workflow):
        NAME = "Long"

        def run(self, count):
            for number in range(count):
                time.sleep(0.08)
                self.swf.receive("go")
            return count

    with site() as here:
        here.decider(Long, watchdog_s=LIMIT_S, runs_kept=0)
        execution = here.start(Long, 6)
        for number in range(6):
            execution.signal("go", number)
            wait_for(lambda: kinds(execution.history()).count("DecisionTaskCompleted") > number, "decision")
        assert execution.result(WAIT_S) == 6
        assert "MarkerRecorded" not in kinds(execution.history())


def test_nobody_is_stopped_while_a_debugger_traces(caplog):
    done = threading.Event()

    def traced():
        sys._getframe().f_trace = lambda *_: None  # as pdb.set_trace() leaves it, for all frames of the stack
        done.wait(3 * LIMIT_S)

    with site() as here:
        here.decider(poison(traced), watchdog_s=LIMIT_S)
        bad = here.start(poison(traced))
        assert bad.result(WAIT_S) is None
    assert "did not come to a wait" not in caplog.text


def test_without_a_watchdog_nobody_is_stopped():
    with site() as here:
        here.decider(poison(lambda: stubborn.wait(3 * LIMIT_S)), watchdog_s=None)
        assert here.start(poison(stubborn.wait)).result(WAIT_S) is None


def test_a_kept_run_that_spins_while_it_is_closed_is_stopped_too(caplog):
    class Clings(pyflow.Workflow):
        NAME = "Clings"

        def run(self, _):
            try:
                self.swf.receive("never")
            finally:
                spin()

    with site() as here:
        here.decider(Clings, Good, watchdog_s=LIMIT_S, runs_kept=1)
        clings = here.start(Clings, workflow_id="clings")
        wait_for(lambda: "DecisionTaskCompleted" in kinds(clings.history()), "first decision")
        good = here.start(Good)
        good.signal("go", 3)
        assert good.result(WAIT_S) == 3
        wait_for(lambda: "code of workflow id 'clings'" in caplog.text, "report")


def test_recursion_without_end_fails_the_workflow_as_any_error_of_its_own():
    def deeper():
        return deeper()

    with site() as here:
        here.decider(poison(deeper), watchdog_s=LIMIT_S)
        with pytest.raises(pyflow.WorkflowFailedException) as caught:
            here.start(poison(deeper)).result(WAIT_S)
        assert caught.value.remote_type == "RecursionError"


def test_want_of_memory_is_no_answer():
    def much():
        raise MemoryError

    with site() as here:
        here.decider(poison(much), watchdog_s=LIMIT_S)
        bad = here.start(poison(much))
        wait_for(lambda: "DecisionTaskStarted" in kinds(bad.history()), "a task")
        time.sleep(0.1)
        assert kinds(bad.history())[-1] == "DecisionTaskStarted"


def test_an_instruction_that_is_nobodys_line_has_a_place_all_the_same():
    code = catch_exception.__code__
    nobodys = next(start for start, _, line in code.co_lines() if line is None)
    assert re.fullmatch(r".*test_watchdog\.py:\d+ in catch_exception", format_place((code, nobodys)))


def test_code_that_was_made_at_run_time_is_not_taken_for_the_author_s():
    code, _ = watchdog_module._author_place(eval("lambda look: look()")(sys._getframe))
    assert code.co_name == "test_code_that_was_made_at_run_time_is_not_taken_for_the_author_s"
