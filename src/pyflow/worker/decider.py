"""
The decider as a program uses it: workflow types registered, tasks decided one by one or by a crew of threads.
"""

import logging
import os
import socket
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from pyflow import guard as guards
from pyflow import logs
from pyflow.converter import JSON, DataConverter
from pyflow.exceptions import PyflowException
from pyflow.interceptors import Interceptor, intercept
from pyflow.swf.client import Client, create_client
from pyflow.swf.posts import can_post
from pyflow.workflow import Workflow, register_options

from .affinity import AFFINITY_S, Affinity
from .answering import Answering
from .crew import Crew
from .deciding import DecidedTask, Task, TaskDecider, by_type
from .express import Express
from .owners import Owner
from .polling import Poller, backoff_max_s, decision_poll, poll_decision_task, pollers_for
from .registration import WORKFLOW_TYPES, register_types
from .sticky import RunCache
from .undecidable import POLICIES, OnUndecidable
from .watchdog import LIMIT_S, Watchdog

__all__ = ["DecidedTask", "Decider", "poll_for_executions"]

logger = logging.getLogger("pyflow")

RUNS_KEPT: Final = 1_000
BYTES_KEPT: Final = 256 * 1024 * 1024
RENEW_S: Final = 60.0
"""The least time from one client that is made because of stale credentials to the next."""


