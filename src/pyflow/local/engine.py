"""
The state of all executions, and how a turn becomes part of it. One thread's: nothing here locks.

What is open stands in memory in the form that each use needs (executions by run, waiting tasks by list, deadlines by time);
the store holds the same, durably, and is read again whenever memory cannot be trusted.
"""

import sqlite3
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from . import faults, outcomes
from .calls import Alive
from .clock import Clock
from .effects import Effect
from .ids import Ids
from .lambdas import Invocation
from .registry import Domain, Registry
from .rows import queue_values
from .rules import close, tasks, timeouts
from .rules.turn import EVENTS_MAX, Turn
from .state import ActivityTask, DecisionTask, Event, Execution, LambdaTask, OpenItem
from .store import Store
from .tasklists import ListKey, TaskLists
from .throttles import Throttles
from .timers import Deadlines
from .tokens import Tokens

CACHED_EXECUTIONS_MAX: Final = 4_096
RECENT_EVENTS_MAX: Final = 512
SWEEP_RUNS_MAX: Final = 32


class BrokenDeadline(Exception):
    """A deadline that cannot be applied, as (run, event id); it must not stop everything else."""


class Engine:
    """
    Executions, task lists, deadlines, domains and types.

    Args:
        store: where they are kept; what it holds is read at once.
        ids: where run ids come from.
        clock: kept for those who move it; each operation is told its time.

    After each operation ``to_match`` names the task lists that have both tasks and waiting polls; after each commit
    ``invocations`` are the functions to run, ``ended_lambdas`` those that no longer matter, and ``closed`` what has closed.
    """

    def __init__(self, store: Store, ids: Ids, clock: Clock) -> None:
        self.store = store
        self.clock = clock
        self.ids = ids
        self.task_lists = TaskLists()
        self.tokens = Tokens(self._secret())
        self.to_match: set[ListKey] = set()
        self.invocations: list[Invocation] = []
        self.ended_lambdas: list[tuple[int, int]] = []
        self.closed: list[Execution] = []
        self.require_lambda_role = False
        self.throttles: Throttles | None = None
        self.refuse_decision: Callable[[str, dict[str, Any]], str | None] = lambda kind, attributes: None
        self._holders: dict[tuple[int, int], Alive] = {}
        self._broken: set[tuple[int, int]] = set()
        self._effects: deque[tuple[Execution, int, Effect]] = deque()
        self.read_state()

    def read_state(self) -> None:
        """Take the state from the store."""
        self._effects.clear()
        self.invocations.clear()
        self.ended_lambdas.clear()
        self.closed.clear()
        self.registry = Registry(self.store)
        self.deadlines = Deadlines()
        self.task_lists.forget_tasks()
        self._cache: OrderedDict[int, Execution] = OrderedDict()
        self._last_run = self.store.last_run()
        for domain in self.registry.domains():
            domain.open_runs = self.store.open_runs(domain.name)
        self.deadlines.load(each for each in self.store.deadlines() if each[1:] not in self._broken)
        self.task_lists.load(self.store.waiting_tasks())
        self.to_match = self.task_lists.matched()
        self._expiries = {
            domain.name: oldest + domain.retention_ms
            for domain in self.registry.domains()
            if (oldest := self.store.oldest_close(domain.name)) is not None
        }

    def forget_executions(self) -> None:
        """Forget every execution, as if there had never been one."""
        self.store.forget_executions()
        self.ids.start_over()
        self._holders.clear()
        self._broken.clear()
        self.read_state()

    @property
    def runs(self) -> range:
        """The numbers of all runs that there ever were."""
        return range(1, self._last_run + 1)

    # -- executions

    def find(self, run: int) -> Execution | None:
        """Return the state of a run, or None where it is past its domain's retention and forgotten."""
        execution = self._cache.get(run)
        if execution is not None:
            self._cache.move_to_end(run)
            return execution
        execution = self.store.load_execution(run)
        if execution is not None:
            self._cache[run] = execution
        return execution

    def execution(self, run: int) -> Execution:
        """Return the state of a run that is known to be there: an open one, or one whose event is being taken in."""
        execution = self.find(run)
        assert execution is not None, run
        return execution

    def find_execution(self, domain_name: str, workflow_id: str, run_id: str, now: int) -> Execution:
        """
        Return a run, open or closed.

        Raises:
            ServiceFault: UnknownResourceFault; also where it is past retention.
        """
        domain = self.registry.domain(domain_name)
        execution = self.find_open(domain, workflow_id, run_id)
        if execution is None:
            run = self.store.find_run(domain_name, workflow_id, run_id)
            execution = None if run is None else self.find(run)
        if execution is None or (execution.closed_at is not None and execution.closed_at + domain.retention_ms <= now):
            raise faults.unknown_execution(workflow_id, run_id)
        return execution

    def find_open(self, domain: Domain, workflow_id: str, run_id: str | None) -> Execution | None:
        """Return the open run of a workflow id, if there is one and it is the run asked for."""
        run = domain.open_runs.get(workflow_id)
        if run is None:
            return None
        execution = self.execution(run)
        return None if run_id and execution.run_id != run_id else execution

    def open_execution(self, domain_name: str, workflow_id: str, run_id: str | None) -> Execution:
        """
        Return the open run of a workflow id.

        Raises:
            ServiceFault: UnknownResourceFault, also where the run asked for is closed and another one is open.
        """
        execution = self.find_open(self.registry.domain(domain_name), workflow_id, run_id)
        if execution is None:
            raise faults.unknown_execution(workflow_id, run_id)
        return execution

    def add_execution(self, execution: Execution) -> None:
        """Take in a new execution; its first turn is settled by the caller."""
        self._cache[execution.run] = execution
        self.registry.domain(execution.domain).open_runs[execution.workflow_id] = execution.run

    def next_run(self) -> int:
        """Return the number for a new run."""
        self._last_run += 1
        return self._last_run

    def read_events(self, execution: Execution, first: int, last: int) -> list[Event]:
        """Return events of a run, ascending, both ends included; the youngest are in memory."""
        recent = execution.recent
        from_memory = recent[0].id if recent else execution.last_id + 1
        events: list[Event] = []
        if first < from_memory:
            events = self.store.read_events(execution.run, first, min(last, from_memory - 1))
        if last >= from_memory:
            events += recent[max(0, first - from_memory) : last - from_memory + 1]
        return events

    def since_decision_before(self, execution: Execution, started_id: int) -> int:
        """
        Return the first event from the time on at which the decision task before this one was started; 1 if there was none.

        By time, as SWF selects them: what happened in the same millisecond before it belongs to it.
        """
        before_at: int | None = None
        last = started_id - 1
        while last > 0:
            events = self.read_events(execution, max(1, last - 15), last)
            for event in reversed(events):
                if before_at is None:
                    if event.type == "DecisionTaskStarted":
                        before_at = event.at
                elif event.at < before_at:
                    return event.id + 1
            last = events[0].id - 1
        return 1

    def last_event(self, execution: Execution) -> Event:
        """Return the last event of a run; of a closed one it is that which closed it."""
        return self.read_events(execution, execution.last_id, execution.last_id)[0]

    def trim(self, closed: Iterable[Execution]) -> None:
        """
        Let go of what need not be in memory; only between groups, when all of it is in the store.

        Of what has closed, nearly nothing but its last event is asked for again.
        """
        for execution in closed:
            del execution.recent[:-1]
        while len(self._cache) > CACHED_EXECUTIONS_MAX:
            self._cache.popitem(last=False)

    # -- turns

    def settle(self, turn: Turn) -> None:
        """Make what a turn did part of the state, and carry out what follows from it elsewhere."""
        self._take_in(turn)
        while self._effects:
            execution, at, effect = self._effects.popleft()
            for further in outcomes.carry_out(self, execution, at, effect):
                self._take_in(further)

    def _take_in(self, turn: Turn) -> None:
        execution = turn.execution
        if execution.last_id >= EVENTS_MAX and execution.open:
            close.terminate(turn, "EVENT_LIMIT_EXCEEDED", {})
        self.store.append_events(execution, turn.events)
        execution.recent.extend(turn.events)
        if len(execution.recent) > 2 * RECENT_EVENTS_MAX:
            del execution.recent[:-RECENT_EVENTS_MAX]
        for item in dict.fromkeys(turn.touched):
            self._follow(execution, item)
        for effect in turn.effects:
            self._effects.append((execution, turn.at, effect))

    def _follow(self, execution: Execution, item: OpenItem | Execution) -> None:
        """Let an item's row, deadline and place in a task list follow its state."""
        self.store.keep(execution, item)
        run, event_id, closed = execution.run, item.event_id, item.closed
        if closed or item.due is None:
            self.deadlines.disarm(run, event_id)
        else:
            self._arm(run, event_id, item.due)
        if isinstance(item, (DecisionTask, ActivityTask)):
            if item.waiting:
                self._enqueue(execution, item)
            else:
                self.task_lists.remove(run, event_id)
            if closed:
                self._holders.pop((run, event_id), None)
        elif not closed:
            return
        elif isinstance(item, LambdaTask):
            self.ended_lambdas.append((run, event_id))
        elif isinstance(item, Execution):
            self._close(item)

    def _enqueue(self, execution: Execution, task: DecisionTask | ActivityTask) -> None:
        domain, name, priority, since = queue_values(execution, task)
        key = ListKey("decision" if isinstance(task, DecisionTask) else "activity", domain, name)
        if self.task_lists.add(key, execution.run, task.event_id, priority, since):
            self.to_match.add(key)

    def _close(self, execution: Execution) -> None:
        assert execution.closed_at is not None
        domain = self.registry.domain(execution.domain)
        domain.open_runs.pop(execution.workflow_id, None)
        self.closed.append(execution)
        self._expiries.setdefault(domain.name, execution.closed_at + domain.retention_ms)

    # -- time

    def _arm(self, run: int, event_id: int, due: int) -> None:
        if (run, event_id) not in self._broken:
            self.deadlines.arm(run, event_id, due)

    def leave_out(self, key: tuple[int, int]) -> None:
        """Never try this deadline again."""
        self._broken.add(key)

    def apply_deadlines(self, now: int) -> None:
        """
        Let time do what it owes, strictly in the order of the deadlines, each at its own time.

        Raises:
            BrokenDeadline: a rule failed on one of them.
        """
        while (deadline := self.deadlines.pop(now)) is not None:
            due, run, event_id = deadline
            try:
                turn = Turn(self.execution(run), due)
                timeouts.expire(turn, event_id)
                self.settle(turn)
            except sqlite3.Error:
                raise
            except Exception as error:
                raise BrokenDeadline((run, event_id)) from error

    def give(self, execution: Execution, task: DecisionTask | ActivityTask, holder: Alive) -> None:
        """Note who has a started task."""
        self._holders[execution.run, task.event_id] = holder

    def held_by_the_living(self) -> bool:
        """Whether a started task is with somebody who is still there; those whose holder is gone are forgotten."""
        gone = [key for key, alive in self._holders.items() if not alive()]
        for key in gone:
            del self._holders[key]
        return bool(self._holders)

    def refusal(self, decision: str, attributes: dict[str, Any]) -> str | None:
        """Return the cause for which a decision is not even looked at: a planned one, or a rate."""
        planned = self.refuse_decision(decision, attributes)
        if planned is not None or self.throttles is None:
            return planned
        return self.throttles.refusal(decision, attributes)

    def next_expiry(self) -> int | None:
        """Return when the next closed execution is past its domain's retention."""
        return min(self._expiries.values(), default=None)

    def sweep(self, now: int) -> None:
        """Forget some of the executions that are past retention; nobody sees them any more as it is."""
        for name, due in list(self._expiries.items()):
            if due > now:
                continue
            # A run's number is in its tokens, so it is never given again.
            self.store.put_service_fact("last_run", str(self._last_run))
            retention_ms = self.registry.domain(name).retention_ms
            for run in self.store.delete_closed(name, now - retention_ms, SWEEP_RUNS_MAX):
                self._cache.pop(run, None)
            oldest = self.store.oldest_close(name)
            if oldest is None:
                del self._expiries[name]
            else:
                self._expiries[name] = oldest + retention_ms

    # -- Lambda functions

    def invoke(self, execution: Execution, task_id: int, attributes: Mapping[str, Any]) -> None:
        """Run a function once the group is durable."""
        self.invocations.append(
            Invocation(
                execution.run,
                task_id,
                attributes["name"],
                attributes.get("input"),
                int(attributes.get("startToCloseTimeout") or tasks.LAMBDA_TIMEOUT),
                self.ids.request_id(),
            )
        )

    def resume_lambdas(self, now: int) -> None:
        """Take up the functions of the process before this one: those that had not begun, begin; those that ran are lost."""
        for run, event_id, started_id in self.store.lambda_tasks():
            execution = self.execution(run)
            task = execution.lambdas[event_id]
            if not started_id:
                self.invoke(execution, event_id, task.attributes)
                continue
            turn = Turn(execution, now)
            lost = outcomes.lost_lambda(task.attributes["name"])
            tasks.close_lambda(turn, task, lost.event_type, dict(lost.attributes))
            self.settle(turn)

    def _secret(self) -> str:
        secret = self.store.service_fact("token_secret")
        if secret is None:
            secret = self.ids.secret()
            self.store.put_service_fact("token_secret", secret)
        return secret
