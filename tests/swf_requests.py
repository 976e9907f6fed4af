"""Requests made from SWF's own shapes: the smallest valid one of each action, and ways to spoil it."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from pyflow.swf.model import DECISION_ATTRIBUTES, OPERATIONS, SHAPES

ACTIONS = sorted(OPERATIONS)
Path = tuple[str | int, ...]


def smallest(shape_name: str, member: str = "") -> Any:
    """The smallest valid value of a shape."""
    shape = SHAPES[shape_name]
    kind = shape["type"]
    if kind == "structure":
        value = {name: smallest(shape["members"][name], name) for name in shape["required"]}
        if shape_name == "Decision":
            value[DECISION_ATTRIBUTES[value["decisionType"]]] = smallest("ScheduleActivityTaskDecisionAttributes")
        return value
    if kind == "list":
        return [smallest(shape["member"])]
    if kind == "string":
        return shape["enum"][0] if "enum" in shape else "1"
    return {"timestamp": 0, "boolean": True}.get(kind, max(1, shape.get("min", 0)))


def request(action: str) -> dict[str, Any]:
    """The smallest valid request of an action that also passes the rules which the shapes do not say."""
    made = smallest(OPERATIONS[action]["input"])
    if action.startswith(("CountClosed", "ListClosed")):
        made["startTimeFilter"] = {"oldestDate": 0}
    return made


def leaves(shape_name: str, path: Path = ()) -> Iterator[tuple[Path, str, str, str]]:
    """Each member of a shape at any depth, as (path, owner shape, name, member shape); lists have one element."""
    shape = SHAPES[shape_name]
    for name, member in shape.get("members", {}).items():
        yield (*path, name), shape_name, name, member
        kind = SHAPES[member]
        if kind["type"] == "list":
            yield from leaves(kind["member"], (*path, name, 0))
        else:
            yield from leaves(member, (*path, name))


def put(made: dict[str, Any], shape_name: str, path: Path, value: Any) -> dict[str, Any]:
    """The request with a value at a path; what stands on the way is made as small as it may be."""
    here: Any = made
    shape = SHAPES[shape_name]
    for step, following in pairwise(path):
        if isinstance(step, str):
            name = shape["members"][step]
            here = here.setdefault(step, smallest(name)) if following != 0 else here.setdefault(step, [])
            shape = SHAPES[name]
        else:
            name = shape["member"]
            if not here:
                here.append(smallest(name))
            here = here[0]
            shape = SHAPES[name]
    here[path[-1]] = value
    return made


def spelled(path: Path) -> str:
    """A path as AWS's validator writes it."""
    return ".".join(step if isinstance(step, str) else f"{step + 1}.member" for step in path)
