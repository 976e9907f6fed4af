"""Where the code of a run is blocked, and on what: the text for people in the execution context."""

import json
from collections.abc import Iterator
from itertools import islice
from reprlib import Repr
from types import FrameType
from typing import Any, Final

from ._fiber import Spot
from .converter import cut
from .future import InvocationFuture, Wait
from .strands import Strand, Strands

CONTEXT_MAX: Final = 2_048
"""Characters of it, unless told otherwise; SWF takes 32,768."""

FIBERS_MAX: Final = 100
"""Fibers behind which no further one is looked at: a thousand of them would be cut off anyway."""

LOCALS_MAX: Final = 20
"""Local variables of a frame that are looked at."""

_SHORT: Final = Repr()
_SHORT.maxstring = _SHORT.maxother = 60


def blocked(strands: Strands, status: Any, *, show_locals: bool = False) -> str:
    """
    Return the author's status, and for each parked fiber its places, innermost first, and what it waits for.

    No source file is read: what tells is the code that is loaded.

    Args:
        strands: the run's.
        status: a JSON value, or None.
        show_locals: also what the code's local variables hold, as short as can be.
    """
    parts: list[str] = []
    if status is not None:
        parts.append(f"status {json.dumps(status, default=repr)}")
    for strand in strands.by_number.values():
        wait = strand.wait
        if wait is not None:
            stack = strand.stack(wait)
            who = f"f{strand.number} " if strand.number else ""
            parts.append(f"{who}waiting at {stack[0].text if stack else 'pyflow'}\n  for {_told(wait)}")
            if show_locals:
                parts += _with_locals(strand, stack)
            elif len(stack) > 1:
                parts += [f"  called at {spot.text}" for spot in stack[1:]]
        if len(parts) > FIBERS_MAX:
            break
    return cut("\n".join(parts), CONTEXT_MAX)


def _with_locals(strand: Strand, stack: list[Spot]) -> Iterator[str]:
    """Yield a line for each place that called, and below each place its local variables."""
    for number, (spot, frame) in enumerate(zip(stack, strand.fiber.frames(), strict=True)):
        if number:
            yield f"  called at {spot.text}"
        yield from _locals(frame)


def _locals(frame: FrameType) -> list[str]:
    """Return a line for each local variable; an object that cannot say what it is does not keep a run from its decision."""
    lines = []
    for name, value in islice(frame.f_locals.items(), LOCALS_MAX):
        if name != "self":
            try:
                text = _SHORT.repr(value)
            except Exception as error:
                text = f"its repr raised {type(error).__name__}"
            lines.append(f"    {name} = {' '.join(text.split())}")
    return lines


def _told(wait: Wait) -> str:
    """Say what a wait is for."""
    what = wait.what
    if isinstance(what, InvocationFuture):  # nearly every wait
        return str(what.invocation)
    if what is None:
        return "something"
    if isinstance(what, str):
        return what
    futures = what if isinstance(what, list) else [what]
    open_ones = [str(getattr(future, "invocation", None) or future._who()) for future in futures if not future.done]  # noqa: SLF001 - for people
    more = f" and {len(open_ones) - 5} more" if len(open_ones) > 5 else ""
    return ", ".join(open_ones[:5]) + more
