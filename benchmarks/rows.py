"""What a case gives: rows of figures, each with ours and what stands beside it, measured in the same run."""

from dataclasses import asdict, dataclass, field
from typing import Any, Final, Self

__all__ = ["FLOOR", "OURS", "Goal", "Row"]

OURS: Final = "pyflow"
FLOOR: Final = "floor"


@dataclass(frozen=True, slots=True)
class Goal:
    """
    A ratio that is aimed at.

    ``most``: ours is at most so many times the other's figure. Otherwise ours is at least so many times better.
    """

    other: str
    ratio: float
    most: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """
    One line.

    Attributes:
        what: what was measured.
        unit: of the figures.
        figures: medians, by who; ours among them.
        missing: why somebody has no figure.
        goals: the ratios aimed at.
        more_is_better: so it is with rates; with times and sizes it is not.
    """

    what: str
    unit: str
    figures: dict[str, float]
    missing: dict[str, str] = field(default_factory=dict)
    goals: tuple[Goal, ...] = ()
    more_is_better: bool = False

    def ratio(self, other: str) -> float:
        """Return how many times better ours is; of a floor, how many times more than it ours takes."""
        ours, theirs = self.figures[OURS], self.figures[other]
        return ours / theirs if self.more_is_better or other == FLOOR else theirs / ours

    def met(self, goal: Goal) -> bool | None:
        """Say whether a goal is met; None where there is no figure to say it from."""
        if goal.other not in self.figures or OURS not in self.figures:
            return None
        ratio = self.ratio(goal.other)
        if goal.most and goal.other != FLOOR:
            ratio = 1 / ratio
        return ratio <= goal.ratio if goal.most else ratio >= goal.ratio

    def line(self) -> str:
        """Return the row as a line of text."""
        pieces = []
        for who, figure in self.figures.items():
            beside = "" if who == OURS else f" (x {self.ratio(who):.3g})"
            pieces.append(f"{who} {shown(figure)} {self.unit}{beside}")
        pieces += [f"{who}: {why}" for who, why in self.missing.items()]
        return f"{self.what}: " + ", ".join(pieces)

    def as_json(self) -> dict[str, Any]:
        """Return the row as JSON has it."""
        return asdict(self)

    @classmethod
    def of_json(cls, value: dict[str, Any]) -> Self:
        """Return the row that ``as_json`` gave."""
        return cls(**{**value, "goals": tuple(Goal(**goal) for goal in value["goals"])})


def shown(figure: float) -> str:
    """Return a figure with three digits that count."""
    if figure == 0:
        return "0"
    if abs(figure) >= 100:
        return f"{figure:,.0f}"
    return f"{figure:.3g}"
