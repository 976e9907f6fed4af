"""
Replay in another process: with other hashes, without this one's environment, and with modules that were just imported.

What code draws from the order of a set, from ``os.environ`` or from what a module has gathered is the same in each replay within
one process. A worker that is deployed anew is another process, and so is this one. It is started once and kept.
"""

import atexit
import importlib
import importlib.util
import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from pyflow.exceptions import DeciderException, PyflowException
from pyflow.history.check import check
from pyflow.workflow import Workflow

__all__ = ["ReplayedElsewhereException", "problem_of", "replay_elsewhere"]

__tracebackhide__ = True

HASH_SEEDS: Final = ("1", "2")
LOADED_AS: Final = "pyflow_elsewhere_"


class ReplayedElsewhereException(PyflowException):
    """
    In another process, code does something else than its history says.

    Args:
        number: of the history, from 0.
        message: what differs.
    """

    def __init__(self, number: int, message: str) -> None:
        self.number = number
        super().__init__(
            f"replayed in another process, with other hashes, a new import of its module and no environment variables, it does "
            f"something else. Does it depend on the order of a set, on id() or hash(), on os.environ, or on what a module or "
            f"a class gathers?\n{message}"
        )


def problem_of(workflow: type[Workflow]) -> str | None:
    """Say why another process cannot import a class; None: it can."""
    module = sys.modules.get(workflow.__module__)
    if "<locals>" in workflow.__qualname__:
        return f"{workflow.__qualname__} is defined in a function, where another process cannot import it from"
    if getattr(module, "__file__", None) is None:
        return f"module {workflow.__module__} has no file that another process could import"
    return None


def replay_elsewhere(
    workflow: type[Workflow], histories: Sequence[tuple[str, str, list[dict[str, Any]]]]
) -> str | None:
    """
    Replay histories in another process.

    Args:
        workflow: the class.
        histories: (workflow id, run id, events) of each.

    Returns:
        None; or why it could not be done.

    Raises:
        ReplayedElsewhereException: the code does something else there.
    """
    problem = problem_of(workflow)
    if problem is not None:
        return problem
    request = {
        "module": workflow.__module__,
        "file": sys.modules[workflow.__module__].__file__,
        "class": workflow.__qualname__,
        "path": sys.path,
        "histories": histories,
    }
    with _lock:
        answer = _ask(json.dumps(request, default=lambda time: time.timestamp()))
    if "number" in answer:
        raise ReplayedElsewhereException(answer["number"], answer["message"])
    return answer.get("problem")


_lock = threading.Lock()
_process: "subprocess.Popen[str] | None" = None


def _ask(line: str) -> dict[str, Any]:
    global _process  # noqa: PLW0603 - one for each process
    if _process is None or _process.poll() is not None:
        seed = next(seed for seed in HASH_SEEDS if seed != os.environ.get("PYTHONHASHSEED"))
        _process = subprocess.Popen(  # noqa: S603 - ourselves
            [sys.executable, "-c", f"from {__name__} import serve; serve()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        atexit.register(_close, _process)
    assert _process.stdin is not None
    assert _process.stdout is not None
    try:
        _process.stdin.write(line + "\n")
        _process.stdin.flush()
        answer = _process.stdout.readline()
    except BrokenPipeError:
        answer = ""
    except BaseException:
        _close(_process)
        raise
    if not answer:
        return {"problem": f"the other process ended with {_process.wait()}"}
    told: dict[str, Any] = json.loads(answer)
    return told


def _close(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.communicate()


# -- in the other process


def serve() -> None:
    """Replay what comes in, a line each, until there is no more."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the modules print is nobody's answer
    environment = dict(os.environ)
    for line in sys.stdin:
        answers.write(json.dumps(_answer(json.loads(line), environment)) + "\n")
        answers.flush()


def _answer(request: dict[str, Any], environment: dict[str, str]) -> dict[str, Any]:
    os.environ.update(environment)
    sys.path[:] = request["path"]
    try:
        found: Any = _imported(request["module"], request["file"])
        for name in request["class"].split("."):
            found = getattr(found, name)
    except Exception as error:
        return {"problem": f"another process cannot import {request['module']}: {type(error).__name__}: {error}"}
    os.environ.clear()
    for number, (workflow_id, run_id, events) in enumerate(request["histories"]):
        try:
            check(found, workflow_id, run_id, events, guard="off")
        except DeciderException as error:
            return {"number": number, "message": "\n".join([str(error), *getattr(error, "__notes__", [])])}
    return {}


def _imported(name: str, file: str) -> ModuleType:
    """Return a module by its name; one that cannot be found so, as tests often cannot, by its file."""
    module = sys.modules.get(LOADED_AS + name) or sys.modules.get(name)
    if module is None and name != "__main__":
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError:
            module = None
    if module is None or not _is_same(module, file):
        spec = importlib.util.spec_from_file_location(LOADED_AS + name, file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
    return module


def _is_same(module: ModuleType, file: str) -> bool:
    return module.__file__ is not None and Path(module.__file__).resolve() == Path(file).resolve()
