"""
What authors write against: Workflow, and everything that ``self.swf`` offers.

Each call that asks for something takes the next id of its kind (contract 3), so that a replay asks under the same ids.
"""

from __future__ import annotations

import inspect
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, ParamSpec, TypeVar, overload

from .converter import duration
from .descriptors import activity_options
from .exceptions import PyflowException, WaitTimedOutException
from .future import Future, InvocationFuture, flatten, wait_for
from .language import Language
from .payloads.hints import hints_of
from .recorded import RecordedFuture, record
from .replay.invocations import LAMBDA_RETRIES_MAX, NO_OPTIONS
from .replay.tables import Kind
from .retry import LAMBDA_RETRY, Attempts, RetryPolicy
from .signals import handlers_of
from .swf.decisions import given
from .swf.decisions import task_list as task_list_named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from .runtime import Runtime

__all__ = ["Workflow", "WorkflowInvocationHelper"]

# A global costs a tenth of what a member costs that is looked up on its enum: only where every invocation passes.
_LAMBDA = Kind.LAMBDA
_ACTIVITY = Kind.ACTIVITY

P = ParamSpec("P")
T = TypeVar("T")
Duration = float | str | timedelta | None


class Workflow:
    """
    A workflow type: subclass it, set NAME, write ``run``.

    A fresh instance is made for each live run; what it keeps on itself is rebuilt by replay.

    Attributes:
        NAME, VERSION: the registered type.
        OPTIONS: more keyword arguments of RegisterWorkflowType, over DEFAULT_OPTIONS; numbers become texts.
        SHOW_LOCALS: the execution context shows, beside where the code is blocked, what its local variables hold, each cut to
            some 60 characters. Whoever may describe the execution can read them.

    Source:
        SWF API Reference, RegisterWorkflowType.
    """

    NAME: ClassVar[str | None] = None
    VERSION: ClassVar[str] = "1.0"

    DEFAULT_OPTIONS: ClassVar[dict[str, Any]] = {
        "defaultChildPolicy": "TERMINATE",
        # How long a killed decider stalls a run: SWF hands the task out again after this.
        "defaultTaskStartToCloseTimeout": 30,
        # SWF's longest, a year.
        "defaultExecutionStartToCloseTimeout": 31_536_000,
    }
    OPTIONS: ClassVar[dict[str, Any]] = {}
    SHOW_LOCALS: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for method in (cls.run, *handlers_of(cls).values()):
            kind = _not_plain(method)
            if kind is not None:
                name = getattr(method, "__qualname__", repr(method))
                raise TypeError(
                    f"{name} is {kind}: workflow code is plain Python, which waits without await and yield, by result() or a call"
                )

    def __init__(self, swf: WorkflowInvocationHelper) -> None:
        if not (self.NAME and self.VERSION):
            raise PyflowException(
                f"{type(self).__qualname__} must set NAME and VERSION: they name its workflow type in SWF"
            )
        self._swf = swf

    @property
    def name(self) -> str:
        """The type's name."""
        assert self.NAME is not None
        return self.NAME

    @property
    def version(self) -> str:
        """The type's version."""
        return self.VERSION

    @property
    def options(self) -> dict[str, Any]:
        """DEFAULT_OPTIONS with OPTIONS over them."""
        return {**self.DEFAULT_OPTIONS, **self.OPTIONS}

    @property
    def swf(self) -> WorkflowInvocationHelper:
        """What this run can ask for and ask about."""
        return self._swf

    def run(self, workflow_input: Any, /) -> Any:
        """
        The workflow. Called once a run, in a fiber of its own.

        Args:
            workflow_input: the execution's input, decoded from JSON; None if it has none.

        Returns:
            The result: a JSON value of at most 32,768 characters of text.

        Raises:
            WorkflowFailedException: to fail the execution with a reason and details. Any other exception that gets out
                fails it too, with the traceback as details.
        """
        raise NotImplementedError(f"{type(self).__qualname__} has no run method")


def register_options(workflow_class: type[Workflow]) -> dict[str, Any]:
    """
    Return the keyword arguments of RegisterWorkflowType that a class asks for, as SWF's strings.

    The class is not initialised for it: its ``__init__`` may use the run that is not there yet.

    Raises:
        PyflowException: NAME or VERSION is missing.
    """
    if not (workflow_class.NAME and workflow_class.VERSION):
        raise PyflowException(
            f"{workflow_class.__qualname__} must set NAME and VERSION: they name its workflow type in SWF"
        )
    options = workflow_class.__new__(workflow_class).options
    return {name: value if isinstance(value, (dict, str)) else str(value) for name, value in options.items()}


