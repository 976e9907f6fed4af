"""
Activities as functions: the decorator, and the function it gives.

Input and result are plain JSON, so that a worker in any language can do the same. A function of one parameter takes that
value itself as its input; one of several takes an object of them, by name.
"""

import inspect
from collections.abc import Callable, Coroutine
from copy import copy
from dataclasses import dataclass
from datetime import timedelta
from functools import update_wrapper
from typing import Any, Final, Generic, Literal, ParamSpec, Protocol, TypeVar, get_args, overload

from . import _fiber
from .converter import JSON, DataConverter, duration
from .exceptions import NotInWorkflowException, PyflowException
from .future import InvocationFuture
from .payloads.hints import Hints, hints_of
from .retry import RetryPolicy
from .runtime import Runtime
from .swf import decisions as swf
from .tasks import current_task, performing

__all__ = ["Activity", "Executor", "WorkerSide", "activity"]

P = ParamSpec("P")
R = TypeVar("R")
Duration = float | str | timedelta | None
Executor = Literal["thread", "process", "async"]
"""Where a worker runs a body: in a thread, in a process of its own, or on the worker's asyncio loop."""


@dataclass(frozen=True, kw_only=True)
class WorkerSide:
    """
    What a definition tells the worker that runs its body; SWF knows nothing of it.

    Attributes:
        executor: where the body runs.
        heartbeat_s, start_to_close_s, schedule_to_close_s: the definition's timeouts in seconds; None: none.
        auto_heartbeat: the worker beats by itself while the body runs, if there is a heartbeat timeout.
        max_per_second: how many bodies of this type a worker begins in a second; None: no limit.
        retry: when the worker tries the body again by itself before it reports a failure; None: never.
    """

    executor: Executor = "thread"
    heartbeat_s: int | None = None
    start_to_close_s: int | None = None
    schedule_to_close_s: int | None = None
    auto_heartbeat: bool = True
    max_per_second: float | None = None
    retry: RetryPolicy | None = None


