"""
Signals that come in: handlers on the workflow class, and what waits to be received.

Source: SWF API Reference, SignalWorkflowExecution; event WorkflowExecutionSignaled.
"""

import inspect
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar, overload

from .converter import JSON, DataConverter
from .future import Wait
from .payloads.hints import hints_of

F = TypeVar("F", bound=Callable[..., Any])

_MARK = "__pyflow_signal__"


@overload
def signal(name: F) -> F: ...
@overload
def signal(name: str | None = None) -> Callable[[F], F]: ...
def signal(name: Any = None) -> Any:
    """
    Make a method of a workflow the handler of a signal.

    It runs in a fiber of its own for each such signal, in the order they come, and may wait. A signal's input is given as
    the method's argument: a method of one parameter takes the value, one of several takes an object of them, by name.

    Args:
        name: the signal's; None: the method's.
    """

    def mark(method: F) -> F:
        setattr(method, _MARK, name if isinstance(name, str) else method.__name__)
        return method

    return mark(name) if callable(name) else mark


def handlers_of(workflow_class: type) -> dict[str, Callable[..., Any]]:
    """Return a class's handlers by the name of their signal, inherited ones too."""
    found: dict[str, Callable[..., Any]] = {}
    for base in reversed(workflow_class.__mro__):
        for method in vars(base).values():
            name = getattr(method, _MARK, None)
            if name is not None:
                found[name] = method
    return found


def call_handler(method: Callable[..., Any], workflow: Any, value: Any, converter: DataConverter = JSON) -> Any:
    """
    Call a handler with a signal's value, rebuilt by the handler's type hints.

    Raises:
        TypeError: the value does not fit its parameters.
        SerializationException: a part of it does not fit a hint.
    """
    parameters = list(inspect.signature(method).parameters)[1:]
    if not parameters:
        return method(workflow)
    rebuilt = partial(converter.rebuild_argument, hints_of(method).parameters, f"signal {method.__name__!r}")
    if len(parameters) == 1:
        return method(workflow, rebuilt(parameters[0], value))
    if not isinstance(value, dict):
        raise TypeError(f"signal {method.__name__!r} takes an object of {parameters}, not {value!r}")
    return method(workflow, **{name: rebuilt(name, part) for name, part in value.items()})


class Inbox:
    """The signals that no handler takes, by name, in the order they came; and who waits for them."""

    def __init__(self, converter: DataConverter = JSON) -> None:
        self._converter = converter
        self._values: dict[str, deque[Any]] = {}
        self._waits: dict[str, deque[tuple[Wait, list[Any]]]] = {}

    def put(self, name: str, text: str | None, event_id: int, wake: Callable[[Wait, int], None]) -> None:
        """Take a signal in; whoever has waited longest gets it."""
        value = decode(self._converter, text)
        if not self._give(name, value, event_id, wake):
            self._values.setdefault(name, deque()).append(value)

    def _give(self, name: str, value: Any, event_id: int, wake: Callable[[Wait, int], None]) -> bool:
        waits = self._waits.get(name)
        while waits:
            wait, received = waits.popleft()
            if not wait.over:
                received.append(value)
                wake(wait, event_id)
                return True
        return False

    def give_back(self, name: str, value: Any, event_id: int, wake: Callable[[Wait, int], None]) -> None:
        """Take back what went to a wait that ended otherwise; whoever asks next gets it."""
        if not self._give(name, value, event_id, wake):
            self._values.setdefault(name, deque()).appendleft(value)

    def take(self, name: str) -> list[Any]:
        """Return the next value of a name in a list, or an empty list."""
        values = self._values.get(name)
        return [values.popleft()] if values else []

    def wait(self, name: str, wait: Wait) -> list[Any]:
        """Return the list into which the next value of a name will be put."""
        received: list[Any] = []
        self._waits.setdefault(name, deque()).append((wait, received))
        return received

    def leave(self, name: str, wait: Wait) -> None:
        """Forget a wait that is over."""
        waits = self._waits[name]
        for place, (one, _) in enumerate(waits):
            if one is wait:
                del waits[place]
                break

    def take_all(self) -> dict[str, list[Any]]:
        """Return the values that nobody has received, by name."""
        values, self._values = self._values, {}
        return {name: list(waiting) for name, waiting in values.items() if waiting}

    def put_first(self, signals: Mapping[str, Sequence[Any]], event_id: int, wake: Callable[[Wait, int], None]) -> None:
        """Take in values that came to an earlier run, before those that are here."""
        for name, values in signals.items():
            waiting = deque([*values, *self._values.get(name, ())])
            while waiting and self._give(name, waiting[0], event_id, wake):
                waiting.popleft()
            self._values[name] = waiting

    def left(self) -> dict[str, int]:
        """Return how many signals of each name nobody has received."""
        return {name: len(values) for name, values in self._values.items() if values}


def decode(converter: DataConverter, text: str | None) -> Any:
    """Return a signal's value: its JSON; a text that is not JSON, which any client may send, as it is."""
    try:
        return converter.decode(text)
    except ValueError:
        return text
