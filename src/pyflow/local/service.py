"""
The service: one engine, at which one thread works at a time, and the calls that are handed to it.

Calls are put into an inbox. Whoever works at the engine takes what is there as one group, applies the deadlines that have come,
runs each call, commits once, and only then lets the replies go. So a reply means that what it tells is durable, and many callers
share one sync of the disk.

A caller that finds nobody at work does it itself: two changes of threads cost more than most calls. What comes meanwhile, what
time brings, and what is asked for where nobody may wait for a disk, is done by the service's own thread. Some calls are posted:
nobody waits for them, and their reply is given to a function.

A fault is raised before an operation changes anything. Whatever else goes wrong (a full disk, a bug) rolls the group back;
the state is read again from the store, and each call is tried once more by itself, so that only the guilty one fails.
That is always done by the service's own thread.
"""

import logging
import os
import sqlite3
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from time import monotonic, sleep
from typing import Any, Final

from pyflow.exceptions import PyflowException, ServiceFault

from . import api, faults
from .calls import AwaitedCall, Call, Context, Wait
from .engine import BrokenDeadline, Engine
from .inbox import Inbox
from .lambda_tasks import LambdaTasks
from .lambdas import Function, Invocation, Outcome
from .mishaps import Delay, Drop, Duplicate, Lose, Mishap, NoAnswer, Plan, Refuse
from .state import Event
from .waiting import Waiting
from .watching import Watch, Watchers

DAY_S: Final = 86_400.0
LOOK_S: Final = 0.01
RETRY_S: Final = 0.1
POLLER_SEEN_S: Final = 1.0
ROUNDS_MAX: Final = 8
"""How many groups a caller runs at most, its own and what comes meanwhile, before it goes on with what it is for."""

log = logging.getLogger(__name__)

_main = threading.main_thread().ident
_services: "weakref.WeakSet[Service]" = weakref.WeakSet()


def _leave_services_to_parent() -> None:
    for service in _services:
        service.leave_to_parent()


os.register_at_fork(after_in_child=_leave_services_to_parent)


