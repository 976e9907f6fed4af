"""The polls that wait for a task: each in the line of its task list, and all of them in the order in which their time is over."""

from collections import OrderedDict
from collections.abc import Iterator
from time import monotonic
from typing import Final

from . import faults
from .calls import Call, Wait
from .tasklists import TaskLists

POLLERS_MAX: Final = 1_000


class Waiting:
    """
    Polls that wait.

    Args:
        task_lists: hold the lines.
        wait_s: how long each waits, in real time.
    """

    def __init__(self, task_lists: TaskLists, wait_s: float) -> None:
        self._task_lists = task_lists
        self._wait_s = wait_s
        self._polls: OrderedDict[Call, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._polls)

    def __iter__(self) -> Iterator[Call]:
        return iter(list(self._polls))

    def __contains__(self, call: Call) -> bool:
        return call in self._polls

    def add(self, call: Call, wait: Wait) -> None:
        """
        Let a poll wait.

        Raises:
            ServiceFault: LimitExceededFault, too many wait at its list already.
        """
        line = self._task_lists.polls(wait.key)
        if len(line) >= POLLERS_MAX:
            raise faults.limit_exceeded(f"{POLLERS_MAX} polls wait at task list {wait.key.name} already")
        call.waits_at = wait.key
        call.empty = wait.empty
        call.expires_s = monotonic() + self._wait_s
        line.append(call)
        self._polls[call] = None

    def remove(self, call: Call) -> bool:
        """Take a poll out of its line; return whether it stood in one."""
        if call not in self._polls:
            return False
        assert call.waits_at is not None
        del self._polls[call]
        self._task_lists.polls(call.waits_at).remove(call)
        return True

    def put_back(self, call: Call) -> None:
        """Let a poll wait at the head of its line again: what it was given was undone. A call that never waited does not."""
        if call.waits_at is not None and call not in self._polls:
            self._task_lists.polls(call.waits_at).appendleft(call)
            self._polls[call] = None
            self._polls.move_to_end(call, last=False)

    def pop_expired(self) -> Iterator[Call]:
        """Take out those whose time is over; all wait equally long, so the first in is the first out."""
        now_s = monotonic()
        while self._polls and (first := next(iter(self._polls))).expires_s <= now_s:
            self.remove(first)
            yield first

    def expires_s(self) -> float | None:
        """Return when, on the steady clock, the time of the first is over; None where none waits."""
        return next(iter(self._polls)).expires_s if self._polls else None
