"""
A service, a decider and an activity worker in one thread, with time that passes only when nothing else can happen.

Nothing runs beside the test: each step polls, decides, works and answers in turn, so that a test does the same every time.
"""

import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from pyflow.activities import Activity
from pyflow.converter import JSON, DataConverter
from pyflow.exceptions import HistoryException, PyflowException, ServiceFault
from pyflow.executions import start_workflow
from pyflow.future import R
from pyflow.guard import Mode
from pyflow.handles import WorkflowHandle
from pyflow.history.check import check
from pyflow.local import LocalSWF, Pending, VirtualClock
from pyflow.others import WorkflowCode
from pyflow.swf.client import service_faults
from pyflow.swf.events import attributes_of
from pyflow.worker.activities import ActivityWorker
from pyflow.worker.decider import DecidedTask, Decider
from pyflow.worker.polling import poll_activity_task
from pyflow.workflow import Workflow

from . import watch
from .execution import Execution
from .fakes import Fake, Outcomes
from .served import Served
from .world import Function, LocalWorld, UnsupportedException, World

if TYPE_CHECKING:
    from .explore import Check, Exploration

__all__ = ["Flow", "Move", "SpinningException"]

__tracebackhide__ = True

TASK_LIST: Final = "flow"
PAGE_EVENTS: Final = 50
STACK_MAX: Final = 10
STEPS_MAX: Final = 20_000
"""Steps without an end before a test is given up: an execution that asks for ever."""

opened: Final[weakref.WeakSet["Flow"]] = weakref.WeakSet()
"""The flows that are there, for the plugin."""


class SpinningException(PyflowException):
    """
    Workflow code neither waits nor ends.

    Args:
        message: what spins.
        where: ``file:line in function``, when it was interrupted.
    """

    def __init__(self, message: str, where: str | None) -> None:
        self.where = where
        super().__init__(message)


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


