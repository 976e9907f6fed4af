"""
One decision task, from the poll to its answer: decided by its owner, answered, parked, or left alone.

No fault of ours ever fails a customer's execution. What cannot be decided is parked, or not answered; what cannot be sent is
sent again, or dropped.
"""

import logging
from collections.abc import Callable
from functools import partial
from threading import Event
from typing import Any, Final, Protocol

from pyflow.exceptions import (
    DeciderException,
    HistoryException,
    NondeterminismException,
    PayloadException,
    PayloadStoreException,
    ServiceFault,
)
from pyflow.swf.client import Client
from pyflow.swf.faults import Verdict, judge

from .affinity import AFFINITY_MEMBERS, Affinity
from .deciding import Decided, DecidedTask, PartOfHistory, Task, title
from .owners import CodeStopped, GivenUp
from .polling import whole_history
from .responding import respond
from .undecidable import OnUndecidable, instead

logger = logging.getLogger("pyflow")

RESPOND: Final = "RespondDecisionTaskCompleted"


class DecidesTasks(Protocol):
    """An owner, as whoever answers sees it."""

    def decide(self, task: Task) -> Decided:
        """Decide a task."""

    def forget(self, run_id: str) -> None:
        """Let go of a run before any task that comes later."""


class Answering:
    """
    What is the same for all tasks of a decider.

    Args:
        client: gives the SWF client of the moment.
        domain: where the tasks are from.
        affinity: brings runs back.
        on_undecidable: see ``Decider``.
        stopping: whether the process stops; runs are then handed back.
    """

    def __init__(
        self,
        client: Callable[[], Client],
        domain: str,
        affinity: Affinity,
        on_undecidable: OnUndecidable,
        stopping: Event,
    ) -> None:
        self._client = client
        self._domain = domain
        self._affinity = affinity
        self._on_undecidable = on_undecidable
        self._stopping = stopping

    def answer(self, task: Task, owner: DecidesTasks, outcome: Callable[[], Decided] | None = None) -> None:
        """
        Have a task decided and send the answer, or another one, or none. Raises nothing.

        Args:
            task: whole, or with its newest events.
            owner: of its run.
            outcome: gives or raises what came of deciding it, where that is done.
        """
        try:
            decided = self._decide(task, owner, outcome or partial(owner.decide, task))
            if decided is not None:
                self._send(task, self.response(task, decided), owner)
        except Exception:
            logger.exception("%s: not answered, for a fault of ours", title(task))

    def answer_again(self, task: Task, response: dict[str, Any], owner: DecidesTasks, tried: Exception) -> None:
        """Go on with an answer of which a first try has failed. Raises nothing."""
        try:
            self._send(task, response, owner, tried=tried)
        except Exception:
            logger.exception("%s: not answered, for a fault of ours", title(task))

    def response(self, task: Task, decided: Decided) -> dict[str, Any]:
        """Return the members of the response to a task that is decided."""
        self._affinity.notice(task)
        brings_back = decided.kept and not self._stopping.is_set()
        return {**_members(decided.task), **(self._affinity.members(task) if brings_back else {})}

    def _decide(self, task: Task, owner: DecidesTasks, outcome: Callable[[], Decided]) -> Decided | None:
        """Have a task decided; None: it was answered otherwise, or is not answered."""
        try:
            return self._decide_whole(task, owner, outcome)
        except NondeterminismException as error:
            self._instead(task, str(error), code_is_wrong=True)
        except PayloadStoreException as error:
            logger.warning("%s: not answered, it will be handed out again. %s", title(task), error)
        except (CodeStopped, PayloadException) as error:
            self._instead(task, str(error))
        except GivenUp as error:
            logger.info("%s: not answered: %s", title(task), error)
        except (HistoryException, DeciderException) as error:
            logger.error("%s: not answered. %s", title(task), error)  # noqa: TRY400 - the message says it all
        except MemoryError:
            logger.exception("%s: not answered, out of memory", title(task))
        except BaseException as error:  # also what code raises to end its process, which is not its own
            logger.exception("%s: it could not be decided", title(task))
            self._instead(task, f"{type(error).__name__}: {error}")
        return None

    def _decide_whole(self, task: Task, owner: DecidesTasks, outcome: Callable[[], Decided]) -> Decided | None:
        try:
            return outcome()
        except PartOfHistory:
            whole = self._whole(task)
            return None if whole is None else owner.decide(whole)

    def _whole(self, task: Task) -> Task | None:
        """Return the task with its whole history; None: it cannot be had, and the task times out."""
        if task["events"] and task["events"][0]["eventId"] == 1:
            return task
        whole = whole_history(self._client(), self._domain, task, self._stopping)
        if whole is None:
            logger.warning("%s: not answered, its history could not be read whole", title(task))
            self._affinity.turn_off("histories cannot be fetched; is swf:GetWorkflowExecutionHistory allowed?")
        return whole

    def _send(
        self, task: Task, response: dict[str, Any], owner: DecidesTasks, *, tried: Exception | None = None
    ) -> None:
        fault = self._respond(task, response, tried)
        if fault is not None and "taskList" in response and judge(fault) is Verdict.OURS:
            fault = self._respond(task, {name: response[name] for name in response.keys() - AFFINITY_MEMBERS})
            if fault is None:
                self._affinity.turn_off("the service refuses a task list in an answer")
        if fault is not None:
            owner.forget(task["workflowExecution"]["runId"])
            if judge(fault) is Verdict.OURS:
                self._instead(task, f"its response was refused: {fault}")

    def _instead(self, task: Task, reason: str, *, code_is_wrong: bool = False) -> None:
        """Answer otherwise, as the policy has it."""
        whole = self._whole(task)
        if whole is None:
            return
        answer = instead(whole, reason, self._on_undecidable, code_is_wrong=code_is_wrong)
        if answer is None:
            logger.error("%s: not answered, it could not be decided: %s", title(task), reason)
            return
        kinds = ", ".join(decision["decisionType"] for decision in answer.decisions) or "nothing, it is parked already"
        logger.error("%s: parked, or failed, as the policy has it (%s). %s", title(task), kinds, reason)
        self._respond(task, _members(answer))

    def _respond(self, task: Task, response: dict[str, Any], tried: Exception | None = None) -> ServiceFault | None:
        """Send an answer; give the fault that ended it, if one did."""
        try:
            respond(
                lambda **members: self._client().respond_decision_task_completed(**members),
                RESPOND,
                self._stopping,
                tried=tried,
                **response,
            )
        except ServiceFault as fault:
            logger.warning("%s: its response did not arrive: %s", title(task), fault)
            return fault
        return None


def _members(decided: DecidedTask) -> dict[str, Any]:
    return {
        "taskToken": decided.task_token,
        "decisions": decided.decisions,
        "executionContext": decided.execution_context,
    }
