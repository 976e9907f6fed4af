"""What happens next in a test: one step after the other, and time only when nothing else can happen."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Final, NamedTuple

from pyflow.handles import WorkflowHandle
from pyflow.local import Pending

from . import story
from .watch import SpinningException
from .workers import Workers

__all__ = ["Move", "Scheduler"]

__tracebackhide__ = True

STEPS_MAX: Final = 20_000
"""Steps without an end before a test is given up: an execution that asks for ever."""


class Move(NamedTuple):
    """
    One thing that can happen next.

    Attributes:
        kind: ``decide``, ``perform`` (an activity), ``lambda`` or ``time`` (pass to the next timer or timeout).
        what: on what, for people.
        make: makes it happen.
    """

    kind: str
    what: str
    make: Callable[[], object]


class Scheduler:
    """
    Lets one thing happen after the other.

    Args:
        workers: who does it.
        choose: see ``Flow``.
    """

    def __init__(self, workers: Workers, choose: Callable[[list[Move]], Move] | None) -> None:
        self.workers = workers
        self._choose = choose
        self._world = workers.world

    def run_until_blocked(self) -> None:
        """
        Let everything happen that can happen without time passing.

        Raises:
            SpinningException: there is no end to it, or to the code of one decision.
        """
        for _ in range(STEPS_MAX):
            if not self.step():
                return
        raise self._endless()

    def settle(self) -> None:
        """As ``run_until_blocked``; but where what happens next is chosen, time is among the choices, and nothing is done yet."""
        if self._choose is None:
            self.run_until_blocked()

    def advance(self, duration: timedelta) -> None:
        """
        Let time pass, and everything happen at its time.

        Raises:
            UnsupportedException: time does not skip on the service that this runs on, and that is too long to wait.
        """
        until_ms = self._world.now_ms() + round(duration.total_seconds() * 1000)
        self.run_until_blocked()
        while (due_ms := self._world.pending().due_ms) is not None and due_ms <= until_ms:
            self._world.pass_until(due_ms)
            self.run_until_blocked()
        while self._world.now_ms() < until_ms:
            self._world.pass_until(until_ms)
            self.run_until_blocked()

    def skip(self, *, to_ends: bool) -> bool:
        """
        Let time pass to the next deadline of anything, and what it brings happen.

        Args:
            to_ends: also if nothing but executions' own timeouts is to come.

        Returns:
            False if there is none.
        """
        if self._choose is not None and self.step(time_may_pass=True):
            return True
        self.run_until_blocked()
        pending = self._world.pending()
        if pending.due_ms is None or (pending.only_ends and not to_ends):
            return False
        self._world.pass_until(pending.due_ms)
        self.run_until_blocked()
        return True

    def step(self, *, time_may_pass: bool = False) -> bool:
        """Let one thing happen; tell whether anything could."""
        self.workers.prepare()
        pending = self._world.pending()
        if self._choose is None:
            return self._first(pending)
        moves = self._moves(pending, time_may_pass=time_may_pass)
        if moves:
            self._choose(moves).make()
        return bool(moves)

    def _first(self, pending: Pending) -> bool:
        """Decide what is to be decided; else do all activities that are there; else run a Lambda function."""
        workers = self.workers
        decisions = workers.lists_to_decide(pending)
        for task_list in decisions:
            workers.decide(task_list)
        if decisions:
            return True
        lists = workers.lists_to_work_on(pending)
        for task_list in lists:
            workers.take([task_list])
            for task in list(workers.in_hand):
                workers.perform(task)
        if not lists and pending.lambdas:
            return workers.run_lambda()
        return bool(lists)

    def _moves(self, pending: Pending, *, time_may_pass: bool) -> list[Move]:
        """Take all activity tasks that are there, and give everything that can happen."""
        workers = self.workers
        workers.take(workers.lists_to_work_on(pending))
        moves = [Move("decide", each, partial(workers.decide, each)) for each in workers.lists_to_decide(pending)]
        for task in workers.in_hand:
            what = f"{task['activityId']} ({task['activityType']['name']}) of {task['workflowExecution']['workflowId']}"
            moves.append(Move("perform", what, partial(workers.perform, task)))
        if pending.lambdas:
            moves.append(Move("lambda", "the next Lambda function", workers.run_lambda))
        due_ms = pending.due_ms
        if time_may_pass and due_ms is not None and not pending.only_ends:
            moves.append(Move("time", f"to {due_ms / 1000:.3f}", partial(self._world.pass_until, due_ms)))
        return moves

    def _endless(self) -> SpinningException:
        """Return the exception that says which execution asks for ever: the one that was decided last."""
        assert self.workers.last_decided is not None
        execution, type_ = self.workers.last_decided
        client, domain = self.workers.client, self.workers.domain
        handle = WorkflowHandle[object](client, domain, execution["workflowId"], execution["runId"])
        asked = Counter(
            event["eventType"]
            for event in handle.history()
            if event["eventType"].endswith(("Scheduled", "Initiated", "TimerStarted", "MarkerRecorded"))
        )
        waiting = story.waiting(handle)
        return SpinningException(
            f"no end after {STEPS_MAX:,} steps without time passing: {type_['name']} {type_['version']} asks for more and more "
            f"({', '.join(f'{count:,} {kind}' for kind, count in asked.most_common(3))}), and waits at {waiting}. "
            f"Does its loop ever end?",
            waiting,
        )
