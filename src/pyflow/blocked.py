"""Where the code of a run is blocked, and on what: the text for people in the execution context."""

import json
from itertools import islice
from reprlib import Repr
from types import FrameType
from typing import Any, Final

from .converter import cut
from .future import InvocationFuture, Wait
from .strands import Strands

CONTEXT_MAX: Final = 2_048
"""Characters of it, unless told otherwise; SWF takes 32,768."""

LINES_MAX: Final = 200
"""Lines behind which no further fiber is looked at."""


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
    lines: list[str] = []
    if status is not None:
        lines.append(f"status {json.dumps(status, default=repr)}")
    for strand in strands:
        if strand.wait is not None:
            who = f"f{strand.number} " if strand.number else ""
            frames = list(strand.fiber.frames())
            lines += [f"{who}waiting at {_place(frames[0])}" if frames else f"{who}waiting at pyflow"]
            lines += [f"  for {_told(strand.wait)}"]
            for number, frame in enumerate(frames):
                if number:
                    lines.append(f"  called at {_place(frame)}")
                if show_locals:
                    lines += _locals(frame)
        if len(lines) > LINES_MAX:
            break  # the rest would be cut off: a thousand fibers are not looked at for nothing
    return cut("\n".join(lines), CONTEXT_MAX)


def _place(frame: FrameType) -> str:
    # A frame knows its line; to look it up in its code, as for a place that was noted, costs more.
    return f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_qualname}"


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
    if wait.what is None:
        return "something"
    if isinstance(wait.what, str):
        return wait.what
    if isinstance(wait.what, InvocationFuture):  # nearly every wait
        return str(wait.what.invocation)
    futures = wait.what if isinstance(wait.what, list) else [wait.what]
    open_ones = [str(getattr(future, "invocation", None) or future._who()) for future in futures if not future.done]  # noqa: SLF001 - for people
    more = f" and {len(open_ones) - 5} more" if len(open_ones) > 5 else ""
    return ", ".join(open_ones[:5]) + more
