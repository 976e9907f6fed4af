"""
Every order: a workflow run under the orders in which completions, signals, timers, cancels, crashes and timeouts may come.

A schedule is what was chosen at each point where several things could happen next. They are tried in the order of how much
they deviate from the plain course of things; the first that breaks an invariant is made as small as it goes, and kept.
"""

import hashlib
import logging
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from pyflow.exceptions import PyflowException
from pyflow.history.files import History, load, save
from pyflow.swf.events import attributes_of

from .elsewhere import ReplayedElsewhereException, replay_elsewhere
from .exploration import Exploration, ScheduleFailedException
from .invariants import Invariants
from .schedules import (
    Chooser,
    Drawn,
    Frontier,
    Point,
    Randomly,
    Script,
    Strict,
    WrongScheduleException,
    deviations,
    shrink,
)
from .stage import Ran, Scenario, Stage
from .watch import SpinningException
from .workers import Workers

__all__ = ["Search", "explore"]

__tracebackhide__ = True

ELSEWHERE_MAX: Final = 100
"""Histories that are replayed in another process, those first that deviate least."""


class Search(NamedTuple):
    """
    Which schedules are tried: one that is given, one that ``data`` draws, or many; see ``Flow.explore``.

    Attributes:
        max_schedules, max_depth: bounds.
        seed: draw them at random.
        data: Hypothesis' ``st.data()``.
        schedule: the labels of one, or its file.
    """

    max_schedules: int
    max_depth: int
    seed: int | None
    data: Any
    schedule: Sequence[str] | str | Path | None


def explore(
    workers: Workers,
    scenario: Scenario,
    invariants: Invariants,
    search: Search,
    *,
    folder: Path | None,
    elsewhere: bool,
) -> Exploration:
    """
    Explore a scenario with what workers serve; see ``Flow.explore``.

    Raises:
        ScheduleFailedException: an invariant does not hold in one of the schedules.
    """
    began_s = time.monotonic()
    stage = Stage(workers, scenario)
    explorer = Explorer(stage, invariants, search.max_depth, folder, elsewhere)
    try:
        if search.schedule is not None:
            return explorer.one(Script(_read(search.schedule)))
        with _without_logs():
            if search.data is not None:
                return explorer.one(Drawn(search.data))
            if search.seed is not None:
                return explorer.at_random(search.seed, search.max_schedules)
            return explorer.everything(search.max_schedules)
    finally:
        explorer.report.seconds = time.monotonic() - began_s
        stage.close()


