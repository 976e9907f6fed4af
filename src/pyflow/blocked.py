"""Where the code of a run is blocked, and on what: the text for people in the execution context."""

import json
from typing import Any, Final

from .converter import cut
from .future import InvocationFuture, Wait
from .strands import Strands

CONTEXT_MAX: Final = 2_048
"""Characters of it, unless told otherwise; SWF takes 32,768."""

LINES_MAX: Final = 200
"""Lines behind which no further fiber is looked at."""


def blocked(strands: Strands, status: Any) -> str:
    """
    Return the author's status, and for each parked fiber its places, innermost first, and what it waits for.

    No source file is read: what tells is the code that is loaded.
    """
    lines: list[str] = []
    if status is not None:
        lines.append(f"status {json.dumps(status, default=repr)}")
    for strand in strands:
        if strand.wait is not None:
            who = f"f{strand.number} " if strand.number else ""
            innermost, *outer = strand.fiber.lines() or ["pyflow"]
            lines += [f"{who}waiting at {innermost}", f"  for {_told(strand.wait)}"]
            lines += [f"  called at {place}" for place in outer]
        if len(lines) > LINES_MAX:
            break  # the rest would be cut off: a thousand fibers are not looked at for nothing
    return cut("\n".join(lines), CONTEXT_MAX)


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
