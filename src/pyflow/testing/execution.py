"""One execution under test."""

from typing import Any, Final, Generic

from pyflow.exceptions import PyflowException
from pyflow.future import R
from pyflow.handles import ExecutionHandle, outcome_of
from pyflow.payloads.hints import hints_of
from pyflow.swf.events import attributes_of
from pyflow.workflow import Workflow

from . import story
from .scheduler import Scheduler

__all__ = ["Execution", "StuckException"]

__tracebackhide__ = True

SIGNALED: Final = "WorkflowExecutionSignaled"


class StuckException(PyflowException):
    """
    Nothing can ever happen to an execution any more.

    Args:
        title: what it is called.
        stacks: where each of its fibers waits, one line for each place.
        reasons: what may be why.
    """

    def __init__(self, title: str, stacks: list[str], reasons: list[str]) -> None:
        self.stacks = stacks
        self.reasons = reasons
        where = "\n".join(f"  {line}" for line in stacks or ["no decision has been made"])
        why = "".join(f"\n  {line}" for line in reasons)
        super().__init__(f"{title} is stuck: nothing is under way that could end its wait.\n{where}{why}")


class Execution(ExecutionHandle, Generic[R]):
    """
    One execution under test: signal it, cancel it, ask for its result.

    ``run_id`` is that of the run it is in: it changes as the execution continues as new and ``result`` follows.
    ``may_time_out`` is whether its own timeout was asked for, so that time may pass to it.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        workflow: type[Workflow],
        workflow_id: str,
        run_id: str,
        *,
        may_time_out: bool = False,
    ) -> None:
        returns = hints_of(workflow.run).result
        workers = scheduler.workers
        super().__init__(
            workers.client, workers.domain, workflow_id, run_id, converter=workers.converter, returns=returns
        )
        self.workflow = workflow
        self.first_run_id = run_id
        self._scheduler = scheduler
        self.may_time_out = may_time_out

    @property
    def title(self) -> str:
        """The class and its version."""
        return f"{self.workflow.__qualname__} {self.workflow.VERSION}"

    @property
    def history(self) -> list[dict[str, Any]]:
        """The events so far, in the API's form."""
        return self._events()

    @property
    def waiting(self) -> str | None:
        """What the code of ``run`` waits for and where: ``activity1 (charge) at shop.py:30 in Order.run``; None if nowhere."""
        return story.waiting(self)

    def story(self) -> str:
        """Tell what was asked and what came back, when, and where it waits, a line each; children included."""
        return "\n".join([story.tell(self, self.title), *(f"  {hint}" for hint in story.hints(self._events()))])

    def result(self) -> R:
        """
        Run until it has closed; time skips over whatever it waits for.

        Returns:
            Its result, decoded.

        Raises:
            WorkflowFailedException: it failed; with its reason and details.
            WorkflowCanceledException: it closed as canceled.
            WorkflowTerminatedException, WorkflowTimedOutException: it was terminated, or timed out.
            StuckException: nothing can ever happen to it any more. Its own timeout does not count, unless ``start`` was given
                it: ``flow.advance`` goes there.
        """
        self._scheduler.settle()
        while (closed := self._end()) is None:
            if not self._scheduler.skip(to_ends=self.may_time_out) and self._end() is None:
                raise self.stuck()
        try:
            return outcome_of(closed, self.converter, self.returns)  # type: ignore[no-any-return] # what the type hint says
        except PyflowException as error:
            for hint in story.hints(self._events()):
                error.add_note(hint)
            raise

    def stuck(self) -> StuckException:
        """Return the exception that says that nothing can ever happen to it any more, and why that may be."""
        return StuckException(self.title, story.stacks(self), self._reasons())

    def _end(self) -> dict[str, Any] | None:
        while True:
            run_id = self.run_id
            closed = super()._end()
            if self.run_id == run_id:
                return closed
            self._scheduler.settle()

    def _reasons(self) -> list[str]:
        """Say what may keep it waiting."""
        names = [attributes_of(event)["signalName"] for event in self._events() if event["eventType"] == SIGNALED]
        reasons = [f"signals that came: {', '.join(map(repr, names))}"] if names else []
        return [*reasons, *self._scheduler.workers.not_served()]