@dataclass
class Explorer:
    """
    Looks for a schedule that breaks an invariant.

    Attributes:
        folder: where a failure's history is written; None: nowhere.
        elsewhere: replay what was seen in another process, too.
    """

    stage: Stage
    invariants: Invariants
    max_depth: int
    folder: Path | None
    elsewhere: bool
    seen: list[tuple[list[Point], str, list[dict[str, Any]]]] = field(default_factory=list)
    report: Exploration = field(default_factory=Exploration)

    def everything(self, max_schedules: int) -> Exploration:
        """
        Try all schedules, those first that deviate least, up to a number.

        Raises:
            ScheduleFailedException: one breaks an invariant.
        """
        frontier = Frontier(self.max_depth)
        for prefix in frontier:
            if self.report.schedules >= max_schedules:
                break
            ran = self._attempt(Strict(prefix), partial(self._is_known, frontier, len(prefix)))
            frontier.cut += ran.ended == "cut"
            frontier.add_successors(prefix, ran.points)
        else:
            self.report.complete = frontier.exhausted
        self._replay_elsewhere()
        return self.report

    def at_random(self, seed: int, max_schedules: int) -> Exploration:
        """
        Try schedules that are drawn.

        Raises:
            ScheduleFailedException: one breaks an invariant.
        """
        for number in range(max_schedules):
            self._attempt(Randomly(f"{seed} {number}"))
        self._replay_elsewhere()
        return self.report

    def one(self, chooser: Chooser) -> Exploration:
        """
        Try one schedule.

        Raises:
            ScheduleFailedException: it breaks an invariant; nothing is made smaller.
            WrongScheduleException: it does not fit.
        """
        error = self._error_of(chooser)
        if isinstance(error, WrongScheduleException):
            raise error
        if error is not None:
            raise self._failure(error, self.stage.points, "as it was given") from error
        return self.report

    # -- inside

    def _attempt(self, chooser: Chooser, is_known: Callable[[Any], bool] | None = None) -> Ran:
        try:
            return self._run(chooser, is_known)
        except (KeyboardInterrupt, MemoryError):
            raise
        except Exception as error:
            if not self.stage.started.executions:
                raise  # nothing could be started: a wrong parameter, and no matter of order
            raise self._shrunk(error) from error

    def _run(self, chooser: Chooser, is_known: Callable[[Any], bool] | None = None) -> Ran:
        report = self.report
        report.schedules += 1
        ran = self.stage.run_schedule(chooser, self.max_depth, is_known)
        if ran.ended == "closed":
            self.invariants.hold(self.stage, ran)
            self._note(ran)
            status = type(ran.result).__name__ if isinstance(ran.result, Exception) else "completed"
            report.outcomes[status] = report.outcomes.get(status, 0) + 1
        report.pruned += ran.ended == "known"
        report.cut += ran.ended == "cut"
        if report.cut == report.schedules:
            raise SpinningException(
                f"no end after {self.max_depth} steps: does a loop in it ever end? If it does, give a greater max_depth",
                None,
            )
        return ran

    def _note(self, ran: Ran) -> None:
        """Keep a history for the other process, if it is of the class that is explored: it may have gone on as another."""
        main = self.stage.main
        if self.elsewhere and len(self.seen) < ELSEWHERE_MAX:
            events = main.history
            type_ = attributes_of(events[0])["workflowType"]
            if (type_["name"], type_["version"]) == (main.workflow.NAME, main.workflow.VERSION):
                self.seen.append((list(ran.points), main.run_id, events))

    def _replay_elsewhere(self) -> None:
        """
        Replay what was seen in another process.

        Raises:
            ScheduleFailedException: it does something else there.
        """
        if not self.elsewhere:
            return
        main = self.stage.main
        try:
            histories = [(main.workflow_id, run_id, events) for _, run_id, events in self.seen]
            self.report.not_elsewhere = replay_elsewhere(main.workflow, histories)
        except ReplayedElsewhereException as error:
            points = self.seen[error.number][0]
            self._error_of(Script([point.label for point in points]))
            raise self._failure(error, points, "found in another process") from error

    def _error_of(self, chooser: Chooser) -> Exception | None:
        try:
            self._run(chooser)
        except Exception as error:
            return error
        return None

    def _is_known(self, frontier: Frontier, prefix_length: int, state: Any) -> bool:
        """Tell whether a state behind a schedule's last deviation was reached before; those before it all were."""
        return len(self.stage.points) >= prefix_length and frontier.is_known(state)

    def _shrunk(self, error: Exception) -> ScheduleFailedException:
        """Make the schedule that has just failed as small as it goes, and say all about it."""
        points = list(self.stage.points)
        found = f"found after {self.report.schedules} schedules"

        def attempt(labels: Sequence[str]) -> Sequence[Point] | None:
            failed = self._error_of(Script(labels, lenient=True))
            return list(self.stage.points) if type(failed) is type(error) else None

        smallest = shrink(points, attempt)
        again = self._error_of(Script([point.label for point in smallest]))
        if type(again) is not type(error):
            return self._failure(
                error,
                points,
                f"{found}; run again it does not fail so: something is kept from one run to the next, outside of the workflow",
            )
        found += f", made smaller from {deviations(points)} unusual steps to {deviations(smallest)}"
        return self._failure(again, self.stage.points, found)

    def _failure(self, error: Exception, points: Sequence[Point], found: str) -> ScheduleFailedException:
        stage = self.stage
        path = None if self.folder is None else _keep(stage, self.folder, [point.label for point in points])
        failure = ScheduleFailedException(stage.main.title, error, points, found, stage.started.story(), path)
        failure.__cause__ = error
        return failure


@contextmanager
def _without_logs() -> Iterator[None]:
    """Log nothing: a thousand runs would say the same thing a thousand times."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def _keep(stage: Stage, folder: Path, labels: list[str]) -> Path:
    """Write the histories of a failing schedule; the first file is the execution's own."""
    folder.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256("\n".join(labels).encode()).hexdigest()[:8]
    first: Path | None = None
    for number, (workflow, workflow_id, run_id, events) in enumerate(stage.started.recorded(), 1):
        if workflow is None or (number > 1 and stage.workers.served.is_stand_in(workflow)):
            continue
        name = re.sub(r"[^\w.-]+", "_", f"{stage.main.workflow.NAME}-{digest}" + (f".{number}" if number > 1 else ""))
        path = folder / f"{name}.history.json"
        type_ = {"name": str(workflow.NAME), "version": workflow.VERSION}
        save(History(events, type_, stage.workers.domain, workflow_id, run_id, schedule=labels), path)
        first = first or path
    assert first is not None
    return first


def _read(schedule: Sequence[str] | str | Path) -> Sequence[str]:
    """Return the labels of a schedule, or of the one that a file was kept with."""
    if not isinstance(schedule, (str, Path)):
        return schedule
    kept = load(schedule).schedule
    if kept is None:
        raise PyflowException(f"{schedule} holds a history and no schedule: it was not kept by flow.explore")
    return kept
