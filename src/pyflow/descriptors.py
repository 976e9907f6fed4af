"""
Descriptors: class attributes of a workflow that name something remote, and give a future when called.

They are called with no argument (no input), one positional argument (that value is the input), or keywords (the input is an
object of them).
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from types import MethodType
from typing import Any, Final, Generic, Self, TypedDict, Unpack, overload

from .converter import duration
from .exceptions import InvocationException
from .future import InvocationFuture, R
from .payloads.hints import if_rich
from .replay.invocations import NO_OPTIONS
from .retry import LAMBDA_RETRY, RetryPolicy
from .runtime import Runtime
from .swf.decisions import given
from .swf.decisions import task_list as task_list_named

__all__ = ["ActivityDescriptor", "ChildWorkflowDescriptor", "LambdaDescriptor"]

Duration = float | str | timedelta | None

_NO_MORE: Final = (None, None, None, None)
"""What most calls say of an activity's further settings."""


class _OfActivity(TypedDict, total=False):
    schedule_to_start: Duration
    schedule_to_close: Duration
    heartbeat: Duration
    priority: int | None
    retry: RetryPolicy | None


class _OfChild(TypedDict, total=False):
    task_start_to_close_timeout: Duration
    tags: Sequence[str] | None
    priority: int | None
    retry: RetryPolicy | None


