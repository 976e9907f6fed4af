"""Where the executions of a service stand: for whoever explores what may happen next, and wants to know where it was before."""

from typing import NamedTuple

from .engine import Engine
from .state import Execution


class Deadline(NamedTuple):
    """
    Something that time ends.

    Attributes:
        kind: ``timer``, ``activity``, ``lambda``, ``decision``, or ``execution`` (its own timeout).
        run_id: of the execution.
        id: the timer's, activity's or function's; empty for the others.
        taken: whether somebody has taken the activity, function or decision.
    """

    kind: str
    run_id: str
    id: str
    taken: bool


class Position(NamedTuple):
    """
    Where everything stands.

    Attributes:
        state: equal where the executions have the same events at the same times, and the same heartbeats, in whatever order what
            happened in one execution and in another came.
        open: the workflow ids of the open executions.
        due: what ends at the next deadline.
        canceling: the started activity tasks that were asked to cancel, as (run id, activity id).
        lambdas: the functions that wait to be run, in their order.
    """

    state: tuple[object, ...]
    open: frozenset[str]
    due: list[Deadline]
    canceling: frozenset[tuple[str, str]]
    lambdas: list[str]


class Positions:
    """Looks where a service stands, each time only at what is new."""

    def __init__(self) -> None:
        self._seen: dict[int, tuple[int, int]] = {}

    def now(self, engine: Engine, lambdas: list[str]) -> Position:
        """Look."""
        state: list[object] = [engine.clock.now_ms()]
        canceling: list[tuple[str, str]] = []
        open_ids: list[str] = []
        for run in engine.runs:
            execution = engine.find(run)
            if execution is None:
                continue
            state.append(self._digest(engine, execution))
            if execution.open:
                open_ids.append(execution.workflow_id)
            for task in execution.activities.values():
                if task.started_id:
                    state.append((run, task.event_id, task.heartbeat_at, task.details))
                    if task.cancel_requested_id:
                        canceling.append((execution.run_id, task.attributes["activityId"]))
        return Position(tuple(state), frozenset(open_ids), _due(engine), frozenset(canceling), lambdas)

    def _digest(self, engine: Engine, execution: Execution) -> int:
        last_id, digest = self._seen.get(execution.run, (0, 0))
        if last_id < execution.last_id:
            for event in engine.read_events(execution, last_id + 1, execution.last_id):
                digest = hash((digest, event))
            self._seen[execution.run] = (execution.last_id, digest)
        return digest


def _due(engine: Engine) -> list[Deadline]:
    """Return what ends at the next deadline."""
    next_due = engine.deadlines.next_due()
    keys = sorted(key for key, at in engine.deadlines if at == next_due)
    return [_deadline(engine.execution(run), event_id) for run, event_id in keys]


def _deadline(execution: Execution, event_id: int) -> Deadline:
    run_id = execution.run_id
    if (timer := execution.timers.get(event_id)) is not None:
        return Deadline("timer", run_id, timer.attributes["timerId"], taken=False)
    if (activity := execution.activities.get(event_id)) is not None:
        return Deadline("activity", run_id, activity.attributes["activityId"], taken=bool(activity.started_id))
    if (function := execution.lambdas.get(event_id)) is not None:
        return Deadline("lambda", run_id, function.attributes["id"], taken=bool(function.started_id))
    return Deadline("execution" if event_id == 1 else "decision", run_id, "", taken=execution.started is not None)
