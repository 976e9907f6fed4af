"""
The activity worker: polls for tasks while there is room for them, has their bodies run, and ends in order.
"""

import logging
import os
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Condition, Event, Lock, Thread
from typing import Any, Final, get_args

from pyflow import logs
from pyflow.activities import Activity, Executor
from pyflow.converter import JSON, DataConverter
from pyflow.exceptions import (
    ActivityCanceledException,
    InvocationFailedException,
    PayloadException,
    PayloadStoreException,
    PyflowException,
    WorkerStuckException,
)
from pyflow.interceptors import Interceptor, intercept, surroundings
from pyflow.payloads.sealing import MARK
from pyflow.retry import UNOPENED
from pyflow.swf.client import Client, create_client
from pyflow.swf.posts import can_post
from pyflow.tasks import ActivityTask
from pyflow.worker.polling import POLLERS, Poller, Task, activity_poll, backoff_max_s, poll_activity_task, pollers_for
from pyflow.worker.registration import ACTIVITY_TYPES, register_types
from pyflow.worker.responding import with_store

from .answers import Answers
from .bodies import Outcome, perform, raised, told
from .express import Express
from .heart import LEAST_S, Beat, Heart
from .loop import Loop, run_alone
from .performance import Performance
from .processes import Processes, is_body_process
from .slots import LOOK_S, Pace, Slots
from .threads import Threads

logger = logging.getLogger(__name__)

CONCURRENCY: Final[dict[Executor, int]] = {"thread": 10, "process": os.cpu_count() or 1, "async": 100}
"""How many bodies run at once, by executor."""
GRACE_S: Final = 60.0
CANCEL_GRACE_S: Final = 10.0
LEAST_GRACE_S: Final = 3.0
"""What bodies have that a last poll has brought."""
SIGNALS_S: Final = 0.5
"""
How long one wait of the calling thread is: the handler of a signal that came just before it runs after it. So long it may also
take to see that the worker is stuck.
"""
LAST_ANSWERS_S: Final = 10.0
"""How long the answers for bodies that did not end are waited for."""

NOT_BEGUN: Final = Outcome("CANCELED", "the body had not begun")


