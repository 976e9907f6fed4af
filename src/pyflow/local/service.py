"""
The engine: one thread that owns the state and the store.

Calls are put into its inbox. It takes what is there as one group, applies the deadlines that have come, runs each call against
the state in memory, commits once, and only then lets the replies go. So a reply means that what it tells is durable, and many
callers share one sync of the disk.

A fault is raised before an operation changes anything. Whatever else goes wrong (a full disk, a bug) rolls the group back;
the state is read again from the store, and each call is tried once more by itself, so that only the guilty one fails.
"""

import logging
import queue
import sqlite3
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from typing import Any, Final

from pyflow.exceptions import PyflowException, ServiceFault

from . import faults, outcomes
from .calls import Call, Context, Wait
from .clock import Clock
from .effects import Effect
from .ids import Ids
from .lambdas import Function, Invocation, Lambdas, Outcome
from .registry import Domain, Registry
from .rows import queue_values
from .rules import close, tasks, timeouts
from .rules.turn import EVENTS_MAX, Turn
from .state import ActivityTask, DecisionTask, Event, Execution, LambdaTask, OpenItem
from .store import Store
from .tasklists import ListKey, TaskLists
from .timers import Deadlines
from .tokens import Tokens

GROUP_MAX: Final = 256
CACHED_EXECUTIONS_MAX: Final = 4_096
RECENT_EVENTS_MAX: Final = 512
POLLERS_MAX: Final = 1_000

log = logging.getLogger(__name__)


class BrokenDeadline(Exception):
    """A deadline that cannot be applied, as (run, event id); it must not stop everything else."""


