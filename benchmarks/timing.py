"""Times two things in turns, so that a busy machine slows both, and keeps the best of each."""

from collections.abc import Callable
from time import perf_counter
from typing import Any, NamedTuple

__all__ = ["Pair", "time_in_turns"]


class Pair(NamedTuple):
    """The least seconds that each of the two took."""

    ours: float
    other: float

    @property
    def ratio(self) -> float:
        return self.ours / self.other


def time_in_turns(ours: Callable[[], Any], other: Callable[[], Any], *, turns: int = 21) -> Pair:
    """Call both ``turns`` times, one after the other, and return the least seconds of each."""
    times = [(_seconds(ours), _seconds(other)) for _ in range(turns)]
    return Pair(min(first for first, _ in times), min(second for _, second in times))


def _seconds(call: Callable[[], Any]) -> float:
    before = perf_counter()
    call()
    return perf_counter() - before
