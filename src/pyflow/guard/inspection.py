"""
What no shim can reach, looked for in the code itself when its workflow is registered.

``datetime.now`` is of a type that cannot be changed, and a name that was imported early (``from time import time``) leads past
the module. So the code of a workflow is read: from ``run`` and the handlers of signals on, through the author's own functions,
methods and classes, as far as what they name can be told without running them. Nothing is called, and nothing is imported.
"""

import ast
import builtins
import dataclasses
import datetime
import random
import sys
from collections.abc import Iterable
from inspect import getattr_static
from types import BuiltinMethodType, CellType, FunctionType, MethodType, ModuleType
from typing import Any, Final

from pyflow._fiber import PACKAGE
from pyflow.exceptions import GuardException
from pyflow.signals import handlers_of

from .places import is_installed, top_level
from .shims import ORIGINALS
from .source import Function, source_of
from .watch import Finding, Hazard, Mode, report

_NO_NOW: Final = "use self.swf.now()"
_NOW: Final = {
    id(vars(of)[name]): Hazard(f"{of.__name__}.{name}()", _NO_NOW)
    for of, name in [(datetime.datetime, "now"), (datetime.datetime, "utcnow"), (datetime.date, "today")]
}
_SHARED: Final = Hazard("a random.Random that all runs share", "use self.swf.random")
_UNSEEDED: Final = Hazard("random.Random() without a seed", "use self.swf.random, or seed it: random.Random(7)")

_UNKNOWN: Final = object()


class _Instance:
    """Stands for an object of a class that is not there yet, such as ``self``."""

    def __init__(self, of: type) -> None:
        self.of = of


def findings_in(workflow_class: type) -> list[Finding]:
    """
    Return the hazards in a workflow's code at which nothing would stop its run, each once, in the order met.

    ``datetime.now()``, ``utcnow()``, ``today()``; what ``time``, ``random`` and ``os`` give, by names imported early; a
    ``Random`` that all runs share or that nothing seeds. What ``invoke_once`` is given to call is left alone.
    """
    inspection = _Inspection(workflow_class)
    for entry in [getattr_static(workflow_class, "__init__"), getattr_static(workflow_class, "run")]:
        inspection.follow(entry, workflow_class)
    for handler in handlers_of(workflow_class).values():
        inspection.follow(handler, workflow_class)
    return list(dict.fromkeys(inspection.findings))


def inspect(workflow_classes: Iterable[type], mode: Mode) -> None:
    """
    Read the code of workflows, and do what the mode says about what is found.

    Raises:
        GuardException: in strict mode; it has all findings.
    """
    if mode == "off":
        return
    findings = [finding for workflow_class in workflow_classes for finding in findings_in(workflow_class)]
    if findings and mode == "strict":
        raise GuardException(findings)
    report(findings)


class _Inspection:
    """One workflow's code, as far as it has been read."""

    def __init__(self, workflow_class: type) -> None:
        self.findings: list[Finding] = []
        self._package = top_level(workflow_class.__module__)
        self._seen: set[Any] = set()

    def follow(self, thing: Any, owner: type | None = None) -> None:
        """Read a function, if it is the author's and has not been read yet."""
        if isinstance(thing, (classmethod, MethodType)):
            thing = thing.__func__
        elif isinstance(thing, staticmethod):
            thing, owner = thing.__func__, None
        elif isinstance(thing, property):
            thing = thing.fget
        function = _unwrapped(thing)
        if function is None or function.__code__ in self._seen or not self._is_authors(function):
            return
        self._seen.add(function.__code__)
        source = source_of(function.__code__.co_filename)
        node = source.function(function.__code__) if source else None
        if node is not None:
            _Reader(self, function, owner).read(node)

    def follow_class(self, thing: type) -> None:
        """Read what making an object of a class calls."""
        if thing in self._seen or not self._is_authors(thing):
            return
        self._seen.add(thing)
        for name in ("__new__", "__init__", "__post_init__"):
            self.follow(getattr_static(thing, name, None), thing)
        for field in dataclasses.fields(thing) if dataclasses.is_dataclass(thing) else ():
            hazard = hazard_of(field.default_factory)
            if hazard is not None:
                filename = getattr(sys.modules.get(thing.__module__), "__file__", None)
                where = f"{filename} in {thing.__qualname__}.{field.name}"
                self.findings.append(Finding(hazard.what, where, hazard.remedy))

    def _is_authors(self, thing: Any) -> bool:
        if isinstance(thing, FunctionType):
            filename: str = thing.__code__.co_filename
        else:
            filename = getattr(sys.modules.get(thing.__module__), "__file__", None) or ""
        if filename.startswith(PACKAGE):
            return False
        return top_level(thing.__module__) == self._package or not is_installed(filename)


