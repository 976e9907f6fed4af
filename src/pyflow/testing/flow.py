"""
A service, a decider and an activity worker in one thread, with time that passes only when nothing else can happen.

Nothing runs beside the test: each step polls, decides, works and answers in turn, so that a test does the same every time.
"""

import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Self

from pyflow.activities import Activity
from pyflow.converter import JSON, DataConverter
from pyflow.future import R
from pyflow.guard import Mode
from pyflow.local import LocalSWF, VirtualClock
from pyflow.others import WorkflowCode
from pyflow.workflow import Workflow

from . import watch
from .execution import Execution
from .exploration import Exploration
from .explore import Search, explore
from .fakes import Fake, Outcomes
from .invariants import Check, Invariants
from .scheduler import Move, Scheduler
from .served import Served
from .stage import Scenario
from .started import Started
from .workers import TASK_LIST, Workers
from .world import Function, LocalWorld, UnsupportedException, World

__all__ = ["Flow"]

__tracebackhide__ = True

opened: Final[weakref.WeakSet["Flow"]] = weakref.WeakSet()
"""The flows that are there, for the plugin."""


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
        folder: where ``explore`` keeps the histories of its failures; None: nowhere.
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
        self.folder: Path | None = Path(".pyflow")
        self._served = Served(self.world)
        self._workers = Workers(self._served, self.world, converter=JSON, guard=guard, spin_s=spin_s)
        self._scheduler = Scheduler(self._workers, choose)
        self._started = Started(self._scheduler)
        self._told: str | None = None
        opened.add(self)

    @property
    def converter(self) -> DataConverter:
        """What values become on their way, for workers, starter and handles alike; set another one before anything is started."""
        return self._workers.converter

    @converter.setter
    def converter(self, converter: DataConverter) -> None:
        self._workers.converter = converter

    @property
    def guard(self) -> Mode:
        """What is done about code that cannot be replayed; set another one before anything is started."""
        return self._workers.guard

    @guard.setter
    def guard(self, guard: Mode) -> None:
        self._workers.guard = guard

    @property
    def task_lists(self) -> set[str]:
        """
        The lists that are served: its own, and those that types name as theirs.

        More may be added, of which only calls speak (``resize.options(task_list="gpu")``); what waits in others waits for nobody.
        """
        return self._workers.task_lists

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
        return self._started.start(workflow, input, workflow_id=workflow_id, options=options)

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
        check: Check | None = None,
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
    ) -> Exploration:
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
        self.use(workflow)
        pairs = list(outcomes.items()) if isinstance(outcomes, Mapping) else list(outcomes)
        scenario = Scenario(workflow, input, options, pairs, list(signals), cancel, crashes, may_get_stuck, setup)
        try:
            return explore(
                self._workers,
                scenario,
                Invariants(check, all_signals_received=all_signals_received, replay=self.replay),
                Search(max_schedules, max_depth, seed, data, schedule),
                folder=self.folder,
                elsewhere=elsewhere and self.replay and self.converter is JSON,
            )
        finally:
            self._served.start_over()

    def history(self, workflowId: str, runId: str) -> list[dict[str, Any]]:  # noqa: N803 - as SWF spells an execution
        """Return the events of an execution, in the API's form."""
        return self._workers.history(workflowId, runId)

    # -- time

    def run_until_blocked(self) -> None:
        """
        Let everything happen that can happen without time passing.

        Raises:
            SpinningException: there is no end to it, or to the code of one decision.
        """
        self._scheduler.run_until_blocked()

    def advance(self, seconds: float | timedelta = 0.0, **duration: float) -> None:
        """
        Let time pass, and everything happen at its time.

        Args:
            seconds: how many; or a timedelta.
            duration: or what ``timedelta`` takes: ``days=3``.

        Raises:
            UnsupportedException: time does not skip on the service that this runs on, and that is too long to wait.
        """
        given = seconds if isinstance(seconds, timedelta) else timedelta(seconds=seconds)
        self._scheduler.advance(given + timedelta(**duration))

    def skip(self, *, to_ends: bool = True) -> bool:
        """
        Let time pass to the next deadline of anything, and what it brings happen.

        Args:
            to_ends: also if nothing but executions' own timeouts is to come.

        Returns:
            False if there is none.
        """
        return self._scheduler.skip(to_ends=to_ends)

    # -- afterwards

    def check(self) -> None:
        """
        Replay the history of every execution of a known workflow: from each prefix, cold, and going on from memory.

        Raises:
            NondeterminismException: a replay does something else; both sides are named.
        """
        self._started.check()

    def recorded(self) -> Iterator[tuple[type[Workflow] | None, str, str, list[dict[str, Any]]]]:
        """
        Give the executions that were started here, the runs they continued as, and their children.

        Returns:
            For each the class, None if it is not known here; its workflow id and run id; and its events.
        """
        return self._started.recorded()

    def is_stand_in(self, workflow: type[Workflow]) -> bool:
        """Tell whether a class stands in for a child workflow."""
        return self._served.is_stand_in(workflow)

    def forget(self, execution: Execution[Any]) -> None:
        """Leave an execution out of ``check``: too long to replay from each prefix, or of code that has changed."""
        self._started.executions.remove(execution)

    def story(self) -> str:
        """Tell every execution that was started since ``mark``: what was asked, what came back, when, where it waits."""
        return self._started.story() if self._told is None else self._told

    def close(self) -> None:
        """Let go of everything."""
        self._told = self._told or ""
        self._workers.forget()
        self.world.close()

    # -- a test among others, for the plugin

    @property
    def closed(self) -> bool:
        """Whether it is over."""
        return self._told is not None

    def mark(self) -> None:
        """Begin the setup of a test: what was started before is none of its business."""
        self._started.mark()
        if self.closed:
            self._told = ""

    def begin(self) -> None:
        """Begin a test itself."""
        self._started.begin()

    def leave(self) -> None:
        """
        End a test: what it has started and left open is terminated, so that nothing of it is there in the next.

        A flow of one test alone has no next one; one of a module or session stays as the test found it.
        """
        self._started.leave()