class Service:
    """
    The engine at work.

    Args:
        engine: the state; its store is closed with this service.
        functions: Lambda functions by name.
        poll_wait_s: how long a poll waits for a task, in real time.
        elsewhere: runs the functions that are not among them.
        lambda_threads: run functions in threads as soon as they are asked for; else ``lambdas.run_next`` runs them.
        thread: have a thread of its own. Without one, each call is carried out by the thread that makes it: faster where that is
            one thread, and time brings what it brings at the next call.
    """

    def __init__(
        self,
        engine: Engine,
        functions: Mapping[str, Function],
        poll_wait_s: float,
        elsewhere: Callable[[Invocation], Outcome] | None = None,
        *,
        lambda_threads: bool = True,
        thread: bool = True,
    ) -> None:
        self.engine = engine
        self.ids = engine.ids
        self._lambda_tasks = LambdaTasks(engine, self.run, functions, elsewhere, threads=lambda_threads)
        self.lambdas = self._lambda_tasks.lambdas
        self._store = engine.store
        self._clock = engine.clock
        self._inbox = Inbox()
        self._at_work = threading.Lock()
        self._under_way: list[Call] | None = None
        self._sleeps_until_s = 0.0
        self._waiting = Waiting(engine.task_lists, poll_wait_s)
        self._finished: deque[Call] = deque()
        self._watchers = Watchers()
        self._astray = False
        self.plan: Plan = lambda action, request: None
        self._requests = 0
        self._closing: str | None = None
        self._gate = threading.Lock()
        engine.resume_lambdas(self._clock.now_ms())
        engine.store.commit()
        self._clock.on_change(self._inbox.ring)
        self._thread = threading.Thread(target=self._loop, name="pyflow-local-service", daemon=True) if thread else None
        if self._thread is not None:
            self._thread.start()
        self._lambda_tasks.hand_out()
        _services.add(self)

    # -- the doors' side

    def submit(self, call: Call, *, alone: bool = False) -> None:
        """
        Hand in a call; does not wait for its reply.

        Args:
            call: what to do.
            alone: the caller is a door of many requests. Where this is the only one that is in progress, it is run before
                this returns: nobody else is kept waiting.

        Raises:
            PyflowException: the service is closed.
        """
        self._put(call)
        if alone and self._requests == 1 and self._may_lead():
            self._lead()
        else:
            self._inbox.ring()

    def post(self, calls: Iterable[Call], *, lead: bool) -> None:
        """
        Hand in calls, of which the caller waits for none.

        Args:
            calls: in their order.
            lead: the caller has nothing else to do: it runs them itself where nobody else is at work.

        One that comes after the service was closed has a PyflowException as its fault.
        """
        for call in calls:
            try:
                self._put(call)
            except PyflowException as closed:
                call.fault = closed
                call.finish()
        if lead and self._may_lead():
            self._lead()
        else:
            self._inbox.ring()

    def _put(self, call: Call) -> None:
        with self._gate:
            if self._closing:
                raise PyflowException(self._closing)
            self._inbox.put(call)
            if self._thread is None:
                self._turn()

    def ask(self, action: str, request: dict[str, Any], region: str) -> Any:
        """
        Carry out a request of a door that waits, with whatever mishap is planned for it.

        Raises:
            ServiceFault: the answer, where it is one.
            NoAnswer: a mishap, as planned.
        """
        mishap = self.plan(action, request)
        if mishap is None:
            return self.run(api.prepare(self.engine, action, request), region)
        return self.meet(mishap, action, request, region)

    def meet(self, mishap: Mishap, action: str, request: dict[str, Any], region: str) -> Any:
        """Carry out a request that meets a mishap; raises what ``ask`` does."""
        if isinstance(mishap, Refuse):
            raise ServiceFault(mishap.code, mishap.message, status=mishap.status)
        if isinstance(mishap, Drop):
            raise NoAnswer("ConnectionClosedError")
        if isinstance(mishap, Delay):
            with self.busy():
                sleep(mishap.seconds)
        if isinstance(mishap, Lose):
            with suppress(ServiceFault):
                self.run(api.prepare(self.engine, action, request), region)
            raise NoAnswer("ReadTimeoutError")
        try:
            return self.run(api.prepare(self.engine, action, request), region)
        finally:
            if isinstance(mishap, Duplicate):
                with suppress(ServiceFault):
                    self.run(api.prepare(self.engine, action, request), region)

    def run(self, work: Callable[[Context], Any], region: str) -> Any:
        """Run an operation and wait for its reply; raises what it raises."""
        call = AwaitedCall(work, region)
        self._put(call)
        if self._may_lead():
            try:
                self._lead()
            except BaseException:
                call.abandoned = True
                raise
        else:
            self._inbox.ring()
        return call.result()

    @property
    def has_thread(self) -> bool:
        """Whether it has a thread of its own, so that a call may be handed in and not be waited for."""
        return self._thread is not None

    def _may_lead(self) -> bool:
        """
        Whether the calling thread may work at the engine.

        Not the main thread, in which Ctrl-C may strike anywhere; and a clock that leaps is the own thread's alone. Where there
        is no own thread, ``_put`` has done it already.
        """
        return self._thread is not None and not self._clock.skips and threading.get_ident() != _main

    def _lead(self) -> None:
        """
        Run what is in the inbox here and now, and some of what comes meanwhile; what is left is the own thread's.

        If somebody else is at work, it is seen to by that one.
        """
        if not self._at_work.acquire(blocking=False):
            return
        wakes_s = 0.0
        try:
            for _ in range(ROUNDS_MAX):
                if self._under_way is not None or self._astray or not self._has_attempted():
                    break
                self._let_go()
                if not self._inbox:
                    wakes_s = monotonic() + self._idle_s()
                    break
        finally:
            self._at_work.release()
            if self._inbox or wakes_s < self._sleeps_until_s:
                self._inbox.ring()

    def _has_attempted(self) -> bool:
        """Run a group in the caller's thread; False: it is left to the own one, which rolls it back and does it over."""
        try:
            self._attempt(self._inbox.take())
        except Exception:
            # Whatever is wrong, it may be this thread: its stack is full.
            log.debug("a group is left to the service's own thread", exc_info=True)
            return False
        return True

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Let the clock not leap within a ``with`` block: something is under way."""
        self.begin_request()
        try:
            yield
        finally:
            self.end_request()

    def begin_request(self) -> None:
        """Let the clock not leap until ``end_request``: a door has a request, from its first byte to its answer's last."""
        self._count_request(1)

    def end_request(self) -> None:
        """Let the clock leap again: the answer is sent, nobody is there for it, or it is a poll that waits for a task."""
        self._count_request(-1)

    def _count_request(self, change: int) -> None:
        with self._gate:
            self._requests += change
            if not self._requests and self._clock.skips and not self._closing:
                self._inbox.ring()

    @property
    def skips(self) -> bool:
        """Whether the clock leaps over times when nothing happens."""
        return self._clock.skips

    def wait_for_close(self, domain: str, execution: Mapping[str, str], timeout_s: float) -> Event | None:
        """
        Wait until a run has closed, for so long at most, and return the event that closed it; None: the caller looks how
        it stands.

        Raises:
            ServiceFault: UnknownResourceFault.
        """
        watch = Watch(self._watchers, self.engine, domain, execution["workflowId"], execution["runId"])
        self.post([watch], lead=True)
        try:
            is_told = watch.wait(timeout_s)
        except BaseException:
            self._tell(lambda: self._watchers.remove(watch))
            raise
        if not is_told:
            self.run(lambda _: self._watchers.remove(watch), "")
        return watch.end()

    def abandon(self, call: Call) -> None:
        """Say that nobody waits for a call any more: it is given no task from now on, and its place in line is freed."""
        call.abandoned = True
        self._tell(lambda: self._waiting.remove(call))

    def release(self, call: Call) -> None:
        """Answer a call with nothing if it waits for a task."""
        self._tell(lambda: self._release(call))

    def close(self) -> None:
        """Answer waiting polls with nothing, finish what is in the inbox, and close the store. Idempotent."""
        with self._gate:
            if self._closing:
                return
            self._closing = "this LocalSWF is closed"
        self._inbox.ring()
        self.lambdas.close()
        if self._thread is None:
            self._turn()
        else:
            self._thread.join()
        with self._at_work:  # somebody may just have come to lead, and found nothing to do
            self._store.close()

    def forget_executions(self) -> None:
        """Begin again, with the domains and types that are there."""
        self.lambdas.forget()
        self.run(lambda _: self._forget_executions(), "")

    def _forget_executions(self) -> None:
        self.engine.forget_executions()
        self._watchers.release()

    def leave_to_parent(self) -> None:
        """
        Be closed in a process that was forked off, whose parent goes on with the service.

        The connection is never closed here: SQLite would write the log into the database behind the parent's back. So it is
        given a reference that nobody drops, not even the interpreter when it ends.
        """
        self._gate = threading.Lock()
        self._closing = "this LocalSWF belongs to the process that this one was forked from"
        self._store.leak()

    def _tell(self, what: Callable[[], object]) -> None:
        with suppress(PyflowException):
            self.submit(Call(lambda _: what(), "", bool))

    # -- the loop

    def _turn(self) -> None:
        """Carry out what is in the inbox, where there is no thread that does."""
        self._end_interrupted()
        self._run_group(self._inbox.take())
        self._expire_polls()

    def _loop(self) -> None:
        while True:
            with self._at_work:
                self._end_interrupted()
                self._expire_polls()
                self._run_group(self._inbox.take())
                if self._closing and not self._inbox:
                    for call in self._waiting:
                        self._waiting.remove(call)
                        self._answer_empty(call)
                    self._watchers.release()
                    return
                idle_s = 0.0 if self._inbox else self._skip_or(self._idle_s())
                self._sleeps_until_s = monotonic() + idle_s
            # Who came while this thread was at work does not lead, and rings no bell. Who worked at the engine since then has
            # looked into the inbox afterwards, and rings if there is something.
            if not self._inbox:
                self._inbox.sleep(idle_s)

    def _idle_s(self) -> float:
        """Return how long there is nothing to do but to wait for calls."""
        # More than a day overflows some systems' timers, and to wake once a day costs nothing.
        idle_s = RETRY_S if self._astray else DAY_S
        for due in (self.engine.deadlines.next_due(), self.engine.next_expiry()):
            wait = None if due is None else self._clock.wait_s(due)
            if wait is not None:
                idle_s = min(idle_s, wait)
        expires_s = self._waiting.expires_s()
        if expires_s is not None:
            idle_s = min(idle_s, expires_s - monotonic())
        return max(0.0, idle_s)

    def _skip_or(self, idle_s: float) -> float:
        """Return how long to wait for calls; not at all where the clock has gone to the next deadline instead."""
        due = self.engine.deadlines.next_due()
        if due is None or not self._clock.skips or self._inbox:
            return idle_s
        busy_s = self._busy_s()
        if busy_s == 0 and self._clock.skip_to(due):
            return 0.0
        return min(idle_s, busy_s or idle_s)

    def _busy_s(self) -> float:
        """Return 0 where only time can bring anything, else after how many real seconds to look again."""
        if self.lambdas.busy or self._requests or self.engine.held_by_the_living():
            return LOOK_S
        seen_s = self.engine.task_lists.last_seen_s()
        return 0.0 if seen_s is None else max(0.0, seen_s + POLLER_SEEN_S - monotonic())

    def _end_interrupted(self) -> None:
        """Do over a group that a thread began and could not end: an exception was raised in it from outside."""
        if self._under_way is not None:
            self._do_over(self._under_way)

    def _do_over(self, group: list[Call]) -> None:
        """Throw away what was begun, and do each call by itself; those that wait for a task by now, go on waiting."""
        self._start_over()
        for call in group:
            if call not in self._waiting:
                self._run_group([call])

    def _run_group(self, group: list[Call]) -> None:
        try:
            if self._astray:
                self._read_again()
            self._attempt(group)
        except BrokenDeadline as broken:
            key: tuple[int, int] = broken.args[0]
            log.critical("the deadline of run %d, event %d cannot be applied and is left out", *key, exc_info=True)
            self.engine.leave_out(key)
            self._do_over(group)
        except Exception as error:
            if len(group) > 1:
                self._do_over(group)
            else:
                self._start_over()
                # One that waits has its place in line, and nothing of it was to be written.
                self._give_up([call for call in group if call not in self._waiting], error)
        else:
            self._let_go()

    def _give_up(self, group: list[Call], error: Exception) -> None:
        if group:
            log.error("a call failed on our side; nothing of it was applied", exc_info=error)
            group[0].fault = faults.internal_failure()
            group[0].finish()
        else:
            # Deadlines that cannot be written (the disk is full) are tried again, but not in a hot loop.
            what = "the database takes no writes" if isinstance(error, sqlite3.Error) else "what time brings has failed"
            log.error("%s; trying again", what, exc_info=error)
            sleep(RETRY_S)

    def _attempt(self, group: list[Call]) -> None:
        self._under_way = group
        # All calls of a group came before it was taken: they are of one moment.
        now = self._clock.now_ms()
        for call in group:
            # Also what the call before it has made due at once.
            self.engine.apply_deadlines(now)
            if self.engine.to_match:
                self._match_polls(now)
            if not call.abandoned:
                wait = self._perform(call, now)
                if wait is not None:
                    self._let_wait(call, wait)
            if self.engine.to_match:
                self._match_polls(now)
        now = self._clock.now_ms()
        self.engine.apply_deadlines(now)
        self._match_polls(now)
        self.engine.sweep(now)
        self._store.commit()
        self._under_way = None

    def _let_go(self) -> None:
        """What was done is durable: answer, and let the world hear of it."""
        while self._finished:
            self._finished.popleft().finish()
        closed, self.engine.closed = self.engine.closed, []
        for execution in closed:
            self._watchers.tell(execution.run, self.engine.last_event(execution))
        self._lambda_tasks.hand_out()
        self.engine.trim(closed)

    def _start_over(self) -> None:
        """Throw the group away and read the state again; where the disk gives nothing now, the next group does it first."""
        for call in reversed(self._finished):
            call.reply = call.fault = None
            self._waiting.put_back(call)
        self._finished.clear()
        self._under_way = None
        self._astray = True
        with suppress(sqlite3.Error):
            self._read_again()

    def _read_again(self) -> None:
        self._store.roll_back()
        self.engine.read_state()
        self._astray = False

    def _perform(self, call: Call, now: int) -> Wait | None:
        """Run a call; return where it is to wait, if it is a poll that was given nothing."""
        try:
            reply = call.work(Context(now, call.region, call.alive))
        except ServiceFault as fault:
            call.fault = fault
        else:
            if isinstance(reply, Wait):
                return reply
            call.reply = reply
        self._finished.append(call)
        return None

    # -- polls

    def _let_wait(self, call: Call, wait: Wait) -> None:
        try:
            self._waiting.add(call, wait)
        except ServiceFault as fault:
            call.fault = fault
            self._finished.append(call)

    def _match_polls(self, now: int) -> None:
        """Hand tasks that have come to the polls that wait for them, longest-waiting first."""
        task_lists = self.engine.task_lists
        while self.engine.to_match:
            key = self.engine.to_match.pop()
            polls = task_lists.polls(key)
            while polls and task_lists.count(key):
                call = polls[0]
                if not call.abandoned:
                    # Whoever is given none of the tasks that are there is not there any more.
                    self._perform(call, now)
                self._waiting.remove(call)

    def _expire_polls(self) -> None:
        """Answer the polls whose time is over."""
        for call in self._waiting.pop_expired():
            self._answer_empty(call)

    def _answer_empty(self, call: Call) -> None:
        call.reply = call.empty
        call.finish()

    def _release(self, call: Call) -> None:
        """Answer a call with nothing when the group at hand is durable: it may be the one that let the call wait."""
        if self._waiting.remove(call):
            call.reply = call.empty
            self._finished.append(call)
