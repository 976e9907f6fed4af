"""
Activities as functions: the decorator, and the function it gives.

Input and result are plain JSON, so that a worker in any language can do the same. A function of one parameter takes that
value itself as its input; one of several takes an object of them, by name.
"""

import inspect
from collections.abc import Callable
from datetime import timedelta
from functools import partial, update_wrapper
from typing import TYPE_CHECKING, Any, Final, Generic, ParamSpec, TypeVar, overload

from . import _fiber
from .converter import JSON, duration
from .exceptions import NotInWorkflowException, PyflowException
from .future import InvocationFuture
from .replay.tables import Kind
from .retry import Attempts, RetryPolicy
from .swf import decisions as swf
from .tasks import current_task, performing

if TYPE_CHECKING:
    from .run import Run

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
        registration: keyword arguments of RegisterActivityType: the four default timeouts, as SWF's strings, and the task
            list and priority if it has its own.
        retry: when a workflow asks for it again after a failure; None: never.
    """

    def __init__(self, function: Callable[P, R], name: str, version: str, registration: dict[str, Any]) -> None:
        self.name = name
        self.version = version
        self.function = function
        self.registration = registration
        self.retry: RetryPolicy | None = None
        self._asked: dict[str, Any] = {}
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
        run: Run = fiber.owner._run  # noqa: SLF001 - the helper is the author's face of the run
        own_id = run.next_id("activity")
        value = self._pack(args, kwargs)
        text = None if value is None else JSON.encode(value, "the input of activity", self.name)
        type_ = {"name": self.name, "version": self.version}
        decide = partial(swf.schedule_activity_task, own_id, self.name, self.version, input=text, **self._asked)
        future: InvocationFuture[R] = run.invoke(Kind.ACTIVITY, own_id, type_, decide, text, not self._asked)
        if self.retry is not None:
            future.attempts = Attempts(self.retry, own_id, run.seconds())
        return future

    def options(
        self,
        *,
        start_to_close: Duration = None,
        schedule_to_start: Duration = None,
        schedule_to_close: Duration = None,
        heartbeat: Duration = None,
        retry: RetryPolicy | None = None,
        task_list: str | None = None,
        priority: int | None = None,
    ) -> "Activity[P, R]":
        """
        Return a copy with other settings, for one call: ``charge.options(retry=...)(order)``.

        Args:
            start_to_close, schedule_to_start, schedule_to_close, heartbeat: in seconds; None: as they are.
            retry: when to try again; None: as it is.
            task_list: the list its workers poll; None: as it is.
            priority: an int32, higher comes first; None: as it is.

        Raises:
            ValueError: a timeout is not a duration.
        """
        copy = Activity(self.function, self.name, self.version, self.registration)
        copy.retry = self.retry if retry is None else retry
        given = {
            "start_to_close_timeout": duration(start_to_close, "start_to_close"),
            "schedule_to_start_timeout": duration(schedule_to_start, "schedule_to_start"),
            "schedule_to_close_timeout": duration(schedule_to_close, "schedule_to_close"),
            "heartbeat_timeout": duration(heartbeat, "heartbeat"),
            "task_list": task_list,
            "task_priority": None if priority is None else str(priority),
        }
        copy._asked = {**self._asked, **{name: value for name, value in given.items() if value is not None}}
        return copy

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
        result = self.function(*bound.args, **bound.kwargs)
        task = performing.get()
        if task is not None and task.deferred:
            return "null"  # nobody sends it: it need not be JSON
        return JSON.encode(result, f"the result of activity {self.name!r}")

    def _pack(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        arguments = self._signature.bind(*args, **kwargs).arguments
        if len(self._signature.parameters) == 1:
            return next(iter(arguments.values()), None)
        return arguments or None


class ActivityDecorator:
    """What ``pyflow.activity`` is: the decorator, with ``current`` on it for the body."""

    current = staticmethod(current_task)
    """Return the ``ActivityTask`` that the calling body works on; raises NotInActivityException outside a body."""

    @overload
    def __call__(self, name: Callable[P, R]) -> Activity[P, R]: ...
    @overload
    def __call__(
        self,
        name: str | None = None,
        version: str = "1.0",
        *,
        start_to_close: Duration = None,
        schedule_to_start: Duration = None,
        schedule_to_close: Duration = None,
        heartbeat: Duration = None,
        retry: RetryPolicy | None = None,
        task_list: str | None = None,
        priority: int | None = None,
    ) -> Callable[[Callable[P, R]], Activity[P, R]]: ...
    def __call__(
        self,
        name: Any = None,
        version: str = "1.0",
        *,
        start_to_close: Duration = None,
        schedule_to_start: Duration = None,
        schedule_to_close: Duration = None,
        heartbeat: Duration = None,
        retry: RetryPolicy | None = None,
        task_list: str | None = None,
        priority: int | None = None,
    ) -> Any:
        """
        Make a function an activity type.

        Args:
            name: the type's name; None: the function's.
            version: the type's version.
            start_to_close, schedule_to_start, schedule_to_close, heartbeat: the type's default timeouts, in seconds or as a
                timedelta, rounded up; None: no such timeout (SWF's ``NONE``).
            retry: when a workflow asks for it again after a failure; None: never.
            task_list: the list its workers poll; None: that of whoever registers it.
            priority: an int32; higher comes first.

        Raises:
            ValueError: a timeout is negative, not finite or over a year.
            PyflowException: the function takes ``*args`` or ``**kwargs``.

        Source:
            SWF API Reference, RegisterActivityType.
        """
        registration: dict[str, Any] = {
            "defaultTaskStartToCloseTimeout": duration(start_to_close, "start_to_close", default="NONE"),
            "defaultTaskScheduleToStartTimeout": duration(schedule_to_start, "schedule_to_start", default="NONE"),
            "defaultTaskScheduleToCloseTimeout": duration(schedule_to_close, "schedule_to_close", default="NONE"),
            "defaultTaskHeartbeatTimeout": duration(heartbeat, "heartbeat", default="NONE"),
        }

        if task_list is not None:
            registration["defaultTaskList"] = {"name": task_list}
        if priority is not None:
            registration["defaultTaskPriority"] = str(priority)

        def define(function: Callable[P, R]) -> Activity[P, R]:
            own_name = name if isinstance(name, str) else function.__name__
            made = Activity(function, own_name, version, registration)
            made.retry = retry
            return made

        return define(name) if callable(name) else define


activity: Final = ActivityDecorator()
