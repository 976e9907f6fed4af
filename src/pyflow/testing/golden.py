"""Recorded histories as tests: files ``*.history.json`` that pytest replays, and how a test writes them."""

import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pyflow._fiber import PACKAGE
from pyflow.exceptions import DeciderException, PayloadException, PyflowException
from pyflow.history.check import check
from pyflow.history.files import History, load, save
from pyflow.workflow import Workflow

from .flow import Flow
from .settings import converter_of, workflows_of

__all__ = ["HistoryFile", "HistoryItem", "hide_own_frames", "record"]

NO_RUN_ID = "unknown-run-id"


class HistoryFile(pytest.File):
    """A file ``*.history.json``: one test, that today's code fits it."""

    def collect(self) -> Iterator["HistoryItem"]:
        """Give the test."""
        yield HistoryItem.from_parent(self, name="replay")


class HistoryItem(pytest.Item):
    """Replays a recorded history with the class that is there for its workflow type."""

    def runtest(self) -> None:
        """
        Replay it.

        Raises:
            PyflowException: the file is none, or there is no class for it.
            DeciderException: the code does not fit it.
            PayloadException: what it holds cannot be opened.
        """
        history = load(self.path)
        workflow = _class_for(history, self.config)
        try:
            check(
                workflow,
                history.workflow_id or "unknown-workflow-id",
                history.run_id or NO_RUN_ID,
                history.events,
                converter=converter_of(self.config),
                drift=not history.scrubbed,
                guard=self.config.getini("pyflow_guard"),
            )
        except DeciderException as error:
            if history.run_id is None:
                error.add_note("The file does not say the run id, from which children's ids and random draws are made.")
            if history.scrubbed:
                error.add_note("The file is scrubbed: code that acts on a value acts otherwise on its placeholder.")
            raise
        except PayloadException as error:
            error.add_note(
                "In the ini file, pyflow_converter = module:NAME names the pyflow.DataConverter of the workers."
            )
            raise

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Say it in words; a traceback of ours would tell nothing."""
        if isinstance(excinfo.value, PyflowException):
            return "\n".join([f"{self.path}: {excinfo.value}", *getattr(excinfo.value, "__notes__", [])])
        return super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Say which file."""
        return self.path, None, f"replay of {self.path.name}"


def record(flow: Flow, folder: Path, test: str) -> list[Path]:
    """
    Write the history of each execution of a flow whose class is known, children and later runs included.

    Args:
        flow: its executions since ``mark``.
        folder: made, if it is not there.
        test: what the files are called after.

    Returns:
        The files: ``<test>.<n>.<workflow>.history.json``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, (workflow, workflow_id, run_id, events) in enumerate(flow.recorded(), 1):
        if workflow is None or flow.is_stand_in(workflow):
            continue
        assert workflow.NAME is not None
        name = re.sub(r"[^\w.-]+", "_", f"{test}.{number}.{workflow.NAME}")
        path = folder / f"{name}.history.json"
        type_ = {"name": workflow.NAME, "version": workflow.VERSION}
        save(History(events, type_, flow.domain, workflow_id, run_id), path)
        paths.append(path)
    return paths


def hide_own_frames(excinfo: pytest.ExceptionInfo[BaseException]) -> None:
    """Keep pyflow's own frames out of pytest's tracebacks: it looks for a name in their modules."""
    for entry in excinfo.traceback:
        if str(entry.path).startswith(PACKAGE):
            entry.frame.f_globals.setdefault("__tracebackhide__", True)


def _class_for(history: History, config: pytest.Config) -> type[Workflow]:
    """
    Return the class of a history's workflow type.

    Raises:
        PyflowException: none of those that are known has it; the message lists them.
    """
    known: dict[tuple[str, str], type[Workflow]] = {}
    for thing in workflows_of(config):
        for workflow in _classes_in(thing):
            known[str(workflow.NAME), workflow.VERSION] = workflow
    type_ = (history.workflow_type["name"], history.workflow_type["version"])
    if type_ not in known:
        names = ", ".join(f"{name} {version}" for name, version in sorted(known)) or "none"
        raise PyflowException(
            f"this history is of workflow {type_[0]!r} {type_[1]}, and no class is known for it (known: {names}). Name its "
            f"module in the ini option pyflow_workflows, or return it from the hook pytest_pyflow_workflows(config) of a "
            f"conftest.py"
        )
    return known[type_]


def _classes_in(thing: Any) -> list[type[Workflow]]:
    things = list(vars(thing).values()) if isinstance(thing, ModuleType) else [thing]
    return [each for each in things if isinstance(each, type) and issubclass(each, Workflow) and each.NAME]
