"""Task lists: which tasks wait, and who waits for them. A list is made by its first use; it costs nothing when empty."""

import heapq
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, NamedTuple


class ListKey(NamedTuple):
    """Names a task list. Lists of decisions and of activities never mix; ``kind`` is ``decision`` or ``activity``."""

    kind: str
    domain: str
    name: str


@dataclass(slots=True)
class TaskList:
    """
    The waiting tasks of one list, higher priority first, then by the time of scheduling; and its waiting polls.

    ``seen_s`` is when, on the machine's steady clock, it last got a task or a poll.
    """

    heap: list[tuple[int, int, int, int]] = field(default_factory=list)
    members: set[tuple[int, int]] = field(default_factory=set)
    polls: deque[Any] = field(default_factory=deque)
    seen_s: float = 0.0

    def add(self, run: int, event_id: int, priority: int, since: int) -> None:
        """Put a task in its place."""
        key = (run, event_id)
        if key in self.members:
            return
        self.members.add(key)
        self.seen_s = monotonic()
        heapq.heappush(self.heap, (-priority, since, run, event_id))

    def take(self) -> tuple[int, int]:
        """Take out the task that is next; there is one."""
        while True:
            key = heapq.heappop(self.heap)[2:]
            if key in self.members:
                self.members.remove(key)
                return key


class TaskLists:
    """All task lists of a service."""

    def __init__(self) -> None:
        self._lists: defaultdict[ListKey, TaskList] = defaultdict(TaskList)
        self._places: dict[tuple[int, int], TaskList] = {}

    def add(self, key: ListKey, run: int, event_id: int, priority: int, since: int) -> bool:
        """Let a task wait; return whether polls wait for it."""
        tasks = self._lists[key]
        tasks.add(run, event_id, priority, since)
        self._places[run, event_id] = tasks
        return bool(tasks.polls)

    def load(self, waiting: Iterable[tuple[str, str, str, int, int, int, int]]) -> None:
        """Let many tasks wait where none did: kind, domain, list, negative priority, since when, run, event id."""
        for kind, domain, name, *entry in waiting:
            tasks = self._lists[ListKey(kind, domain, name)]
            tasks.heap.append((entry[0], entry[1], entry[2], entry[3]))
            key = (entry[2], entry[3])
            tasks.members.add(key)
            self._places[key] = tasks
        for tasks in self._lists.values():
            heapq.heapify(tasks.heap)

    def matched(self) -> set[ListKey]:
        """Return the lists that have both tasks and polls."""
        return {key for key, tasks in self._lists.items() if tasks.members and tasks.polls}

    def remove(self, run: int, event_id: int) -> None:
        """Take a task out of its list, if it is in one."""
        tasks = self._places.pop((run, event_id), None)
        if tasks is not None:
            tasks.members.discard((run, event_id))
            if not tasks.members:
                tasks.heap.clear()

    def take(self, key: ListKey, alive: Callable[[], bool]) -> tuple[int, int] | None:
        """Take out the next task of a list, as (run, event id), for a caller that is there to be given it."""
        tasks = self._lists[key]
        tasks.seen_s = monotonic()
        if not tasks.members or not alive():
            return None
        taken = tasks.take()
        del self._places[taken]
        return taken

    def last_seen_s(self) -> float | None:
        """Return when a list in which tasks wait last got a task or a poll; None where no task waits."""
        return max((tasks.seen_s for tasks in self._lists.values() if tasks.members), default=None)

    def count(self, key: ListKey) -> int:
        """Return how many tasks wait in a list."""
        return len(self._lists[key].members) if key in self._lists else 0

    def waiting(self) -> Iterator[tuple[ListKey, set[tuple[int, int]]]]:
        """Return the lists in which tasks wait, each with its tasks as (run, event id)."""
        return ((key, tasks.members) for key, tasks in self._lists.items() if tasks.members)

    def polls(self, key: ListKey) -> deque[Any]:
        """Return the polls that wait at a list, the longest-waiting first."""
        return self._lists[key].polls

    def forget_tasks(self) -> None:
        """Empty all lists of tasks; the polls stay."""
        self._places.clear()
        for tasks in self._lists.values():
            tasks.heap.clear()
            tasks.members.clear()
