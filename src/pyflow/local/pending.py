"""What waits in a service for somebody to do it: for whoever plays all the workers in one thread."""

from typing import NamedTuple

from .engine import Engine


class Pending(NamedTuple):
    """
    What waits.

    Attributes:
        decisions: the task lists in which decision tasks wait.
        activities: the activity tasks that wait, as (task list, activity name, activity version).
        lambdas: how many Lambda functions wait to be run by hand.
        due_ms: when the next timer or timeout is due, in milliseconds since the epoch; None if none is armed.
        only_ends: nothing is armed but executions' own timeouts, and no child's comes before its parent's: time brings nothing
            to anybody but the end.
    """

    decisions: list[str]
    activities: list[tuple[str, str, str]]
    lambdas: int
    due_ms: int | None
    only_ends: bool


def pending_in(engine: Engine, domain: str, lambdas: int) -> Pending:
    """Look at what waits in a domain."""
    decisions: list[str] = []
    activities: list[tuple[str, str, str]] = []
    for key, tasks in engine.task_lists.waiting():
        if key.domain != domain:
            continue
        if key.kind == "decision":
            decisions.append(key.name)
            continue
        for run, event_id in tasks:
            type_ = engine.execution(run).activities[event_id].attributes["activityType"]
            activities.append((key.name, type_["name"], type_["version"]))
    due = engine.deadlines.next_due()
    only_ends = all(event_id == 1 and not _waited_for(engine, run, at) for (run, event_id), at in engine.deadlines)
    return Pending(decisions, activities, lambdas, due, only_ends)


def _waited_for(engine: Engine, run: int, due: int) -> bool:
    """Tell whether an execution that ends by its own timeout has a parent that hears of it."""
    parent = engine.execution(run).parent
    above = None if parent is None else engine.find(parent.run)
    return above is not None and above.open and (above.due is None or due < above.due)
