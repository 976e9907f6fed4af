"""One schedule at a time, on a service of its own, where each point at which several things could happen is somebody's choice."""

from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final, NamedTuple

from pyflow.exceptions import PyflowException, ServiceFault
from pyflow.local import Pending, Position
from pyflow.swf.client import service_faults
from pyflow.workflow import Workflow

from .execution import Execution, StuckException
from .fakes import TIMES_OUT, Outcomes
from .scheduler import Scheduler
from .schedules import Chooser, Point
from .served import name_of
from .started import Started
from .workers import TASK_LIST, Workers
from .world import LocalWorld

__all__ = ["Ran", "Scenario", "Stage", "raises", "returns"]

WORKFLOW_ID: Final = "explored"
VALUE_MAX: Final = 60

__tracebackhide__ = True


class Scenario(NamedTuple):
    """
    What is explored.

    Attributes:
        workflow, input, options: what is started.
        outcomes: for activities, Lambda functions and children, what each of their calls may come to.
        signals: (name, value) of each signal that comes.
        cancel: whether somebody asks to cancel.
        crashes: how often the decider may lose what it keeps, or die with a task in hand.
        may_get_stuck: an execution that waits for ever has come to its end.
        setup: called before each schedule.
    """

    workflow: type[Workflow]
    input: Any
    options: dict[str, Any]
    outcomes: Sequence[tuple[Any, Sequence[Any]]]
    signals: Sequence[tuple[str, Any]]
    cancel: bool
    crashes: int
    may_get_stuck: bool
    setup: Callable[[], object] | None


class Ran(NamedTuple):
    """
    What one schedule came to.

    Attributes:
        points: what was chosen.
        ended: ``closed``, ``known`` (stopped where another one had been) or ``cut`` (too long).
        result: what the execution gave: a value, or the exception that its result raises.
    """

    points: Sequence[Point]
    ended: str
    result: Any = None


class _Step(NamedTuple):
    label: str
    make: Callable[[], object]


