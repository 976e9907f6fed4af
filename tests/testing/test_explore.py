"""flow.explore: which orders are run, what must hold in each, and what a failure leaves."""

import logging
import re
import sys
import warnings
from pathlib import Path
from types import ModuleType

import pytest

import pyflow
from pyflow.exceptions import WorkflowCanceledException, WorkflowFailedException, WorkflowTimedOutException
from pyflow.history.check import check as replay
from pyflow.history.files import load
from pyflow.testing import (
    TIMES_OUT,
    Flow,
    ScheduleFailedException,
    SignalLostException,
    StuckException,
    WrongScheduleException,
    raises,
    returns,
)
from pyflow.testing.schedules import Frontier


@pyflow.activity("reserve", "1.0", start_to_close=60)
def reserve(item):
    return f"{item} reserved"


@pyflow.activity("charge", "1.0", start_to_close=60)
def charge(amount):
    return f"paid {amount}"


@pyflow.activity("release", "1.0", start_to_close=60)
def release(item):
    return f"{item} released"


class Order(pyflow.Workflow):
    NAME = "Explored order"

    def run(self, item):
        reserve(item)
        try:
            self.swf.receive("pay", timeout=86_400)
        except pyflow.WaitTimedOutException:
            return release(item)
        return charge(12)


class Two(pyflow.Workflow):
    NAME = "Explored two"

    def run(self, _):
        first, second = reserve.submit("a"), charge.submit(1)
        return [future is first for future in self.swf.as_completed([first, second])]


class Tolerant(pyflow.Workflow):
    NAME = "Explored tolerant"

    def run(self, _):
        futures = [reserve.submit("a"), charge.submit(1)]
        return [future.failed for future in self.swf.as_completed(futures)]


class Child(pyflow.Workflow):
    NAME = "Explored child"

    def run(self, number):
        return self.swf.receive("go") + number


class Parent(pyflow.Workflow):
    NAME = "Explored parent"
    double = pyflow.LambdaDescriptor("double")

    def run(self, number):
        child = self.swf.start_child(Child, number)
        doubled = self.double(number)
        child.signal("go", 5)
        return [doubled.result(), child.result()]


class Waits(pyflow.Workflow):
    NAME = "Explored waits"

    def run(self, _):
        self.swf.receive("never")


class Draws(pyflow.Workflow):
    NAME = "Explored draws"

    def run(self, _):
        charge(1)
        return [self.swf.workflow_time().isoformat(), str(self.swf.uuid4()), self.swf.run_id]


class Handles(pyflow.Workflow):
    NAME = "Explored handles"

    def run(self, _):
        self.swf.sleep(10)


class Endless(pyflow.Workflow):
    NAME = "Explored endless"

    def run(self, _):
        while True:
            self.swf.sleep(1)


def results_of(flow, *args, **options):
    found = []

    def check(result, history):
        found.append(type(result) if isinstance(result, Exception) else result)

    report = flow.explore(*args, check=check, **options)
    return report, found


def test_both_ends_of_a_race_are_seen(flow):
    report, found = results_of(flow, Order, "book", signals=[("pay", None)])
    assert set(found) == {"paid 12", "book released"}
    assert report.complete
    assert report.outcomes == {"completed": len(found)}
    assert f"{report.schedules} schedules" in str(report)
    assert "all there are" in str(report)


def test_completions_come_in_each_order_in_one_batch_and_in_several(flow):
    batches = set()

    def check(result, history):
        kinds = [event["eventType"] for event in history]
        done = [number for number, kind in enumerate(kinds) if kind == "ActivityTaskCompleted"]
        batches.add((tuple(result), "DecisionTaskStarted" in kinds[done[0] : done[1]]))

    assert flow.explore(Two, check=check, crashes=0).complete
    assert batches == {
        ((True, False), True),
        ((True, False), False),
        ((False, True), True),
        ((False, True), False),
    }


def test_each_call_may_come_to_each_of_its_outcomes(flow):
    outcomes = {charge: [returns("paid"), raises(ValueError("no money")), TIMES_OUT]}
    report, found = results_of(flow, Order, "book", signals=[("pay", None)], outcomes=outcomes, crashes=0)
    assert set(found) == {"book released", "paid", WorkflowFailedException}
    assert report.complete


def test_outcomes_of_functions_and_children_are_chosen_too(flow):
    flow.lambda_function("double", lambda event, context: 2 * event)
    outcomes = [(Child, [returns(1), raises(ValueError("no"))]), (Parent.double, [2, TIMES_OUT])]
    _, found = results_of(flow, Parent, 1, outcomes=outcomes, crashes=0, max_schedules=150)
    assert [2, 1] in found
    assert WorkflowFailedException in found


