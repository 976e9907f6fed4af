"""
Stand-ins for activities, Lambda functions and child workflows: what they are to do, and which calls they got.

The workflow under test notices nothing: its requests go through the service as ever, and a stand-in answers them. The real
ones are used wherever there is none.
"""

import copy
import functools
import inspect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, TypeGuard

from pyflow.activities import Activity
from pyflow.exceptions import PyflowException
from pyflow.local.lambdas import Unanswered
from pyflow.tasks import current_task
from pyflow.workflow import Workflow

__all__ = ["TIMES_OUT", "Call", "Fake", "ScriptEndedException"]

Type = tuple[str, str]

CHILD_TIMEOUT_S: Final = 335 * 86_400
"""How long a stand-in of a child lasts where nothing limits it: well over what parents wait, and below their own year."""


class _TimesOut:
    def __repr__(self) -> str:
        return "TIMES_OUT"


TIMES_OUT: Final = _TimesOut()
"""In a script of outcomes: nobody answers, and the next timeout that was asked for ends it."""


class ScriptEndedException(PyflowException):
    """A fake was called more often than its list of outcomes is long."""


@dataclass(frozen=True)
class Call:
    """
    One call that a fake got.

    Attributes:
        args, kwargs: as the function was called; of a Lambda function or child, its input is the one argument.
        arguments: the same by the names of the real function's parameters.
        time_s: when, in the service's time, in seconds since the epoch.
        id: ``activity1``; of a second attempt ``activity1.2``. Of a child, its workflow id; of a Lambda function, empty.
    """

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    arguments: dict[str, Any]
    time_s: float
    id: str

    def __str__(self) -> str:
        return _shown(self.args, self.kwargs)


