"""What deciding costs: a run replayed from nothing, the next task of a run that is kept, and the whole life of a run."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pyflow
from benchmarks.floor import replay_at_least
from benchmarks.histories import EVENTS_PER_STEP, decision_task, fan_out_task
from benchmarks.peers import Peer, asked
from benchmarks.rows import FLOOR, OURS, Goal, Row
from benchmarks.timing import medians, seconds
from benchmarks.workflows import FanOut, Steps

__all__ = ["measure_cold", "measure_life", "measure_warm"]

STEPS = (10, 100, 1_000)
WARM_AFTER = (10, 100, 1_000, 4_000)
NEXT_TASKS = 140
TURNS = 7
PEERS = ("pyflow2", "simpleflow", "temporal")
SWF_PEERS = ("pyflow2", "simpleflow")
SIMPSON = (1, 4, 2, 4, 1)


def measure_cold(*, small: bool = False) -> list[Row]:
    """Replay the last decision task of a run: events in their parsed form, no service, nothing kept."""
    turns = 1 if small else TURNS
    with asked(*(() if small else PEERS)) as peers:
        peers.try_out("decide", steps=10, of=10)
        rows = [
            _cold(
                f"replay, {steps:,} steps",
                decision_task(steps, of=steps),
                "decide",
                peers,
                turns,
                steps=steps,
                of=steps,
            )
            for steps in (STEPS[:1] if small else STEPS)
        ]
        width = 10 if small else 1_000
        rows.append(_cold(f"replay, {width:,} at once", fan_out_task(width), "fan_out", peers, turns, steps=width))
    return rows


def _cold(what: str, task: dict[str, Any], case: str, peers: asked, turns: int, **arguments: int) -> Row:
    decider = _decider(runs_kept=0)
    (decision,) = decider.process_decision_task(task).decisions
    assert decision["decisionType"] == "CompleteWorkflowExecution", decision
    timed: dict[str, Callable[[], float]] = {
        OURS: partial(seconds, partial(decider.process_decision_task, task)),
        FLOOR: partial(seconds, partial(replay_at_least, task["events"])),
    }
    for title, peer in peers.peers.items():
        timed[title] = partial(peer.ask, case, **arguments)
    goals: list[Goal] = []
    if case == "decide" and arguments["steps"] == 1_000:
        goals = [Goal(FLOOR, 4, most=True), *(Goal(title, 12) for title in peers.peers if "Temporal" not in title)]
    return Row(what, "ms", _times(1e3, medians(timed, turns=turns, budget_s=12)), peers.missing, tuple(goals))


def measure_warm(*, small: bool = False) -> list[Row]:
    """
    Decide the next tasks of a run that is kept; the floor goes through the same new events, in a greenlet that is there.

    Both go through many tasks in a row. The collection before each turn fills the processor's caches with the events that are
    held here, and the first few tasks behind it fetch code and data back: in a floor of 20 tasks that is more than half, and it
    grows with the history. It says nothing of either.
    """
    rows = []
    turns = 1 if small else TURNS
    for steps in WARM_AFTER[:1] if small else WARM_AFTER:
        first, *following = _tasks(steps, steps + NEXT_TASKS)
        new = [event for task in following for event in task["events"]]
        timed: dict[str, Callable[[], float]] = {
            OURS: partial(_decide_next, first, following),
            FLOOR: partial(_floor_of_one, new, len(following)),
        }
        what = f"next task of a kept run, after {len(first['events']):,} events"
        figures = _times(1e6, medians(timed, turns=turns))
        rows.append(Row(what, "us", figures, goals=(Goal(FLOOR, 15, most=True),)))
    return rows


def measure_life(*, small: bool = False) -> list[Row]:
    """
    Decide all tasks of a run of sequential steps.

    Ours are really all of them. Peers keep nothing between tasks, so that one life takes them minutes: five of its tasks are
    measured and the sum is taken by Simpson's rule.
    """
    steps = 20 if small else 1_000
    tasks = _tasks(0, steps)
    with asked(*(() if small else SWF_PEERS)) as peers:
        peers.try_out("decide", steps=10, of=10)
        ours = medians({OURS: partial(seconds, partial(_live, tasks))}, turns=1 if small else 3)
        figures = ours | {title: _life_of(peer, steps) for title, peer in peers.peers.items()}
        goals = tuple(Goal(title, 500) for title in peers.peers)
        return [Row(f"the whole life of {steps:,} steps", "s", figures, peers.missing, goals)]


def _tasks(first: int, last: int) -> list[dict[str, Any]]:
    """Return the tasks of a run from the one at which ``first`` steps are done: that one whole, of the others what is new."""
    whole = decision_task(last, of=last)
    begin = 3 + EVENTS_PER_STEP * first
    ends = range(begin, len(whole["events"]) + 1, EVENTS_PER_STEP)
    return [
        {**whole, "startedEventId": end, "events": whole["events"][0 if end == begin else end - EVENTS_PER_STEP : end]}
        for end in ends
    ]


def _decide_next(first: dict[str, Any], following: list[dict[str, Any]]) -> float:
    decider = _decider(runs_kept=1)
    decider.process_decision_task(first)
    tasks = iter(following)
    return seconds(lambda: decider.process_decision_task(next(tasks)), calls=len(following))


def _floor_of_one(events: list[dict[str, Any]], tasks: int) -> float:
    """Return the floor's share of one task in a pass over many: what it costs to begin is not in it."""
    return seconds(partial(replay_at_least, events), calls=3) / tasks


def _live(tasks: list[dict[str, Any]]) -> None:
    decider = _decider(runs_kept=1)
    for task in tasks:
        decided = decider.process_decision_task(task)
    assert decided.decisions[0]["decisionType"] == "CompleteWorkflowExecution"


def _life_of(peer: Peer, steps: int) -> float:
    points = [round(steps * number / 4) for number in range(5)]
    taken: list[float] = [peer.ask("decide", steps=point, of=steps) for point in points]
    return sum(weight * each for weight, each in zip(SIMPSON, taken, strict=True)) * steps / sum(SIMPSON)


def _decider(*, runs_kept: int) -> pyflow.Decider:
    return pyflow.Decider([Steps, FanOut], "domain", "list", "benchmark", client=object(), runs_kept=runs_kept)


def _times(factor: float, figures: dict[str, float]) -> dict[str, float]:
    return {who: figure * factor for who, figure in figures.items()}
