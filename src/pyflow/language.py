"""
What a run can do beyond pyflow 2.0.0: children by class, signals, scopes, fibers of its own, continuing as new, replayed chance.

``WorkflowInvocationHelper`` inherits all of it, so that authors find one thing: ``self.swf``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, Unpack, overload
from uuid import UUID

from .continuing import Continuing
from .converter import duration
from .exceptions import WaitTimedOutException, WorkflowCanceledException
from .future import Future, Wait, flatten, wait_for
from .mapping import MapOptions, Tally, map_over
from .others import ChildHandle, ChildOptions, ExternalWorkflow, WorkflowCode, type_of
from .payloads.hints import hints_of, is_rich
from .replay.tables import Kind
from .retry import Attempts, RetryPolicy
from .scopes import Scope, Shield
from .swf import decisions as swf

if TYPE_CHECKING:
    from .chance import Chance

P = ParamSpec("P")
T = TypeVar("T")
I = TypeVar("I")  # noqa: E741 - an input
Duration = float | str | timedelta | None


class Language(Continuing):
    """The members of ``self.swf`` that 2.0.0 did not have."""

    # -- other executions ----------------------------------------------------------------------------------------------

    def child(self, workflow: type[WorkflowCode[I, T]], input: I | None = None, **options: Unpack[ChildOptions]) -> T:
        """Start a child workflow execution and wait for its result; see ``start_child``."""
        return self.start_child(workflow, input, **options).result()

    def start_child(
        self,
        workflow: type[WorkflowCode[I, T]],
        input: I | None = None,
        *,
        workflow_id: str | None = None,
        task_list: str | None = None,
        child_policy: str | None = None,
        lambda_role: str | None = None,
        tags: Sequence[str] | None = None,
        priority: int | None = None,
        execution_start_to_close: Duration = None,
        task_start_to_close: Duration = None,
        retry: RetryPolicy | None = None,
    ) -> ChildHandle[T]:
        """
        Start a child workflow execution.

        Args:
            workflow: its class; only NAME and VERSION are used, so another process may run it.
            input: a JSON value; None sends no input.
            workflow_id: None makes up one that is unique.
            task_list: the list its deciders poll; None: the type's default.
            child_policy: what becomes of the child's own children if it is terminated or times out: a CHILD_POLICY constant;
                None: the type's default.
            lambda_role: None: this execution's.
            tags: up to 5, of up to 256 characters.
            priority: of its decision tasks, an int32; higher comes first.
            execution_start_to_close, task_start_to_close: in seconds; None: the type's defaults.
            retry: when to start it again after a failure; None: never.

        Returns:
            The future of its result, with ``signal``, ``cancel``, ``workflow_id`` and ``run_id``.

        Raises:
            SerializationException: the input is not JSON or over 32,768 characters.
            ValueError: a timeout is not a duration, or the id begins with ``pyflow.``.
            NotInWorkflowException: called outside the workflow's own fibers.

        Replay:
            One decision, ``StartChildWorkflowExecution``; workflow id ``<run id>.child_workflowN`` in call order.

        Source:
            SWF API Reference, StartChildWorkflowExecutionDecisionAttributes.
        """
        if workflow_id is not None and workflow_id.startswith("pyflow."):
            raise ValueError(f"ids that begin with 'pyflow.' are pyflow's own: {workflow_id!r}")
        own_id = self._run.next_child_id() if workflow_id is None else workflow_id
        self._run.enter()
        role = self._run.started.get("lambdaRole") if lambda_role is None else lambda_role
        type_ = type_of(workflow)
        name = type_["name"]
        text = None if input is None else self._run.converter.encode(input, "the input of child workflow", name)
        options = swf.given(
            taskList=swf.task_list(task_list),
            childPolicy=child_policy,
            lambdaRole=role,
            tagList=None if tags is None else list(tags),
            taskPriority=None if priority is None else str(priority),
            executionStartToCloseTimeout=duration(execution_start_to_close, "execution_start_to_close"),
            taskStartToCloseTimeout=duration(task_start_to_close, "task_start_to_close"),
        )
        handle = self._run.invoke(Kind.CHILD, own_id, type_, text, options, future_class=ChildHandle)
        handle._hint = hints_of(getattr(workflow, "run", None)).result
        if retry is not None:
            handle.attempts = Attempts(retry, own_id, self._run.seconds())
        assert isinstance(handle, ChildHandle)
        return handle

    def external(self, workflow_id: str, run_id: str | None = None) -> ExternalWorkflow:
        """Return a handle on another execution of the domain, to signal it or ask it to cancel."""
        return ExternalWorkflow(self._run, workflow_id, run_id)

    # -- signals -------------------------------------------------------------------------------------------------------

    @overload
    def receive(self, signal_name: str, *, timeout: float | timedelta | None = None, returns: type[T]) -> T: ...
    @overload
    def receive(self, signal_name: str, *, timeout: float | timedelta | None = None, returns: object = None) -> Any: ...
    def receive(self, signal_name: str, *, timeout: float | timedelta | None = None, returns: Any = None) -> Any:
        """
        Wait for the next signal of a name that no handler takes.

        Signals are received in the order they came; none is lost while the run is open.

        Args:
            signal_name: the signal's.
            timeout: seconds to wait at most; None: as long as it takes.
            returns: a type hint of the value, if that is more than JSON.

        Returns:
            Its value, decoded from JSON; a text that is not JSON as it is; None for a signal without input.

        Raises:
            WaitTimedOutException: none came in time.
            SerializationException: it does not fit ``returns``; it counts as received.
            WorkflowCanceledException: cancellation of this execution was requested while the code waited here.
            NotInWorkflowException: called outside the workflow's own fibers.

        Replay:
            With a timeout and if it must wait: a timer, id ``timeoutN`` in call order.
        """
        self._run.enter()
        received = self._run.inbox.take(signal_name)
        if not received:
            timer = None if timeout is None else self._run.start_timeout(timeout)
            wait = Wait()
            wait.timer, wait.what = timer, f"signal {signal_name!r}"
            if timer is not None:
                timer._waits += (wait,)
            inbox = self._run.inbox
            received = inbox.wait(signal_name, wait)
            try:
                self._park(wait, timer)
            except WorkflowCanceledException:
                if received:
                    inbox.give_back(signal_name, received[0], self._run.now, self._run.wake)
                raise
            finally:
                inbox.leave(signal_name, wait)
        if not received:
            raise WaitTimedOutException(f"no signal {signal_name!r} came within {timeout} seconds")
        if returns is None or not is_rich(returns):
            return received[0]
        return self._run.converter.rebuild(received[0], returns, f"signal {signal_name!r}")

    def wait_until(self, predicate: Callable[[], bool], *, timeout: float | timedelta | None = None) -> None:
        """
        Wait until a predicate holds.

        Args:
            predicate: asked after each step of the run's code; it may read what handlers and fibers change, and must ask
                nothing of ``self.swf``.
            timeout: seconds to wait at most; None: as long as it takes.

        Raises:
            WaitTimedOutException: it did not hold in time.
            Exception: what the predicate raises, also NotInWorkflowException if it asks something of ``self.swf``.
            WorkflowCanceledException: cancellation of this execution was requested while the code waited here.
            NotInWorkflowException: called outside the workflow's own fibers.

        Replay:
            With a timeout and if it must wait: a timer, id ``timeoutN`` in call order.
        """
        self._run.enter()
        if self._run.holds(predicate):
            return
        timer = None if timeout is None else self._run.start_timeout(timeout)
        wait = Wait()
        wait.timer, wait.what = timer, "a predicate"
        if timer is not None:
            timer._waits += (wait,)
        try:
            self._run.park_until(wait, predicate)
        finally:
            if timer is not None and not timer.done:
                self._run.cancel_timer(timer)
        if timer is not None and timer.done and not self._run.holds(predicate):
            raise WaitTimedOutException(f"the predicate did not hold within {timeout} seconds")

    def _park(self, wait: Wait, timer: Any) -> None:
        try:
            self._run.park(wait)
        finally:
            if timer is not None and not timer.done:
                self._run.cancel_timer(timer)

    # -- fibers and scopes ---------------------------------------------------------------------------------------------

    def spawn(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """
        Run a function as a further fiber of this run.

        It begins when the code that spawned it next waits; what it asks for has ids of its own.

        Args:
            function, args, kwargs: called in the fiber.

        Returns:
            A future of what it returns, the very object, or raises, the very exception.

        Raises:
            NotInWorkflowException: called outside the workflow's own fibers.

        Replay:
            No decision; ids inside begin with ``fN.``.
        """
        return self._run.spawn(function, args, kwargs)

    @overload
    def as_completed(self, *futures: Future[T] | Iterable[Future[T]]) -> Iterator[Future[T]]: ...
    @overload
    def as_completed(self, *futures: Any) -> Iterator[Future[Any]]: ...
    def as_completed(self, *futures: Any) -> Iterator[Future[Any]]:
        """
        Yield futures as they are done, in the order in which they are done; waits at each step if none is.

        Args:
            futures: futures, and iterables of futures in any depth; each is yielded once.
        """
        left = flatten(futures)
        while left:
            self._run.enter()
            for future in wait_for(self._run, left, all_of_them=False) or []:
                left.remove(future)
                yield future

    @overload
    def map(self, function: Callable[[I], Future[T]], items: Iterable[I], **options: Unpack[MapOptions]) -> list[T]: ...
    @overload
    def map(self, function: Callable[[I], T], items: Iterable[I], **options: Unpack[MapOptions]) -> list[T]: ...
    def map(
        self,
        function: Callable[[Any], Any],
        items: Iterable[Any],
        *,
        limit: int | None = None,
        enough: int | None = None,
        tolerate: int | None = None,
    ) -> list[Any]:
        """
        Call a function for each item, several at a time, each call in a fiber of its own.

        Args:
            function: takes an item; may wait; a future that it returns is waited for.
            items: any iterable.
            limit: how many calls at once; None: all.
            enough: return as soon as so many have succeeded, and cancel the rest; None: when all are done.
            tolerate: how many may fail; None: none, or with ``enough`` as many as leave enough of them.

        Returns:
            The results, in the order of the items; with ``enough`` or ``tolerate``, of those that succeeded.

        Raises:
            ValueError: limit or enough is less than 1, or tolerate less than 0.
            Exception: without ``enough`` and ``tolerate``: what the first failing call raised; the rest is canceled.
            InvocationFailedException: with one of them: more have failed than may, or too few can succeed any more. Its cause is
                the last failure; the rest is canceled.

        Replay:
            No decision of its own; ids inside begin with ``fN.``.
        """
        if limit is not None and limit < 1:
            raise ValueError(f"limit is at least 1, not {limit}")
        self._run.enter()
        return map_over(self._run, function, items, limit, Tally(enough, tolerate))

    def scope(self, *, timeout: float | timedelta | None = None) -> Scope:
        """
        Return a block that can be canceled as a whole: ``with self.swf.scope(timeout=60) as scope:``.

        When its time is over, or ``scope.cancel()`` is called, what was asked for inside is canceled, and the code inside leaves
        the block at its wait. ``scope.canceled`` tells afterwards.

        Args:
            timeout: seconds; None: only ``cancel`` ends it.

        Replay:
            With a timeout: a timer, id ``timeoutN`` in call order.
        """
        return Scope(self._run, timeout)

    def shield(self) -> Shield:
        """Return a block in which no cancel arrives from outside; what was held back is raised at the next wait after it."""
        return Shield(self._run)

    @property
    def cancel_requested(self) -> bool:
        """Whether somebody has asked this execution to cancel, as far as history is applied."""
        return self._run.cancel_requested

    # -- the run itself ------------------------------------------------------------------------------------------------

    def now(self) -> datetime:
        """Return the time of the decision task, in UTC; the same as ``workflow_time``."""
        return datetime.fromtimestamp(self._run.seconds(), UTC)

    @property
    def random(self) -> Chance:
        """Draws that replay: a ``random.Random`` of the calling fiber's own."""
        return self._run.chance()

    def uuid4(self) -> UUID:
        """Return a random UUID that replays."""
        return self._run.chance().uuid4()

    def patched(self, patch_id: str) -> bool:
        """
        Tell whether this run takes the new way of a change, so that open runs can go on with the old one.

        ::

            if self.swf.patched("charge twice"):
                ...the new code...
            else:
                ...the old code...

        True for runs that reach it for the first time; False for those that passed it before the change, for as long as they
        live. Once no such run is open any more, replace the branch by ``deprecate_patch``.

        Args:
            patch_id: names the change; at most 243 characters.

        Raises:
            ValueError: the name is empty or too long.

        Replay:
            One decision, ``RecordMarker``, the first time; name ``pyflow.patch.ID``.
        """
        return self._run.patched(patch_id)

    def deprecate_patch(self, patch_id: str) -> None:
        """Say that all runs take the new way now, whether their history has the patch's marker or not."""
        self._run.patched(patch_id, deprecated=True)

    def set_status(self, value: Any) -> None:
        """
        Say how the run stands, for people: it goes into the execution context of the next response.

        Args:
            value: a JSON value; with the rest of the context cut to 2,048 characters.
        """
        self._run.enter()
        self._run.status = value

    @property
    def logger(self) -> logging.Logger:
        """A logger of this workflow type."""
        return logging.getLogger(f"pyflow.workflow.{self._run.workflow_class.__name__}")
