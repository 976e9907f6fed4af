"""What the ini file names of the author's: the modules of recorded workflows, and the converter."""

import importlib
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from pyflow.converter import JSON, DataConverter
from pyflow.exceptions import PyflowException

__all__ = ["converter_of", "workflows_of"]


def workflows_of(config: pytest.Config) -> Iterator[Any]:
    """
    Yield the modules that ``pyflow_workflows`` names, and what the hook of that name returns.

    Raises:
        PyflowException: a module cannot be imported.
    """
    for name in config.getini("pyflow_workflows"):
        yield _module(name, "pyflow_workflows")
    for things in config.hook.pytest_pyflow_workflows(config=config):
        yield from things


def converter_of(config: pytest.Config) -> DataConverter:
    """
    Return the converter that ``pyflow_converter`` names, ``module:NAME``; plain JSON if it names none.

    Raises:
        PyflowException: it is not there, or is none.
    """
    named = config.getini("pyflow_converter")
    if not named:
        return JSON
    module_name, colon, attribute = named.partition(":")
    if not (module_name and colon and attribute):
        raise PyflowException(f"pyflow_converter is module:NAME, not {named!r}")
    module = _module(module_name, "pyflow_converter")
    if not hasattr(module, attribute):
        raise PyflowException(f"pyflow_converter: module {module_name} has no {attribute}")
    converter = getattr(module, attribute)
    if not isinstance(converter, DataConverter):
        raise PyflowException(f"pyflow_converter: {named} is no pyflow.DataConverter")
    return converter


def _module(name: str, option: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise PyflowException(
            f"{option} names {name!r}, which cannot be imported: {error}. Where modules are, pytest's own ini option says: "
            f"pythonpath = . for those beside the ini file"
        ) from error