class Fake:
    """
    What ``flow.fake`` gives: the calls that a stand-in got.

    Attributes:
        name: of what it stands for.
        calls: one ``Call`` for each, in the order in which they came.
    """

    def __init__(
        self, name: str, signature: inspect.Signature | None, outcomes: "Outcomes", now_s: Callable[[], float]
    ) -> None:
        self.name = name
        self.calls: list[Call] = []
        self.lets_time_out = False
        self.script_ended: ScriptEndedException | None = None
        self._outcomes = outcomes
        self._now_s = now_s
        self._made: list[Any] = []
        self._signature = ONE_INPUT
        if signature is not None:
            self.stand_for(signature)

    def __repr__(self) -> str:
        calls = "; ".join(f"{self.name}{call}" for call in self.calls)
        return f"<fake of {self.name}, " + (f"called {len(self.calls)} times: {calls}>" if calls else "never called>")

    def stand_for(self, signature: inspect.Signature) -> None:
        """
        Be called as the real function is, of this signature.

        Raises:
            TypeError: a side effect cannot be called so.
        """
        self._signature = signature
        if self._outcomes.function is not None:
            _check_stand_in(self.name, signature, self._outcomes.function)

    @property
    def called(self) -> bool:
        """Whether it was called at all."""
        return bool(self.calls)

    def called_with(self, *args: Any, **kwargs: Any) -> bool:
        """
        Tell whether any call had these arguments, however they were passed.

        Raises:
            TypeError: the real function does not take them.
        """
        wanted = self._bound(args, kwargs)
        return any(self._bound(call.args, call.kwargs) == wanted for call in self.calls)

    def called_once_with(self, *args: Any, **kwargs: Any) -> bool:
        """
        Tell whether there was one call, and with these arguments.

        Raises:
            TypeError: the real function does not take them.
        """
        return self.called_with(*args, **kwargs) and len(self.calls) == 1

    def take(self, args: tuple[Any, ...], kwargs: dict[str, Any], own_id: str) -> Any:
        """
        Record a call and give its outcome.

        Returns:
            The result, or TIMES_OUT.

        Raises:
            TypeError: the real function does not take these arguments.
            Exception: what the outcome is to raise.
        """
        arguments = self._signature.bind(*args, **kwargs).arguments
        self.calls.append(Call(args, kwargs, dict(arguments), self._now_s(), own_id))
        outcome = self._outcomes.next(self, args, kwargs)
        if outcome is TIMES_OUT:
            self.lets_time_out = True
        return outcome

    def _bound(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return bound.arguments

    def start_over(self, now_s: Callable[[], float]) -> None:
        """Be as if it had never been called, in a world of another time."""
        self.calls.clear()
        self.lets_time_out = False
        self.script_ended = None
        self._made.clear()
        self._outcomes.start_over()
        self._now_s = now_s

    # -- for a child, whose code is replayed

    def take_once(self, input: Any, workflow_id: str) -> int:
        """Record a call of a child and note what comes of it; give the number under which ``recall`` finds it."""
        try:
            outcome = self.take((input,), {}, workflow_id)
        except Exception as error:
            outcome = error
        self._made.append(outcome)
        return len(self._made) - 1

    def recall(self, number: int) -> Any:
        """Give what came of a child's call: a result, TIMES_OUT, or an exception to raise."""
        return self._made[number]


class Outcomes:
    """
    What a stand-in does at each call.

    Args:
        returns: the result of every call.
        raises: what every call raises: an exception or its class.
        side_effect: a function that is called in place of the real one; or a list of outcomes, one a call: exceptions are
            raised, TIMES_OUT lets it time out, and anything else is the result.
        times_out: nobody answers any call.

    Raises:
        TypeError: more than one of them.
    """

    def __init__(
        self, *, returns: Any = None, raises: Any = None, side_effect: Any = None, times_out: bool = False
    ) -> None:
        given = [returns is not None, raises is not None, side_effect is not None, times_out]
        if sum(given) > 1:
            raise TypeError("a fake does one thing: give one of returns, raises, side_effect and times_out")
        if raises is not None and not _is_exception(raises):
            raise TypeError(f"raises takes an exception or its class, not {raises!r}")
        self.function: Callable[..., Any] | None = None
        self._whole_script: list[Any] | None = None
        self._script: Iterator[Any] | None = None
        self._length: int | None = None
        self._always = TIMES_OUT if times_out else returns if raises is None else raises
        if callable(side_effect):
            self.function = side_effect
        elif isinstance(side_effect, Iterable) and not isinstance(side_effect, (str, bytes, dict)):
            self._whole_script = list(side_effect)
            self._length = len(self._whole_script)
            self.start_over()
        elif side_effect is not None:
            raise TypeError(f"side_effect takes a function or a list of outcomes, not {side_effect!r}")

    def start_over(self) -> None:
        """Begin a list of outcomes again."""
        self._script = None if self._whole_script is None else iter(self._whole_script)

    def next(self, fake: Fake, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Give the outcome of a call; raise it, if it is an exception."""
        outcome = self._always
        if self.function is not None:
            outcome = self.function(*args, **kwargs)
        elif self._script is not None:
            try:
                outcome = next(self._script)
            except StopIteration:
                fake.script_ended = ScriptEndedException(
                    f"the fake of {fake.name} has a list of {self._length} outcomes, and was called once more: {fake!r}. "
                    f"Give it one more outcome, or mend what calls it"
                )
                raise fake.script_ended from None
        if _is_exception(outcome):
            raise outcome
        return outcome


def activity_stand_in(fake: Fake, real: Activity[..., Any]) -> Activity[..., Any]:
    """Return an activity of the same type, whose body is the fake."""

    @functools.wraps(real.function)
    def body(*args: Any, **kwargs: Any) -> Any:
        task = current_task()
        outcome = fake.take(args, kwargs, task.activity_id)
        if outcome is TIMES_OUT:
            task.complete_later()
            return None
        return outcome

    stand_in = copy.copy(real)
    stand_in.function = body
    stand_in.worker_side = replace(real.worker_side, executor="thread")
    return stand_in


def unknown_activity(name: str, version: str) -> Activity[..., Any]:
    """Return an activity of which only the type is known: it takes any input, as its one argument."""

    def unknown(input: Any = None) -> None:
        raise NotImplementedError

    return Activity(unknown, name, version, dict.fromkeys(_TIMEOUTS, "NONE"))


def lambda_stand_in(fake: Fake) -> Callable[[Any, Any], Any]:
    """Return a Lambda function that is the fake."""

    def function(event: Any, _: Any) -> Any:
        outcome = fake.take((event,), {}, "")
        if outcome is TIMES_OUT:
            raise Unanswered
        return outcome

    return function


def child_stand_in(fake: Fake, type_: Type, real: type[Workflow] | None) -> type[Workflow]:
    """Return a workflow class of the same type, whose ``run`` is the fake."""
    options = dict((real or Workflow).OPTIONS)
    options.setdefault("defaultExecutionStartToCloseTimeout", CHILD_TIMEOUT_S)

    class StandIn(Workflow):
        NAME, VERSION = type_
        OPTIONS = options

        def run(self, workflow_input: Any) -> Any:
            number = self.swf.invoke_once(fake.take_once, workflow_input, self.swf.workflow_id).result()
            outcome = fake.recall(number)
            if outcome is TIMES_OUT:
                self.swf.wait_until(lambda: False)
            if isinstance(outcome, BaseException):
                raise outcome.with_traceback(None)  # one object for each replay: it would gather theirs
            return outcome

    StandIn.__qualname__ = StandIn.__name__ = f"fake of {type_[0]}"
    return StandIn


ONE_INPUT: Final = inspect.Signature(
    [inspect.Parameter("input", inspect.Parameter.POSITIONAL_OR_KEYWORD, default=None)]
)
"""How a Lambda function or a child is called."""

_TIMEOUTS: Final = (
    "defaultTaskStartToCloseTimeout",
    "defaultTaskScheduleToStartTimeout",
    "defaultTaskScheduleToCloseTimeout",
    "defaultTaskHeartbeatTimeout",
)


def _is_exception(value: Any) -> TypeGuard[BaseException | type[BaseException]]:
    return isinstance(value, BaseException) or (isinstance(value, type) and issubclass(value, BaseException))


def _check_stand_in(name: str, signature: inspect.Signature, function: Callable[..., Any]) -> None:
    """Refuse a side effect that cannot be called as the real function is."""
    try:
        own = inspect.signature(function)
    except (TypeError, ValueError):  # a builtin that does not tell
        return
    parameters = signature.parameters.values()
    args = [None for one in parameters if one.kind is not inspect.Parameter.KEYWORD_ONLY]
    kwargs = {one.name: None for one in parameters if one.kind is inspect.Parameter.KEYWORD_ONLY}
    try:
        own.bind(*args, **kwargs)
    except TypeError as error:
        raise TypeError(f"side_effect{own} cannot stand in for {name}{signature}: {error}") from None


def _shown(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    parts = [repr(value) for value in args] + [f"{name}={value!r}" for name, value in kwargs.items()]
    return f"({', '.join(parts)})"