class Service:
    """
    The state of all executions, and the thread that changes it.

    Args:
        store: what is kept; this service closes it.
        clock: what time it is.
        ids: where run ids come from.
        functions: Lambda functions by name.
        poll_wait_s: how long a poll waits for a task, in real time.
    """

    def __init__(
        self, store: Store, clock: Clock, ids: Ids, functions: Mapping[str, Function], poll_wait_s: float
    ) -> None:
        self.store = store
        self.clock = clock
        self.ids = ids
        self.lambdas = Lambdas(functions, self._lambda_started, self._lambda_finished)
        self.task_lists = TaskLists()
        self.tokens = Tokens(self._secret())
        self._poll_wait_s = poll_wait_s
        self._inbox: queue.SimpleQueue[Call | None] = queue.SimpleQueue()
        self._waiting: OrderedDict[Call, None] = OrderedDict()
        self._finished: list[Call] = []
        self._to_match: set[ListKey] = set()
        self._effects: deque[tuple[Execution, int, Effect]] = deque()
        self._invocations: list[Invocation] = []
        self._ended_lambdas: list[tuple[int, int]] = []
        self._broken: set[tuple[int, int]] = set()
        self._closing = False
        self._gate = threading.Lock()
        self._read_state()
        self._resume_lambdas()
        self.store.commit()
        clock.on_change(lambda: self._inbox.put(None))
        self._thread = threading.Thread(target=self._loop, name="pyflow-local-service", daemon=True)
        self._thread.start()
        self._submit_lambdas()

    # -- the doors' side

    def submit(self, call: Call) -> None:
        """
        Give the engine a call.

        Raises:
            PyflowException: the service is closed.
        """
        with self._gate:
            if self._closing:
                raise PyflowException("this LocalSWF is closed")
            self._inbox.put(call)

    def run(self, work: Callable[[Context], Any], region: str) -> Any:
        """Run an operation and wait for its reply; raises what it raises."""
        call = Call(work, region)
        self.submit(call)
        return call.result()

    def abandon(self, call: Call) -> None:
        """Say that nobody waits for a call any more: it is given no task from now on, and its place in line is freed."""
        call.abandoned = True
        with self._gate:
            if not self._closing:
                self._inbox.put(Call(lambda _: self._stop_waiting(call) if call in self._waiting else None, ""))

    def release(self, call: Call) -> None:
        """Answer a call with nothing if it waits for a task."""
        with self._gate:
            if not self._closing:
                self._inbox.put(Call(lambda _: self._answer_empty(call) if call in self._waiting else None, ""))

    def close(self) -> None:
        """Answer waiting polls with nothing, finish what is in the inbox, and close the store. Idempotent."""
        with self._gate:
            if self._closing:
                return
            self._closing = True
            self._inbox.put(None)
        self.lambdas.close()
        self._thread.join()
        self.store.close()

    # -- the loop

    def _loop(self) -> None:
        while True:
            group = self._gather()
            self._expire_polls()
            self._run_group(group)
            if self._closing and self._inbox.empty():
                while self._waiting:
                    self._answer_empty(next(iter(self._waiting)))
                return

    def _gather(self) -> list[Call]:
        """Wait for calls, or until a deadline or a poll's time comes; return what is there."""
        try:
            first = self._inbox.get(timeout=self._idle_s())
        except queue.Empty:
            return []
        group = [first]
        while len(group) < GROUP_MAX:
            try:
                group.append(self._inbox.get_nowait())
            except queue.Empty:
                break
        return [call for call in group if call is not None]

    def _idle_s(self) -> float | None:
        waits: list[float] = []
        due = self.deadlines.next_due()
        if due is not None:
            wait = self.clock.wait_s(due)
            if wait is not None:
                waits.append(wait)
        if self._waiting:
            waits.append(max(0.0, next(iter(self._waiting)).expires_s - time.monotonic()))
        # A wait of more than a day overflows some systems' timers; waking once a day costs nothing.
        return min(waits, default=None) if not waits or min(waits) < 86_400 else 86_400

    def _run_group(self, group: list[Call]) -> None:
        try:
            self._attempt(group)
        except BrokenDeadline as broken:
            key: tuple[int, int] = broken.args[0]
            log.critical(
                "the deadline of event %d of run %d cannot be applied and is left out", key[1], key[0], exc_info=True
            )
            self._broken.add(key)
            self._start_over()
            self._run_group(group)
        except Exception as error:
            self._start_over()
            if len(group) > 1:
                for call in group:
                    self._run_group([call])
            elif group:
                log.exception("a call failed on our side; nothing of it was applied")
                group[0].fault = faults.internal_failure()
                group[0].finish()
            elif isinstance(error, sqlite3.Error):
                # Deadlines that cannot be written (the disk is full) are tried again, not in a hot loop.
                log.exception("the database does not take writes; trying again")
                time.sleep(0.1)
            else:
                raise
        else:
            self._let_go()

    def _attempt(self, group: list[Call]) -> None:
        for call in group:
            now = self.clock.now_ms()
            self._apply_deadlines(now)
            self._perform(call, now)
            self._match_polls(now)
        now = self.clock.now_ms()
        self._apply_deadlines(now)
        self._match_polls(now)
        self.store.commit()

    def _let_go(self) -> None:
        """What was done is durable: answer, and let the world hear of it."""
        finished, self._finished = self._finished, []
        for call in finished:
            call.finish()
        self._submit_lambdas()
        self._trim()

    def _submit_lambdas(self) -> None:
        invocations, self._invocations = self._invocations, []
        for invocation in invocations:
            self.lambdas.submit(invocation)
        ended, self._ended_lambdas = self._ended_lambdas, []
        for key in ended:
            self.lambdas.write_off(*key)

    def _start_over(self) -> None:
        """Throw the group away and read the state again."""
        self.store.roll_back()
        for call in reversed(self._finished):
            call.reply = call.fault = None
            if call.waits_at is not None:
                self.task_lists.polls(call.waits_at).appendleft(call)
                self._waiting[call] = None
                self._waiting.move_to_end(call, last=False)
        self._finished.clear()
        self._effects.clear()
        self._invocations.clear()
        self._ended_lambdas.clear()
        self._read_state()

    def _perform(self, call: Call, now: int) -> None:
        if call.abandoned:
            return
        try:
            reply = call.work(Context(now, call.region))
        except ServiceFault as fault:
            call.fault = fault
        else:
            if isinstance(reply, Wait):
                self._let_wait(call, reply)
                return
            call.reply = reply
        self._waiting.pop(call, None)
        self._finished.append(call)

    # -- polls

    def _let_wait(self, call: Call, wait: Wait) -> None:
        polls = self.task_lists.polls(wait.key)
        if len(polls) >= POLLERS_MAX:
            call.fault = faults.limit_exceeded(f"{POLLERS_MAX} polls wait at task list {wait.key.name} already")
            self._finished.append(call)
            return
        call.waits_at = wait.key
        call.empty = wait.empty
        call.expires_s = time.monotonic() + self._poll_wait_s
        polls.append(call)
        self._waiting[call] = None

    def _match_polls(self, now: int) -> None:
        """Hand tasks that have come to the polls that wait for them, longest-waiting first."""
        while self._to_match:
            key = self._to_match.pop()
            polls = self.task_lists.polls(key)
            while polls and self.task_lists.count(key):
                call = polls.popleft()
                if call.abandoned:
                    del self._waiting[call]
                else:
                    self._perform(call, now)

    def _expire_polls(self) -> None:
        """Answer the polls whose time is over; all wait equally long, so the first in is the first out."""
        now = time.monotonic()
        while self._waiting:
            call = next(iter(self._waiting))
            if call.expires_s > now:
                return
            self._answer_empty(call)

    def _answer_empty(self, call: Call) -> None:
        self._stop_waiting(call)
        call.reply = call.empty
        call.finish()

    def _stop_waiting(self, call: Call) -> None:
        assert call.waits_at is not None
        del self._waiting[call]
        self.task_lists.polls(call.waits_at).remove(call)

    # -- executions

    def _read_state(self) -> None:
        self.registry = Registry(self.store)
        self.deadlines = Deadlines()
        self.task_lists.forget_tasks()
        self._cache: OrderedDict[int, Execution] = OrderedDict()
        self._last_run = self.store.last_run()
        for run, domain, workflow_id, due in self.store.open_executions():
            self.registry.domain(domain).open_runs[workflow_id] = run
            if due is not None:
                self.deadlines.arm(run, 1, due)
        for run, event_id, due in self.store.deadlines():
            if (run, event_id) not in self._broken:
                self.deadlines.arm(run, event_id, due)
        for kind, run, event_id, domain, name, priority, since in self.store.waiting_tasks():
            key = ListKey(kind, domain, name)
            if self.task_lists.add(key, run, event_id, priority, since):
                self._to_match.add(key)

    def execution(self, run: int) -> Execution:
        """Return the state of a run."""
        execution = self._cache.get(run)
        if execution is None:
            execution = self._cache[run] = self.store.load_execution(run)
        else:
            self._cache.move_to_end(run)
        return execution

    def find_execution(self, domain: str, workflow_id: str, run_id: str) -> Execution:
        """
        Return a run, open or closed.

        Raises:
            ServiceFault: UnknownResourceFault.
        """
        execution = self.find_open(self.registry.domain(domain), workflow_id, None)
        if execution is None or execution.run_id != run_id:
            self.store.flush()
            run = self.store.find_run(domain, workflow_id, run_id)
            if run is None:
                raise faults.unknown_execution(workflow_id, run_id)
            execution = self.execution(run)
        return execution

    def find_open(self, domain: Domain, workflow_id: str, run_id: str | None) -> Execution | None:
        """Return the open run of a workflow id, if there is one and it is the run asked for."""
        run = domain.open_runs.get(workflow_id)
        if run is None:
            return None
        execution = self.execution(run)
        return None if run_id and execution.run_id != run_id else execution

    def open_execution(self, domain: str, workflow_id: str, run_id: str | None) -> Execution:
        """
        Return the open run of a workflow id.

        Raises:
            ServiceFault: UnknownResourceFault, also where the run asked for is closed and another one is open.
        """
        execution = self.find_open(self.registry.domain(domain), workflow_id, run_id)
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

    def _trim(self) -> None:
        """Let go of what need not be in memory; only between groups, when all of it is in the store."""
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
            # Those of this group are not in the store yet; then the oldest wait for the next time.
            self.store.flush()
            del execution.recent[:-RECENT_EVENTS_MAX]
        for item in turn.touched:
            self._follow(execution, item)
        self._effects.extend((execution, turn.at, effect) for effect in turn.effects)

    def _follow(self, execution: Execution, item: OpenItem | Execution) -> None:
        """Let an item's row, deadline and place in a task list follow its state."""
        self.store.keep(execution, item)
        if item.closed or item.due is None:
            self.deadlines.disarm(execution.run, item.event_id)
        else:
            self.deadlines.arm(execution.run, item.event_id, item.due)
        if isinstance(item, (DecisionTask, ActivityTask)):
            if item.waiting:
                domain, name, priority, since = queue_values(execution, item)
                key = ListKey("decision" if isinstance(item, DecisionTask) else "activity", domain, name)
                if self.task_lists.add(key, execution.run, item.event_id, priority, since):
                    self._to_match.add(key)
            else:
                self.task_lists.remove(execution.run, item.event_id)
        elif isinstance(item, Execution) and item.closed:
            self.registry.domain(item.domain).open_runs.pop(item.workflow_id, None)
        elif isinstance(item, LambdaTask) and item.closed:
            self._ended_lambdas.append((execution.run, item.event_id))

    def _apply_deadlines(self, now: int) -> None:
        """Let time do what it owes, strictly in the order of the deadlines, each at its own time."""
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

    # -- Lambda functions

    def invoke(self, execution: Execution, task_id: int, attributes: Mapping[str, Any]) -> None:
        """Run a function once the group is durable."""
        self._invocations.append(
            Invocation(
                execution.run,
                task_id,
                attributes["name"],
                attributes.get("input"),
                int(attributes.get("startToCloseTimeout") or 900),
                self.ids.request_id(),
            )
        )

    def _lambda_started(self, invocation: Invocation) -> bool:
        def work(context: Context) -> bool:
            execution = self.execution(invocation.run)
            task = execution.lambdas.get(invocation.scheduled_id)
            if task is None:
                return False
            turn = Turn(execution, context.at)
            tasks.start_lambda(turn, task)
            self.settle(turn)
            return True

        try:
            return bool(self.run(work, ""))
        except PyflowException:
            return False

    def _lambda_finished(self, invocation: Invocation, outcome: Outcome) -> None:
        def work(context: Context) -> None:
            execution = self.execution(invocation.run)
            task = execution.lambdas.get(invocation.scheduled_id)
            if task is not None:
                turn = Turn(execution, context.at)
                tasks.close_lambda(turn, task, outcome.event_type, dict(outcome.attributes))
                self.settle(turn)

        try:
            self.run(work, "")
        except PyflowException:
            log.warning("the result of Lambda function %r came after the service was closed", invocation.name)

    def _resume_lambdas(self) -> None:
        """Take up the functions of the process before this one: those that had not begun begin; those that ran are lost."""
        for run, event_id, started_id in self.store.lambda_tasks():
            execution = self.execution(run)
            task = execution.lambdas[event_id]
            if not started_id:
                self.invoke(execution, event_id, task.attributes)
                continue
            turn = Turn(execution, self.clock.now_ms())
            lost = outcomes.lost_lambda(task.attributes["name"])
            tasks.close_lambda(turn, task, lost.event_type, dict(lost.attributes))
            self.settle(turn)

    def _secret(self) -> str:
        secret = self.store.service_fact("token_secret")
        if secret is None:
            secret = self.ids.secret()
            self.store.put_service_fact("token_secret", secret)
        return secret