class Activity(Generic[P, R]):
    """
    A function that is an activity type.

    In a workflow a call schedules an activity task, waits, and gives its result. Anywhere else a call is the plain function,
    which for an ``async def`` gives a coroutine.

    Attributes:
        name, version: the registered type.
        function: the function as it was written.
        registration: keyword arguments of RegisterActivityType: the four default timeouts, as SWF's strings, and the task
            list and priority if it has its own.
        retry: when a workflow asks for it again after a failure; None: never.
        worker_side: how a worker runs its body.
    """

    def __init__(
        self,
        function: Callable[P, Any],
        name: str,
        version: str,
        registration: dict[str, Any],
        worker_side: WorkerSide = WorkerSide(),
    ) -> None:
        self.name = name
        self.version = version
        self.function = function
        self.registration = registration
        self.worker_side = worker_side
        self.retry: RetryPolicy | None = None
        self._type = {"name": name, "version": version}
        self._asked: dict[str, Any] = {}
        self._known_hints: Hints | None = None
        self._signature = inspect.signature(function)
        parameters = self._signature.parameters.values()
        kinds = {parameter.kind for parameter in parameters}
        if kinds & {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}:
            raise PyflowException(
                f"activity {name!r} takes *args or **kwargs; its input is an object of named values: name its parameters"
            )
        # What a plain call needs; the signature itself tells what is wrong with any other, and takes its time.
        self._parameters = tuple(parameter.name for parameter in parameters)
        self._has_positions = inspect.Parameter.KEYWORD_ONLY not in kinds
        self._is_plain = kinds <= {inspect.Parameter.POSITIONAL_OR_KEYWORD}
        update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Do it: in a workflow as an activity task, elsewhere right here."""
        if _fiber.current() is None:
            return self.function(*args, **kwargs)  # type: ignore[no-any-return] # R, or of an async def its coroutine
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
        run: Runtime = fiber.owner
        return run.schedule(self._type, self._pack(args, kwargs), self._asked, self.retry, self._hints.result)

    @property
    def _hints(self) -> Hints:
        """Its rich type hints; looked up when they are first needed, since they may name what is defined further down."""
        hints = self._known_hints
        if hints is None:
            hints = self._known_hints = hints_of(self.function)
        return hints

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
            ValueError: a timeout is not a duration; or ``heartbeat`` is shorter than the definition's, by which the worker
                beats.
        """
        heartbeat_timeout = duration(heartbeat, "heartbeat")
        self._check_heartbeat(heartbeat_timeout)
        changed = copy(self)
        changed.retry = self.retry if retry is None else retry
        changed._asked = self._asked | swf.given(  # noqa: SLF001 - it is one of ours
            startToCloseTimeout=duration(start_to_close, "start_to_close"),
            scheduleToStartTimeout=duration(schedule_to_start, "schedule_to_start"),
            scheduleToCloseTimeout=duration(schedule_to_close, "schedule_to_close"),
            heartbeatTimeout=heartbeat_timeout,
            taskList=swf.task_list(task_list),
            taskPriority=None if priority is None else str(priority),
        )
        return changed

    def execute(self, input: str | None, converter: DataConverter = JSON) -> str:
        """
        Run the function on an activity task's input, in a worker.

        Args:
            input: the task's text, or None.
            converter: reads it, and writes the result.

        Returns:
            The JSON text of the result, which the converter can send.

        Raises:
            ValueError, TypeError: the input is not JSON or does not fit the function.
            SerializationException: the input does not fit the function's type hints, or the result cannot be sent.
            PayloadException: the input cannot be opened.
            Exception: what the function raises.
        """
        args, kwargs = self._unpack(input, converter)
        return self._encoded(self.function(*args, **kwargs), converter)

    async def execute_async(self, input: str | None, converter: DataConverter = JSON) -> str:
        """Do what ``execute`` does for a function that is an ``async def``, on the running loop."""
        args, kwargs = self._unpack(input, converter)
        return self._encoded(await self.function(*args, **kwargs), converter)

    def _unpack(self, input: str | None, converter: DataConverter) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the function's arguments from an activity task's input."""
        value = converter.decode(input)
        if input is not None:
            if self._hints.parameters:
                value = self._rebuilt(value, converter)
            if len(self._parameters) == 1:
                return ((value,), {}) if self._has_positions else ((), {self._parameters[0]: value})
        if value is None:
            value = {}
        elif not isinstance(value, dict):
            raise TypeError(f"activity {self.name!r} takes an object of {[*self._parameters]} as input, not {value!r}")
        if self._is_plain and len(value) == len(self._parameters) and all(map(value.__contains__, self._parameters)):
            return tuple([value[name] for name in self._parameters]), {}
        bound = self._signature.bind(**value)
        return bound.args, bound.kwargs

    def _encoded(self, result: Any, converter: DataConverter) -> str:
        """Return the text of a result, once the body has returned it."""
        task = performing.get()
        if task is not None and task.deferred:
            return "null"  # nobody sends it: it need not be JSON
        return converter.encode(result, "the result of activity", self.name)

    def _rebuilt(self, value: Any, converter: DataConverter) -> Any:
        """Return an input with its arguments as the type hints have them."""
        hints, what = self._hints.parameters, f"activity {self.name!r}"
        if len(self._parameters) == 1:
            return converter.rebuild_argument(hints, what, self._parameters[0], value)
        if not isinstance(value, dict):
            return value
        return {name: converter.rebuild_argument(hints, what, name, part) for name, part in value.items()}

    def _check_heartbeat(self, asked: str | None) -> None:
        """Refuse a heartbeat timeout that a worker, which knows the definition alone, would let run out."""
        side = self.worker_side
        if asked and side.auto_heartbeat and side.heartbeat_s is not None and int(asked) < side.heartbeat_s:
            raise ValueError(
                f"a heartbeat timeout of {asked} s is shorter than the {side.heartbeat_s} s of the definition of "
                f"{self.name!r}, which the worker's own heartbeats go by: give the definition the shortest, or "
                f"auto_heartbeat=False"
            )

    def text_of(self, args: tuple[Any, ...], kwargs: dict[str, Any], converter: DataConverter = JSON) -> str | None:
        """
        Return the text of arguments: the input of an activity task.

        Raises:
            TypeError: the arguments do not fit the function.
            SerializationException: they cannot be sent.
        """
        value = self._pack(args, kwargs)
        return None if value is None else converter.encode(value, "the input of activity", self.name)

    def _pack(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        arguments = self._arguments(args, kwargs)
        if len(self._parameters) == 1:
            return next(iter(arguments.values()), None)
        return arguments or None

    def _arguments(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Return arguments by name, in the order of the parameters."""
        if not kwargs and self._has_positions and len(args) == len(self._parameters):
            return dict(zip(self._parameters, args, strict=True))
        try:
            return self._signature.bind(*args, **kwargs).arguments
        except TypeError as error:
            raise TypeError(f"activity {self.name}{self._signature}: {error}") from None


