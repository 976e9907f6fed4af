"""What code must know of a history before the batch comes in which it stands."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

from pyflow.swf.events import attributes_of

from .reserved import RETRY
from .rules import names_rules, rules_of

_SIGNAL: Final = "invoke_once_signal"


class Recorded(NamedTuple):
    """
    A recorded value, read ahead.

    ``details`` is the marker's text. ``with_signal`` is true where 2.0.0 recorded it with a signal to itself: it then
    settles where the marker stands, in the next batch.
    """

    details: str | None
    with_signal: bool


class Ahead:
    """
    What has been read ahead of a run's history.

    Nearly all code asks for nothing of it, so the events are gone through only when something is asked for, and then once.

    Attributes:
        begun_by_2_0_0: the first response named no rules.
    """

    def __init__(self) -> None:
        self.begun_by_2_0_0 = False
        self._rules: int | None = None
        self._unread: Sequence[dict[str, Any]] = ()
        self._completed_up_to = 0
        self._of_2_0_0_up_to = 0
        self._recorded: dict[str, Recorded] = {}
        self._retries: set[str] = set()
        self._own_signals: set[str] = set()
        self._lambdas: dict[str, int] = {}

    def look_at(self, events: Sequence[dict[str, Any]]) -> None:
        """
        Take events, in the API's form, before any of them is applied; those given before are forgotten, if nobody asked.

        Raises:
            DeciderException: the run's rules have a number that this pyflow does not know.
        """
        self._unread = events
        if self._rules is None:
            first = _completed_in(events)
            if first is not None:
                self._rules = rules_of(first)
                self.begun_by_2_0_0 = not names_rules(first)

    def forget(self) -> None:
        """Let go of events that nobody has asked about: they are applied."""
        self._unread = ()

    def read(self) -> None:
        """Go through the events now: they stay known when others are given."""
        unread, self._unread = self._unread, ()
        for event in unread:
            try:
                read = _READERS.get(event["eventType"])
                if read is not None:
                    read(self, attributes_of(event), event["eventId"])
            except (KeyError, TypeError, AttributeError):
                continue  # what is wrong with it is said where it is applied

    @property
    def completed_up_to(self) -> int:
        """The ``startedEventId`` of the last decision task known to be completed; 0 if none."""
        self.read()
        return self._completed_up_to

    def recorded(self, name: str) -> Recorded | None:
        """Return the recorded value of a name."""
        self.read()
        return self._recorded.get(name)

    def was_retried(self, timer_id: str) -> bool:
        """Tell whether there is the timer of a further attempt."""
        self.read()
        return timer_id in self._retries

    def is_lambda_asked_again(self, lambda_id: str, after: int) -> bool:
        """Tell whether a Lambda function is scheduled under the same id after an event, by the silent retry."""
        self.read()
        return self._lambdas.get(lambda_id, 0) > after

    def is_own_signal(self, name: str) -> bool:
        """Tell whether a signal is one that 2.0.0 sent to itself with a recorded value."""
        if _SIGNAL not in name:
            return False
        self.read()
        return name in self._own_signals

    def is_of_2_0_0(self, started_event_id: int) -> bool:
        """Tell whether the decision task was completed without a rules number, as 2.0.0 did it, or a later one was."""
        self.read()
        return started_event_id <= self._of_2_0_0_up_to

    def _read_completed(self, attributes: dict[str, Any], _event_id: int) -> None:
        started = attributes["startedEventId"]
        self._completed_up_to = max(self._completed_up_to, started)
        if not names_rules(attributes):
            self._of_2_0_0_up_to = max(self._of_2_0_0_up_to, started)

    def _read_marker(self, attributes: dict[str, Any], _event_id: int) -> None:
        self._recorded[attributes["markerName"]] = Recorded(attributes.get("details"), with_signal=False)

    def _read_timer(self, attributes: dict[str, Any], _event_id: int) -> None:
        if attributes["timerId"].startswith(RETRY):
            self._retries.add(attributes["timerId"])

    def _read_lambda(self, attributes: dict[str, Any], event_id: int) -> None:
        self._lambdas[attributes["id"]] = event_id

    def _read_signal(self, attributes: dict[str, Any], _event_id: int) -> None:
        signal_name = attributes["signalName"]
        name = signal_name.replace(_SIGNAL, "invoke_once", 1)
        if name != signal_name and name in self._recorded:
            self._recorded[name] = self._recorded[name]._replace(with_signal=True)
            self._own_signals.add(signal_name)


_READERS: Final[dict[str, Callable[[Ahead, dict[str, Any], int], None]]] = {
    "DecisionTaskCompleted": Ahead._read_completed,
    "MarkerRecorded": Ahead._read_marker,
    "TimerStarted": Ahead._read_timer,
    "SignalExternalWorkflowExecutionInitiated": Ahead._read_signal,
    "LambdaFunctionScheduled": Ahead._read_lambda,
}


def _completed_in(events: Iterable[Any]) -> dict[str, Any] | None:
    """Return the attributes of the first completion of a decision task among the events."""
    for event in events:
        try:
            if event["eventType"] == "DecisionTaskCompleted":
                return attributes_of(event)
        except (KeyError, TypeError):
            continue  # what is wrong with it is said where it is applied
    return None
