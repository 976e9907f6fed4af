"""
The author's files: loaded by their path, and searched for workflows, activities and functions.

A file is imported as ``python FILE.py`` would: its own folder (or, in a package, the package's) comes first on ``sys.path``,
so that the modules beside it can be imported. The current folder is not put there.
"""

import importlib
import sys
import traceback
from collections.abc import Callable, Iterable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import click

from pyflow.activities import Activity
from pyflow.converter import JSON, DataConverter
from pyflow.workflow import Workflow

from .output import Refusal

Function = Callable[[Any, Any], Any]


def load(file: str) -> ModuleType:
    """
    Import a file of the author's.

    Raises:
        Refusal: there is no such file; or its import failed, and the author's traceback has been printed.
    """
    path = Path(file).resolve()
    if not path.is_file():
        raise Refusal(f"no such file: {file}")
    root, name = _module_name(path)
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    known = sys.modules.get(name)
    if known is not None:
        if _is_from(known, path):
            return known
        name = f"pyflow_file_{name}"  # the file is called like a module that others use: json.py, ...
    try:
        return _import(path, name)
    except (Exception, SystemExit) as error:
        sys.modules.pop(name, None)
        click.echo(_authors_traceback(error, path), err=True, nl=False)
        raise Refusal(f"{file} cannot be imported, see above") from None


def workflows_in(module: ModuleType, *, imported: bool = False) -> list[type[Workflow]]:
    """Return the workflow classes with a NAME that a file defines; or all that it can see, ``imported`` ones too."""
    classes = [value for value in vars(module).values() if isinstance(value, type) and issubclass(value, Workflow)]
    own = [each for each in classes if each.NAME and (imported or each.__module__ == module.__name__)]
    return list(dict.fromkeys(own))


def activities_in(module: ModuleType) -> list[Activity[..., Any]]:
    """Return the activities that a file defines or imports."""
    return list({id(value): value for value in vars(module).values() if isinstance(value, Activity)}.values())


def workflow_at(target: str) -> tuple[ModuleType, type[Workflow]]:
    """
    Load ``FILE.py:Workflow``.

    Raises:
        Refusal: not of that form, no such file, no such workflow class in it.
    """
    file, name = _split(target, "FILE.py:Workflow")
    module = load(file)
    found = getattr(module, name, None)
    if isinstance(found, type) and issubclass(found, Workflow) and found.NAME:
        return module, found
    there = ", ".join(each.__name__ for each in workflows_in(module, imported=True)) or "none"
    raise Refusal(f"{file} has no workflow class {name} with a NAME; workflow classes in it: {there}")


def functions_at(options: Iterable[str]) -> dict[str, Function]:
    """
    Load what ``--lambda NAME=FILE.py:FUNCTION`` options name.

    Returns:
        The functions by the name they are to have in SWF.

    Raises:
        Refusal: an option is not of that form or given twice, no such file, no such function in it.
    """
    functions: dict[str, Function] = {}
    for option in options:
        name, equals, target = option.partition("=")
        if not (name and equals):
            raise Refusal(f"--lambda takes NAME=FILE.py:FUNCTION, not {option!r}")
        if name in functions:
            raise Refusal(f"--lambda names {name!r} twice")
        file, attribute = _split(target, "NAME=FILE.py:FUNCTION")
        function = getattr(load(file), attribute, None)
        if not callable(function):
            raise Refusal(f"{file} has no function {attribute} (asked for by --lambda {option})")
        functions[name] = function
    return functions


def object_at(target: str) -> Any:
    """
    Load ``FILE.py:NAME``.

    Raises:
        Refusal: not of that form, no such file, no such name in it.
    """
    file, name = _split(target, "FILE.py:NAME")
    module = load(file)
    if not hasattr(module, name):
        raise Refusal(f"{file} has no {name}")
    return getattr(module, name)


def converter_at(target: str | None) -> DataConverter:
    """
    Load what ``--converter FILE.py:NAME`` names; None: plain JSON.

    Raises:
        Refusal: no such file, or no DataConverter of that name in it.
    """
    if target is None:
        return JSON
    converter = object_at(target)
    if not isinstance(converter, DataConverter):
        raise Refusal(f"--converter {target} is no pyflow.DataConverter, but of type {type(converter).__qualname__}")
    return converter


def _split(target: str, form: str) -> tuple[str, str]:
    file, colon, name = target.rpartition(":")
    if not (file and colon and name):
        raise Refusal(f"{target!r} is not of the form {form}")
    return file, name


def _module_name(path: Path) -> tuple[Path, str]:
    """Return the folder to import from and the dotted name; a folder with ``__init__.py`` is a package."""
    parts = [path.stem]
    folder = path.parent
    while (folder / "__init__.py").is_file():
        parts.insert(0, folder.name)
        folder = folder.parent
    return folder, ".".join(parts)


def _import(path: Path, name: str) -> ModuleType:
    package, _, _ = name.rpartition(".")
    if package:
        importlib.import_module(package)
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"not a Python file: {path}")
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _is_from(module: ModuleType, path: Path) -> bool:
    file = getattr(module, "__file__", None)
    return file is not None and Path(file).resolve() == path


def _authors_traceback(error: BaseException, path: Path) -> str:
    """Return a traceback that begins in the author's file; one that never got there has the error alone."""
    frame = error.__traceback__
    while frame and frame.tb_frame.f_code.co_filename != str(path):
        frame = frame.tb_next
    return "".join(traceback.format_exception(type(error), error, frame))
