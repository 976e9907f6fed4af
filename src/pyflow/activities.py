"""
Activities as functions: the decorator, and the function it gives.

Input and result are plain JSON, so that a worker in any language can do the same. A function of one parameter takes that
value itself as its input; one of several takes an object of them, by name.
"""

import inspect
from collections.abc import Callable
from datetime import timedelta
from functools import update_wrapper
from typing import Any, Generic, ParamSpec, TypeVar, overload

from . import _fiber
from .converter import JSON, duration
from .exceptions import NotInWorkflowException, PyflowException
from .future import InvocationFuture

__all__ = ["Activity", "activity"]

P = ParamSpec("P")
R = TypeVar("R")
Duration = float | str | timedelta | None


class Activity(Generic[P, R]):
    """
    A function that is an activity type.

    In a workflow a call schedules an activity task, waits, and gives its result. Anywhere else a call is the plain function.

    Attributes:
        name, version: the registered type.
        function: the function as it was written.
        registration: keyword arguments of RegisterActivityType: the four default timeouts, as SWF's strings.
    """

    def __init__(self, function: Callable[P, R], name: str, version: str, registration: dict[str, Any]) -> None:
        self.name = name
        self.version = version
        self.function = function
        self.registration = registration
        self._signature = inspect.signature(function)
        kinds = {parameter.kind for parameter in self._signature.parameters.values()}
        if kinds & {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}:
            raise PyflowException(
                f"activity {name!r} takes *args or **kwargs; its input is an object of named values: name its parameters"
            )
        update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Do it: in a workflow as an activity task, elsewhere right here."""
        if _fiber.current() is None:
            return self.function(*args, **kwargs)
        return self.submit(*args, **kwargs).result()

    def submit(self, *args: P.args, **kwargs: P.kwargs) -> InvocationFuture[R]:
        """
        Schedule an activity task and give its future.

        Raises:
            TypeError: the arguments do not fit the function.
            SerializationException: they are not JSON, or over 32,768 characters.
            NotInWorkflowException: not called in a workflow.
        """
        fiber = _fiber.current()
        if fiber is None:
            raise NotInWorkflowException(
                f"{self.name}.submit() schedules an activity task, which only workflow code can do; call {self.name}() to "
                f"run the plain function"
            )
        future: InvocationFuture[R] = fiber.owner.invoke_activity(
            self.name, self.version, input_arg=self._pack(args, kwargs)
        )
        return future

    def execute(self, input: str | None) -> str:
        """
        Run the function on an activity task's input, in a worker.

        Args:
            input: JSON text, or None.

        Returns:
            The JSON text of the result, at most 32,768 characters.

        Raises:
            ValueError, TypeError: the input is not JSON or does not fit the function.
            SerializationException: the result cannot be sent.
            Exception: what the function raises.
        """
        value = JSON.decode(input)
        parameters = self._signature.parameters
        if len(parameters) == 1 and input is not None:
            name, parameter = next(iter(parameters.items()))
            keyword_only = parameter.kind is inspect.Parameter.KEYWORD_ONLY
            bound = self._signature.bind(**{name: value}) if keyword_only else self._signature.bind(value)
        elif value is None:
            bound = self._signature.bind()
        elif isinstance(value, dict):
            bound = self._signature.bind(**value)
        else:
            raise TypeError(f"activity {self.name!r} takes an object of {list(parameters)} as input, not {value!r}")
        return JSON.encode(self.function(*bound.args, **bound.kwargs), f"the result of activity {self.name!r}")

    def _pack(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        arguments = self._signature.bind(*args, **kwargs).arguments
        if len(self._signature.parameters) == 1:
            return next(iter(arguments.values()), None)
        return arguments or None


@overload
def activity(name: Callable[P, R]) -> Activity[P, R]: ...
@overload
def activity(
    name: str | None = None,
    version: str = "1.0",
    *,
    start_to_close: Duration = None,
    schedule_to_start: Duration = None,
    schedule_to_close: Duration = None,
    heartbeat: Duration = None,
) -> Callable[[Callable[P, R]], Activity[P, R]]: ...
def activity(
    name: Any = None,
    version: str = "1.0",
    *,
    start_to_close: Duration = None,
    schedule_to_start: Duration = None,
    schedule_to_close: Duration = None,
    heartbeat: Duration = None,
) -> Any:
    """
    Make a function an activity type.

    Args:
        name: the type's name; None: the function's.
        version: the type's version.
        start_to_close, schedule_to_start, schedule_to_close, heartbeat: the type's default timeouts, in seconds or as a
            timedelta, rounded up; None: no such timeout (SWF's ``NONE``).

    Raises:
        ValueError: a timeout is negative, not finite or over a year.
        PyflowException: the function takes ``*args`` or ``**kwargs``.

    Source:
        SWF API Reference, RegisterActivityType.
    """
    registration = {
        "defaultTaskStartToCloseTimeout": duration(start_to_close, "start_to_close", default="NONE"),
        "defaultTaskScheduleToStartTimeout": duration(schedule_to_start, "schedule_to_start", default="NONE"),
        "defaultTaskScheduleToCloseTimeout": duration(schedule_to_close, "schedule_to_close", default="NONE"),
        "defaultTaskHeartbeatTimeout": duration(heartbeat, "heartbeat", default="NONE"),
    }

    def define(function: Callable[P, R]) -> Activity[P, R]:
        own_name = name if isinstance(name, str) else function.__name__
        return Activity(function, own_name, version, registration)

    return define(name) if callable(name) else define