def test_children_signals_and_functions_run_as_they_are(flow):
    flow.lambda_function("double", lambda event, context: 2 * event)
    report, found = results_of(flow, Parent, 1, max_schedules=150)
    assert report.schedules > 10
    assert all(result == [2, 6] for result in found)


def test_a_cancel_comes_at_each_moment(flow):
    _, found = results_of(flow, Order, "book", cancel=True, crashes=0)
    assert set(found) == {"book released", WorkflowCanceledException}


def test_deciders_die_with_tasks_and_begin_with_an_empty_memory(flow):
    kinds = set()

    def check(result, history):
        assert result == "book released"
        kinds.update(event["eventType"] for event in history)

    flow.explore(Order, "book", check=check)
    assert "DecisionTaskTimedOut" in kinds
    kinds.clear()
    flow.explore(Order, "book", check=check, crashes=0)
    assert "DecisionTaskTimedOut" not in kinds


def test_a_stuck_execution_is_a_failure_unless_it_may_be(flow):
    with pytest.raises(ScheduleFailedException, match="is stuck") as caught:
        flow.explore(Waits)
    assert isinstance(caught.value.__cause__, StuckException)
    assert flow.explore(Waits, may_get_stuck=True).complete


def test_its_own_timeout_is_among_what_may_come_if_it_was_asked_for(flow):
    _, found = results_of(flow, Waits, signals=[("never", 1)], execution_start_to_close_timeout=5)
    assert set(found) == {None, WorkflowTimedOutException}


def test_without_a_check_an_exception_is_a_failure(flow):
    with pytest.raises(ScheduleFailedException, match="no money") as caught:
        flow.explore(Order, "book", signals=[("pay", 1)], outcomes={charge: ["paid", raises(ValueError("no money"))]})
    assert isinstance(caught.value.__cause__, WorkflowFailedException)
    assert "ValueError" in "".join(caught.value.schedule)


def test_a_signal_that_nobody_receives_is_a_failure_if_it_is_to_be(flow):
    flow.explore(Handles, signals=[("pay", 1)])
    with pytest.raises(ScheduleFailedException) as caught:
        flow.explore(Handles, signals=[("pay", 1)], all_signals_received=True)
    assert isinstance(caught.value.__cause__, SignalLostException)
    assert caught.value.__cause__.lost == {"pay": 1}


def test_a_failure_tells_its_schedule_and_its_story_and_keeps_both(flow, tmp_path):
    flow.folder = tmp_path / "kept"

    def check(result, history):
        assert result == "paid 12", "not paid"

    scenario = {"signals": [("pay", None)], "check": check}
    with pytest.raises(ScheduleFailedException) as caught:
        flow.explore(Order, "book", **scenario)
    failure = caught.value
    assert isinstance(failure.__cause__, AssertionError)
    (unusual,) = [line for line in str(failure).splitlines() if line.startswith("  *")]
    assert "time passes: timeout1 fires    (the plain course: signal pay)" in unusual
    assert "timer fired" in str(failure)
    assert failure.path.parent == tmp_path / "kept"

    history = load(failure.path)
    assert history.schedule == failure.schedule
    replay(Order, history.workflow_id, history.run_id, history.events)
    for schedule in (failure.schedule, failure.path, str(failure.path)):
        with pytest.raises(ScheduleFailedException, match="not paid") as again:
            flow.explore(Order, "book", schedule=schedule, **scenario)
        assert again.value.schedule == failure.schedule
        assert load(again.value.path).events == history.events


def test_nothing_is_kept_where_there_is_no_folder(flow):
    flow.folder = None
    with pytest.raises(ScheduleFailedException) as caught:
        flow.explore(Waits)
    assert caught.value.path is None


def test_a_schedule_that_does_not_fit_says_so(flow):
    with pytest.raises(WrongScheduleException, match="'lunch', which cannot happen"):
        flow.explore(Two, schedule=["lunch"])
    with pytest.raises(WrongScheduleException, match="'charge raises lunch', which cannot happen"):
        flow.explore(
            Order, "b", signals=[("pay", 1)], outcomes={charge: [1, 2]}, crashes=0, schedule=["charge raises lunch"]
        )


def test_exploration_is_the_same_each_time(flow):
    def explored(**how):
        told = []
        flow.explore(Draws, check=lambda result, history: told.append((result, history)), **how)
        return told

    assert explored() == explored()
    assert explored(seed=1, max_schedules=20) == explored(seed=1, max_schedules=20)
    assert len(explored()) > 1


def test_a_failure_found_at_random_is_made_small(flow):
    def check(result, history):
        assert result != [False, True]

    with pytest.raises(ScheduleFailedException) as caught:
        flow.explore(Two, signals=[("a", 1), ("b", 2)], cancel=True, check=check, seed=7)
    assert str(caught.value).count("\n  *") == 1


