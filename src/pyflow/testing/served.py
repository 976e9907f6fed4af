"""What a flow serves: the workflows and activities that it knows, and the stand-ins for some of them."""

import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from pyflow.activities import Activity
from pyflow.descriptors import ActivityDescriptor, ChildWorkflowDescriptor, LambdaDescriptor
from pyflow.exceptions import PyflowException
from pyflow.workflow import Workflow

from . import fakes
from .fakes import Fake, Outcomes, Type
from .world import Function, World


class Served:
    """
    What is served, by name and version.

    Args:
        world: where Lambda functions are registered, and whose time calls are noted at.

    Attributes:
        fakes: the stand-ins that were asked for, in order.
        changed: whether there is something new since somebody last set this to False.
    """

    def __init__(self, world: World) -> None:
        self.fakes: list[Fake] = []
        self.changed = True
        self._world = world
        self._workflows: dict[Type, type[Workflow]] = {}
        self._activities: dict[Type, Activity[..., Any]] = {}
        self._stand_in_workflows: dict[Type, type[Workflow]] = {}
        self._stand_ins: dict[Type, Activity[..., Any]] = {}
        self._functions: dict[str, Function] = {}
        self._unresolved: dict[str, Callable[[], bool]] = {}
        self._used: set[str] = set()

    def on(self, world: World) -> "Served":
        """Serve the same on another world; what is added there is not served here."""
        other = Served(world)
        self.resolve()
        other.fakes = [*self.fakes]
        other._workflows = {**self._workflows}
        other._activities = {**self._activities}
        other._stand_in_workflows = {**self._stand_in_workflows}
        other._stand_ins = {**self._stand_ins}
        other._used = {*self._used}
        for name, function in self._functions.items():
            other.lambda_function(name, function)
        return other

    def start_over(self) -> None:
        """Let all fakes be as if they had never been called."""
        for fake in self.fakes:
            fake.start_over(self._now_s)

    @property
    def activities(self) -> dict[Type, Activity[..., Any]]:
        """The activities, stand-ins in place of the real ones."""
        return {**self._activities, **self._stand_ins}

    @property
    def workflows(self) -> dict[Type, type[Workflow]]:
        """The workflow classes, stand-ins in place of the real ones."""
        return {**self._workflows, **self._stand_in_workflows}

    def is_stand_in(self, workflow: type[Workflow]) -> bool:
        """Tell whether a class stands in for a child workflow."""
        return workflow in self._stand_in_workflows.values()

    def task_lists(self) -> set[str]:
        """Return the task lists that types name as theirs."""
        named = [activity.registration.get("defaultTaskList") for activity in self.activities.values()]
        named += [workflow.OPTIONS.get("defaultTaskList") for workflow in self.workflows.values()]
        return {each["name"] if isinstance(each, dict) else each for each in named if each is not None}

    def use(self, *things: Any) -> None:
        """Take in classes, functions, and modules; see ``Flow.use``."""
        for thing in things:
            if isinstance(thing, ModuleType):
                self.use(*_held_by(thing))
            elif isinstance(thing, Activity):
                self._add(self._activities, (thing.name, thing.version), thing)
            elif isinstance(thing, type) and issubclass(thing, Workflow):
                if thing.NAME is None:
                    raise TypeError(f"{thing.__qualname__} has no NAME: it names no workflow type. Give it one")
                self._add(self._workflows, (thing.NAME, thing.VERSION), thing)
                self._use_module_of(thing)
            else:
                raise TypeError(f"use() takes workflow classes, activities and modules, not {thing!r}")

    def lambda_function(self, name: str, function: Function) -> None:
        """Let a Python function be a Lambda function."""
        self._functions[name] = function
        self._world.lambda_function(name, function)

    def deploy(self, workflow: type[Workflow]) -> None:
        """Take a class in place of the one that has its type."""
        self._use_module_of(workflow)
        self._workflows[_type_of(workflow)] = workflow
        self.changed = True

    def resolve(self) -> None:
        """
        Find what was faked by name before it was known.

        Raises:
            PyflowException: a name is that of nothing.
        """
        self._unresolved = {name: put for name, put in self._unresolved.items() if not put()}
        if self._unresolved:
            name = min(self._unresolved)
            known = sorted({name for name, _ in [*self._workflows, *self._activities]})
            raise PyflowException(
                f"flow.fake({name!r}) stands for nothing: no activity, workflow or descriptor that this flow knows has that "
                f"name (known: {', '.join(known) or 'none'}). For a name that only code mentions say of what kind it is: "
                f"flow.fake({name!r}, kind='activity', ...)"
            )

    def fake(self, thing: Any, outcomes: Outcomes, *, kind: str | None, version: str) -> Fake:
        """Let a stand-in answer for something; see ``Flow.fake``."""
        if isinstance(thing, str):
            if kind is None:
                return self._fake_by_name(thing, outcomes)
            thing = _described(thing, kind, version)
        fake = Fake(name_of(thing), self._signature_of(thing), outcomes, self._now_s)
        self._put(fake, thing)
        self.fakes.append(fake)
        return fake

    def _fake_by_name(self, name: str, outcomes: Outcomes) -> Fake:
        """Make a fake of what has a name, now or once it is known."""
        thing = self._known_as(name)
        fake = Fake(name, None if thing is None else self._signature_of(thing), outcomes, self._now_s)
        self.fakes.append(fake)
        if thing is not None:
            self._put(fake, thing)
            return fake

        def put() -> bool:
            found = self._known_as(name)
            if found is not None:
                fake.stand_for(self._signature_of(found))
                self._put(fake, found)
            return found is not None

        self._unresolved[name] = put
        return fake

    def _known_as(self, name: str) -> Any:
        known: dict[str, Any] = {}
        for workflow in self._workflows.values():
            for attribute in vars(workflow).values():
                if isinstance(attribute, (ActivityDescriptor, ChildWorkflowDescriptor, LambdaDescriptor)):
                    known[name_of(attribute)] = attribute
        known |= {str(workflow.NAME): workflow for workflow in self._workflows.values()}
        known |= {activity.name: activity for activity in self._activities.values()}
        return known.get(name)

    def _signature_of(self, thing: Any) -> Any:
        real = self._real_activity(thing)
        return fakes.ONE_INPUT if real is None else real._signature  # noqa: SLF001 - the author's face of the activity

    def _real_activity(self, thing: Any) -> Activity[..., Any] | None:
        if isinstance(thing, ActivityDescriptor):
            return self._activities.get((thing.activity_name, thing.activity_version))
        return thing if isinstance(thing, Activity) else None

    def _put(self, fake: Fake, thing: Any) -> None:
        """Let a fake answer for something."""
        if isinstance(thing, LambdaDescriptor):
            self.lambda_function(thing.function_name, fakes.lambda_stand_in(fake))
            return
        if isinstance(thing, (Activity, ActivityDescriptor)):
            type_ = _type_of(thing)
            real = self._real_activity(thing) or fakes.unknown_activity(*type_)
            self._stand_ins[type_] = fakes.activity_stand_in(fake, real)
        elif isinstance(thing, ChildWorkflowDescriptor) or (isinstance(thing, type) and issubclass(thing, Workflow)):
            type_ = _type_of(thing)
            child = self._workflows.get(type_) if isinstance(thing, ChildWorkflowDescriptor) else thing
            self._stand_in_workflows[type_] = fakes.child_stand_in(fake, type_, child)
        else:
            raise TypeError(f"fake() takes an activity, a workflow class, a descriptor or a name, not {thing!r}")
        self.changed = True

    def _add(self, table: dict[Type, Any], key: Type, thing: Any) -> None:
        known = table.get(key)
        if known is None:
            table[key] = thing
            self.changed = True
        elif known is not thing:
            raise PyflowException(
                f"two things are both named {key[0]!r} with version {key[1]!r}: {known!r} and {thing!r}"
            )

    def _use_module_of(self, workflow: type[Workflow]) -> None:
        name = workflow.__module__
        if name not in self._used:
            self._used.add(name)
            module = sys.modules.get(name) or importlib.import_module(name)
            self.use(*_held_by(module))

    def _now_s(self) -> float:
        return self._world.now_ms() / 1000


