"""
Every order: a workflow run under the orders in which completions, signals, timers, cancels, crashes and timeouts may come.

A schedule is what was chosen at each point where several things could happen next. They are tried in the order of how much
they deviate from the plain course of things; the first that breaks an invariant is made as small as it goes, and kept.
"""

import hashlib
import json
import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pyflow.converter import JSON
from pyflow.exceptions import PyflowException, WorkflowCanceledException
from pyflow.history.files import History, load, save
from pyflow.run import Run
from pyflow.swf.events import attributes_of
from pyflow.workflow import Workflow

from .elsewhere import ReplayedElsewhereException, replay_elsewhere
from .flow import SpinningException
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

if TYPE_CHECKING:
    from .flow import Flow

__all__ = ["Exploration", "ScheduleFailedException", "SignalLostException"]

__tracebackhide__ = True

ELSEWHERE_MAX: Final = 100
"""Histories that are replayed in another process, those first that deviate least."""

Check = Callable[[Any, list[dict[str, Any]]], object]


class SignalLostException(PyflowException):
    """
    Signals came, and the code never received them.

    Args:
        lost: how many, by name.
    """

    def __init__(self, lost: dict[str, int]) -> None:
        self.lost = lost
        told = ", ".join(f"{name!r} ({count})" for name, count in lost.items())
        super().__init__(
            f"signals came and were never received: {told}. Receive them before run returns or continues as new, or hand them "
            f"on in its input"
        )


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


@dataclass
class Invariants:
    """
    What must hold in every schedule.

    Attributes:
        check: the author's.
        all_signals_received: no signal comes that the code never receives.
    """

    check: Check | None
    all_signals_received: bool

    def hold(self, stage: Stage, ran: Ran) -> None:
        """
        Look at a schedule that has come to its end.

        Raises:
            Exception: they do not hold.
        """
        if stage.replay:
            stage.check()
        if self.all_signals_received:
            lost = _lost_signals(stage)
            if lost:
                raise SignalLostException(lost)
        if self.check is not None:
            self.check(ran.result, stage.main.history)
        elif isinstance(ran.result, Exception) and not isinstance(ran.result, WorkflowCanceledException):
            raise ran.result


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
        failure = ScheduleFailedException(stage.main.title, error, points, found, stage.story(), path)
        failure.__cause__ = error
        return failure


def explore(
    flow: "Flow",
    workflow: type[Workflow],
    input: Any,
    *,
    check: Check | None,
    outcomes: Mapping[Any, Sequence[Any]] | Sequence[tuple[Any, Sequence[Any]]],
    signals: Sequence[tuple[str, Any]],
    cancel: bool,
    crashes: int,
    all_signals_received: bool,
    may_get_stuck: bool,
    max_schedules: int,
    max_depth: int,
    seed: int | None,
    data: Any,
    schedule: Sequence[str] | str | Path | None,
    setup: Callable[[], object] | None,
    elsewhere: bool,
    options: dict[str, Any],
) -> Exploration:
    """Explore; see ``Flow.explore``."""
    pairs = list(outcomes.items()) if isinstance(outcomes, Mapping) else list(outcomes)
    scenario = Scenario(workflow, input, options, list(signals), cancel, crashes, setup)
    began_s = time.monotonic()
    stage = Stage(flow, scenario, pairs, stuck_is_fine=may_get_stuck)
    elsewhere = elsewhere and flow.replay and flow.converter is JSON
    explorer = Explorer(stage, Invariants(check, all_signals_received), max_depth, flow.folder, elsewhere)
    try:
        if schedule is not None:
            return explorer.one(Script(_read(schedule)))
        with _without_logs():
            if data is not None:
                return explorer.one(Drawn(data))
            if seed is not None:
                return explorer.at_random(seed, max_schedules)
            return explorer.everything(max_schedules)
    finally:
        explorer.report.seconds = time.monotonic() - began_s
        stage.close()


@contextmanager
def _without_logs() -> Iterator[None]:
    """Log nothing: a thousand runs would say the same thing a thousand times."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


_LOST_AT_END: Final = "WorkflowExecutionSignaled"


def _lost_signals(stage: Stage) -> dict[str, int]:
    """Return the signals that the code of any run never received, by name."""
    lost: dict[str, int] = {}
    for workflow, workflow_id, run_id, events in stage.recorded():
        if workflow is None or stage.is_stand_in(workflow):
            continue
        run = Run(workflow, workflow_id, run_id, logs="never", converter=stage.converter)
        run.read_ahead(events)
        try:
            for event in events:
                if event["eventType"] == "DecisionTaskStarted" and not run.returned:
                    run.advance(events[run.last_event_id : event["eventId"]], event["eventId"])
            for name, count in run.runtime.inbox.left().items():
                lost[name] = lost.get(name, 0) + count
            for event in events[run.last_event_id :] if run.returned else []:
                if event["eventType"] == _LOST_AT_END:
                    name = event["workflowExecutionSignaledEventAttributes"]["signalName"]
                    lost[name] = lost.get(name, 0) + 1
        finally:
            run.close()
    return lost


def _keep(stage: Stage, folder: Path, labels: list[str]) -> Path:
    """Write the histories of a failing schedule; the first file is the execution's own."""
    folder.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256("\n".join(labels).encode()).hexdigest()[:8]
    first: Path | None = None
    for number, (workflow, workflow_id, run_id, events) in enumerate(stage.recorded(), 1):
        if workflow is None or (number > 1 and stage.is_stand_in(workflow)):
            continue
        name = re.sub(r"[^\w.-]+", "_", f"{stage.main.workflow.NAME}-{digest}" + (f".{number}" if number > 1 else ""))
        path = folder / f"{name}.history.json"
        type_ = {"name": str(workflow.NAME), "version": workflow.VERSION}
        save(History(events, type_, stage.domain, workflow_id, run_id, schedule=labels), path)
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
