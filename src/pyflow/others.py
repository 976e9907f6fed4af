"""
Other executions, as a run sees them: its children, and those it knows only by their id.

Source: SWF API Reference, SignalExternalWorkflowExecutionDecisionAttributes and
RequestCancelExternalWorkflowExecutionDecisionAttributes.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Protocol, TypedDict, TypeVar

from .future import InvocationFuture
from .replay.tables import Kind
from .retry import RetryPolicy
from .runtime import Runtime
from .swf.decisions import given

T = TypeVar("T")
I_contra = TypeVar("I_contra", contravariant=True)
R_co = TypeVar("R_co", covariant=True)


class WorkflowCode(Protocol[I_contra, R_co]):
    """A workflow class as far as type checkers need it: what its ``run`` takes and returns is what the execution does."""

    def run(self, workflow_input: I_contra, /) -> R_co:
        """The workflow."""


class ChildOptions(TypedDict, total=False):
    """The options of ``child`` and ``start_child``, as type checkers need them."""

    workflow_id: str | None
    task_list: str | None
    child_policy: str | None
    lambda_role: str | None
    tags: Sequence[str] | None
    priority: int | None
    execution_start_to_close: float | str | timedelta | None
    task_start_to_close: float | str | timedelta | None
    retry: RetryPolicy | None


def type_of(workflow: Any) -> dict[str, str]:
    """Return a workflow class's type as SWF spells it."""
    return {"name": str(workflow.NAME), "version": workflow.VERSION}


class ExternalWorkflow:
    """
    Another execution of the same domain.

    Attributes:
        workflow_id: its id.
        run_id: which of its runs; None: the one that is open.
    """

    def __init__(self, run: Runtime, workflow_id: str, run_id: str | None = None) -> None:
        self.workflow_id = workflow_id
        self.run_id = run_id
        self._run = run

    def signal(self, name: str, value: Any = None) -> InvocationFuture[None]:
        """
        Send it a signal.

        Args:
            name: the signal's.
            value: a JSON value; None sends no input.

        Returns:
            A future that is done when SWF has delivered it; it fails with cause ``UNKNOWN_EXTERNAL_WORKFLOW_EXECUTION`` if
            no such execution is open.

        Raises:
            SerializationException: the value is not JSON or over 32,768 characters.
            NotInWorkflowException: called outside the workflow's own fibers.

        Replay:
            One decision, ``SignalExternalWorkflowExecution``; ``signalN`` in its control.
        """
        return signal_external(self._run, self.workflow_id, self.run_id, name, value)

    def cancel(self) -> InvocationFuture[None]:
        """
        Ask it to cancel.

        Returns:
            A future that is done when SWF has delivered the request; not when the execution has closed.

        Raises:
            NotInWorkflowException: called outside the workflow's own fibers.

        Replay:
            One decision, ``RequestCancelExternalWorkflowExecution``; ``cancelN`` in its control.
        """
        own_id = self._run.next_id("cancel")
        return self._run.invoke(Kind.CANCEL, own_id, self.workflow_id, options=given(runId=self.run_id))


class ChildHandle(InvocationFuture[T]):
    """
    A child workflow execution: the future of its result, and a handle on it while it runs.

    ``cancel`` asks it to cancel; see ``Future.cancel``.
    """

    @property
    def workflow_id(self) -> str:
        """The child's workflow id."""
        return self.invocation.id

    @property
    def run_id(self) -> str | None:
        """The child's run id, once SWF has said that it has started."""
        return self.invocation.child_run_id

    def signal(self, name: str, value: Any = None) -> InvocationFuture[None]:
        """Send it a signal; see ``ExternalWorkflow.signal``."""
        run: Any = self._host
        return signal_external(run, self.workflow_id, self.run_id, name, value)


def signal_external(
    run: Runtime, workflow_id: str, run_id: str | None, name: str, value: Any
) -> InvocationFuture[None]:
    """Ask for a signal to another execution."""
    own_id = run.next_id("signal")
    text = None if value is None else run.converter.encode(value, "the value of signal", name)
    return run.invoke(Kind.SIGNAL, own_id, name, text, given(workflowId=workflow_id, runId=run_id))