class ActivityWorker:
    """
    Runs the activities of a task list, several at a time.

    Args:
        activities: what ``@pyflow.activity`` made; no two of one name and version.
        domain: a registered domain.
        task_list: the task list to poll.
        identity: recorded in ActivityTaskStarted; at most 256 characters. None: ``host:pid``.
        client: an SWF client; None: ``create_client(for_worker=True)``.
        concurrency: how many bodies may run at once: a number for each executor that the activities use, or a mapping such as
            ``{"thread": 20, "process": 2}`` over the defaults of 10 threads, a process for each processor, and 100 bodies on the
            asyncio loop. A task is polled for only while every executor has room for it.
        pollers: how many polls are open at once while there is room. More than one only help where tasks come faster than
            a poll takes. None: 2, and 8 where the service is in this process, answers without a thread, and there is no pace.
        max_per_second: how many bodies this worker begins in a second; None: no limit.
        grace_s: seconds that bodies have to end from ``stop`` on. Then they are told to.
        cancel_grace_s: seconds that a body may take to end after it was told to stop. Then its process is killed, also after a
            cancel, or once SWF does not wait for it any more; a thread is left behind.
        converter: what values become on their way; give the deciders and the starters the same.
        interceptors: stand around calls to the service and around bodies; the first is the outermost.

    Raises:
        PyflowException: two activities have one name and version.
        ValueError: a number is out of its range.
    """

    def __init__(
        self,
        activities: Iterable[Activity[..., Any]],
        domain: str,
        task_list: str,
        identity: str | None = None,
        client: Client | None = None,
        *,
        concurrency: int | Mapping[Executor, int] | None = None,
        pollers: int | None = None,
        max_per_second: float | None = None,
        grace_s: float = GRACE_S,
        cancel_grace_s: float = CANCEL_GRACE_S,
        converter: DataConverter = JSON,
        interceptors: Sequence[Interceptor] = (),
    ) -> None:
        logs.install()
        self._activities: dict[tuple[str, str], Activity[..., Any]] = {}
        for activity in activities:
            if self._activities.setdefault((activity.name, activity.version), activity) is not activity:
                raise PyflowException(
                    f"two activities are both named {activity.name!r} with version {activity.version!r}; "
                    "give one of them another name or version"
                )
        is_slow = max_per_second is not None and not max_per_second > 0
        if (pollers is not None and pollers < 1) or grace_s < 0 or cancel_grace_s < 0 or is_slow:
            raise ValueError(
                f"an activity worker needs pollers >= 1, grace_s >= 0, cancel_grace_s >= 0 and max_per_second > 0 or None, not "
                f"{pollers}, {grace_s}, {cancel_grace_s} and {max_per_second}"
            )
        self._domain = domain
        self._task_list = task_list
        self._identity = identity or f"{socket.gethostname()}:{os.getpid()}"
        self._client = intercept(create_client(for_worker=True) if client is None else client, interceptors)
        self._surround = surroundings(interceptors)
        self._converter = converter
        self._stop = Event()
        self._stopped_s = 0.0
        self._grace_s = grace_s
        self._cancel_grace_s = cancel_grace_s
        self._process = os.getpid()
        self._slots = Slots(_sizes(self._activities.values(), concurrency))
        self._pace = Pace(max_per_second)
        self._paces = {type_: Pace(each.worker_side.max_per_second) for type_, each in self._activities.items()}
        self._told: SimpleQueue[None] = SimpleQueue()  # wakes ``run``; a signal handler may put into it
        self._pollers = [self._new_poller() for _ in range(pollers or self._default_pollers(max_per_second))]
        self._serving: set[Poller] = set()
        self._fault: BaseException | None = None
        self._heart = Heart()
        self._threads = Threads()
        self._answers = Answers(self._client, self._stop, self._threads)
        self._processes = Processes(self._client, converter, cancel_grace_s)
        self._loop: Loop | None = None
        self._under_way: set[Performance | str] = set()  # a string: the token of a task that nobody here performs
        self._lock = Lock()
        self._ended = Condition(self._lock)

    def _default_pollers(self, max_per_second: float | None) -> int:
        # A task that is taken and has to wait for the pace is kept from other workers.
        return POLLERS if max_per_second is not None else pollers_for(self._client)

    @property
    def idle(self) -> bool:
        """Whether nothing but polls is under way."""
        return not self._under_way and all(poller.polling for poller in list(self._serving))

    @property
    def slots(self) -> dict[Executor, int]:
        """How many bodies may run at once, by executor."""
        return dict(self._slots.sizes)

    @property
    def slots_in_use(self) -> dict[Executor, int]:
        """How many bodies are under way, by executor."""
        used = dict.fromkeys(self._slots.sizes, 0)
        for performance in self._left():
            used[performance.activity.worker_side.executor] += 1
        return used

    def ensure_activities_registered(self) -> None:
        """
        Register the activity types that the domain does not have, and log what those that it has have otherwise.

        Raises:
            ServiceFault: ``UnknownResourceFault`` (no such domain), ``LimitExceededFault``, ...
        """
        own_list = {"defaultTaskList": {"name": self._task_list}}
        wanted = {type_: {**own_list, **each.registration} for type_, each in self._activities.items()}
        register_types(self._client, ACTIVITY_TYPES, self._domain, wanted, self._stop)

    def run(self) -> None:
        """
        Register what is missing, then work until ``stop``.

        It then begins no poll, and waits for the polls under way, because SWF may have handed tasks to them: up to a minute on
        AWS. Bodies have ``grace_s`` to end, and what a last poll brings a few seconds at least; then they are told to stop, and
        after ``cancel_grace_s`` more those that have not are failed with the reason ``WORKER_STOPPED``.

        Raises:
            ServiceFault: registration failed, or the service refuses the names in a poll.
            WorkerStuckException: bodies that SWF waits for no longer hold all slots of an executor.
            PyflowException: called in a fork of the process that made the worker, or in the process of a body.
        """
        self._refuse_elsewhere()
        self.ensure_activities_registered()
        self._heart.start()
        if "async" in self._slots.sizes:
            self._loop = Loop()
            self._loop.start()
        self._serving.update(self._pollers)
        threads = [
            Thread(target=self._serve, args=(poller,), name=f"pyflow-activity-poller-{number}", daemon=True)
            for number, poller in enumerate(self._pollers)
        ]
        for thread in threads:
            thread.start()
        try:
            while not self._stop.is_set():
                self._raise_if_stuck()
                with suppress(Empty):
                    self._told.get(timeout=SIGNALS_S)
        finally:  # also Ctrl-C, where this is the main thread
            self.stop()
            for poller in self._pollers:
                if isinstance(poller, Express):
                    poller.withdraw()
            for thread in threads:
                thread.join()
            self._end()
        if self._fault is not None:
            raise self._fault

    def work_once(self) -> bool:
        """
        Poll once, and do what comes right here; tell whether anything came. For tests, where nothing runs beside them.

        Bodies of every executor run in this process, whatever they are; heartbeats go out at once; there are no pauses.
        """
        self._refuse_elsewhere()
        raw = self._poll()
        if raw is not None:
            self.do(raw)
        return raw is not None

    def do(self, task: Task) -> None:
        """
        Do a task right here that somebody else has polled for, and answer it; as ``work_once`` does.

        Raises:
            ServiceFault: the answer was not taken.
            PayloadStoreException: the payload store does not answer.
        """
        self._refuse_elsewhere()
        performance = self._taken(task)
        if performance is None:
            self._answers.unknown(task, self._identity, self._served)
            return
        attempt = _here if performance.activity.worker_side.executor != "async" else run_alone
        outcome = self._opened(performance)
        if outcome is None:
            outcome = performance.until_done(lambda: attempt(performance), lambda _: None)
        self._answers.tell(performance, outcome)

    def stop(self) -> None:
        """Make ``run`` come to its end, as it says. Any thread may call it, and a signal handler, more than once."""
        if not self._stop.is_set():
            self._stopped_s = time.monotonic()
        self._stop.set()
        self._told.put(None)

    # -- tasks come in ---------------------------------------------------------------------------------------------

    def _new_poller(self) -> Poller:
        longest_s = backoff_max_s(self._client)
        if not can_post(self._client):
            return Poller(self._poll_in_room, self._stop, backoff_max_s=longest_s)
        request = activity_poll(self._domain, self._task_list, self._identity)
        return Express(self._client, request, self._slots, self._begins, self._stop, backoff_max_s=longest_s)

    def _poll(self) -> Task | None:
        return poll_activity_task(self._client, self._domain, self._task_list, self._identity)

    def _poll_in_room(self) -> Task | None:
        """Poll as soon as there is room for another body; a slot of each executor goes with the task."""
        if not self._slots.wait(self._stop):
            return None
        raw = None
        try:
            raw = self._poll()
        finally:
            if raw is None:
                self._slots.give_back(self._slots.sizes)
        return raw

    def _serve(self, poller: Poller) -> None:
        """Poll while there is time for another body, until the worker is to stop."""
        try:
            while not self._stop.wait(self._pace.wait_s()):
                raw = poller.next()
                if raw is not None:
                    self._begin(raw)
        except BaseException as error:
            self._broke(error)
        finally:
            self._serving.discard(poller)

    def _begins(self, raw: Task) -> bool:
        """Begin a task after which there is no pace to keep; else do nothing."""
        if not self._pace.is_free:
            return False
        try:
            self._begin(raw)
        except BaseException as error:
            self._broke(error)
        return True

    def _broke(self, error: BaseException) -> None:
        self._fault = self._fault or error
        self.stop()

    def _raise_if_stuck(self) -> None:
        """
        Raise if bodies that are of no use hold all slots of an executor.

        A thread cannot be killed, nor can what blocks the loop. With no slot left nothing would ever be polled for again.
        """
        for executor, size in self._slots.sizes.items():
            held = [
                str(each)
                for each in self._left()
                if each.activity.worker_side.executor == executor and self._is_given_up(each)
            ]
            if len(held) >= size:
                raise WorkerStuckException(executor, held)

    def _is_given_up(self, performance: Performance) -> bool:
        """Say whether a body goes on though SWF has not waited for it for longer than a body may take to see that."""
        if performance.activity.worker_side.executor == "process":
            return False  # it is killed
        return time.monotonic() - performance.task.pulse.lost_s > self._cancel_grace_s

    def _taken(self, raw: Task) -> Performance | None:
        type_ = raw["activityType"]
        activity = self._activities.get((type_["name"], type_["version"]))
        if activity is None:
            return None
        task = ActivityTask(self._client, self._domain, raw, self._converter)
        return Performance(activity, self._domain, task, raw.get("input"), self._converter, self._surround)

    def _opened(self, performance: Performance) -> Outcome | None:
        """
        Open a task's input; return the outcome if it cannot be opened.

        Raises:
            PayloadStoreException: its store does not answer. Whoever takes the task after its timeout may reach it.
        """
        if performance.input is None:
            return None
        try:
            performance.input = with_store(self._converter.open, performance.input, self._stop)
        except PayloadStoreException:
            raise
        except PayloadException as error:
            return raised(error, performance.task)._replace(reason=UNOPENED)
        return None

    def _begin(self, raw: Task) -> None:
        """Have a task performed, and keep the slot of its executor alone."""
        performance = self._taken(raw)
        if performance is None:
            kept = next(iter(self._slots.sizes))
            self._add(raw["taskToken"])
            self._give_back_others(kept)
            self._threads.run("pyflow-unknown", self._refuse, raw, kept)
            return
        side = performance.activity.worker_side
        self._add(performance)
        self._give_back_others(side.executor)
        wait_s = max(self._pace.take(), self._paces[performance.activity.name, performance.activity.version].take())
        pulse = performance.task.pulse
        pulse.least_s = None if side.executor == "async" else LEAST_S
        beat = self._heart.watch(pulse, side)
        if side.executor == "async" and not (performance.input or "").startswith(MARK):
            self._begin_on_loop(performance, beat, wait_s)
            return
        run = self._in_process if side.executor == "process" else _here
        name = f"pyflow-{side.executor} {performance.task.activity_id} {performance.activity.name}"
        self._threads.run(name, self._perform, performance, beat, wait_s, run)

    def _begin_on_loop(self, performance: Performance, beat: Beat, wait_s: float) -> None:
        assert self._loop is not None
        self._loop.begin(performance, wait_s, lambda outcome: self._finish_in_thread(performance, beat, outcome))

    # -- bodies run ------------------------------------------------------------------------------------------------

    def _perform(self, performance: Performance, beat: Beat, wait_s: float, run: Any) -> None:
        """Run a body in the calling thread, or wait here for the process that does."""
        outcome: Outcome | None = None
        try:
            outcome = self._opened(performance)
            if outcome is None and performance.activity.worker_side.executor == "async":
                self._begin_on_loop(performance, beat, wait_s)
                return
            if outcome is None and performance.wait(wait_s):
                outcome = NOT_BEGUN
            if outcome is None:
                outcome = performance.until_done(lambda: run(performance), performance.wait)
        except PayloadStoreException:
            logger.exception("the input of activity %s cannot be had, it will time out", performance)
            performance.claim()
            outcome = NOT_BEGUN
        except Exception as error:  # not the body's: those are outcomes
            logger.exception("the body of activity %s could not be run", performance)
            outcome = raised(error, performance.task)
        self._finish(performance, beat, outcome)

    def _in_process(self, performance: Performance) -> Outcome:
        """Run a body in a process, and let what surrounds it here see how it ended."""
        task = performance.task
        outcome: Outcome | None = None
        try:
            with performance.surround(task):
                outcome = self._processes.perform(performance)
                error = told(outcome, task)
                if error is not None:
                    raise error
        except (InvocationFailedException, ActivityCanceledException) as seen:
            return outcome or raised(seen, task)
        return outcome

    def _finish_in_thread(self, performance: Performance, beat: Beat, outcome: Outcome) -> None:
        """Answer for a body of the loop, which may not be blocked."""
        name = f"pyflow-answer {performance.task.activity_id}"
        self._threads.run(name, self._finish, performance, beat, outcome)

    def _finish(self, performance: Performance, beat: Beat, outcome: Outcome) -> None:
        """Answer a task; whatever happens, the slot is free again."""
        executor = performance.activity.worker_side.executor
        self._heart.leave(beat)
        self._answers.give(performance, outcome, lambda: self._remove(performance, executor))

    def _refuse(self, raw: Task, kept: Executor) -> None:
        try:
            self._answers.give_unknown(raw, self._identity, self._served)
        finally:
            self._remove(raw["taskToken"], kept)

    @property
    def _served(self) -> str:
        return ", ".join(f"{name} {version}" for name, version in sorted(self._activities)) or "none"

    # -- books, and the end ----------------------------------------------------------------------------------------

    def _add(self, who: "Performance | str") -> None:
        with self._lock:
            self._under_way.add(who)

    def _remove(self, who: "Performance | str", executor: Executor) -> None:
        with self._lock:
            self._under_way.discard(who)
            if self._stop.is_set():  # nobody waits for the end of a body before
                self._ended.notify_all()
        self._slots.give_back([executor])

    def _give_back_others(self, kept: Executor) -> None:
        if len(self._slots.sizes) > 1:
            self._slots.give_back(executor for executor in self._slots.sizes if executor != kept)

    def _end(self) -> None:
        """Let bodies end, then tell them to, then do without them."""
        grace_s = self._stopped_s + self._grace_s - time.monotonic()
        if not self._is_done_within(max(grace_s, min(self._grace_s, LEAST_GRACE_S))):
            left = self._left()
            logger.warning(
                "the worker stops: %d bodies have not ended in %.0f s, and are told to", len(left), self._grace_s
            )
            for performance in left:
                performance.task.pulse.turn(stopping=True)
            # Processes are killed at the end of that time, and their ends must be seen.
            if not self._is_done_within(self._cancel_grace_s + (1.0 if "process" in self._slots.sizes else 0.0)):
                self._give_up(self._left())
        self._heart.stop()
        self._threads.close()
        if self._loop is not None:
            self._loop.close()
        self._processes.close()

    def _give_up(self, left: list[Performance]) -> None:
        """Answer for bodies that do not end: their workflows need not wait for a timeout."""
        answered = []
        for performance in left:
            logger.error("the worker stops, and leaves the body of activity %s running", performance)
            outcome = Outcome("CANCELED", "its worker stopped, and the body did not end when it was told to")
            answered.append(Event())
            Thread(target=self._answers.give, args=(performance, outcome, answered[-1].set), daemon=True).start()
        until_s = time.monotonic() + LAST_ANSWERS_S
        for each in answered:
            each.wait(max(0.0, until_s - time.monotonic()))

    def _is_done_within(self, seconds: float) -> bool:
        until_s = time.monotonic() + seconds
        with self._ended:
            while not self._is_done():
                left_s = until_s - time.monotonic()
                if left_s <= 0:
                    return False
                self._ended.wait(min(left_s, LOOK_S))
        return True

    def _is_done(self) -> bool:
        """Say whether no body is under way that anybody waits for."""
        return all(isinstance(each, Performance) and self._is_given_up(each) for each in self._under_way)

    def _left(self) -> list[Performance]:
        with self._lock:
            return [each for each in self._under_way if isinstance(each, Performance)]

    def _refuse_elsewhere(self) -> None:
        if os.getpid() != self._process:
            raise PyflowException(
                f"this activity worker was made in process {self._process}, and this is a fork of it, process {os.getpid()}: its "
                f"connections and threads are not here. Make a worker of its own in each process"
            )
        if is_body_process():
            raise PyflowException(
                "this is the process of a body, where no worker runs. A script that starts a worker does so under "
                "`if __name__ == '__main__':`, since the process of each body imports it"
            )


def _here(performance: Performance) -> Outcome:
    return perform(
        performance.activity, performance.task, performance.input, performance.converter, performance.surround
    )


def _sizes(
    activities: Iterable[Activity[..., Any]], concurrency: int | Mapping[Executor, int] | None
) -> dict[Executor, int]:
    """Return the number of slots of each executor that is used; without activities, of threads."""
    used = {activity.worker_side.executor for activity in activities} or {"thread"}
    given = dict.fromkeys(CONCURRENCY, concurrency) if isinstance(concurrency, int) else dict(concurrency or {})
    known = get_args(Executor)
    for executor, size in given.items():
        if executor not in known or size is None or size < 1:
            raise ValueError(
                f"concurrency is a number from 1, or such a number by executor ({', '.join(known)}), not {concurrency!r}"
            )
    return {executor: given.get(executor, CONCURRENCY[executor]) for executor in CONCURRENCY if executor in used}
