"""
Owners: the threads that decide. Each owns the fibers of its runs, and a run always comes to the same one.

A task comes to its owner as a *job*; what follows from it is done in other threads, or posted. So the service is talked to
while this one replays, and code that will not end can be reported, and its job given up, from outside.
"""

import ctypes
import itertools
import logging
import threading
from collections.abc import Callable
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

from pyflow._fiber import FiberClosed
from pyflow.exceptions import DeciderException

from .deciding import Decided, Task, TaskDecider, title

logger = logging.getLogger("pyflow")


class GivenUp(DeciderException):
    """A job was not done: the process stops, or its thread was written off."""


class CodeStopped(DeciderException):
    """Workflow code did not come to a wait in time, and was stopped or left behind; the text says where it stood."""


class CodeInterrupted(FiberClosed):
    """
    Stops workflow code that has not come to a wait for too long: it spins, or computes what belongs into an activity.

    If you see this in your own ``except`` clause: it is caught by ``except BaseException`` or a bare ``except``; write
    ``except Exception`` instead, or raise it again.
    """


class Job:
    """
    Something for an owner to do.

    Args:
        naming: says what, for a person.
        work: does it with an owner's decider, in its thread.
        then: called with the job when it is finished, in any thread; it raises nothing.
    """

    __slots__ = ("_first", "_naming", "_result", "_then", "error", "work")

    def __init__(
        self,
        naming: Callable[[], str],
        work: Callable[[TaskDecider], Any],
        then: "Callable[[Job], object]" = lambda _: None,
    ) -> None:
        self.work = work
        self.error: BaseException | None = None
        self._naming = naming
        self._result: Any = None
        self._then = then
        self._first = threading.Lock()

    @property
    def name(self) -> str:
        """What is done, for a person."""
        return self._naming()

    def finish(self, result: Any = None, error: BaseException | None = None) -> None:
        """Have the job finished; the first outcome counts."""
        if self._first.acquire(blocking=False):
            self._result, self.error = result, error
            self._then(self)

    def outcome(self) -> Any:
        """Return the result of a job that is finished, or raise its error."""
        if self.error is not None:
            raise self.error
        return self._result


class Owner(threading.Thread):
    """
    One deciding thread.

    Args:
        decider: its own.

    Attributes:
        decider: as given.
        job: what it does just now; None while it waits.
        jobs_begun: how many it has begun.
        stop_reason: why the code of the job at hand is being stopped; set by the watchdog.
        written_off: its code could not be stopped; it does no further job.
    """

    _numbers = itertools.count(1)

    def __init__(self, decider: TaskDecider) -> None:
        super().__init__(name=f"pyflow-decider-{next(self._numbers)}", daemon=True)
        self.decider = decider
        self.job: Job | None = None
        self.jobs_begun = 0
        self.stop_reason: str | None = None
        self.written_off = False
        self.gate = threading.Lock()
        """Held while a job begins or ends, and while its code is interrupted: never is anything else interrupted."""
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._closed = False

    @property
    def has_more(self) -> bool:
        """Whether jobs wait; another thread may look."""
        return not self._jobs.empty()

    def decide(self, task: Task) -> Decided:
        """
        Have a task decided, and wait until it is; called in other threads.

        Raises:
            CodeStopped: its code did not come to a wait.
            GivenUp: the process stops.
            BaseException: what ``TaskDecider.decide`` raises.
        """
        finished = threading.Lock()
        finished.acquire()
        job = self.begin(task, lambda _: finished.release())
        finished.acquire()
        decided: Decided = job.outcome()
        return decided

    def begin(self, task: Task, then: Callable[[Job], object]) -> Job:
        """Have a task decided, and something done then; called in any thread, does not wait."""
        job = Job(partial(title, task), lambda decider: decider.decide(task), then)
        self.put(job)
        return job

    def forget(self, run_id: str) -> None:
        """Have a run let go of, before any task that comes later; called in other threads, does not wait."""
        self.put(Job(lambda: f"letting go of run {run_id}", lambda decider: decider.forget(run_id)))

    def finish(self) -> None:
        """Let the thread end, and its runs go, once the jobs that wait are done; called in other threads, does not wait."""
        self.put(_closing())
        with self.gate:
            self._closed = True
            self._jobs.put(None)

    def interrupt(self, job: Job, reason: str) -> None:
        """Raise CodeInterrupted in the code of a job, if that is what this thread does; called in other threads."""
        with self.gate:
            if self.job is job:
                self.stop_reason = reason
                _raise_in(self.ident, CodeInterrupted)

    def give_up(self, error: DeciderException) -> list[Job]:
        """Write this thread off: the job at hand ends with an error, those that wait are returned for another owner."""
        waiting = []
        with self.gate:
            self.written_off = self._closed = True
            while True:
                try:
                    job = self._jobs.get_nowait()
                except Empty:
                    break
                if job is not None:
                    waiting.append(job)
            self._jobs.put(None)
            at_hand = self.job
        if at_hand is not None:
            at_hand.finish(error=error)
        return waiting

    def put(self, job: Job) -> None:
        """Do a job after those that wait; called in other threads."""
        with self.gate:
            closed = self._closed
            if not closed:
                self._jobs.put(job)
        if closed:
            job.finish(error=GivenUp(f"{job.name}: {self.name} does no more jobs"))

    def run(self) -> None:
        """Do jobs until told to finish."""
        while (job := self._jobs.get()) is not None:
            self._do(job)
        if self.written_off:
            logger.warning("%s has come back after it was written off; it lets its runs go and ends", self.name)
            self._do(_closing())

    def _do(self, job: Job) -> None:
        result: Any = None
        error: BaseException | None = None
        with self.gate:
            self.job = job
            self.jobs_begun += 1
            self.stop_reason = None
        try:
            result = job.work(self.decider)
        except BaseException as raised:
            error = raised
        reason = self._end()
        if reason is not None and isinstance(error, FiberClosed):
            error = CodeStopped(reason)
        job.finish(result, error)

    def _end(self) -> str | None:
        """
        End the job at hand, whatever still comes to interrupt it; return why it was stopped, if it was.

        What was sent before the gate could be had, CPython raises in here: to leave the gate is a call. It is never taken back,
        though CPython offers that: until 3.13 all threads would then look for it at each call, for good, and under a profiler
        none would get on.
        """
        while True:
            try:
                with self.gate:
                    self.job = None
            except CodeInterrupted:  # sent while the code was coming to its end by itself
                continue
            else:
                return self.stop_reason


def _closing() -> Job:
    return Job(lambda: "letting go of all runs", TaskDecider.close)


def _raise_in(thread_id: int | None, error: type[BaseException]) -> None:
    """Have CPython raise an error in a thread at its next step."""
    if thread_id is not None:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread_id), ctypes.py_object(error))