def _described(name: str, kind: str, version: str) -> Any:
    """Return a descriptor for a name that only code mentions."""
    match kind:
        case "activity":
            return ActivityDescriptor(name, version)
        case "lambda":
            return LambdaDescriptor(name)
        case "child":
            return ChildWorkflowDescriptor(name, version)
    raise TypeError(f"kind is 'activity', 'lambda' or 'child', not {kind!r}")


def _held_by(module: ModuleType) -> list[Any]:
    return [
        thing
        for thing in vars(module).values()
        if isinstance(thing, Activity) or (isinstance(thing, type) and issubclass(thing, Workflow) and thing.NAME)
    ]


def name_of(thing: Any) -> str:
    """
    Return the name of an activity, a workflow class, a descriptor, or of what a name is given for.

    Raises:
        TypeError: it is none of these.
    """
    if isinstance(thing, str):
        return thing
    for member in ("function_name", "activity_name", "workflow_name", "NAME", "name"):
        name = getattr(thing, member, None)
        if isinstance(name, str):
            return name
    raise TypeError(f"fake() takes an activity, a workflow class, a descriptor or a name, not {thing!r}")


def _type_of(thing: Any) -> Type:
    for member in ("activity_version", "workflow_version", "VERSION", "version"):
        version = getattr(thing, member, None)
        if isinstance(version, str):
            return name_of(thing), version
    raise TypeError(f"{thing!r} names no type")
