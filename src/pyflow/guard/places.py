"""Whose code a frame is: the author's, pyflow's, what is installed, or what only watches."""

import sys
import sysconfig
from collections.abc import Iterator
from types import CodeType, FrameType
from typing import Final

from pyflow._fiber import PACKAGE

WATCHERS: Final = frozenset(
    # Imports, and what writes, formats or records what the code does: none of it is the workflow's doing.
    "importlib zipimport logging traceback linecache tokenize warnings weakref zoneinfo "
    "bdb pdb ipdb IPython pudb debugpy pydevd _pydevd_bundle _pydevd_frame_eval _pydev_bundle "
    "coverage tracemalloc pytest _pytest pluggy sentry_sdk opentelemetry ddtrace newrelic".split()
)
"""Top-level modules that may do anything, and whatever they call."""

_INSTALLED: Final = tuple(
    {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")} | {"<frozen "}
)
_PREFIXES: Final = tuple({sys.prefix, sys.base_prefix, "/usr/share/zoneinfo"})


def is_installed(filename: str) -> bool:
    """Tell whether a file of code is the standard library's or an installed package's."""
    return filename.startswith(_INSTALLED)


def comes_with_python(path: str) -> bool:
    """Tell whether a file lies where Python and its packages do: reading it is no more than an import."""
    return path.startswith(_PREFIXES)


def top_level(name: object) -> str:
    """Return the first part of a module's dotted name."""
    return name.partition(".")[0] if isinstance(name, str) else ""


def is_exempt(frame: FrameType | None) -> bool:
    """
    Tell whether what a frame does is not the workflow's doing.

    An import, a watcher, a finalizer, and what pyflow does when code calls it, such as storing a payload.
    """
    inside_pyflow = False
    for each in _outwards(frame):
        if each.f_code.co_filename.startswith(PACKAGE):
            inside_pyflow = True
        elif inside_pyflow:  # not the bottom of the fiber: code has called pyflow, and pyflow has called this
            return True
        if top_level(each.f_globals.get("__name__")) in WATCHERS or each.f_code.co_name == "__del__":
            return True
    return False


def place_of(frame: FrameType | None, package: str) -> tuple[CodeType, int] | None:
    """
    Return the innermost place of the author's, from a frame outwards; of anybody but pyflow, if there is none.

    Args:
        frame: where it happens.
        package: the top-level module of the workflow's class, which is the author's even if it is installed.
    """
    anybody = None
    for each in _outwards(frame):
        filename = each.f_code.co_filename
        if filename.startswith(PACKAGE):
            continue
        place = each.f_code, each.f_lasti
        if not is_installed(filename) or top_level(each.f_globals.get("__name__")) == package:
            return place
        anybody = anybody or place
    return anybody


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back
