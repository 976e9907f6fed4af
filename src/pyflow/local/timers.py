"""The deadlines of everything open, in the order of their time."""

import heapq
from collections.abc import Iterable, Iterator
from typing import Final

Key = tuple[int, int]
SLACK: Final = 1_024


class Deadlines:
    """
    Which deadline comes next.

    A deadline belongs to (run, event id) and is armed once: arming again moves it. Equal times go by run, then by event.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, int]] = []
        self._armed: dict[Key, int] = {}

    def load(self, deadlines: Iterable[tuple[int, int, int]]) -> None:
        """Set many deadlines, as (due, run, event id), where there were none."""
        self._heap = list(deadlines)
        self._armed = {(run, event_id): due for due, run, event_id in self._heap}
        heapq.heapify(self._heap)

    def arm(self, run: int, event_id: int, due: int) -> None:
        """Set the deadline."""
        key = (run, event_id)
        before = self._armed.get(key)
        self._armed[key] = due
        # A deadline that moves out (each heartbeat does that) is found at its old place and put where it belongs then.
        if before is None or due < before:
            heapq.heappush(self._heap, (due, run, event_id))
            if len(self._heap) > 2 * len(self._armed) + SLACK:
                self._heap = [(due, *key) for key, due in self._armed.items()]
                heapq.heapify(self._heap)

    def disarm(self, run: int, event_id: int) -> None:
        """Take the deadline away, if it has one."""
        self._armed.pop((run, event_id), None)

    def __iter__(self) -> Iterator[tuple[Key, int]]:
        """Give each, as ((run, event id), due), in no order."""
        return iter(self._armed.items())

    def next_due(self) -> int | None:
        """Return the time of the next deadline."""
        heap = self._heap
        while heap:
            due, run, event_id = heap[0]
            armed = self._armed.get((run, event_id))
            if armed == due:
                return due
            heapq.heappop(heap)
            if armed is not None and armed > due:
                heapq.heappush(heap, (armed, run, event_id))
        return None

    def pop(self, now: int) -> tuple[int, int, int] | None:
        """Take out the next deadline that has come, as (due, run, event id)."""
        # The first of the heap is no later than the next deadline: mostly this is all.
        if not self._heap or self._heap[0][0] > now:
            return None
        due = self.next_due()
        if due is None or due > now:
            return None
        entry = heapq.heappop(self._heap)
        del self._armed[entry[1:]]
        return entry
