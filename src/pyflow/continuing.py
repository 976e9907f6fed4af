"""
Continuing as new: a run that hands over to its successor before its history is full.

SWF ends an execution at 25,000 events. Whatever happens here depends on the length of the history at a decision task, which
is the same in each replay.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NoReturn

from .closing import ContinueAsNew
from .converter import duration
from .exceptions import PyflowException
from .runtime import HISTORY_MAX
from .swf import decisions as swf

if TYPE_CHECKING:
    from .runtime import Runtime

Duration = float | str | timedelta | None

HISTORY_BUDGET: Final = 20_000
"""Events from which on a run had better continue as new."""


class Continuing:
    """The members of ``self.swf`` by which a run continues as new."""

    _run: Runtime

    def continue_as_new(
        self,
        input: Any = None,
        *,
        version: str | None = None,
        task_list: str | None = None,
        child_policy: str | None = None,
        lambda_role: str | None = None,
        tags: Sequence[str] | None = None,
        priority: int | None = None,
        execution_start_to_close: Duration = None,
        task_start_to_close: Duration = None,
    ) -> NoReturn:
        """
        Close this run and start its successor, with the same workflow id and a fresh history.

        What is not given is taken from this run. What is open ends with this run, but for its children.

        Args:
            input: the new run's; a JSON value; None sends no input.
            version: the type's version; None: this one's.
            task_list, child_policy, lambda_role, tags, priority, execution_start_to_close, task_start_to_close: as in
                ``start_child``.

        Raises:
            PyflowException: called in another fiber than the main one.
            SerializationException: the input is not JSON or over 32,768 characters.
            NotInWorkflowException: called outside the workflow's own fibers.

        Replay:
            One closing decision, ``ContinueAsNewWorkflowExecution``.

        Source:
            SWF API Reference, ContinueAsNewWorkflowExecutionDecisionAttributes.
        """
        if self._run.enter().number != 0:
            raise PyflowException("only the main fiber, that of run itself, can continue as new: return to it first")
        mine = self._run.started
        raise ContinueAsNew(
            swf.continue_as_new_workflow_execution(
                input=None if input is None else self._run.converter.encode(input, "the input of the new run"),
                workflow_type_version=version,
                task_list=task_list or mine.get("taskList", {}).get("name"),
                child_policy=child_policy or mine.get("childPolicy"),
                lambda_role=lambda_role or mine.get("lambdaRole"),
                tag_list=mine.get("tagList") if tags is None else list(tags),
                task_priority=mine.get("taskPriority") if priority is None else str(priority),
                execution_start_to_close_timeout=duration(
                    execution_start_to_close,
                    "execution_start_to_close",
                    default=mine.get("executionStartToCloseTimeout"),
                ),
                task_start_to_close_timeout=duration(
                    task_start_to_close, "task_start_to_close", default=mine.get("taskStartToCloseTimeout")
                ),
            )
        )

    def checkpoint(self, make_input: Callable[[], Any], *, events: int = HISTORY_BUDGET, **options: Any) -> None:
        """
        Continue as new here, if the history has become long; otherwise do nothing.

        Put it where the state of the run is small and nothing is open: at the end of a turn of the main loop. Signals that nobody
        has received are lost with a run; take them along with ``unreceived_signals``.

        Args:
            make_input: called if it comes to that; returns the new run's input, a JSON value.
            events: from how many events of history on. SWF ends an execution at 25,000, and a turn adds its own.
            options: as in ``continue_as_new``.

        Raises:
            ValueError: events is not from 1 to 24,000.
            PyflowException: called in another fiber than the main one.
            NotInWorkflowException: called outside the workflow's own fibers.

        Replay:
            None, or the closing decision ``ContinueAsNewWorkflowExecution``. The length of the history is that at the decision
            task, the same in each replay.
        """
        if not 1 <= events <= HISTORY_MAX:
            raise ValueError(f"events is from 1 to {HISTORY_MAX:,}, not {events}")
        if self._run.enter().number != 0:
            raise PyflowException("only the main fiber, that of run itself, can continue as new: return to it first")
        if self._run.last_event_id >= events:
            self.continue_as_new(make_input(), **options)

    def unreceived_signals(self) -> dict[str, list[Any]]:
        """
        Take out the signals that nobody has received, to hand them to the next run in its input; see ``put_signals``.

        Returns:
            Their values by name, in the order they came.

        Raises:
            NotInWorkflowException: called outside the workflow's own fibers.
        """
        self._run.enter()
        return self._run.inbox.take_all()

    def put_signals(self, signals: Mapping[str, Sequence[Any]]) -> None:
        """
        Put signals where ``receive`` finds them, before those that come: what a run before this one has not received.

        Args:
            signals: what ``unreceived_signals`` gave there.

        Raises:
            NotInWorkflowException: called outside the workflow's own fibers.
        """
        self._run.enter()
        self._run.inbox.put_first(signals, self._run.now, self._run.wake)

    @property
    def history_length(self) -> int:
        """How many events this run's history has, as far as it is applied."""
        return self._run.last_event_id

    @property
    def should_continue_as_new(self) -> bool:
        """Whether the history is so long that the run had better continue as new: from 20,000 events; SWF ends it at 25,000."""
        return self._run.last_event_id >= HISTORY_BUDGET