class ActivityDecorator:
    """What ``pyflow.activity`` is: the decorator, with ``current`` on it for the body."""

    current = staticmethod(current_task)
    """Return the ``ActivityTask`` that the calling body works on; raises NotInActivityException outside a body."""

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
        executor: Executor | None = None,
        auto_heartbeat: bool = True,
        max_per_second: float | None = None,
        retry_in_worker: RetryPolicy | None = None,
    ) -> "Define":
        """
        Make a function an activity type.

        Args:
            name: the type's name; None: the function's.
            version: the type's version.
            start_to_close, schedule_to_start, schedule_to_close, heartbeat: the type's default timeouts, in seconds or as a
                timedelta, rounded up; None: no such timeout (SWF's ``NONE``). At least one of ``start_to_close``,
                ``schedule_to_close`` and ``heartbeat`` is needed: without, an execution waits for ever for a worker that died.
            retry: when a workflow asks for it again after a failure; None: never.
            task_list: the list its workers poll; None: that of whoever registers it.
            priority: an int32; higher comes first.
            executor: where a worker runs the body: ``thread``; ``process``, one that can be killed and shares nothing, for a
                function that a module holds by its name; ``async``, the worker's asyncio loop. None: ``async`` for an
                ``async def``, else ``thread``.
            auto_heartbeat: while the body runs the worker beats by itself, every third of ``heartbeat``: that timeout then tells
                of dead workers, not of bodies that hang. False: only the body's own heartbeats count.
            max_per_second: how many bodies of this type each worker begins in a second; None: no limit.
            retry_in_worker: when the worker tries the body again by itself, before SWF hears of a failure; for short
                pauses. None: never.

        Raises:
            ValueError: a timeout is negative, not finite or over a year; ``max_per_second`` is not over 0; no such executor.
            PyflowException: no timeout would end a task whose worker died; the function takes ``*args`` or ``**kwargs``; it
                does not fit its executor.

        Source:
            SWF API Reference, RegisterActivityType.
        """
        if callable(name):
            raise PyflowException(_without_timeouts(f"activity {getattr(name, '__name__', name)!r}"))
        if max_per_second is not None and not max_per_second > 0:
            raise ValueError(f"max_per_second must be over 0, not {max_per_second!r}")
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

        def define(function: Callable[..., Any]) -> Activity[..., Any]:
            own_name = function.__name__ if name is None else name
            side = WorkerSide(
                executor=_executor_of(function, own_name, executor),
                heartbeat_s=_seconds(registration["defaultTaskHeartbeatTimeout"]),
                start_to_close_s=_seconds(registration["defaultTaskStartToCloseTimeout"]),
                schedule_to_close_s=_seconds(registration["defaultTaskScheduleToCloseTimeout"]),
                auto_heartbeat=auto_heartbeat,
                max_per_second=max_per_second,
                retry=retry_in_worker,
            )
            if side.heartbeat_s is None and side.start_to_close_s is None and side.schedule_to_close_s is None:
                raise PyflowException(_without_timeouts(f"activity {own_name!r}"))
            made = Activity[..., Any](function, own_name, version, registration, side)
            made.retry = retry
            return made

        return define  # type: ignore[return-value] # mypy does not match a function with overloads


class Define(Protocol):
    """What ``@pyflow.activity(...)`` gives: it makes an activity of a function; of an ``async def`` by what it awaits to."""

    @overload
    def __call__(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> Activity[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> Activity[P, R]: ...


def _seconds(timeout: str) -> int | None:
    return None if timeout == "NONE" else int(timeout)


def _without_timeouts(who: str) -> str:
    return (
        f"{who} has no timeout that ends a task whose worker died, so its workflow would wait for ever. Say how long one "
        f"attempt may take, @pyflow.activity(start_to_close=60); or its waiting and work together, schedule_to_close=...; or "
        f"the longest time between signs of life, heartbeat=...; in seconds, up to a year (31,536,000)."
    )


def _executor_of(function: Callable[..., Any], name: str, asked: Executor | None) -> Executor:
    """Return where the bodies of a function run; raises what is said of ``activity``."""
    is_async = inspect.iscoroutinefunction(function)
    if asked is None:
        return "async" if is_async else "thread"
    if asked not in get_args(Executor):
        raise ValueError(f"executor must be one of {', '.join(map(repr, get_args(Executor)))}, not {asked!r}")
    if is_async != (asked == "async"):
        written = "an async def" if is_async else "a plain function"
        raise PyflowException(f"activity {name!r} is {written}: executor={asked!r} does not run one")
    if asked == "process" and not function.__qualname__.isidentifier():
        raise PyflowException(
            f"activity {name!r} is {function.__qualname__}: its process finds it by the name that its module gives it. "
            f"Define it at the top of a module."
        )
    return asked


activity: Final = ActivityDecorator()