class _Reader(ast.NodeVisitor):
    """
    Reads one function, and those inside it that are used.

    Args:
        inspection: takes what is found and follows what is named.
        function: says what its names lead to.
        owner: the class of ``self``; None if it is no method.
    """

    def __init__(self, inspection: _Inspection, function: FunctionType, owner: type | None) -> None:
        self._inspection = inspection
        self._code = function.__code__
        self._owner = owner
        self._inner: dict[str, Function] = {}
        self._names = {**vars(builtins), **function.__globals__}
        self._names.update(zip(self._code.co_freevars, map(_contents, function.__closure__ or ()), strict=True))

    def read(self, node: Function) -> None:
        """Read a definition: its own names lead nowhere, but for ``self``."""
        outer, self._names = self._names, {**self._names, **dict.fromkeys(_names_made_in(node), _UNKNOWN)}
        if self._owner is not None and node.args.args:
            self._names[node.args.args[0].arg] = _Instance(self._owner)
            self._owner = None
        for each in [node.body] if isinstance(node, ast.Lambda) else node.body:
            self.visit(each)
        self._names = outer

    # -- what names lead to --------------------------------------------------------------------------------------------

    def _resolve(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Name):
            return self._names.get(node.id, _UNKNOWN)
        if not isinstance(node, ast.Attribute):
            return _UNKNOWN
        base = self._resolve(node.value)
        if base is _UNKNOWN:
            return _UNKNOWN
        if isinstance(base, ModuleType):
            return vars(base).get(node.attr, _UNKNOWN)
        return getattr_static(base.of if isinstance(base, _Instance) else base, node.attr, _UNKNOWN)

    def _named(self, node: ast.Name | ast.Attribute) -> None:
        thing = self._resolve(node)
        base = self._resolve(node.value) if isinstance(node, ast.Attribute) else _UNKNOWN
        if isinstance(base, random.Random) and not isinstance(base, random.SystemRandom):
            self._found(_SHARED, node)
        hazard = hazard_of(thing)
        if hazard is not None:
            self._found(hazard, node)
        else:
            self._inspection.follow(thing, base.of if isinstance(base, _Instance) else _class_of(base))

    def _found(self, hazard: Hazard, node: ast.expr) -> None:
        where = f"{self._code.co_filename}:{node.lineno} in {self._code.co_qualname}"
        self._inspection.findings.append(Finding(hazard.what, where, hazard.remedy))

    # -- the nodes -----------------------------------------------------------------------------------------------------

    def visit_Name(self, node: ast.Name) -> None:
        """Read the function inside this one that it names, or follow it elsewhere."""
        inner = self._inner.pop(node.id, None)
        if inner is not None:
            self.read(inner)
        elif isinstance(node.ctx, ast.Load):
            self._named(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        """Follow it, if it can be told what it is."""
        self._named(node)
        self.visit(node.value)

    def visit_Call(self, node: ast.Call) -> None:
        """Look away from what ``invoke_once`` calls; read what making an object calls."""
        arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
        if isinstance(node.func, ast.Attribute) and node.func.attr == "invoke_once" and arguments:
            first = arguments.pop(0)
            if isinstance(first, ast.Call):  # partial(function, ...): its arguments are made here
                arguments += first.args[1:]
        called = self._resolve(node.func)
        if called is random.Random and not arguments:
            self._found(_UNSEEDED, node)
        elif isinstance(called, type):
            self._inspection.follow_class(called)
        self.visit(node.func)
        for argument in arguments:
            self.visit(argument)

    def visit_Assign(self, node: ast.Assign) -> None:
        """Remember which class an object is of that is made here."""
        self.generic_visit(node)
        target = node.targets[0]
        if isinstance(target, ast.Name) and isinstance(node.value, ast.Call):
            made_of = self._resolve(node.value.func)
            if isinstance(made_of, type):
                self._names[target.id] = _Instance(made_of)

    def visit_Import(self, node: ast.Import) -> None:
        """Take the module, if anybody has imported it yet."""
        for alias in node.names:
            name = alias.name if alias.asname else alias.name.partition(".")[0]
            self._names[alias.asname or name] = sys.modules.get(name, _UNKNOWN)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """Take what the module holds now: that is what the name is going to lead to."""
        module = sys.modules.get(node.module or "") if node.level == 0 else None
        for alias in node.names:
            self._names[alias.asname or alias.name] = getattr_static(module, alias.name, _UNKNOWN)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """Put a function inside this one aside until it is used."""
        self._inner[node.name] = node
        for each in [*node.decorator_list, *node.args.defaults]:
            self.visit(each)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        """Put it aside as well."""
        self.visit_FunctionDef(node)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        """Read it: what is written in place is used."""
        self.read(node)


def hazard_of(thing: Any) -> Hazard | None:
    """Return what is wrong with a function that no shim stands before."""
    hazard = _NOW.get(id(thing))
    if hazard is None and isinstance(thing, BuiltinMethodType):
        owner = thing.__self__
        if isinstance(owner, type) and issubclass(owner, datetime.date):
            hazard = _NOW.get(id(getattr_static(owner, thing.__name__, None)))
    if hazard is not None:
        return hazard
    real, hazard = ORIGINALS.get(id(thing), (None, None))
    if hazard is None or real is not thing:
        return None
    function = hazard.what.removesuffix("()")
    module = function.partition(".")[0]
    return Hazard(
        f"{function}() by a name imported from its module",
        f"write {function}() and import {module}, so that the guard reaches it; or {hazard.remedy.partition(', or run')[0]}",
    )


def _unwrapped(thing: Any) -> FunctionType | None:
    """Return the function behind decorators that say what they wrap; pyflow's own, such as an activity, hide theirs."""
    while not isinstance(thing, FunctionType) or "__wrapped__" in vars(thing):
        if top_level(type(thing).__module__) == "pyflow":
            return None
        try:
            thing = object.__getattribute__(thing, "__dict__")["__wrapped__"]
        except (AttributeError, KeyError, TypeError):
            return None
    return thing


def _class_of(base: Any) -> type | None:
    """Return the class that a method belongs to which was named through a class or an object."""
    if base is _UNKNOWN or isinstance(base, ModuleType):
        return None
    return base if isinstance(base, type) else type(base)


def _contents(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not filled yet
        return _UNKNOWN


def _names_made_in(node: Function) -> set[str]:
    """Return the parameters and variables of a function, those of functions inside it too."""
    names = {each.arg for each in ast.walk(node) if isinstance(each, ast.arg)}
    names |= {each.id for each in ast.walk(node) if isinstance(each, ast.Name) and not isinstance(each.ctx, ast.Load)}
    return names
