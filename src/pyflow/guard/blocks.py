"""
What code holds while it waits: a lock that other runs of its thread want too, or a change to the whole process.

Seen are ``with`` blocks around a wait whose object can be told by its name. A lock taken by ``acquire`` is not.
"""

import ast
import contextlib
import threading
import warnings
from collections.abc import Iterable
from inspect import getattr_static
from itertools import islice
from types import FrameType
from typing import Any, Final

from pyflow._fiber import Fiber, Spot
from pyflow.replay.invocations import Place
from pyflow.strands import Strand

from .source import source_of
from .watch import Guard, Hazard

Block = tuple[ast.expr, int]
"""What a ``with`` is given, and its line."""

LOCKS: Final = (type(threading.Lock()), type(threading.RLock()), threading.Condition)
CHANGES: Final = {
    warnings.catch_warnings: "catch_warnings()",
    contextlib.redirect_stdout: "redirect_stdout()",
    contextlib.redirect_stderr: "redirect_stderr()",
    contextlib.chdir: "chdir()",
}
STRANDS_MAX: Final = 20

_UNKNOWN: Final = object()


def look_at_blocks(guard: Guard, strands: Iterable[Strand]) -> None:
    """
    Look at the ``with`` blocks around the waits where a decision task leaves its run.

    Args:
        guard: the run's.
        strands: the run's; a thousand of them mostly wait at one place, and the first tell.

    Raises:
        GuardException: in strict mode, if something is held there.
    """
    for strand in islice(strands, STRANDS_MAX):
        wait = strand.wait
        if wait is None:
            continue
        stack = strand.stack(wait)
        for spot in stack:
            if spot.blocks != ():
                _look_at(guard, strand.fiber, stack)
                break


def _look_at(guard: Guard, fiber: Fiber, stack: Iterable[Spot]) -> None:
    for spot, frame in zip(stack, fiber.frames(), strict=True):
        if spot.blocks is None:
            spot.blocks = _around(spot.place)
        for expression, line in spot.blocks:
            hazard = _hazard_of(expression, frame, f"{spot.place[0].co_filename}:{line}")
            if hazard is not None:
                guard.met(hazard, frame)


def _around(place: Place) -> tuple[Block, ...]:
    """Return the blocks around a place."""
    code, offset = place
    source = source_of(code.co_filename)
    if source is None or not source.withs:
        return ()
    line = next((line for start, end, line in code.co_lines() if start <= offset < end), None)
    around = source.withs_around(code, line) if line is not None else []
    return tuple((item.context_expr, node.lineno) for node in around for item in node.items)


def _hazard_of(expression: ast.expr, frame: FrameType, where: str) -> Hazard | None:
    if isinstance(expression, ast.Call):
        function = _resolve(expression.func, frame)
        what = CHANGES.get(function) if isinstance(function, type) else None
        if what is None:
            return None
        return Hazard(
            f"waiting inside of {what} at {where}",
            "what it changes, it changes for every run of the process: leave the block before the wait",
        )
    held = _resolve(expression, frame)
    if not isinstance(held, LOCKS) and not type(held).__module__.startswith("multiprocessing."):
        return None
    return Hazard(
        f"waiting with a lock held, taken at {where}",
        "the next run of this thread that wants it stops the decider, or gets in beside this one: give it back before the "
        "wait; one run's own code needs none",
    )


def _resolve(expression: ast.expr, frame: FrameType) -> Any:
    """Return what a name, or a name with attributes, leads to; nothing of the author's is called."""
    if isinstance(expression, ast.Name):
        name = expression.id
        return frame.f_locals.get(name, frame.f_globals.get(name, _UNKNOWN))
    if isinstance(expression, ast.Attribute):
        base = _resolve(expression.value, frame)
        return _UNKNOWN if base is _UNKNOWN else getattr_static(base, expression.attr, _UNKNOWN)
    return _UNKNOWN