class Decider:
    """
    Decides the executions of some workflow types.

    Args:
        workflow_classes: subclasses of Workflow.
        domain: a registered domain.
        task_list: the decision task list to poll.
        identity: recorded in history with each task; at most 256 characters.
        client: see ``pyflow.swf.client``; None makes one by boto3's conventions.
        runs_kept: how many live runs each deciding thread keeps between tasks; 0 replays each task from its history.
        bytes_kept: how much memory these may take, as estimated from what their code was given; None: any.
        threads: how many threads decide. Python lets one of them compute at a time: more processes use more cores.
        pollers: how many polls of each task list are open at once. Each has a thread, which sends its answers. None: 2, and 8
            where the service is in this process and answers without a thread.
        affinity: how many seconds a kept run's next task waits for this process before SWF gives it to any other; True: 5;
            False: not at all. Nothing but speed depends on it, and where the service does not support it, it is off.
        on_undecidable: what is done with a run that cannot be decided: ``"park"`` it, with growing pauses, until it can be;
            ``"fail"`` it where its code does not fit its history; ``"leave"`` its tasks unanswered.
        watchdog_s: how long code may run from one wait to the next before it is reported and stopped; None: for ever.
        legacy_child_ids: name children as 2.0.0 did, which collides between runs.
        log_replays: let the code's log lines be heard also while it replays what an earlier task has completed.
        converter: what values become on their way; give the activity workers and the starters the same.
        guard: what is done about code that cannot be replayed (the time, chance, files, the network, ...): ``"off"``: nothing;
            ``"warn"``: a line in the log, once for each place; ``"strict"``: values that replay, and a GuardException where
            there are none. See docs/determinism.md.
        interceptors: stand around calls to the service and around deciding; the first is the outermost.

    Raises:
        PyflowException: two classes have the same NAME and VERSION, or one lacks them.
        ValueError: a setting is out of its range.
    """

    def __init__(
        self,
        workflow_classes: Iterable[type[Workflow]],
        domain: str,
        task_list: str,
        identity: str,
        client: Client = None,
        *,
        runs_kept: int = RUNS_KEPT,
        bytes_kept: int | None = BYTES_KEPT,
        threads: int = 1,
        pollers: int | None = None,
        affinity: bool | int = True,
        on_undecidable: OnUndecidable = "park",
        watchdog_s: float | None = LIMIT_S,
        legacy_child_ids: bool = False,
        log_replays: bool = False,
        converter: DataConverter = JSON,
        guard: guards.Mode = "warn",
        interceptors: Sequence[Interceptor] = (),
    ) -> None:
        logs.install()
        guards.install(guard)
        if on_undecidable not in POLICIES:
            raise ValueError(f"on_undecidable is one of {', '.join(map(repr, POLICIES))}, not {on_undecidable!r}")
        if (
            threads < 1
            or (pollers is not None and pollers < 1)
            or affinity < 0
            or (watchdog_s is not None and watchdog_s <= 0)
        ):
            raise ValueError("threads and pollers are at least 1, affinity at least 0, watchdog_s over 0 or None")
        self._classes = by_type(workflow_classes)
        self._domain = domain
        self._task_list = task_list
        self._identity = identity or f"{socket.gethostname()}:{os.getpid()}"
        self._interceptors = tuple(interceptors)
        self._given_client = client if client is None else intercept(client, self._interceptors)
        self._made_client: Client = None
        self._made_s = 0.0
        self._legacy_child_ids = legacy_child_ids
        self._logs: logs.Logs = "always" if log_replays else "live"
        self._converter = converter
        self._guard: guards.Mode = guard
        self._runs_kept = runs_kept
        self._bytes_kept = bytes_kept
        self._threads = threads
        self._pollers = pollers
        self._affinity_s = (AFFINITY_S if affinity else 0) if isinstance(affinity, bool) else affinity
        self._on_undecidable: OnUndecidable = on_undecidable
        self._watchdog_s = watchdog_s
        self._of_thread = threading.local()
        self._making = threading.Lock()
        self._stopping = threading.Event()
        self._stop_asked: tuple[float | None] | None = None
        self._crews: list[Crew] = []  # one for each thread in poll_for_decision_tasks
        self._is_of_parent = False
        _deciders.add(self)

    @property
    def idle(self) -> bool:
        """Whether nothing but polls is under way."""
        return all(crew.idle for crew in self._crews)

    @property
    def runs_alive(self) -> int:
        """How many live runs its deciding threads keep between their tasks."""
        return sum(crew.runs_alive for crew in self._crews)

    def ensure_workflows_registered(self) -> None:
        """
        Register the workflow types that the domain does not have yet, and log what those that it has have otherwise.

        Raises:
            GuardException: the guard is strict, and code of a class cannot be replayed.
            PyflowException: a class asks for an option that RegisterWorkflowType does not have.
            ServiceFault: the service refused.
        """
        guards.inspect(self._classes.values(), self._guard)
        wanted = {type_: _registration(each, self._task_list) for type_, each in self._classes.items()}
        register_types(self._client, WORKFLOW_TYPES, self._domain, wanted, self._stopping)

    def process_decision_task(self, decision_task: Task) -> DecidedTask:
        """
        Decide a task, in this thread. Calls no service; payloads that are too long for SWF are put into the converter's store.

        Args:
            decision_task: PollForDecisionTask's reply with the events of all pages.

        Returns:
            What must be answered.

        Raises:
            NondeterminismException: the code does not fit the history.
            GuardException: the code does what cannot be replayed, and the guard is strict.
            HistoryException: the history is not sound.
            PayloadException: something in history cannot be opened; PayloadStoreException: the store does not answer.
            DeciderException: no class here has the task's workflow type, or the run follows rules of another pyflow.
        """
        return self._of_this_thread.decide(decision_task).task

    def poll_for_decision_tasks(self, max_time: float | None = None) -> None:
        """
        Register what is missing, then decide tasks until told to stop.

        The tasks are polled for, decided and answered by threads of its own; the calling thread looks after them.

        Args:
            max_time: seconds after which no new poll begins. A poll under way is waited for, up to 60 s: SWF may have
                given it a task already.

        Raises:
            ServiceFault: registration failed, or the service refuses what the polls say.
            DeciderStuckException: workflow code blocks so many threads that this process should be replaced.
            PyflowException: this decider was made before the process was forked.
        """
        self.ensure_workflows_registered()
        logger.info("polling for decision tasks in domain %r on task list %r", self._domain, self._task_list)
        until_s = None if max_time is None else time.monotonic() + max_time
        if self._stopping.is_set() or (max_time is not None and max_time <= 0):
            return
        crew = self._make_crew()
        self._crews.append(crew)
        try:
            if self._stop_asked is not None:
                crew.stop(*self._stop_asked)
            crew.work(until_s)
        finally:
            self._crews.remove(crew)

    def stop(self, grace_s: float | None = None) -> None:
        """
        End the polling after the polls and tasks under way; callable from any thread, from signal handlers, and again.

        On AWS a poll under way lasts up to 60 s: a task may have been given to it already. Runs are handed back to all deciders
        as their tasks come; those that wait for longer are taken back by SWF.

        Args:
            grace_s: seconds after which the polls under way are left alone, and what they were given times out; None: never. The
                last call that gives a number of seconds counts.
        """
        self._stop_asked = (grace_s,)
        for crew in list(self._crews):
            crew.stop(grace_s)
        if threading.current_thread() is not threading.main_thread():
            self._stopping.set()
        else:
            # A signal handler may interrupt this very thread where it holds the lock of the event.
            threading.Thread(target=self._stopping.set).start()

    def forget(self) -> None:
        """Close the runs that this thread keeps."""
        self._of_this_thread.close()

    @property
    def _client(self) -> Client:
        """The client; made when it is first needed, since deciding a task needs none."""
        self._refuse_if_forked()
        if self._given_client is not None:
            return self._given_client
        with self._making:
            if self._made_client is None:
                self._make_client()
            return self._made_client

    def _make_client(self) -> None:
        self._made_client = intercept(create_client(for_worker=True), self._interceptors)
        self._made_s = time.monotonic()

    def _renew_client(self) -> None:
        """Make another client: credentials of files and of the environment are read only then."""
        with self._making:
            if self._made_client is not None and time.monotonic() - self._made_s > RENEW_S:
                logger.info("the service does not take the credentials any more; they are read again")
                self._make_client()

    @property
    def _of_this_thread(self) -> TaskDecider:
        """What this thread decides with, and the runs that it keeps; a forked child has none of its parent's."""
        try:
            decider: TaskDecider = self._of_thread.decider
        except AttributeError:
            self._refuse_if_forked()
            decider = self._of_thread.decider = self._make_decider()
        return decider

    def _make_decider(self) -> TaskDecider:
        runs = RunCache(self._runs_kept, self._bytes_kept)
        return TaskDecider(
            self._classes,
            runs,
            legacy_child_ids=self._legacy_child_ids,
            logs=self._logs,
            guard=self._guard,
            converter=self._converter,
            interceptors=self._interceptors,
        )

    def _make_crew(self) -> Crew:
        client = self._client
        affinity = Affinity(client, self._task_list, self._affinity_s if self._runs_kept else 0)
        answering = Answering(lambda: self._client, self._domain, affinity, self._on_undecidable, self._stopping)

        def make_express(own_list: str | None, poller: Poller, owner_of: Callable[[Task], Owner]) -> Express:
            return Express(client, self._poll_of(own_list), poller, answering, owner_of, self._stopping)

        return Crew(
            self._make_poller,
            make_express if can_post(client) else None,
            self._make_decider,
            answering,
            affinity,
            None if self._watchdog_s is None else Watchdog(self._watchdog_s),
            self._stopping,
            lanes=self._pollers or pollers_for(client),
            owners=self._threads,
        )

    def _make_poller(self, own_list: str | None) -> Poller:
        """Make the poller of a lane; the own list, if it is that, is polled to its last task."""

        request = self._poll_of(own_list)
        return Poller(
            lambda: poll_decision_task(self._client, request, self._stopping),
            self._stopping,
            backoff_max_s=backoff_max_s(self._client),
            is_own=own_list is not None,
            renew=self._renew_client,
        )

    def _poll_of(self, own_list: str | None) -> dict[str, Any]:
        """Return the request of a poll; of the own list, kept runs need the newest events alone."""
        return decision_poll(
            self._domain, own_list or self._task_list, self._identity, newest_only=own_list is not None
        )

    def _refuse_if_forked(self) -> None:
        if self._is_of_parent:
            raise PyflowException(
                "this Decider was made before the process was forked: its runs, threads and connections are the parent's. "
                "Make one in each process, after the fork"
            )

    def _leave_to_parent(self) -> None:
        """
        Let go of what is the parent's, in a forked child, without ending any of it.

        Dropped fibers would be closed by the garbage collector, and their ``finally`` bodies run here a second time.
        """
        _of_parents.append((self._of_thread, self._crews))
        self._of_thread, self._crews = threading.local(), []
        self._given_client = self._made_client = None
        self._making = threading.Lock()
        self._stopping = threading.Event()
        self._is_of_parent = True