class Flow:
    """
    What the fixture ``flow`` gives: run workflows, and let time pass.

    Outside of pytest it is a block, ``with Flow() as flow:``, at whose end every history is replayed, as the fixture does.

    A workflow class brings with it what its module holds: the workflows and activities defined or imported there. Others
    are added with ``use``.

    Args:
        world: where executions live; None: a local service of its own, with time that skips.
        replay: replay every history at the end.
        choose: takes what can happen next and gives the one thing that does. Activities that have come are then all taken at
            once, and may end in any order; where time may pass, that is among the things. None: decisions first, then
            activities, then Lambda functions, each in the order in which they came, and time when nothing else is left.
        spin_s: seconds of processor time that workflow code may take at one go.
        guard: what is done about code that cannot be replayed, as in ``Decider``; take what is taken in production.

    Attributes:
        client: an SWF client on the test's own service, with boto3's methods.
        domain, task_list: where everything happens.
        world: where executions live.
        replay: whether every history is replayed at the end; may be set.
        guard: what is done about code that cannot be replayed; set another one before anything is started.
        folder: where ``explore`` keeps the histories of its failures; None: nowhere.
        converter: what values become on their way; set another one before anything is started.
        task_lists: the lists that are served: its own, and those that types name as theirs. More may be added, of which only
            calls speak (``resize.options(task_list="gpu")``); what waits in others waits for nobody.
    """

    task_list = TASK_LIST

    def __init__(
        self,
        world: World | None = None,
        *,
        replay: bool = True,
        choose: Callable[[list[Move]], Move] | None = None,
        spin_s: float = watch.SPIN_S,
        guard: Mode = "warn",
    ) -> None:
        self.world: World = LocalWorld() if world is None else world
        self.client = self.world.client
        self.domain = self.world.domain
        self.replay = replay
        self.choose = choose
        self.spin_s = spin_s
        self.guard: Mode = guard
        self.folder: Path | None = Path(".pyflow")
        self._served = Served(self.world)
        self.task_lists = {TASK_LIST}
        self._converter = JSON
        self._decider: Decider | None = None
        self._worker: ActivityWorker | None = None
        self._executions: list[Execution[Any]] = []
        self._checked: dict[str, int] = {}
        self._in_hand: list[dict[str, Any]] = []
        self._marked = self._begun = 0
        self._told: str | None = None
        opened.add(self)

    @property
    def converter(self) -> DataConverter:
        """What values become on their way, for decider, activity worker, starter and handles alike."""
        return self._converter

    @converter.setter
    def converter(self, converter: DataConverter) -> None:
        self._converter = converter
        self._served.changed = True

    @property
    def clock(self) -> VirtualClock:
        """The time of the service, if it is a local one."""
        return self._local.clock

    @property
    def service(self) -> LocalSWF:
        """The local service, if it is one."""
        return self._local.service

    @property
    def _local(self) -> LocalWorld:
        if not isinstance(self.world, LocalWorld):
            raise UnsupportedException(
                f"this flow runs on {self.world!r}, which has no local service and no clock to set"
            )
        return self.world

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None and self.replay:
                self.check()
        except BaseException:
            self._told = self.story()
            raise
        else:
            self._told = "" if kind is None else self.story()
        finally:
            self.close()

    # -- what is served

    def use(self, *things: type[Workflow] | Activity[..., Any] | ModuleType) -> None:
        """
        Serve workflows and activities: classes, functions, or modules with all that they hold.

        Raises:
            TypeError: something else was given, or a class without a NAME.
            PyflowException: two of them have one name and version.
        """
        self._served.use(*things)

    def deploy(self, workflow: type[Workflow]) -> None:
        """Serve a class in place of the one that has its name and version: open executions go on with the changed code."""
        self._served.deploy(workflow)

    def lambda_function(self, name: str, function: Function) -> None:
        """Let a Python function ``(event, context)`` be a Lambda function."""
        self._served.lambda_function(name, function)

    def fake(
        self,
        thing: Any,
        *,
        returns: Any = None,
        raises: BaseException | type[BaseException] | None = None,
        side_effect: Any = None,
        times_out: bool = False,
        kind: str | None = None,
        version: str = "1.0",
    ) -> Fake:
        """
        Let a stand-in answer for an activity, a Lambda function or a child workflow, from now on.

        Args:
            thing: the activity function, the workflow class, a descriptor, or a name.
            returns: the result of every call; None if nothing else is given.
            raises: what every call raises: an exception or its class.
            side_effect: a function, called as the real one would be; or a list of outcomes, one a call: an exception is
                raised, ``TIMES_OUT`` lets the call time out, anything else is the result.
            times_out: nobody answers: the first timeout that was asked for ends it.
            kind: ``activity``, ``lambda`` or ``child``, of a name that only code mentions (``invoke_activity("resize", ...)``).
            version: of an activity or child that is given by name and kind.

        Returns:
            The fake, with the calls that it gets.

        Raises:
            TypeError: the outcomes exclude each other, or ``side_effect`` cannot be called as the real function is.
            PyflowException: later, at the first start, if a name is that of nothing known.
        """
        outcomes = Outcomes(returns=returns, raises=raises, side_effect=side_effect, times_out=times_out)
        return self._served.fake(thing, outcomes, kind=kind, version=version)

    # -- executions

    def start(
        self,
        workflow: type[WorkflowCode[Any, R]],
        input: Any = None,
        *,
        workflow_id: str | None = None,
        **options: Any,
    ) -> Execution[R]:
        """
        Start an execution; nothing of it happens before time passes or its result is asked for.

        Args:
            workflow: its class.
            input: a value as ``run`` takes it; a text is sent as a text.
            workflow_id: None makes one up.
            options: what ``start_workflow`` takes besides.
        """
        served: Any = workflow  # a Workflow; its ``run`` alone is what type checkers are to look at
        self.use(served)
        self._prepare()
        started = start_workflow(
            self.domain,
            served.NAME,
            served.VERSION,
            TASK_LIST,
            input=None if input is None else self.converter.encode(input, "the workflow's input"),
            client=self.client,
            converter=self.converter,
            workflow_id=workflow_id,
            **options,
        )
        ends = options.get("execution_start_to_close_timeout") is not None
        execution = Execution[R](self, served, started["workflowId"], started["runId"], may_time_out=ends)
        self._executions.append(execution)
        return execution

    def run(self, workflow: type[WorkflowCode[Any, R]], input: Any = None, **options: Any) -> R:
        """
        Run one execution to its end; time skips over whatever it waits for.

        Returns:
            Its result.

        Raises:
            WorkflowFailedException, WorkflowCanceledException, PyflowException: it ended otherwise, or is stuck.
        """
        return self.start(workflow, input, **options).result()

    def explore(
        self,
        workflow: type[Workflow],
        input: Any = None,
        *,
        check: "Check | None" = None,
        outcomes: Mapping[Any, Sequence[Any]] | Sequence[tuple[Any, Sequence[Any]]] = (),
        signals: Sequence[tuple[str, Any]] = (),
        cancel: bool = False,
        crashes: int = 1,
        all_signals_received: bool = False,
        may_get_stuck: bool = False,
        max_schedules: int = 1_000,
        max_depth: int = 500,
        seed: int | None = None,
        data: Any = None,
        schedule: Sequence[str] | str | Path | None = None,
        setup: Callable[[], object] | None = None,
        elsewhere: bool = True,
        **options: Any,
    ) -> "Exploration":
        """
        Run a workflow under the orders in which completions, signals, timers, cancels, crashes and timeouts may come.

        Each run has a service of its own that begins at the same moment with the same run ids; what this flow serves and fakes is
        there, and ``calls`` of its fakes are those of the run that is looked at. In every run: the execution never gets stuck, is
        never undecidable, and replays from each prefix of its history.

        Args:
            workflow, input, options: as for ``start``.
            check: called with the result, or with the exception that ``result()`` would raise, and the history; whatever it
                raises is a failure. None: every exception but that of a cancel is one.
            outcomes: for activities, Lambda functions and children, a list of what a call may come to, each time anew:
                ``{charge: [returns("paid"), raises(Declined()), TIMES_OUT]}``; in pairs where a key cannot be one. A fake that
                stood for it before gets the calls.
            signals: ``(name, value)`` of signals that come, in any order and at any time.
            cancel: somebody asks to cancel, at any time.
            crashes: how often the decider starts again with an empty memory, or dies with a task in hand.
            all_signals_received: a signal that no code receives is a failure.
            may_get_stuck: an execution that waits for ever is none.
            max_schedules: so many runs at most; ``complete`` of what is returned tells whether these were all.
            max_depth: steps of one run at most; it is given up there.
            seed: draw the schedules at random, the same for the same seed; None: the plain course of things first, then what
                deviates from it at one point, at two, ...
            data: what Hypothesis' ``st.data()`` gives: it draws one schedule, and shrinks a failure.
            schedule: run this one alone: labels as a failure lists them, or the file it was kept in.
            setup: called before each run: what real activities leave behind is none of the service's business.
            elsewhere: in the end, replay what was seen in another process, too: with other hashes, no environment variables, and
                a new import of the class. Not where values go through a converter of your own.

        Returns:
            What was looked at; ``print`` tells it in a line.

        Raises:
            ScheduleFailedException: something does not hold in one of the runs. It is made as small as it goes, and its history
                is written to ``folder``.
            PyflowException: ``schedule`` does not fit the workflow.
        """
        from .explore import explore  # noqa: PLC0415 - it explores with flows of its own

        self.use(workflow)
        try:
            return explore(
                self,
                workflow,
                input,
                check=check,
                outcomes=outcomes,
                signals=signals,
                cancel=cancel,
                crashes=crashes,
                all_signals_received=all_signals_received,
                may_get_stuck=may_get_stuck,
                max_schedules=max_schedules,
                max_depth=max_depth,
                seed=seed,
                data=data,
                schedule=schedule,
                setup=setup,
                elsewhere=elsewhere,
                options=options,
            )
        finally:
            self._served.start_over()

    def history(self, workflowId: str, runId: str) -> list[dict[str, Any]]:  # noqa: N803 - as SWF spells an execution
        """Return the events of an execution, in the API's form."""
        return WorkflowHandle(self.client, self.domain, workflowId, runId).history()

    # -- time

    def run_until_blocked(self) -> None:
        """
        Let everything happen that can happen without time passing.

        Raises:
            SpinningException: there is no end to it, or to the code of one decision.
        """
        for _ in range(STEPS_MAX):
            if not self._step():
                return
        raise SpinningException(*self._endless())

    def settle(self) -> None:
        """As ``run_until_blocked``; but where what happens next is chosen, time is among the choices, and nothing is done yet."""
        if self.choose is None:
            self.run_until_blocked()

    def advance(self, seconds: float = 0.0, **duration: float) -> None:
        """
        Let time pass, and everything happen at its time.

        Args:
            seconds: how many.
            duration: or what ``timedelta`` takes: ``days=3``.

        Raises:
            UnsupportedException: time does not skip on the service that this runs on, and that is too long to wait.
        """
        until_ms = self.world.now_ms() + round(timedelta(seconds=seconds, **duration).total_seconds() * 1000)
        self.run_until_blocked()
        while (due_ms := self.world.pending().due_ms) is not None and due_ms <= until_ms:
            self.world.pass_until(due_ms)
            self.run_until_blocked()
        while self.world.now_ms() < until_ms:
            self.world.pass_until(until_ms)
            self.run_until_blocked()

    def skip(self, *, to_ends: bool = True) -> bool:
        """
        Let time pass to the next deadline of anything, and what it brings happen.

        Args:
            to_ends: also if nothing but executions' own timeouts is to come.

        Returns:
            False if there is none.
        """
        if self.choose is not None and self._step(time_may_pass=True):
            return True
        self.run_until_blocked()
        pending = self.world.pending()
        if pending.due_ms is None or (pending.only_ends and not to_ends):
            return False
        self.world.pass_until(pending.due_ms)
        self.run_until_blocked()
        return True

    # -- afterwards

    def check(self) -> None:
        """
        Replay the history of every execution of a known workflow: from each prefix, cold, and going on from memory.

        Raises:
            NondeterminismException: a replay does something else; both sides are named.
        """
        for workflow, workflow_id, run_id, events in self.recorded():
            if workflow is not None and self._checked.get(run_id) != len(events):
                check(workflow, workflow_id, run_id, events, converter=self.converter, guard=self.guard)
                self._checked[run_id] = len(events)

    def recorded(self) -> Iterator[tuple[type[Workflow] | None, str, str, list[dict[str, Any]]]]:
        """
        Give the executions that were started here, the runs they continued as, and their children.

        Returns:
            For each the class, None if it is not known here; its workflow id and run id; and its events.
        """
        to_read = [
            ((str(one.workflow.NAME), one.workflow.VERSION), one.workflow_id, one.first_run_id)
            for one in self._executions
        ]
        served = self._served.workflows
        while to_read:
            type_, workflow_id, run_id = to_read.pop()
            events = self.history(workflow_id, run_id)
            yield served.get(type_), workflow_id, run_id, events
            for event in events:
                if event["eventType"] == "WorkflowExecutionContinuedAsNew":
                    following = attributes_of(event)
                    type_ = (following["workflowType"]["name"], following["workflowType"]["version"])
                    to_read.append((type_, workflow_id, following["newExecutionRunId"]))
                if event["eventType"] == "ChildWorkflowExecutionStarted":
                    child = attributes_of(event)
                    type_ = (child["workflowType"]["name"], child["workflowType"]["version"])
                    to_read.append((type_, *child["workflowExecution"].values()))

    def is_stand_in(self, workflow: type[Workflow]) -> bool:
        """Tell whether a class stands in for a child workflow."""
        return self._served.is_stand_in(workflow)

    def forget(self, execution: Execution[Any]) -> None:
        """Leave an execution out of ``check``: too long to replay from each prefix, or of code that has changed."""
        self._executions.remove(execution)

    # -- a test among others, for the plugin

    def mark(self) -> None:
        """Begin the setup of a test: what was started before is none of its business."""
        self._marked = len(self._executions)
        if self.closed:
            self._told = ""

    def begin(self) -> None:
        """Begin a test itself."""
        self._begun = len(self._executions)

    def leave(self) -> None:
        """
        End a test: what it has started and left open is terminated, so that nothing of it is there in the next.

        A flow of one test alone has no next one; one of a module or session stays as the test found it.
        """
        for execution in self._executions[self._begun :]:
            with suppress(ServiceFault):  # it is closed
                execution.terminate("the test that started it is over")
        del self._executions[self._begun :]

    @property
    def closed(self) -> bool:
        """Whether it is over."""
        return self._told is not None

    def story(self) -> str:
        """Tell every execution that was started since ``mark``: what was asked, what came back, when, where it waits."""
        if self._told is not None:
            return self._told
        told = [execution.story() for execution in self._executions[self._marked :]]
        return "\n\n".join([*told, *(repr(fake) for fake in self._served.fakes)])

    def not_served(self) -> list[str]:
        """Say which tasks wait for somebody that this flow has not."""
        waiting = dict.fromkeys(self.world.pending().activities)
        found = [
            f"activity {name} {version} waits in task list {task_list!r}, which is not served: "
            f"flow.task_lists.add({task_list!r}) lets this flow serve it"
            for task_list, name, version in waiting
            if task_list not in self.task_lists
        ]
        found += [
            f"the fake of {fake.name} lets a call time out, but nothing limits its time: give it a start_to_close"
            for fake in self._served.fakes
            if fake.lets_time_out
        ]
        return found

    def close(self) -> None:
        """Let go of everything."""
        self._told = self._told or ""
        if self._decider is not None:
            self._decider.forget()
            self._decider = None
        self.world.close()

    # -- one step

    def _step(self, *, time_may_pass: bool = False) -> bool:
        """Let one thing happen; tell whether anything could."""
        self._prepare()
        pending = self.world.pending()
        if self.choose is None:
            return self._first(pending)
        moves = self._moves(pending, time_may_pass=time_may_pass)
        if moves:
            self.choose(moves).make()
        return bool(moves)

    def _first(self, pending: Pending) -> bool:
        """Decide what is to be decided; else do all activities that are there; else run a Lambda function."""
        decisions = [task_list for task_list in pending.decisions if task_list in self.task_lists]
        for task_list in decisions:
            self._decide(task_list)
        if decisions:
            return True
        lists = self._lists_to_serve(pending)
        for task_list in lists:
            task = poll_activity_task(self.client, self.domain, task_list, "flow")
            if task is not None:
                self._perform(task)
        if not lists and pending.lambdas:
            return self._run_lambda()
        return bool(lists)

    def _moves(self, pending: Pending, *, time_may_pass: bool) -> list[Move]:
        """Take all activity tasks that are there, and give everything that can happen."""
        for task_list in self._lists_to_serve(pending):
            task = poll_activity_task(self.client, self.domain, task_list, "flow")
            if task is not None:
                self._in_hand.append(task)
        decisions = [task_list for task_list in pending.decisions if task_list in self.task_lists]
        moves = [Move("decide", task_list, partial(self._decide, task_list)) for task_list in decisions]
        for task in self._in_hand:
            what = f"{task['activityId']} ({task['activityType']['name']}) of {task['workflowExecution']['workflowId']}"
            moves.append(Move("perform", what, partial(self._perform, task)))
        if pending.lambdas:
            moves.append(Move("lambda", "the next Lambda function", self._run_lambda))
        due_ms = pending.due_ms
        if time_may_pass and due_ms is not None and not pending.only_ends:
            moves.append(Move("time", f"to {due_ms / 1000:.3f}", partial(self.world.pass_until, due_ms)))
        return moves

    def _decide(self, task_list: str) -> None:
        task = self._poll_decision_task(task_list)
        if task is None:
            return
        decided = self._decided(task)
        with service_faults("RespondDecisionTaskCompleted"):
            self.client.respond_decision_task_completed(
                taskToken=decided.task_token,
                decisions=decided.decisions,
                executionContext=decided.execution_context,
            )

    def _poll_decision_task(self, task_list: str) -> dict[str, Any] | None:
        """
        Poll for a decision task with what is new in its history: all that a run kept from the task before needs.

        Pages come backwards, since SWF's own way to ask for what is new goes by time, which stands still here.
        """
        request: dict[str, Any] = {
            "domain": self.domain,
            "taskList": {"name": task_list},
            "identity": "flow",
            "reverseOrder": True,
            "maximumPageSize": PAGE_EVENTS,
        }
        with service_faults("PollForDecisionTask"):
            task: dict[str, Any] = self.client.poll_for_decision_task(**request)
            if not task.get("taskToken"):
                return None
            token = task.pop("nextPageToken", None)
            while token and task["events"][-1]["eventId"] > task.get("previousStartedEventId", 0) + 1:
                page = self.client.poll_for_decision_task(**request, nextPageToken=token)
                task["events"] += page["events"]
                token = page.get("nextPageToken")
        task["events"].reverse()
        return task

    def _decided(self, task: dict[str, Any]) -> DecidedTask:
        assert self._decider is not None
        try:
            with watch.watched(self.spin_s) as step:
                try:
                    return self._decider.process_decision_task(task)
                except HistoryException:
                    if task["events"][0]["eventId"] == 1:
                        raise
                    whole = self.history(**task["workflowExecution"])
                    task["events"] = [event for event in whole if event["eventId"] <= task["startedEventId"]]
                    return self._decider.process_decision_task(task)
        except watch.Spinning:
            name = task["workflowType"]["name"]
            raise SpinningException(
                f"workflow {name} neither waits nor ends: its code ran for {self.spin_s:g} s of processor time in one "
                f"decision, and was interrupted. A loop in workflow code must wait for something (self.swf.sleep, a result, a "
                f"signal) or end; long work belongs into an activity.\n  it spins at "
                + "\n    called at ".join(step.stack[:STACK_MAX]),
                step.stack[0],
            ) from None

    def _perform(self, task: dict[str, Any]) -> None:
        assert self._worker is not None
        if task in self._in_hand:
            self._in_hand.remove(task)
        try:
            self._worker.do(task)
        except ServiceFault as fault:
            if fault.code != "UnknownResourceFault":  # it timed out, or its execution has closed
                raise
        self._raise_ended_scripts()

    def _run_lambda(self) -> bool:
        ran = self.world.run_lambda()
        self._raise_ended_scripts()
        return ran

    def _raise_ended_scripts(self) -> None:
        for fake in self._served.fakes:
            if fake.script_ended is not None:
                raise fake.script_ended

    def _lists_to_serve(self, pending: Pending) -> list[str]:
        """Return, for each activity task that is there and somebody here can do, the list that it waits in."""
        served = self._served.activities
        for task_list, name, version in pending.activities:
            if task_list in self.task_lists and (name, version) not in served:
                known = ", ".join(f"{each} {its_version}" for each, its_version in sorted(served)) or "none"
                raise PyflowException(
                    f"a workflow asked for activity {name} {version}, and no function here has that name and version "
                    f"(known: {known}). Give its function with flow.use(...), or a stand-in with flow.fake({name!r}, ...)"
                )
        return [task_list for task_list, _, _ in pending.activities if task_list in self.task_lists]

    def _endless(self) -> tuple[str, str | None]:
        asked: Counter[str] = Counter()
        busiest = max(self._executions, key=lambda one: len(one.history))
        for event in busiest.history:
            if event["eventType"].endswith(("Scheduled", "Initiated", "TimerStarted", "MarkerRecorded")):
                asked[event["eventType"]] += 1
        message = (
            f"no end after {STEPS_MAX:,} steps without time passing: {busiest.title} asks for more and more "
            f"({', '.join(f'{count:,} {kind}' for kind, count in asked.most_common(3))}), and waits at {busiest.waiting}. "
            f"Does its loop ever end?"
        )
        return message, busiest.waiting

    # -- who serves

    def _prepare(self) -> None:
        """Make decider and worker, where there is something new to serve."""
        served = self._served
        if not served.changed:
            return
        if self._decider is not None:
            self._decider.forget()
        served.resolve()
        decider = Decider(
            served.workflows.values(),
            self.domain,
            TASK_LIST,
            "flow",
            client=self.client,
            converter=self.converter,
            guard=self.guard,
        )
        worker = ActivityWorker(
            served.activities.values(), self.domain, TASK_LIST, "flow", client=self.client, converter=self.converter
        )
        decider.ensure_workflows_registered()
        worker.ensure_activities_registered()
        self.task_lists |= served.task_lists()
        self._decider, self._worker = decider, worker
        served.changed = False
