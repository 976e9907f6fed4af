"""Times several things in turns, so that a busy machine slows all of them alike."""

import gc
from collections.abc import Callable, Mapping
from statistics import median
from time import perf_counter
from typing import Any

__all__ = ["medians", "seconds"]

Timed = Callable[[], float]


def seconds(call: Callable[[], Any], *, calls: int = 1) -> float:
    """Return how long a call takes, on average of some in a row, with the garbage of others collected before."""
    gc.collect()
    before = perf_counter()
    for _ in range(calls):
        call()
    return (perf_counter() - before) / calls


def medians(timed: Mapping[str, Timed], *, turns: int = 7, budget_s: float = 20.0) -> dict[str, float]:
    """
    Return the median of what each gives, by name.

    Args:
        timed: by name; each call gives one figure.
        turns: how often each is called, one after the other; at least once.
        budget_s: no new turn begins after so long.
    """
    figures: dict[str, list[float]] = {name: [] for name in timed}
    until = perf_counter() + budget_s
    for turn in range(turns):
        if turn and perf_counter() > until:
            break
        for name, measure in timed.items():
            figures[name].append(measure())
    return {name: median(values) for name, values in figures.items()}