_deciders: "weakref.WeakSet[Decider]" = weakref.WeakSet()
_of_parents: list[Any] = []


def _leave_all_to_parent() -> None:
    for decider in list(_deciders):
        decider._leave_to_parent()  # noqa: SLF001 - its other half


os.register_at_fork(after_in_child=_leave_all_to_parent)


def poll_for_executions(
    workflows: Iterable[type[Workflow]], domain: str, task_list: str, identity: str, max_time: float | None = None
) -> None:
    """
    Decide the executions of some workflow types, until interrupted.

    Args:
        workflows: subclasses of Workflow.
        domain: a registered domain.
        task_list: the decision task list to poll.
        identity: recorded in history with each task.
        max_time: seconds after which no new poll begins; None: for ever.

    Raises:
        ServiceFault: registration failed, or the service refuses what the polls say.
    """
    Decider(workflows, domain, task_list, identity).poll_for_decision_tasks(max_time)


def _registration(workflow_class: type[Workflow], task_list: str) -> dict[str, Any]:
    options = register_options(workflow_class)
    if "lambdaRole" in options:
        raise PyflowException(
            f"OPTIONS of {workflow_class.__qualname__} holds 'lambdaRole', which RegisterWorkflowType does not have; "
            f"write 'defaultLambdaRole'"
        )
    own_list = options.setdefault("defaultTaskList", task_list)
    if isinstance(own_list, str):
        options["defaultTaskList"] = {"name": own_list}
    return options