def _not_plain(method: Callable[..., Any]) -> str | None:
    """Say what a function is that does not run when it is called; None: it does."""
    if inspect.iscoroutinefunction(method) or inspect.isasyncgenfunction(method):
        return "an async def"
    return "a generator" if inspect.isgeneratorfunction(method) else None


class WorkflowInvocationHelper(Language):
    """What a run offers its code, as ``self.swf``."""

    CHILD_POLICY_TERMINATE = "TERMINATE"
    CHILD_POLICY_REQUEST_CANCEL = "REQUEST_CANCEL"
    CHILD_POLICY_ABANDON = "ABANDON"

    def __init__(self, run: Runtime) -> None:
        self._run = run

    @property
    def run_id(self) -> str:
        """The id that SWF gave this run."""
        return self._run.run_id

    @property
    def workflow_id(self) -> str:
        """The id that whoever started the execution chose."""
        return self._run.workflow_id

    @property
    def lambda_role(self) -> str | None:
        """The IAM role of this execution's Lambda functions, or None."""
        return self._run.started.get("lambdaRole")

    @property
    def is_replaying(self) -> bool:
        """
        True while code runs again over what an earlier decision task has completed.

        False is no promise of a first time: after a decision task that timed out the same code runs again.
        """
        return self._run.is_replaying

    def workflow_time(self) -> datetime:
        """Return the time of the decision task, in UTC: the same whenever this code is replayed."""
        time = self._run.time
        return time.astimezone(UTC) if isinstance(time, datetime) else datetime.fromtimestamp(time, UTC)

    def invoke_lambda(
        self,
        function_name: str,
        input_arg: Any,
        timeout: Duration = None,
        *,
        retry: RetryPolicy | None = LAMBDA_RETRY,
    ) -> InvocationFuture[Any]:
        """
        Run a Lambda function.

        Args:
            function_name: its name or ARN.
            input_arg: a JSON value; None sends no input.
            timeout: start to close, in seconds, 1 to 900; None, and 0 as in 2.0.0: SWF's 900.
            retry: when to try again; LAMBDA_RETRY: failures of the Lambda service itself (``SdkClientException``,
                ``ServiceException``), five times, silently, as 2.0.0 did; None: never.

        Returns:
            The future of its result.

        Raises:
            SerializationException: the input is not JSON or over 32,768 characters.
            ValueError: the timeout is not a duration.
            NotInWorkflowException: called outside the workflow's own fiber.

        Replay:
            One decision, ``ScheduleLambdaFunction``; id ``lambdaN`` in call order, also of silent retries; of attempts by another
            policy ``lambdaN.2``, ...

        Source:
            SWF API Reference, ScheduleLambdaFunctionDecisionAttributes.
        """
        own_id = self._run.next_id("lambda")
        text = (
            None
            if input_arg is None
            else self._run.converter.encode(input_arg, "the input of Lambda function", function_name, sealable=False)
        )
        options = given(startToCloseTimeout=duration(timeout, "timeout")) if timeout else NO_OPTIONS
        future = self._run.invoke(_LAMBDA, own_id, function_name, text, options)
        if retry is not LAMBDA_RETRY and retry != LAMBDA_RETRY:
            future.invocation.retries = LAMBDA_RETRIES_MAX
            if retry is not None:
                future.attempts = Attempts(retry, own_id, self._run.seconds())
        return future

    def invoke_activity(
        self,
        name: str,
        version: str,
        input_arg: Any = None,
        timeout: Duration = None,
        task_list: str | None = None,
        *,
        schedule_to_start: Duration = None,
        schedule_to_close: Duration = None,
        heartbeat: Duration = None,
        priority: int | None = None,
        retry: RetryPolicy | None = None,
    ) -> InvocationFuture[Any]:
        """
        Schedule an activity task.

        Args:
            name, version: the registered activity type.
            input_arg: a JSON value; None sends no input.
            timeout: start to close, in seconds, or SWF's ``"NONE"``; None, and 0 as in 2.0.0: the type's default.
            task_list: the list its workers poll; None: the type's default.
            schedule_to_start, schedule_to_close, heartbeat: further timeouts, as ``timeout`` is given; None: the type's defaults.
            priority: an int32; higher comes first; None: the type's default.
            retry: when to try again after a failure; None: never.

        Returns:
            The future of its result.

        Raises:
            SerializationException: the input is not JSON or over 32,768 characters.
            ValueError: a timeout is not a duration.
            NotInWorkflowException: called outside the workflow's own fiber.

        Replay:
            One decision, ``ScheduleActivityTask``; id ``activityN`` in call order, of further attempts ``activityN.2``, ...

        Source:
            SWF API Reference, ScheduleActivityTaskDecisionAttributes.
        """
        options = activity_options(timeout, task_list, schedule_to_start, schedule_to_close, heartbeat, priority)
        return self._run.schedule({"name": name, "version": version}, input_arg, options, retry, None)

    def invoke_child_workflow(
        self,
        name: str,
        version: str,
        input_arg: Any = None,
        child_policy: str | None = None,
        lambda_role: str | None = None,
        task_list: str | None = None,
        execution_start_to_close_timeout: Duration = None,
        *,
        task_start_to_close_timeout: Duration = None,
        tags: Sequence[str] | None = None,
        priority: int | None = None,
        retry: RetryPolicy | None = None,
    ) -> InvocationFuture[Any]:
        """
        Start a child workflow execution.

        Args:
            name, version: the registered workflow type.
            input_arg: a JSON value; None sends no input.
            child_policy: a CHILD_POLICY constant, for the child's own children; None: the type's default.
            lambda_role: None: this execution's.
            task_list: the list its deciders poll; None: the type's default.
            execution_start_to_close_timeout, task_start_to_close_timeout: in seconds; None: the type's defaults.
            tags: up to 5, of up to 256 characters.
            priority: of its decision tasks, an int32; higher comes first; None: the type's default.
            retry: when to start it again after a failure; None: never.

        Returns:
            The future of its result; ``invocation_id`` is the child's workflow id.

        Raises:
            SerializationException: the input is not JSON or over 32,768 characters.
            ValueError: a timeout is not a duration.
            NotInWorkflowException: called outside the workflow's own fiber.

        Replay:
            One decision, ``StartChildWorkflowExecution``; workflow id ``<run id>.child_workflowN`` in call order.

        Source:
            SWF API Reference, StartChildWorkflowExecutionDecisionAttributes.
        """
        own_id = self._run.next_child_id()
        text = None if input_arg is None else self._run.converter.encode(input_arg, "the input of child workflow", name)
        options = given(
            childPolicy=child_policy,
            lambdaRole=self.lambda_role if lambda_role is None else lambda_role,
            taskList=task_list_named(task_list),
            executionStartToCloseTimeout=duration(execution_start_to_close_timeout, "execution_start_to_close_timeout"),
            taskStartToCloseTimeout=duration(task_start_to_close_timeout, "task_start_to_close_timeout"),
            tagList=None if tags is None else list(tags),
            taskPriority=None if priority is None else str(priority),
        )
        future = self._run.invoke(Kind.CHILD, own_id, {"name": name, "version": version}, text, options)
        if retry is not None:
            future.attempts = Attempts(retry, own_id, self._run.seconds())
        return future

    def invoke_once(self, callable: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> InvocationFuture[T]:
        """
        Call something in the decider and record what it gives, so that replays get the same and do not call it again.

        It is called once for each recorded value; should the decider be killed before its response arrives, once more.

        Args:
            callable: what to call; it may not ask anything of pyflow.
            args, kwargs: its arguments.

        Returns:
            A future that is done: the value, or an InvocationFailedException with the traceback as details.

        Raises:
            NotInWorkflowException: called outside the workflow's own fiber.

        Replay:
            One decision, ``RecordMarker``; name ``invoke_onceN`` in call order. History says nothing of what was called, so
            recorded values are matched by order alone: a call put before another takes the value recorded for that one. What
            2.0.0 recorded with a signal to itself settles in the next decision task, as it did then.

        Source:
            SWF API Reference, RecordMarkerDecisionAttributes.
        """
        own_id = self._run.next_id("invoke_once")
        signal_id = self._run.next_id("invoke_once_signal")
        recorded = self._run.recorded(own_id)
        details = (
            self._run.outside(lambda: self._run.freely(record, self._run.converter, callable, args, kwargs))
            if recorded is None
            else recorded.details or "null"
        )
        future = self._run.invoke(Kind.MARKER, own_id, None, options={"details": details}, future_class=RecordedFuture)
        future._hint = hints_of(callable).result  # noqa: SLF001 - how its result is read
        if recorded is not None and recorded.with_signal:
            options = {"workflowId": self.workflow_id, "runId": self.run_id}
            self._run.invoke(Kind.SIGNAL, signal_id, signal_id, options=options)
        else:
            self._run.settle_now(future, details)
        return future

    def start_timer(self, seconds: float | timedelta) -> InvocationFuture[None]:
        """
        Start a timer.

        Args:
            seconds: 0 to 31,536,000 (a year). SWF counts whole seconds: fractions are rounded up.

        Returns:
            A future that settles to None when the timer fires.

        Raises:
            ValueError: negative, not finite, or over a year.
            NotInWorkflowException: called outside the workflow's own fiber.

        Replay:
            One decision, ``StartTimer``; id ``sleepN`` in call order.

        Source:
            SWF API Reference, StartTimerDecisionAttributes.
        """
        own_id = self._run.next_id("sleep")
        seconds_text = duration(seconds, "a timer", default="")
        if not seconds_text:
            raise ValueError("a timer needs a number of seconds or a timedelta, not None")
        return self._run.invoke(Kind.TIMER, own_id, None, options={"startToFireTimeout": seconds_text})

    def sleep(self, seconds: float | timedelta) -> None:
        """Start a timer and wait for it; see ``start_timer``."""
        self.start_timer(seconds).result()

    @overload
    def wait_for_all(self, *futures: Future[T] | Iterable[Future[T]]) -> list[Future[T]]: ...
    @overload
    def wait_for_all(self, *futures: Any) -> list[Future[Any]]: ...
    def wait_for_all(self, *futures: Any) -> list[Future[Any]]:
        """
        Wait until all are done.

        Args:
            futures: futures, and iterables of futures in any depth; each counts once.

        Returns:
            All of them, in the order in which they were done.

        Raises:
            WorkflowCanceledException: cancellation of this execution was requested while it waited here.
            NotInWorkflowException: called outside the workflow's own fiber.
        """
        return self._wait(futures, all_of_them=True)

    @overload
    def wait_for_any(self, *futures: Future[T] | Iterable[Future[T]]) -> list[Future[T]]: ...
    @overload
    def wait_for_any(self, *futures: Any) -> list[Future[Any]]: ...
    def wait_for_any(self, *futures: Any) -> list[Future[Any]]:
        """
        Wait until at least one is done; see ``wait_for_all``.

        Returns:
            Those that are done, in the order in which they were done; an empty list if there are no futures.
        """
        return self._wait(futures, all_of_them=False)

    @overload
    def timed_wait_for_all(
        self, timeout: float | timedelta, *futures: Future[T] | Iterable[Future[T]]
    ) -> list[Future[T]]: ...
    @overload
    def timed_wait_for_all(self, timeout: float | timedelta, *futures: Any) -> list[Future[Any]]: ...
    def timed_wait_for_all(self, timeout: float | timedelta, *futures: Any) -> list[Future[Any]]:
        """
        Wait until all are done, or the timeout; see ``wait_for_all``.

        Args:
            timeout: seconds, as ``start_timer`` takes them; the timer is canceled when it is no longer needed.
            futures: futures, and iterables of futures.

        Raises:
            WaitTimedOutException: not all of them were done in time.
        """
        return self._timed_wait(timeout, futures, all_of_them=True)

    @overload
    def timed_wait_for_any(
        self, timeout: float | timedelta, *futures: Future[T] | Iterable[Future[T]]
    ) -> list[Future[T]]: ...
    @overload
    def timed_wait_for_any(self, timeout: float | timedelta, *futures: Any) -> list[Future[Any]]: ...
    def timed_wait_for_any(self, timeout: float | timedelta, *futures: Any) -> list[Future[Any]]:
        """Wait until at least one is done, or the timeout; see ``timed_wait_for_all``. Of no futures it is the timeout."""
        return self._timed_wait(timeout, futures, all_of_them=False)

    def _wait(self, futures: tuple[Any, ...], *, all_of_them: bool) -> list[Future[Any]]:
        self._run.enter()
        done = wait_for(self._run, flatten(futures), all_of_them=all_of_them)
        assert done is not None
        return done

    def _timed_wait(
        self, timeout: float | timedelta, futures: tuple[Any, ...], *, all_of_them: bool
    ) -> list[Future[Any]]:
        flat = flatten(futures)
        timer = self.start_timer(timeout)
        try:
            done = wait_for(self._run, flat, all_of_them=all_of_them, timer=timer)
        finally:
            self._run.cancel_timer(timer)
        if done is None:
            raise WaitTimedOutException(
                f"{sum(future.done for future in flat)} of {len(flat)} were done when the {timeout} seconds were over"
            )
        return done
