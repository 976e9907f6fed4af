"""
What the service knows of an execution beside its history: its settings and what is open in it.

Rules change these objects; the store keeps them. Each open item is named by the event that opened it, and everything about
it that cannot change is in that event's attributes.

Times are milliseconds since the epoch, as integers; so nothing is ever rounded.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

from msgspec import Struct

Attributes = dict[str, Any]


class Event(Struct, frozen=True, gc=False):
    """
    One event as it is kept: ``attributes`` is the JSON text of its attributes.

    There are many of these, and they hold nothing that leads back to them: the garbage collector need not look at them.
    """

    id: int
    type: str
    at: int
    attributes: str


class Parent(NamedTuple):
    """Whose child an execution is: the parent's run number and names, and the event of the parent that asked for it."""

    run: int
    workflow_id: str
    run_id: str
    initiated_id: int


@lru_cache(maxsize=1024)
def milliseconds(duration: str | None) -> int | None:
    """Return SWF's duration (text of seconds, ``NONE``, or nothing) in milliseconds; None is no limit."""
    return None if duration is None or duration in ("NONE", "") else int(duration) * 1000


@dataclass(slots=True, eq=False)
class OpenItem:
    """
    Something open in an execution.

    ``due`` is when time closes or fires it; None is never. ``stored_in`` is the store's note of the table that holds its row.
    """

    event_id: int
    opened_at: int
    attributes: Attributes
    due: int | None = None
    closed: bool = False
    stored_in: str | None = None
    dirty: bool = False


@dataclass(slots=True, eq=False)
class DecisionTask(OpenItem):
    """A decision task: waiting while ``started_id`` is 0, then with a decider."""

    started_id: int = 0
    started_at: int = 0
    available: bool = False

    @property
    def waiting(self) -> bool:
        """Whether a poll may be given it: not started, and none before it is."""
        return self.available and not self.started_id and not self.closed


@dataclass(slots=True, eq=False)
class ActivityTask(OpenItem):
    """An activity task: waiting while ``started_id`` is 0, then with a worker."""

    started_id: int = 0
    started_at: int = 0
    heartbeat_at: int = 0
    details: str | None = None
    cancel_requested_id: int = 0

    @property
    def waiting(self) -> bool:
        """Whether a poll may be given it."""
        return not self.started_id and not self.closed

    def next_timeout(self) -> tuple[int, str] | None:
        """Return the earliest of its deadlines and the kind of timeout it is; at equal times the order below decides."""
        asked = self.attributes
        spans: tuple[tuple[int, str, str], ...]
        if self.started_id:
            spans = (
                (self.started_at, "startToCloseTimeout", "START_TO_CLOSE"),
                (self.opened_at, "scheduleToCloseTimeout", "SCHEDULE_TO_CLOSE"),
                (self.heartbeat_at, "heartbeatTimeout", "HEARTBEAT"),
            )
        else:
            spans = (
                (self.opened_at, "scheduleToStartTimeout", "SCHEDULE_TO_START"),
                (self.opened_at, "scheduleToCloseTimeout", "SCHEDULE_TO_CLOSE"),
            )
        best: tuple[int, str] | None = None
        for since, member, kind in spans:
            span = milliseconds(asked.get(member))
            if span is not None and (best is None or since + span < best[0]):
                best = (since + span, kind)
        return best


@dataclass(slots=True, eq=False)
class Timer(OpenItem):
    """A timer that runs."""


@dataclass(slots=True, eq=False)
class LambdaTask(OpenItem):
    """A Lambda function asked for: waiting for a thread while ``started_id`` is 0, then running."""

    started_id: int = 0


@dataclass(slots=True, eq=False)
class Child(OpenItem):
    """A child execution; ``started_id`` is 0 until it runs."""

    run: int = 0
    run_id: str = ""
    started_id: int = 0


@dataclass(slots=True, eq=False)
class Execution:
    """
    One run.

    ``run`` is the service's own number for it. ``scheduled`` and ``started`` are its decision tasks, at most one each. A sticky
    task list, ``(name, seconds)``, overrides ``task_list`` until a decision task on it is not answered in time.
    """

    run: int
    domain: str
    workflow_id: str
    run_id: str
    type_name: str
    type_version: str
    opened_at: int
    task_list: str
    task_timeout: str
    execution_timeout: str
    child_policy: str
    priority: str | None = None
    lambda_role: str | None = None
    tag_list: list[str] = field(default_factory=list)
    parent: Parent | None = None

    last_id: int = 0
    last_at: int = 0
    due: int | None = None
    close_status: str | None = None
    closed_at: int | None = None
    cancel_requested: bool = False
    previous_started_id: int = 0
    context_id: int = 0
    sticky: tuple[str, str] | None = None

    scheduled: DecisionTask | None = None
    started: DecisionTask | None = None
    activities: dict[int, ActivityTask] = field(default_factory=dict)
    timers: dict[int, Timer] = field(default_factory=dict)
    children: dict[int, Child] = field(default_factory=dict)
    lambdas: dict[int, LambdaTask] = field(default_factory=dict)
    activity_ids: dict[str, ActivityTask] = field(default_factory=dict)
    timer_ids: dict[str, Timer] = field(default_factory=dict)
    lambda_ids: dict[str, LambdaTask] = field(default_factory=dict)

    recent: list[Event] = field(default_factory=list)
    stored: bool = False
    dirty: bool = False

    @property
    def open(self) -> bool:
        """Whether it still runs."""
        return self.close_status is None

    @property
    def event_id(self) -> int:
        """The event that opened it, which names its own timeout among those of its items."""
        return 1

    @property
    def closed(self) -> bool:
        """The same question that is asked of open items."""
        return self.close_status is not None

    def reference(self) -> dict[str, str]:
        """Return its names in the API's form."""
        return {"workflowId": self.workflow_id, "runId": self.run_id}

    def workflow_type(self) -> dict[str, str]:
        """Return its type in the API's form."""
        return {"name": self.type_name, "version": self.type_version}

    def open_items(self) -> list[OpenItem]:
        """Return everything that ends with it."""
        items: list[OpenItem] = [task for task in (self.scheduled, self.started) if task]
        for group in (self.activities, self.timers, self.children, self.lambdas):
            items.extend(group.values())
        return items