def test_hypothesis_drives(flow):
    hypothesis = pytest.importorskip("hypothesis")
    seen = set()

    @hypothesis.settings(max_examples=40, deadline=None, database=None, derandomize=True)
    @hypothesis.given(hypothesis.strategies.data())
    def explore(data):
        flow.explore(Two, data=data, check=lambda result, history: seen.add(tuple(result)))

    explore()
    assert seen == {(True, False), (False, True)}


def test_fakes_begin_anew_with_each_schedule(flow):
    charged = flow.fake(charge, side_effect=["only once"])
    report, found = results_of(flow, Order, "book", signals=[("pay", 1)], crashes=0)
    assert report.schedules > 2
    assert set(found) == {"only once", "book released"}
    assert charged.calls == []
    assert flow.run(Two) == [True, False]


def test_what_the_flow_itself_has_started_goes_on(flow):
    order = flow.start(Order, "lamp")
    flow.run_until_blocked()
    flow.explore(Order, "book", max_schedules=3)
    order.signal("pay")
    assert order.result() == "paid 12"


def test_setup_is_called_before_each_schedule(flow):
    begun = []
    assert flow.explore(Two, setup=lambda: begun.append(1)).schedules == len(begun)


def test_schedules_that_find_no_end_are_cut_and_said_to_be(flow):
    report = flow.explore(Two, crashes=1, max_depth=6)
    assert report.cut
    assert not report.complete
    assert "not all" in str(report)


def test_an_execution_without_an_end_is_a_failure(flow):
    with pytest.raises(ScheduleFailedException, match="no end after 50 steps"):
        flow.explore(Endless, max_depth=50)


def test_what_is_pruned_is_nothing_that_no_other_schedule_comes_to(flow, monkeypatch):
    outcomes = {reserve: [1, TIMES_OUT], charge: [2, TIMES_OUT]}

    def explored():
        ends = set()
        report = flow.explore(Tolerant, outcomes=outcomes, check=lambda _, history: ends.add(str(history)))
        assert report.complete
        return report, ends

    pruned, ends = explored()
    monkeypatch.setattr(Frontier, "is_known", lambda *_: False)
    whole, all_ends = explored()
    assert ends == all_ends
    assert pruned.pruned > 0
    assert pruned.schedules < whole.schedules


def test_no_more_schedules_are_run_than_asked_for(flow):
    report = flow.explore(Order, "book", max_schedules=3)
    assert report.schedules == 3
    assert not report.complete


def test_runs_say_nothing_in_the_log(flow, caplog):
    with caplog.at_level(logging.DEBUG):
        flow.explore(Handles, signals=[("pay", 1)])
    assert not caplog.records
    logging.getLogger("pyflow").warning("heard again")
    assert caplog.records


def test_an_exploration_outside_of_pytest(tmp_path):
    with warnings.catch_warnings(), Flow() as flow:
        warnings.simplefilter("error")
        assert flow.explore(Two).complete


def test_the_guides_exploration_finds_what_it_says(flow, tmp_path, monkeypatch):
    guide = (Path(__file__).parents[2] / "docs" / "testing.md").read_text()
    blocks = re.findall(r"^```\w+\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL)
    (shop,) = [block for block in blocks if block.startswith("# shop.py")]
    (test,) = [block for block in blocks if "def test_no_order_is_left_half_done" in block]
    (told,) = [block for block in blocks if block.startswith("Order 1.0 fails in one order")]
    module = ModuleType("shop")
    monkeypatch.setitem(sys.modules, "shop", module)
    exec(shop, vars(module))
    names = {**vars(module), "BOOK": {"item": "book", "customer": "Ada"}}
    flow.folder = tmp_path
    exec(test, names)
    with pytest.raises(ScheduleFailedException) as caught:
        names["test_no_order_is_left_half_done"](flow)
    for line in told.splitlines()[1:]:
        assert line in str(caught.value).splitlines()
    assert caught.value.path.name in guide


def test_a_class_that_no_other_process_can_import_is_said_to_be_one(flow):
    class Local(pyflow.Workflow):
        NAME = "Explored local"

        def run(self, _):
            pass

    assert "defined in a function" in flow.explore(Local).not_elsewhere
    assert flow.explore(Two, max_schedules=5).not_elsewhere is None


def test_what_cannot_even_be_started_is_told_as_it_is(flow):
    with pytest.raises(pyflow.PyflowException, match=r"flow.fake\('nobody'\) stands for nothing"):
        flow.explore(Order, "book", outcomes={"nobody": [1]})