class Stage:
    """
    A scenario, run again and again, each time from the beginning.

    Args:
        workers: what they serve is served here, on a service of its own.
        scenario: what is run.

    Attributes:
        workers, started: those of this stage.
    """

    def __init__(self, workers: Workers, scenario: Scenario) -> None:
        self._world = LocalWorld(thread=False)
        self.workers = workers.on(self._world)
        self.started = Started(
            Scheduler(self.workers, lambda moves: moves[0])
        )  # who waits for a result lets nothing happen
        self._scenario = scenario
        for thing, possible in scenario.outcomes:
            self._let_choose(thing, possible)
        self._reset()

    def _let_choose(self, thing: Any, possible: Sequence[Any]) -> None:
        """Let each call of something come to one of its outcomes, as it is chosen."""
        served = self.workers.served
        name = name_of(thing)
        before = [fake for fake in served.fakes if fake.name == name]
        chosen = Outcomes(side_effect=partial(self._outcome, name, list(possible)))
        fake = served.fake(thing, chosen, kind=None, version="1.0")
        if before:
            fake.calls = before[-1].calls  # what the author looks at

    @property
    def main(self) -> Execution:
        """The execution that is explored."""
        return self.started.executions[0]

    def run_schedule(self, chooser: Chooser, depth_max: int, is_known: Callable[[Hashable], bool] | None = None) -> Ran:
        """
        Run one schedule.

        Args:
            chooser: says what happens at each point.
            depth_max: after so many steps it is cut.
            is_known: tells of each state whether another schedule has been there, which ends this one.

        Raises:
            StuckException: nothing can happen any more, and the execution is open.
            DeciderException: it cannot be decided.
            PyflowException: whatever else ``Flow`` raises.
        """
        self._chooser = chooser
        self._start_over()
        scenario = self._scenario
        execution = self.started.start(
            scenario.workflow, scenario.input, workflow_id=WORKFLOW_ID, options=scenario.options
        )
        made = 0
        while True:
            self.workers.take(self.workers.lists_to_work_on(self._world.pending()))  # only how they end is explored
            position = self._world.service.position()
            if WORKFLOW_ID not in position.open:
                break
            steps = self._steps(self._world.pending(), position, execution)
            if not steps:
                if scenario.may_get_stuck:
                    break
                raise execution.stuck()
            if made >= depth_max:
                return Ran(self.points, "cut")
            made += 1
            if is_known is not None and len(steps) > 1 and is_known(self._state(position)):
                return Ran(self.points, "known")
            steps[self._pick([step.label for step in steps])].make()
            if self._fault is not None:
                raise self._fault
        return Ran(self.points, "closed", self._result(execution))

    def _start_over(self) -> None:
        self.workers.forget()
        self.workers.served.start_over()
        self.workers.in_hand.clear()
        self._world.service.forget_executions()
        self.started.start_over()
        self._reset()
        if self._scenario.setup is not None:
            self._scenario.setup()

    def _reset(self) -> None:
        self.points: list[Point] = []
        self.signals = list(self._scenario.signals)
        self._cancels = int(self._scenario.cancel)
        self._crashes = self._scenario.crashes
        self._decided_once = False
        self._fault: BaseException | None = None

    def _result(self, execution: Execution) -> Any:
        try:
            return execution.result()
        except StuckException:
            return None
        except PyflowException as error:
            return error

    # -- what can happen

    def _pick(self, labels: Sequence[str]) -> int:
        """Let it be chosen, where there is a choice; each is a point of the schedule."""
        if len(labels) == 1:
            return 0
        number = self._chooser.choose(labels, self.points)
        self.points.append(Point(tuple(labels), number))
        return number

    def _outcome(self, name: str, possible: list[Any], *_: Any, **__: Any) -> Any:
        """Choose what a call comes to."""
        labels = [f"{name} {_told(outcome)}" for outcome in possible]
        try:
            chosen = possible[self._pick(labels)]
        except BaseException as fault:  # no failure of the call, which is what the worker would take it for
            self._fault = fault
            raise
        if isinstance(chosen, Raises):
            error = chosen.error
            return error.with_traceback(None) if isinstance(error, BaseException) else error  # one object for all runs
        return chosen.value if isinstance(chosen, Returns) else chosen

    def _state(self, position: Position) -> Hashable:
        """
        Return everything on which depends what may follow: equal states have equal futures.

        That holds where the code is a function of its history, which every replay looks after, and the fakes of their calls.
        """
        return (
            position.state,
            tuple(sorted(task["taskToken"] for task in self.workers.in_hand)),
            tuple(position.lambdas),
            tuple((name, repr(value)) for name, value in self.signals),
            self._cancels,
            self._crashes,
            tuple((fake.name, *(f"{call.id}{call}" for call in fake.calls)) for fake in self.workers.served.fakes),
        )

    def _steps(self, pending: Pending, position: Position, execution: Execution) -> list[_Step]:
        """Return what can happen next; first what does if nothing special happens."""
        workers = self.workers
        lists = workers.lists_to_decide(pending)
        steps = [_Step(_of_list("decide", task_list), partial(self._decide, task_list)) for task_list in lists]
        steps += [_Step(f"{_named(task)} is worked on", partial(workers.perform, task)) for task in workers.in_hand]
        for number, name in enumerate(position.lambdas):
            if name not in position.lambdas[:number]:
                steps.append(_Step(f"{name} is run", partial(self._run_lambda_number, number)))
        steps += self._from_outside(execution)
        if self._time_may_pass(pending, position):
            assert pending.due_ms is not None
            brought = ", ".join(_brought(deadline) for deadline in position.due)
            steps.append(_Step(f"time passes: {brought}", partial(self._world.pass_until, pending.due_ms)))
        for task in workers.in_hand:
            if (task["workflowExecution"]["runId"], task["activityId"]) in position.canceling:
                steps.append(_Step(f"{_named(task)} ends as canceled", partial(self._end_canceled, task)))
        if self._crashes and self._decided_once:
            steps += [
                _Step(_of_list("the decider starts again, and decides", one), partial(self._lose, one)) for one in lists
            ]
            steps += [_Step(_of_list("the decider dies with a task", one), partial(self._die, one)) for one in lists]
        return steps

    def _from_outside(self, execution: Execution) -> list[_Step]:
        steps = []
        for number, (name, value) in enumerate(self.signals):
            if (name, value) not in self.signals[:number]:
                same = sum(other == name for other, _ in self.signals) > 1
                label = f"signal {name}" + (f" {_short(value)}" if same else "")
                steps.append(_Step(label, partial(self._signal, execution, number)))
        if self._cancels:
            steps.append(_Step("cancel is requested", partial(self._cancel, execution)))
        return steps

    def _time_may_pass(self, pending: Pending, position: Position) -> bool:
        """Tell whether it may: what somebody is at work on does not time out."""
        if not position.due or (pending.only_ends and not self.main.may_time_out):
            return False
        in_hand = {(task["workflowExecution"]["runId"], task["activityId"]) for task in self.workers.in_hand}
        return not any(
            (deadline.kind == "activity" and (deadline.run_id, deadline.id) in in_hand)
            or (deadline.kind == "lambda" and not deadline.taken)
            for deadline in position.due
        )

    # -- what happens

    def _decide(self, task_list: str) -> None:
        self._decided_once = True
        self.workers.decide(task_list)

    def _run_lambda_number(self, number: int) -> None:
        self._world.service.run_lambda(number)

    def _signal(self, execution: Execution, number: int) -> None:
        name, value = self.signals.pop(number)
        execution.signal(name, value)

    def _cancel(self, execution: Execution) -> None:
        self._cancels -= 1
        execution.cancel()

    def _end_canceled(self, task: dict[str, Any]) -> None:
        self.workers.in_hand.remove(task)
        with suppress(ServiceFault), service_faults("RespondActivityTaskCanceled"):
            self.workers.client.respond_activity_task_canceled(taskToken=task["taskToken"])

    def _lose(self, task_list: str) -> None:
        """Let the decider begin with an empty memory: everything is replayed."""
        self._crashes -= 1
        self.workers.forget()
        self._decide(task_list)

    def _die(self, task_list: str) -> None:
        """Let the decider die with a task in hand, which times out in its time."""
        self._crashes -= 1
        self.workers.forget()
        self.workers.poll_decision_task(task_list)

    def close(self) -> None:
        """Let go of everything."""
        self.workers.forget()
        self._world.close()


