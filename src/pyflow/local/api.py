"""
The actions of SWF by name: check the request, run it in the service, give back the reply.

Everything that reaches the service, by whatever door, comes through here.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from pyflow.exceptions import ServiceFault
from pyflow.swf.methods import METHODS

from . import faults, validation
from .calls import Context, Work
from .engine import Engine
from .operations import control, executions, registration, tasks, visibility

Operation = Callable[[Engine, dict[str, Any], Context], Any]
DEFAULT_REGION: Final = "us-east-1"

_MODULES: Final = (registration, executions, tasks, visibility)
_OPERATIONS: Final[dict[str, Operation]] = {
    action: getattr(module, method)
    for action, method in METHODS.items()
    for module in _MODULES
    if hasattr(module, method)
}


CONTROL: Final[dict[str, Operation]] = {"PyflowLocal.AdvanceClock": control.advance_clock}
"""What the service itself can be asked for, beside SWF."""


def prepare(engine: Engine, action: str, request: dict[str, Any], *, is_checked: bool = False) -> Work:
    """
    Return a checked request as work for the service.

    Args:
        engine: who does it.
        action: an action in SWF's spelling, or one of ``CONTROL``.
        request: the body, parsed.
        is_checked: it is one that was prepared before.

    Raises:
        ServiceFault: the action is unknown, or the request is not valid; nothing was done.
    """
    operation = _OPERATIONS.get(action)
    if action in CONTROL:
        return partial(CONTROL[action], engine, request)
    if operation is None:
        if action not in METHODS:
            raise faults.unknown_operation(action)
        raise ServiceFault(
            "UnknownOperationException",
            f"{action} is an action of Amazon SWF that this local service does not have yet",
        )
    if engine.throttles is not None:
        engine.throttles.take(action, request)
    if not is_checked:
        validation.check(action, request)
    return partial(operation, engine, request)
