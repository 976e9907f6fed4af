"""What deciding costs: a whole run replayed from nothing, and the next task of a run that is kept."""

import pyflow
from benchmarks.floor import replay_at_least
from benchmarks.histories import EVENTS_PER_STEP, Steps, decision_task
from benchmarks.timing import time_in_turns

__all__ = ["measure"]

EVENTS = (1_000, 6_000, 10_000)
NEXT_TASKS = 20


def measure() -> dict[str, dict[str, float]]:
    """Return the figures of each case: events, milliseconds of ours and of the floor, ratio, microseconds an event."""
    cases = {f"replay of {events:,} events": _cold(events // EVENTS_PER_STEP) for events in EVENTS}
    cases |= {f"next task after {events:,} events": _next(events // EVENTS_PER_STEP) for events in EVENTS}
    return cases


def _cold(steps: int) -> dict[str, float]:
    task = decision_task(steps, of=steps + 1)
    decider = _decider(runs_kept=0)
    assert len(decider.process_decision_task(task).decisions) == 1, "the run's next step should have been scheduled"
    pair = time_in_turns(lambda: decider.process_decision_task(task), lambda: replay_at_least(task["events"]))
    return _figures(len(task["events"]), pair.ours, pair.other)


def _next(steps: int) -> dict[str, float]:
    """Decide tasks one after the other with the run kept; the floor goes through the same new events."""
    tasks = [decision_task(steps + number, of=steps + NEXT_TASKS + 1) for number in range(NEXT_TASKS + 1)]
    decider = _decider(runs_kept=1)
    decider.process_decision_task(tasks[0])
    rest, new = iter(tasks[1:]), tasks[-1]["events"][-EVENTS_PER_STEP:]
    pair = time_in_turns(
        lambda: decider.process_decision_task(next(rest)), lambda: replay_at_least(new), turns=NEXT_TASKS
    )
    return _figures(EVENTS_PER_STEP, pair.ours, pair.other)


def _decider(*, runs_kept: int) -> pyflow.Decider:
    return pyflow.Decider([Steps], "domain", "list", "benchmark", client=object(), runs_kept=runs_kept)


def _figures(events: int, ours: float, floor: float) -> dict[str, float]:
    return {
        "events": events,
        "ms": ours * 1e3,
        "floor_ms": floor * 1e3,
        "ratio": ours / floor,
        "us_per_event": ours * 1e6 / events,
    }
