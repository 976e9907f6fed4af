"""Tests of what a whole process holds or takes: each in a process that does nothing else."""

import functools
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

PROGRAM = """
import importlib, json, pathlib, sys
tests, file, name, arguments = sys.argv[1:]
file = pathlib.Path(file)
sys.path[:0] = [str(file.parent), tests]
getattr(importlib.import_module(file.stem), name).__wrapped__(**json.loads(arguments))
"""


def alone(test: Callable[..., None]) -> Callable[..., None]:
    """
    Run a test in a process of its own.

    Beside other tests its counts would be theirs too: garbage and threads that they left go while it counts.
    """

    @functools.wraps(test)
    def run(**arguments: object) -> None:
        what = [str(Path(__file__).parent), test.__code__.co_filename, test.__name__, json.dumps(arguments)]
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", PROGRAM, *what], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    return run
