"""
Each planted bug is found by exploration, or by the replays that are always on; the plain course of the same workflow shows nothing.

The guard is off: it names what it knows, and here is shown what is found without knowing.
"""

import pytest

import planted
from planted import act, undo
from pyflow.exceptions import NondeterminismException, PyflowException, WorkflowCanceledException
from pyflow.testing import (
    TIMES_OUT,
    Flow,
    ScheduleFailedException,
    SignalLostException,
    StuckException,
    raises,
    returns,
)
from pyflow.testing.elsewhere import ReplayedElsewhereException


def calls(fake, what):
    return sum(call.args[0] == what for call in fake.calls)


def completed(history, what):
    """Whether an activity that was asked for with a value has completed."""
    asked = {
        event["eventId"]: event["activityTaskScheduledEventAttributes"]["input"]
        for event in history
        if event["eventType"] == "ActivityTaskScheduled"
    }
    return any(
        what in asked[event["activityTaskCompletedEventAttributes"]["scheduledEventId"]]
        for event in history
        if event["eventType"] == "ActivityTaskCompleted"
    )


def kinds(history):
    return [event["eventType"] for event in history]


def first_come_first_served(result, history, acts, undos):
    came = [kind for kind in kinds(history) if kind in ("TimerFired", "WorkflowExecutionSignaled")]
    assert result == "approved" or came[0] == "TimerFired"


def what_is_booked_is_kept_or_undone(result, history, acts, undos):
    assert (
        not isinstance(result, WorkflowCanceledException)
        or not acts.called
        or undos.called
        or not completed(history, "book")
    )


def all_is_undone(result, history, acts, undos):
    assert calls(acts, "first") == calls(undos, "first")


def one_key(result, history, acts, undos):
    assert len({call.arguments["key"] for call in acts.calls}) == 1


def own_answers(result, history, acts, undos):
    assert result == {"ada": "ada", "bob": "bob"}


def charged_if_it_says_so(result, history, acts, undos):
    assert result == "charge" or undos.called or not completed(history, "charge")


def undone_if_it_fails(result, history, acts, undos):
    assert not isinstance(result, Exception) or undos.called or not completed(history, "first")


def canceled_if_asked(result, history, acts, undos):
    came = "".join(
        kind[0] for kind in kinds(history) if kind in ("ActivityTaskFailed", "WorkflowExecutionCancelRequested")
    )
    assert result != "gave up" or came in ("AA", "AAW"), "a cancel after all is over is too late"


def does_not_fail(result, history, acts, undos):
    assert not isinstance(result, PyflowException)


def charged_once(result, history, acts, undos):
    assert len(acts.calls) == 1


def adds_up(result, history, acts, undos):
    assert result == 3


def ends_what_it_begins(result, history, acts, undos):
    assert len(acts.calls) == len(undos.calls)


FAILS = raises(ValueError("no"))
RACES = {
    # the class: (what must hold, what may come)
    "SignalAndTimer": (first_come_first_served, {"signals": [("approve", None)]}),
    "CompletionAndCancel": (what_is_booked_is_kept_or_undone, {"cancel": True}),
    "CancelDuringCleanup": (all_is_undone, {"cancel": True}),
    "DoubleCharge": (one_key, {"outcomes": {act: [returns("charged"), TIMES_OUT]}}),
    # A signal that comes while the last task of a run is lost is lost with it: its code has ended, and is not run again.
    "SignalLostAsItContinues": (
        None,
        {"input": 2, "signals": [("item", 1), ("item", 2)], "all_signals_received": True, "crashes": 0},
    ),
    "WhoWasFirst": (own_answers, {}),
    "TooLateAndDone": (charged_if_it_says_so, {}),
    "NothingIsGivenBack": (undone_if_it_fails, {"outcomes": {act: [returns(1), FAILS]}}),
    "SwallowedCancel": (canceled_if_asked, {"cancel": True, "outcomes": {act: [FAILS, returns(1)]}}),
    "ChildGoneBeforeTheSignal": (does_not_fail, {"signals": [("hurry", None)]}),
    "LookWaitAct": (charged_once, {"signals": [("pay", 1), ("pay", 2)]}),
    "LostUpdate": (adds_up, {"signals": [("add", 1), ("add", 2)]}),
    "EndsWhileAHandlerWorks": (ends_what_it_begins, {"signals": [("add", 1), ("close", None)]}),
}
IN_THIS_PROCESS = ["Random", "Uuid", "Clock", "CounterOfAModule", "MutableDefault", "CacheOfAClass"]
IN_ANOTHER_PROCESS = ["OrderOfASet", "HashOfAText", "Environment", "OrderOfIds"]


@pytest.fixture
def flow(tmp_path):
    with Flow(guard="off") as flow:
        flow.folder = tmp_path
        yield flow


@pytest.fixture
def explore(flow, monkeypatch):
    monkeypatch.setenv("PLANTED_REGION", "eu-1")
    planted.STARTED = 0
    planted.CacheOfAClass.cache.clear()
    planted.MutableDefault.things.__defaults__[0].clear()
    acts = flow.fake(act, side_effect=lambda what, key=None: what)
    undos = flow.fake(undo)

    def explore(name, must_hold=None, input=None, outcomes=(), **may_come):
        check = None if must_hold is None else lambda result, history: must_hold(result, history, acts, undos)
        return flow.explore(getattr(planted, name), input, check=check, outcomes=outcomes, **may_come)

    return explore


@pytest.mark.parametrize("name", RACES)
def test_exploration_finds_each_race(name, explore):
    must_hold, may_come = RACES[name]
    with pytest.raises(ScheduleFailedException) as caught:
        explore(name, must_hold, elsewhere=False, **may_come)
    assert isinstance(caught.value.__cause__, (AssertionError, SignalLostException, StuckException))
    assert str(caught.value).count("\n  *") <= 3, "it is small"


@pytest.mark.parametrize("name", RACES)
@pytest.mark.parametrize("max_schedules", [100, pytest.param(10_000, marks=pytest.mark.proof)])
def test_the_mended_workflow_has_no_such_race(name, max_schedules, explore):
    must_hold, may_come = RACES[name]
    report = explore(f"{name}Mended", must_hold, elsewhere=False, max_schedules=max_schedules, **may_come)
    assert report.complete or report.schedules == max_schedules


@pytest.mark.parametrize("name", IN_THIS_PROCESS)
def test_replay_finds_what_is_drawn_anew(name, explore):
    with pytest.raises(ScheduleFailedException) as caught:
        explore(name)
    assert isinstance(caught.value.__cause__, NondeterminismException)


@pytest.mark.parametrize("name", IN_ANOTHER_PROCESS)
def test_replay_in_another_process_finds_what_is_this_ones(name, explore):
    with pytest.raises(ScheduleFailedException) as caught:
        explore(name)
    assert isinstance(caught.value.__cause__, (NondeterminismException, ReplayedElsewhereException))


@pytest.mark.parametrize("name", [*IN_THIS_PROCESS, *IN_ANOTHER_PROCESS])
def test_the_mended_workflow_replays(name, explore):
    report = explore(f"{name}Mended", max_schedules=20)
    assert report.not_elsewhere is None
