"""The benchmarks measure what they say: sound histories, the work of a decision, and every case runs."""

import json

import pytest
from benchmarks.__main__ import CASES
from benchmarks.floor import replay_at_least
from benchmarks.histories import EVENTS_PER_STEP, as_page, decision_task, fan_out_task
from benchmarks.page import WORDS, page
from benchmarks.rows import FLOOR, OURS, Goal, Row
from benchmarks.timing import medians
from benchmarks.workflows import FanOut, Steps

from histories import short
from pyflow import Decider


@pytest.fixture
def decider() -> Decider:
    return Decider([Steps, FanOut], "domain", "list", "test", client=object(), runs_kept=0)


def test_the_history_replays_to_its_next_step_and_to_its_end(decider):
    middle, end = decision_task(3, of=4), decision_task(4, of=4)

    assert short(decider.process_decision_task(middle).decisions) == ["ScheduleActivityTask activity4"]
    assert short(decider.process_decision_task(end).decisions) == ["CompleteWorkflowExecution 4"]


def test_the_fan_out_replays_to_its_end(decider):
    assert short(decider.process_decision_task(fan_out_task(4)).decisions) == ["CompleteWorkflowExecution 6"]


def test_a_page_is_the_task_as_json():
    assert json.loads(as_page(decision_task(1, of=1)))["events"][0]["eventTimestamp"] == 1767225600.0


def test_the_floor_goes_through_every_task_of_the_history():
    events = decision_task(3, of=4)["events"]
    assert len(events) == 3 + 3 * EVENTS_PER_STEP
    assert replay_at_least(events) == 0
    assert replay_at_least(events[:-3]) == 1


@pytest.mark.parametrize("name", CASES)
def test_a_case_runs_and_its_rows_make_a_page(name):
    rows = CASES[name](small=True)
    case = {"date": "2026-01-01", "load": 0.1, "rows": json.loads(json.dumps([row.as_json() for row in rows]))}
    machine = {"python": "3", "sqlite": "3", "system": "any", "cores": 2}

    text = page({"machine": machine, "cases": {name: case}})

    assert rows
    assert all(row.line() for row in rows)
    for row in rows:
        assert row.figures[OURS] > 0
        assert f"| {row.what} | {row.unit} |" in text


def test_each_case_is_explained():
    assert CASES.keys() <= WORDS.keys()


def test_the_things_compared_are_measured_in_turns():
    seen = []
    first, second = iter([3.0, 1.0, 2.0]), iter([30.0, 10.0, 20.0])

    figures = medians(
        {"a": lambda: seen.append("a") or next(first), "b": lambda: seen.append("b") or next(second)}, turns=3
    )

    assert figures == {"a": 2.0, "b": 20.0}
    assert seen == ["a", "b"] * 3


@pytest.mark.parametrize(
    ("row", "goal", "met"),
    [
        (Row("time", "ms", {OURS: 2.0, "peer": 20.0}), Goal("peer", 10), True),
        (Row("time", "ms", {OURS: 3.0, "peer": 20.0}), Goal("peer", 10), False),
        (Row("time", "ms", {OURS: 8.0, FLOOR: 2.0}), Goal(FLOOR, 4, most=True), True),
        (Row("time", "ms", {OURS: 9.0, FLOOR: 2.0}), Goal(FLOOR, 4, most=True), False),
        (Row("time", "ms", {OURS: 5.0, "early": 4.0}), Goal("early", 1.25, most=True), True),
        (Row("time", "ms", {OURS: 6.0, "early": 4.0}), Goal("early", 1.25, most=True), False),
        (Row("rate", "/s", {OURS: 50.0, "peer": 10.0}, more_is_better=True), Goal("peer", 5), True),
        (Row("rate", "/s", {OURS: 40.0, "peer": 10.0}, more_is_better=True), Goal("peer", 5), False),
        (Row("rate", "/s", {OURS: 40.0}, {"peer": "not here"}), Goal("peer", 5), None),
    ],
)
def test_goals_are_judged_by_ratio(row, goal, met):
    assert row.met(goal) is met
