"""Mismatch: what code asks for and history does not hold, or the other way round; it is never guessed at (contract 6)."""

from collections.abc import Callable
from typing import Any

from pyflow.exceptions import NondeterminismException
from pyflow.swf.events import HistoryEvent

from .invocations import Invocation, format_place

Locate = Callable[[], str | None]
"""Gives ``file:line in function`` of where the code waits."""


def unasked(
    event: HistoryEvent, match_id: str, name: Any, instead: Invocation | None, locate: Locate
) -> NondeterminismException:
    """Return the error for an event that answers what code did not ask for; ``instead`` is what it asks for, if anything."""
    event_id, event_type, _ = event
    if isinstance(name, dict):
        name = f"{name.get('name')} {name.get('version')}"
    about = " ".join(part for part in (match_id, f"({name})" if name else "") if part)
    return _parting(f"{event_type} {about}".rstrip(), instead, event_id, locate)


def unanswered(asked: Invocation, answered_at: int, locate: Locate) -> NondeterminismException:
    """Return the error for what code asked for, and the response that should have held it did not."""
    return _parting(f"no decision for it in the response at event {answered_at}", asked, answered_at, locate)


def _parting(expected: str, asked: Invocation | None, event_id: int, locate: Locate) -> NondeterminismException:
    if asked is None:
        return NondeterminismException(expected, None, event_id=event_id, where=locate())
    return NondeterminismException(expected, str(asked), event_id=event_id, where=format_place(asked.where) or locate())
