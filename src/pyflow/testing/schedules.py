"""
Schedules: what was chosen at each point of a run where more than one thing could happen next, and which to try next.

Nothing here knows of workflows. A point offers labels, the first of which is what happens if nothing special does; a run is
what it chose, one label a point.
"""

import random
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pyflow.exceptions import PyflowException

__all__ = ["Chooser", "Drawn", "Frontier", "Point", "Randomly", "Script", "Strict", "WrongScheduleException", "shrink"]


@dataclass(frozen=True)
class Point:
    """
    One point of a run.

    Attributes:
        labels: what could happen; the first is what does by default.
        chosen: which of them did.
    """

    labels: tuple[str, ...]
    chosen: int

    @property
    def label(self) -> str:
        """What happened."""
        return self.labels[self.chosen]


class Chooser(Protocol):
    """Says what happens at each point of one run."""

    def choose(self, labels: Sequence[str], points: Sequence[Point]) -> int:
        """
        Choose.

        Args:
            labels: what can happen.
            points: the points before.
        """
        ...


class WrongScheduleException(PyflowException):
    """A schedule names something that cannot happen at its point."""


@dataclass
class Strict:
    """Chooses by number up to a point, and what is first from there on."""

    numbers: Sequence[int]

    def choose(self, labels: Sequence[str], points: Sequence[Point]) -> int:
        """Choose."""
        return self.numbers[len(points)] if len(points) < len(self.numbers) else 0


@dataclass
class Script:
    """
    Follows labels, and chooses what is first once they are at their end.

    Args:
        labels: one for each point.
        lenient: leave out those that cannot happen where their turn comes; else they are an error.
    """

    labels: Sequence[str]
    lenient: bool = False
    _next: int = 0

    def choose(self, labels: Sequence[str], points: Sequence[Point]) -> int:
        """
        Choose.

        Raises:
            WrongScheduleException: the next label is none of those that can happen.
        """
        while self._next < len(self.labels):
            label = self.labels[self._next]
            self._next += 1
            if label in labels:
                return labels.index(label)
            if not self.lenient:
                raise WrongScheduleException(
                    f"step {self._next} of the schedule is {label!r}, which cannot happen there; what can: "
                    f"{', '.join(map(repr, labels))}. Has the workflow changed since the schedule was written down?"
                )
        return 0


class Randomly:
    """Draws at each point, each label as likely as any other."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)  # noqa: S311 - a seed asks for it

    def choose(self, labels: Sequence[str], points: Sequence[Point]) -> int:
        """Choose."""
        return self._random.randrange(len(labels))


class Drawn:
    """
    Lets Hypothesis draw, which shrinks to the first label of each point.

    Args:
        data: what ``hypothesis.strategies.data()`` gives.
    """

    def __init__(self, data: Any) -> None:
        from hypothesis import strategies  # noqa: PLC0415 - only for those who use it

        self._data = data
        self._integers = strategies.integers

    def choose(self, labels: Sequence[str], points: Sequence[Point]) -> int:
        """Choose."""
        drawn: int = self._data.draw(self._integers(0, len(labels) - 1), label=" | ".join(labels))
        return drawn


@dataclass
class Frontier:
    """
    Which schedules to try: all there are, those first that deviate least from what happens by default.

    So a failure that needs one thing at an unusual moment is found before any that needs two. Each schedule is tried once: a
    schedule's successors deviate at one point more, behind its last deviation.

    Attributes:
        pruned: runs that ended where another one had been already.
        cut: runs that were not followed to their end.
    """

    depth_max: int
    pruned: int = 0
    cut: int = 0
    _to_try: deque[tuple[int, ...]] = field(default_factory=lambda: deque([()]))
    _known: set[Hashable] = field(default_factory=set)

    def __iter__(self) -> Iterator[tuple[int, ...]]:
        """Give the numbers of the choices up to the last deviation of each schedule that is to be tried."""
        while self._to_try:
            yield self._to_try.popleft()

    @property
    def exhausted(self) -> bool:
        """Whether all has been tried."""
        return not self._to_try and not self.cut

    def is_known(self, state: Hashable) -> bool:
        """Tell whether a state was reached before, by this or another run; it is from now on."""
        if state in self._known:
            return True
        self._known.add(state)
        return False

    def add_successors(self, prefix: Sequence[int], points: Sequence[Point]) -> None:
        """Take in what a run that began with a prefix could have done otherwise behind it."""
        numbers = tuple(point.chosen for point in points)
        for at in range(len(prefix), min(len(points), self.depth_max)):
            self._to_try.extend((*numbers[:at], other) for other in range(1, len(points[at].labels)))


def deviations(points: Sequence[Point]) -> int:
    """Count the points where not the first thing happened."""
    return sum(point.chosen > 0 for point in points)


def shrink(
    points: Sequence[Point],
    attempt: Callable[[Sequence[str]], Sequence[Point] | None],
    attempts_max: int = 500,
) -> Sequence[Point]:
    """
    Make a failing schedule small: as few deviations as possible, then as few steps.

    Delta debugging: parts of it are left out, larger ones first, and what then cannot happen is left out with them.

    Args:
        points: the failing run.
        attempt: runs labels leniently and returns the points of the run, or None if it does not fail in the same way.
        attempts_max: after so many it is left as it is.

    Returns:
        The points of the smallest failing run that was found.
    """
    best = points
    left = attempts_max
    tried: set[tuple[str, ...]] = set()

    def improve(labels: list[str]) -> bool:
        nonlocal best, left
        if left <= 0 or tuple(labels) in tried:
            return False
        tried.add(tuple(labels))
        left -= 1
        found = attempt(labels)
        if found is None or (deviations(found), len(found)) >= (deviations(best), len(best)):
            return False
        best = found
        return True

    size = max(1, len(points) // 2)
    while size:
        at, improved = 0, False
        while at < len(best):
            labels = [point.label for point in best]
            by_default = [point.labels[0] for point in best[at : at + size]]
            without = labels[:at] + labels[at + size :]
            if improve(without) or improve(labels[:at] + by_default + labels[at + size :]) or improve(labels[:at]):
                improved = True
            else:
                at += size
        size = size if improved and left > 0 else size // 2
    return best
