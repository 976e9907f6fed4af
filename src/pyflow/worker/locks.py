"""
Who holds a lock that workflow code waits for: the usual way to block a decider for good.

A lock that one run holds while it waits in ``result()`` is never let go by anything that this thread could do, and the next run
that wants it stops the thread. Python's locks do not know who holds them. But the code that waits names the lock, and so does
the code that holds it.
"""

from collections.abc import Iterable, Iterator
from types import FrameType
from typing import Any

from pyflow.replay.invocations import format_place
from pyflow.run import Run

MEMBERS_MAX = 1_000


def holders(frame: FrameType | None, runs: Iterable[Run]) -> list[str]:
    """
    Say, for each locked lock that the innermost frames of waiting code name, which parked runs name it too.

    Args:
        frame: where the code stands; its thread does not run meanwhile.
        runs: the runs that are kept by the same thread.
    """
    wanted: dict[int, str] = {}
    depth = 0
    while frame is not None and depth < 5:
        for name, thing in _named(frame):
            if _is_locked(thing):
                wanted.setdefault(id(thing), name)
        frame, depth = frame.f_back, depth + 1
    if not wanted:
        return []
    told = []
    for run in runs:
        for parked in run.frames():
            shared = next((wanted[id(thing)] for _, thing in _named(parked) if id(thing) in wanted), None)
            if shared is not None:
                place = format_place((parked.f_code, parked.f_lasti))
                told.append(
                    f"the lock {shared}, which workflow id {run.workflow_id!r}, run id {run.run_id!r}, seems to hold over its "
                    f"wait at {place}"
                )
                break
    return told


def _is_locked(thing: Any) -> bool:
    """Tell whether something is a lock that somebody holds."""
    if not (hasattr(type(thing), "acquire") and hasattr(type(thing), "release")):
        return False
    locked = getattr(type(thing), "locked", None)
    # RLock has no locked() before Python 3.14, and a semaphore none at all; each says it when printed
    return bool(locked(thing)) if locked is not None else any(sign in repr(thing) for sign in ("<locked", "value=0"))


def _named(frame: FrameType) -> Iterator[tuple[str, Any]]:
    """Yield what a frame's code names: its locals, the globals that its code uses, and the members of both objects' instances."""
    names = dict(frame.f_locals)
    names.update((name, frame.f_globals[name]) for name in frame.f_code.co_names if name in frame.f_globals)
    for name, thing in names.items():
        yield name, thing
        members = getattr(thing, "__dict__", None)
        if isinstance(members, dict) and len(members) <= MEMBERS_MAX:
            yield from ((f"{name}.{member}", value) for member, value in list(members.items()))