class Returns(NamedTuple):
    """An outcome of a call; see ``returns``."""

    value: Any


class Raises(NamedTuple):
    """An outcome of a call; see ``raises``."""

    error: BaseException | type[BaseException]


def returns(value: Any) -> Returns:
    """In ``outcomes`` of ``flow.explore``: the call gives this."""
    return Returns(value)


def raises(error: BaseException | type[BaseException]) -> Raises:
    """In ``outcomes`` of ``flow.explore``: the call raises this, an exception or its class."""
    return Raises(error)


def _told(outcome: Any) -> str:
    if outcome is TIMES_OUT:
        return "is never answered"
    if isinstance(outcome, Raises):
        return f"raises {_short(outcome.error)}"
    return f"gives {_short(outcome.value if isinstance(outcome, Returns) else outcome)}"


def _short(value: Any) -> str:
    text = value.__name__ if isinstance(value, type) else repr(value)
    return text if len(text) <= VALUE_MAX else text[: VALUE_MAX - 1] + "…"


def _named(task: dict[str, Any]) -> str:
    workflow_id = task["workflowExecution"]["workflowId"]
    of = "" if workflow_id == WORKFLOW_ID else f" of {workflow_id}"
    return f"{task['activityId']} ({task['activityType']['name']}){of}"


def _of_list(what: str, task_list: str) -> str:
    return what if task_list == TASK_LIST else f"{what} in {task_list}"


def _brought(deadline: Any) -> str:
    match deadline.kind:
        case "timer":
            return f"{deadline.id} fires"
        case "execution":
            return "an execution times out"
        case "decision":
            return "the decision task times out"
    return f"{deadline.id} times out"