class _Descriptor(Generic[R]):
    """
    On the class: the descriptor itself. On an instance: a function that invokes what it names.

    Its constructors have two signatures each, because type checkers see what a result is only in a hint that is a class.
    """

    _noun: str
    _hint: Any = None

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: Any, owner: type | None = None) -> Callable[..., InvocationFuture[R]]: ...
    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else MethodType(self._call, instance)

    def _call(self, instance: Any, /, *args: Any, **kwargs: Any) -> InvocationFuture[Any]:
        if len(args) > 1 or (args and kwargs):
            self._refuse(args, kwargs)
        future = self._invoke(instance.swf, args[0] if args else kwargs or None)
        future._hint = self._hint  # noqa: SLF001 - how its result is read
        return future

    def _invoke(self, swf: Any, input: Any) -> InvocationFuture[Any]:
        raise NotImplementedError

    def _refuse(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        raise InvocationException(
            f"{self._noun} takes one positional argument or keywords, not both and not several: {self!r} "
            f"was called with {len(args)} positional and {len(kwargs)} keyword arguments"
        )


def activity_options(
    timeout: Duration,
    task_list: str | None,
    schedule_to_start: Duration,
    schedule_to_close: Duration,
    heartbeat: Duration,
    priority: int | None,
) -> dict[str, Any]:
    """Return what a decision says of an activity's further settings, in SWF's spelling; see ``self.swf.invoke_activity``."""
    if not timeout and not task_list and (schedule_to_start, schedule_to_close, heartbeat, priority) == _NO_MORE:
        return NO_OPTIONS
    return given(
        startToCloseTimeout=_limit(timeout, "timeout") if timeout else None,
        scheduleToStartTimeout=_limit(schedule_to_start, "schedule_to_start"),
        scheduleToCloseTimeout=_limit(schedule_to_close, "schedule_to_close"),
        heartbeatTimeout=_limit(heartbeat, "heartbeat"),
        taskList=task_list_named(task_list or None),
        taskPriority=None if priority is None else str(priority),
    )


def _limit(timeout: Duration, what: str) -> str | None:
    """Return a timeout in SWF's form; ``"NONE"``, which switches it off, as it is."""
    return "NONE" if timeout == "NONE" else duration(timeout, what)


class LambdaDescriptor(_Descriptor[R]):
    """
    A Lambda function.

    Args:
        function_name: its name or ARN, up to 64 characters.
        timeout: start to close, in seconds, 1 to 900; None: SWF's 900.
        returns: a type hint of its result, if that is more than JSON: ``Decimal``, a dataclass, ``list[Order]``.
        retry: when to try again after a failure; LAMBDA_RETRY: failures of the Lambda service, five times, silently; None: never.

    Source:
        SWF API Reference, ScheduleLambdaFunctionDecisionAttributes.
    """

    _noun = "a Lambda function"

    @overload
    def __init__(
        self, function_name: str, timeout: Duration = None, *, returns: type[R], retry: RetryPolicy | None = ...
    ) -> None: ...
    @overload
    def __init__(
        self: "LambdaDescriptor[Any]",
        function_name: str,
        timeout: Duration = None,
        *,
        returns: object = None,
        retry: RetryPolicy | None = ...,
    ) -> None: ...
    def __init__(
        self,
        function_name: str,
        timeout: Duration = None,
        *,
        returns: Any = None,
        retry: RetryPolicy | None = LAMBDA_RETRY,
    ) -> None:
        self._hint = if_rich(returns)
        self.function_name = function_name
        self.timeout = timeout
        self.retry = retry

    def __repr__(self) -> str:
        return f"LambdaDescriptor({self.function_name!r})"

    def _invoke(self, swf: Any, input: Any) -> InvocationFuture[Any]:
        future: InvocationFuture[Any] = swf.invoke_lambda(self.function_name, input, self.timeout, retry=self.retry)
        return future


class ActivityDescriptor(_Descriptor[R]):
    """
    An activity type, whoever implements it.

    Args:
        activity_name, activity_version: the registered type.
        timeout: start to close, in seconds; None: the type's default.
        task_list: the name of the list its workers poll; None: the type's default.
        returns: a type hint of its result, if that is more than JSON: ``Decimal``, a dataclass, ``list[Order]``.
        schedule_to_start, schedule_to_close, heartbeat: further timeouts, in seconds; None: the type's defaults.
        priority: an int32; higher comes first; None: the type's default.
        retry: when to try again after a failure; None: never.

    Source:
        SWF API Reference, ScheduleActivityTaskDecisionAttributes.
    """

    _noun = "an activity"

    @overload
    def __init__(
        self,
        activity_name: str,
        activity_version: str,
        timeout: Duration = None,
        task_list: str | None = None,
        *,
        returns: type[R],
        **more: Unpack[_OfActivity],
    ) -> None: ...
    @overload
    def __init__(
        self: "ActivityDescriptor[Any]",
        activity_name: str,
        activity_version: str,
        timeout: Duration = None,
        task_list: str | None = None,
        *,
        returns: object = None,
        **more: Unpack[_OfActivity],
    ) -> None: ...
    def __init__(
        self,
        activity_name: str,
        activity_version: str,
        timeout: Duration = None,
        task_list: str | None = None,
        *,
        returns: Any = None,
        schedule_to_start: Duration = None,
        schedule_to_close: Duration = None,
        heartbeat: Duration = None,
        priority: int | None = None,
        retry: RetryPolicy | None = None,
    ) -> None:
        self._hint = if_rich(returns)
        self.schedule_to_start = schedule_to_start
        self.schedule_to_close = schedule_to_close
        self.heartbeat = heartbeat
        self.priority = priority
        self.retry = retry
        self.activity_name = activity_name
        self.activity_version = activity_version
        self.timeout = timeout
        self.task_list = task_list
        self._type = {"name": activity_name, "version": activity_version}
        self._options: dict[str, Any] | None = None  # made at the first call, which is told what is wrong with them

    def __repr__(self) -> str:
        return f"ActivityDescriptor({self.activity_name!r}, {self.activity_version!r})"

    def _call(self, instance: Any, /, *args: Any, **kwargs: Any) -> InvocationFuture[Any]:
        if len(args) > 1 or (args and kwargs):
            self._refuse(args, kwargs)
        options = self._options
        if options is None:
            options = self._options = activity_options(
                self.timeout,
                self.task_list,
                self.schedule_to_start,
                self.schedule_to_close,
                self.heartbeat,
                self.priority,
            )
        runtime: Runtime = instance.swf._run  # noqa: SLF001 - the helper is the author's face of it
        return runtime.schedule(self._type, args[0] if args else kwargs or None, options, self.retry, self._hint)


class ChildWorkflowDescriptor(_Descriptor[R]):
    """
    A workflow type, started as a child.

    Args:
        workflow_name, workflow_version: the registered type.
        child_policy: what becomes of the child's own children if it is terminated or times out: ``TERMINATE``,
            ``REQUEST_CANCEL`` or ``ABANDON``; None: the type's default.
        lambda_role: the IAM role of its Lambda functions; None: the parent's.
        task_list: the name of the list its deciders poll; None: the type's default.
        execution_start_to_close_timeout, task_start_to_close_timeout: in seconds; None: the type's defaults.
        returns: a type hint of its result, if that is more than JSON: ``Decimal``, a dataclass, ``list[Order]``.
        tags: up to 5, of up to 256 characters.
        priority: of its decision tasks, an int32; higher comes first; None: the type's default.
        retry: when to start it again after a failure; None: never.

    Source:
        SWF API Reference, StartChildWorkflowExecutionDecisionAttributes.
    """

    _noun = "a child workflow"

    @overload
    def __init__(
        self,
        workflow_name: str,
        workflow_version: str,
        child_policy: str | None = None,
        lambda_role: str | None = None,
        task_list: str | None = None,
        execution_start_to_close_timeout: Duration = None,
        *,
        returns: type[R],
        **more: Unpack[_OfChild],
    ) -> None: ...
    @overload
    def __init__(
        self: "ChildWorkflowDescriptor[Any]",
        workflow_name: str,
        workflow_version: str,
        child_policy: str | None = None,
        lambda_role: str | None = None,
        task_list: str | None = None,
        execution_start_to_close_timeout: Duration = None,
        *,
        returns: object = None,
        **more: Unpack[_OfChild],
    ) -> None: ...
    def __init__(
        self,
        workflow_name: str,
        workflow_version: str,
        child_policy: str | None = None,
        lambda_role: str | None = None,
        task_list: str | None = None,
        execution_start_to_close_timeout: Duration = None,
        *,
        returns: Any = None,
        task_start_to_close_timeout: Duration = None,
        tags: Sequence[str] | None = None,
        priority: int | None = None,
        retry: RetryPolicy | None = None,
    ) -> None:
        self._hint = if_rich(returns)
        self.task_start_to_close_timeout = task_start_to_close_timeout
        self.tags = tags
        self.priority = priority
        self.retry = retry
        self.workflow_name = workflow_name
        self.workflow_version = workflow_version
        self.child_policy = child_policy
        self.lambda_role = lambda_role
        self.task_list = task_list
        self.execution_start_to_close_timeout = execution_start_to_close_timeout

    def __repr__(self) -> str:
        return f"ChildWorkflowDescriptor({self.workflow_name!r}, {self.workflow_version!r})"

    def _invoke(self, swf: Any, input: Any) -> InvocationFuture[Any]:
        future: InvocationFuture[Any] = swf.invoke_child_workflow(
            self.workflow_name,
            self.workflow_version,
            input,
            child_policy=self.child_policy,
            lambda_role=self.lambda_role,
            task_list=self.task_list,
            execution_start_to_close_timeout=self.execution_start_to_close_timeout,
            task_start_to_close_timeout=self.task_start_to_close_timeout,
            tags=self.tags,
            priority=self.priority,
            retry=self.retry,
        )
        return future
