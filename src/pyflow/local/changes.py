"""
What groups of operations have changed, as rows: of one group, in the form in which it is kept at once; and of many together.

To write each group into the tables would cost more than all else: an event is there once, but an execution's row changes with
each of its decisions, and most tasks come and go within moments. So a group is kept as one row that says what it changed, and the
tables are brought up to date with the net change of many.
"""

from typing import Any, Final, Self

import msgspec
from msgspec import Struct

Row = tuple[Any, ...]
Key = tuple[int, int]
"""Run and event id."""


class ExecutionChange(Struct, array_like=True, frozen=True, gc=False):
    """``born`` are the values that never change, of an execution that no table holds yet; ``state`` those that do."""

    run: int
    born: Row | None
    state: Row


class ItemChange(Struct, array_like=True, frozen=True, gc=False):
    """``row`` None: it stands in this table no more. ``is_new``: before, it did not."""

    table: str
    key: Key
    row: Row | None
    is_new: bool


class Change(Struct, array_like=True, frozen=True):
    """What one group has changed. Events in order; of each execution, and of each item in a table, the last state."""

    events: list[Row]
    executions: list[ExecutionChange]
    items: list[ItemChange]

    def encode(self) -> bytes:
        """Return it as it is kept."""
        return _write(self)

    @classmethod
    def decode(cls, kept: bytes) -> Self:
        """
        Read it again.

        Raises:
            ValueError: this is none.
        """
        return msgspec.msgpack.decode(kept, type=cls)


_write: Final = msgspec.msgpack.Encoder().encode


class NetChange:
    """What comes of several changes, one after the other: a task that came and went is not in it."""

    def __init__(self, *changes: Change) -> None:
        self.events: list[Row] = []
        self.born: dict[int, Row] = {}
        self.states: dict[int, Row] = {}
        self.items: dict[str, dict[Key, Row | None]] = {}
        self._new: set[tuple[str, Key]] = set()
        for change in changes:
            self.add(change)

    def add(self, change: Change) -> None:
        """Take in what was changed next."""
        self.events += change.events
        for execution in change.executions:
            if execution.born is not None:
                self.born[execution.run] = execution.born
            self.states[execution.run] = execution.state
        for item in change.items:
            rows = self.items.setdefault(item.table, {})
            key = item.key
            if item.row is None and (item.table, key) in self._new:
                self._new.remove((item.table, key))
                del rows[key]
                continue
            if item.is_new and key not in rows:
                self._new.add((item.table, key))
            rows[key] = item.row
