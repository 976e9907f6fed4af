"""What an exploration looked at, and how it says that a schedule fails."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pyflow.exceptions import PyflowException

from .schedules import Point

__all__ = ["Exploration", "ScheduleFailedException"]


class ScheduleFailedException(PyflowException):
    """
    A workflow breaks an invariant in one of the orders in which things may come. ``__cause__`` is what broke.

    Args:
        title: of the workflow.
        error: what broke.
        points: the schedule.
        found: how it was found, for people.
        story: what happened.
        path: the file with its history.

    Attributes:
        schedule: what happened at each point where something else could have, in words; ``flow.explore(schedule=...)`` runs
            it again.
        path: the history as a file; None if nothing was to be written.
    """

    def __init__(
        self, title: str, error: BaseException, points: Sequence[Point], found: str, story: str, path: Path | None
    ) -> None:
        self.schedule = [point.label for point in points]
        self.path = path
        lines = [f"{title} fails in one order of what may come: {type(error).__name__}: {error}", f"  {found}", ""]
        for number, point in enumerate(points, 1):
            instead = "" if point.chosen == 0 else f"    (the plain course: {point.labels[0]})"
            lines.append(f"  {'*' if point.chosen else ' '}{number:3} {point.label}{instead}")
        lines += ["", story, "", f"to run it again: flow.explore(..., schedule={json.dumps(self.schedule)})"]
        if path is not None:
            lines.append(f"its history and schedule are in {path}; schedule={str(path)!r} does the same")
        super().__init__("\n".join(lines))


@dataclass
class Exploration:
    """
    What an exploration without failure looked at.

    Attributes:
        schedules: how many were run.
        pruned: how many of them ended early, where another one had been already.
        cut: how many of them were longer than ``max_depth`` steps.
        complete: whether there is no other schedule.
        seconds: how long it took, in real time.
        not_elsewhere: why the histories were not replayed in another process; None if they were, or were not to be.
        outcomes: what the execution came to, ``completed`` or an exception, with how many schedules came to it.
    """

    schedules: int = 0
    pruned: int = 0
    cut: int = 0
    complete: bool = False
    seconds: float = 0.0
    not_elsewhere: str | None = None
    outcomes: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        """Say it in a line."""
        all_of = "all" if self.complete else "not all"
        return (
            f"{self.schedules} schedules in {self.seconds:.2f} s ({all_of} there are; {self.pruned} came to where another had "
            f"been, {self.cut} were cut): " + ", ".join(f"{count} {kind}" for kind, count in self.outcomes.items())
        )
