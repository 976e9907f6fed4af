"""
Types, registered in bulk when a worker starts: what is missing is registered, what is there is compared.

SWF never changes a registered type. So a worker whose code asks for other defaults than the type has must say so: executions
run with the defaults of the type, not with those of the code.

Source: SWF API Reference, RegisterWorkflowType, RegisterActivityType and their Lists and Describes; SWF's throttles, which give
a list of a thousand types for one call but only six describing calls a second, and so the order of things here.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from threading import Event
from typing import Any, Final, NamedTuple

from pyflow.exceptions import ServiceFault
from pyflow.swf.client import Client, service_faults
from pyflow.swf.faults import Reply, Verdict, judge, reply_of
from pyflow.swf.repeating import backoff_s

logger = logging.getLogger(__name__)

TypeName = tuple[str, str]
"""Name and version."""

REGISTER_TRIES: Final = 12
"""Tries of a call that is throttled or not answered, 10 s apart at most: a start waits minutes for a busy account."""
COMPARE_TRIES: Final = 3
"""The same for describing a type: to say what differs is worth a few seconds, not a start."""
BACKOFF_MAX_S: Final = 10.0


class TypeKind(NamedTuple):
    """How SWF spells workflow types, or activity types, in its actions and members."""

    noun: str
    action: str
    method: str
    member: str


WORKFLOW_TYPES: Final = TypeKind("workflow type", "WorkflowType", "workflow_type", "workflowType")
ACTIVITY_TYPES: Final = TypeKind("activity type", "ActivityType", "activity_type", "activityType")


class Difference(NamedTuple):
    """A default that a registered type does not have as the code asks for it; ``registered`` is None where it has none."""

    type: TypeName
    option: str
    registered: Any
    wanted: Any


class Registered(NamedTuple):
    """
    What came of it.

    Attributes:
        new: the types that were registered now.
        differences: what the others have otherwise than the code asks for.
        deprecated: types that are there but start nothing new until they are undeprecated.
    """

    new: list[TypeName]
    differences: list[Difference]
    deprecated: list[TypeName]


def register_types(
    client: Client,
    kind: TypeKind,
    domain: str,
    wanted: Mapping[TypeName, Mapping[str, Any]],
    stop: Event | None = None,
) -> Registered:
    """
    Register what is missing, compare what is there, and log what a person should know.

    Args:
        client: an SWF client.
        kind: WORKFLOW_TYPES or ACTIVITY_TYPES.
        domain: a registered domain.
        wanted: the keyword arguments of the Register action but domain, name and version, by type.
        stop: ends the waits between tries.

    Returns:
        What was done and what differs. Types that could not be described in time are not compared.

    Raises:
        ServiceFault: ``UnknownResourceFault`` (no such domain), ``LimitExceededFault`` (10,000 types), a refusal, or a
            throttle that did not end.
    """
    registry = _Registry(client, kind, domain, stop or Event())
    there = registry.statuses()
    new: list[TypeName] = []
    differences: list[Difference] = []
    deprecated: list[TypeName] = []
    for type_, options in wanted.items():
        if type_ not in there and registry.register(type_, options):
            new.append(type_)
            logger.info("registered %s %s %s", kind.noun, *type_)
            continue
        described = registry.describe(type_)
        if described is None:
            continue
        if described["typeInfo"]["status"] == "DEPRECATED":
            deprecated.append(type_)
        differences += _differences(type_, described, options)
    _report(kind, differences, deprecated)
    return Registered(new, differences, deprecated)


class _Registry:
    """The types of one kind in a domain."""

    def __init__(self, client: Client, kind: TypeKind, domain: str, stop: Event) -> None:
        self._client = client
        self._kind = kind
        self._domain = domain
        self._stop = stop

    def statuses(self) -> set[TypeName]:
        """Return the types that are there; none, if we may not list them: then Register tells, type by type."""
        try:
            return set(self._list())
        except ServiceFault as fault:
            if reply_of(fault) is not Reply.DENIED:
                raise
            logger.info("types are not listed, each is registered instead: %s", fault)
            return set()

    def _list(self) -> Iterator[TypeName]:
        for status in ("REGISTERED", "DEPRECATED"):
            request = {"domain": self._domain, "registrationStatus": status}
            while True:
                page = self._call("list", "s", REGISTER_TRIES, **request)
                for info in page["typeInfos"]:
                    yield info[self._kind.member]["name"], info[self._kind.member]["version"]
                if "nextPageToken" not in page:
                    break
                request["nextPageToken"] = page["nextPageToken"]

    def register(self, type_: TypeName, options: Mapping[str, Any]) -> bool:
        """Register a type; False if somebody has."""
        name, version = type_
        try:
            self._call("register", "", REGISTER_TRIES, domain=self._domain, name=name, version=version, **options)
        except ServiceFault as fault:
            if fault.code != "TypeAlreadyExistsFault":
                raise
            return False
        return True

    def describe(self, type_: TypeName) -> dict[str, Any] | None:
        """Describe a type; None if that cannot be had."""
        asked = {"name": type_[0], "version": type_[1]}
        try:
            return self._call("describe", "", COMPARE_TRIES, domain=self._domain, **{self._kind.member: asked})
        except ServiceFault as fault:
            logger.info("%s %s %s is not compared with the code: %s", self._kind.noun, *type_, fault)
            return None

    def _call(self, verb: str, plural: str, tries: int, **request: Any) -> dict[str, Any]:
        method: Callable[..., dict[str, Any]] = getattr(self._client, f"{verb}_{self._kind.method}{plural}")
        action = f"{verb.capitalize()}{self._kind.action}{plural}"
        for failures in range(tries):
            try:
                with service_faults(action):
                    return method(**request)
            except ServiceFault as fault:
                if judge(fault) is not Verdict.RETRY or fault.code == "LimitExceededFault" or failures == tries - 1:
                    raise
                wait_s = backoff_s(failures, BACKOFF_MAX_S)
                logger.info("%s failed, next try in %.1f s: %s", action, wait_s, fault)
                if self._stop.wait(wait_s):
                    raise
        raise AssertionError("the last try returns or raises")


def _differences(type_: TypeName, described: dict[str, Any], wanted: Mapping[str, Any]) -> Iterator[Difference]:
    """Yield what is wanted otherwise than it is; the code's own default for what it does not ask for is SWF's business."""
    registered = {**described["configuration"], "description": described["typeInfo"].get("description")}
    for option, value in wanted.items():
        if registered.get(option) != value:
            yield Difference(type_, option, registered.get(option), value)


def _report(kind: TypeKind, differences: list[Difference], deprecated: list[TypeName]) -> None:
    for (name, version), option, registered, wanted in differences:
        logger.warning(
            "%s %s %s is registered with %s %s; the code asks for %s. SWF changes no type: executions have %s. Register a new "
            "version, or say it where executions and tasks are started.",
            kind.noun,
            name,
            version,
            option,
            _told(registered),
            _told(wanted),
            _told(registered),
        )
    for name, version in deprecated:
        logger.warning(
            "%s %s %s is deprecated: nothing new of it can start until it is undeprecated (Undeprecate%s)",
            kind.noun,
            name,
            version,
            kind.action,
        )


def _told(value: Any) -> str:
    if value is None:
        return "none"
    return repr(value["name"] if isinstance(value, dict) else value)
