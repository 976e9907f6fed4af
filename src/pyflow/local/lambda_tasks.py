"""Lambda tasks between the engine, which knows them, and the threads that run their functions."""

import logging
from collections.abc import Callable, Mapping
from time import sleep
from typing import Any, Final

from pyflow.exceptions import PyflowException, ServiceFault

from .calls import Context, Work
from .engine import Engine
from .lambdas import Function, Invocation, Lambdas, Outcome
from .rules import tasks
from .rules.turn import Turn
from .state import Execution, LambdaTask

RETRY_S: Final = 0.1
RETRY_MAX_S: Final = 10.0

log = logging.getLogger(__name__)


class LambdaTasks:
    """
    Lambda tasks.

    Args:
        engine: knows them.
        run: carries out work at the engine, and waits for it; raises PyflowException where the service is closed.
        functions: Lambda functions by name.
        elsewhere: runs the functions that are not among them.
        threads: run functions in threads as soon as they are asked for; else ``lambdas.run_next`` runs them.
    """

    def __init__(
        self,
        engine: Engine,
        run: Callable[[Work, str], Any],
        functions: Mapping[str, Function],
        elsewhere: Callable[[Invocation], Outcome] | None,
        *,
        threads: bool,
    ) -> None:
        self._engine = engine
        self._run = run
        at_once = {} if threads else {"most": 0}
        self.lambdas = Lambdas(functions, self._started, self._finished, **at_once)
        self.lambdas.elsewhere = elsewhere

    def hand_out(self) -> None:
        """Have those run that were scheduled, and write off those that nobody waits for any more: all of that is durable."""
        engine = self._engine
        invocations, engine.invocations = engine.invocations, []
        for invocation in invocations:
            self.lambdas.submit(invocation)
        ended, engine.ended_lambdas = engine.ended_lambdas, []
        for key in ended:
            self.lambdas.write_off(*key)

    def _open(self, invocation: Invocation) -> tuple[Execution, LambdaTask] | None:
        execution = self._engine.find(invocation.run)
        task = execution.lambdas.get(invocation.scheduled_id) if execution else None
        return None if execution is None or task is None else (execution, task)

    def _started(self, invocation: Invocation) -> bool:
        def work(context: Context) -> bool:
            found = self._open(invocation)
            if found is None:
                return False
            turn = Turn(found[0], context.at)
            tasks.start_lambda(turn, found[1])
            self._engine.settle(turn)
            return True

        try:
            return bool(self._record(work))
        except PyflowException:
            return False

    def _finished(self, invocation: Invocation, outcome: Outcome) -> None:
        def work(context: Context) -> None:
            found = self._open(invocation)
            if found is not None:
                turn = Turn(found[0], context.at)
                tasks.close_lambda(turn, found[1], outcome.event_type, dict(outcome.attributes))
                self._engine.settle(turn)

        try:
            self._record(work)
        except PyflowException:
            log.warning("the result of Lambda function %r came after the service was closed", invocation.name)

    def _record(self, work: Work) -> Any:
        """
        Record what became of a function; again, while the disk takes no writes: nobody else would.

        Raises:
            PyflowException: the service is closed.
        """
        wait_s = RETRY_S
        while True:
            try:
                return self._run(work, "")
            except ServiceFault:
                sleep(wait_s)
                wait_s = min(2 * wait_s, RETRY_MAX_S)
