"""What code must know of a history before the batch comes in which it stands."""

from collections.abc import Iterable
from typing import NamedTuple

from .batches import Batch
from .reserved import RETRY
from .rules import names_rules, rules_of
from .tables import READ_AHEAD


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

    Attributes:
        completed_up_to: the ``startedEventId`` of the last decision task known to be completed; 0 if none.
        of_2_0_0_up_to: the same of the last one that was completed without a rules number, as 2.0.0 did it.
        begun_by_2_0_0: the first response named no rules.
        recorded: recorded values by the name of their marker.
        retries: the ids of the timers before further attempts.
        own_signals: the names of the signals that 2.0.0 recorded values with.
    """

    def __init__(self) -> None:
        self.completed_up_to = 0
        self.of_2_0_0_up_to = 0
        self.begun_by_2_0_0 = False
        self.recorded: dict[str, Recorded] = {}
        self.retries: set[str] = set()
        self.own_signals: set[str] = set()
        self._rules: int | None = None

    def read(self, batches: Iterable[Batch]) -> None:
        """
        Look through batches before any is applied.

        Raises:
            DeciderException: the run's rules have a number that this pyflow does not know.
        """
        for batch in batches:
            for _, event_type, _, attributes in batch.events:
                if event_type not in READ_AHEAD:
                    continue
                if event_type == "DecisionTaskCompleted":
                    if self._rules is None:
                        self._rules = rules_of(attributes)
                        self.begun_by_2_0_0 = not names_rules(attributes)
                    started = attributes["startedEventId"]
                    self.completed_up_to = max(self.completed_up_to, started)  # more may have been read ahead before
                    if not names_rules(attributes):
                        self.of_2_0_0_up_to = max(self.of_2_0_0_up_to, started)
                elif event_type == "MarkerRecorded":
                    name = attributes["markerName"]
                    self.recorded[name] = Recorded(attributes.get("details"), with_signal=False)
                elif event_type == "SignalExternalWorkflowExecutionInitiated":
                    self._note_own_signal(attributes["signalName"])
                elif event_type == "TimerStarted" and attributes["timerId"].startswith(RETRY):
                    self.retries.add(attributes["timerId"])

    def _note_own_signal(self, signal_name: str) -> None:
        name = signal_name.replace("invoke_once_signal", "invoke_once", 1)
        if name != signal_name and name in self.recorded:
            self.recorded[name] = self.recorded[name]._replace(with_signal=True)
            self.own_signals.add(signal_name)
