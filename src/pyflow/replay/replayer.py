"""
The replayer: a history, read batch by batch into the books of its run.

A history is read once, event by event. What answers or ends something that code asked for is entered in the books
(``books.py``), which say what does not fit; what comes unasked, a signal or a cancel request, is kept here for the code.

In a replay the answer to an ask for an activity nearly always stands right where history goes on. Such an ask is *foreseen*:
it is compared at once, and never goes through the outbox. Recorded values are read ahead too (``ahead.py``), since code needs
them at once.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from pyflow.exceptions import HistoryException
from pyflow.swf.events import CLOSE_EVENTS
from pyflow.swf.model import EVENT_ATTRIBUTES

from .batches import check_order, moment, news, unreadable, unsound, whole_batches
from .books import ENTRIES, Attributes, Books
from .invocations import Invocation
from .machine import REQUESTED
from .response import OPEN_MAX, OPEN_MAX_LEAST
from .tables import CLOSES, SILENT, Kind

_NOTHING: Final[Iterator[Any]] = iter(())

# Made once: a member that is looked up on its enum costs ten times what a global costs.
_ACTIVITY = Kind.ACTIVITY
_SCHEDULED = REQUESTED[_ACTIVITY].step("ActivityTaskScheduled", "")


class Replayer(Books):
    """
    The state of one run, rebuilt from its history: its books, and how far they are kept.

    Args:
        run_id: the run's id; it prefixes the ids of children (contract 3).
        locate: gives ``file:line in function`` of where the code waits, for messages.
        open_payload: gives the JSON of a payload that history holds; raises PayloadException if it cannot be had.
        is_surely: tells whether a text in history is that of a value, without any doubt.

    Attributes:
        started_event_id, last_event_id: the DecisionTaskStarted of the batch that was applied last, and the last event applied.
        read_up_to: the last event of what was read.
        resumes_up_to: the last DecisionTaskStarted of what was read; what is behind it is the tail, which resumes nobody.
        time: the timestamp of the event ``started_event_id``.
        in_tail: the batch applied last has no DecisionTaskStarted: it is matched, and no code resumes.
        cancel_requested: ``(event id, cause)`` of the first cancel request, or None.
        signals: ``(event id, name, input)`` of those that came with the batch applied last.
        started: the attributes of WorkflowExecutionStarted.
    """

    __slots__ = (
        "_is_surely",
        "_news",
        "_news_after",
        "_unread",
        "cancel_requested",
        "in_tail",
        "last_event_id",
        "read_up_to",
        "resumes_up_to",
        "signals",
        "started",
        "started_event_id",
        "time",
    )

    def __init__(
        self,
        run_id: str,
        *,
        locate: Callable[[], str | None] = lambda: None,
        open_payload: Callable[[str], str] = lambda text: text,
        is_surely: Callable[[Any, str | None], bool] = lambda value, text: False,
    ) -> None:
        super().__init__(run_id, locate, open_payload)
        self.started_event_id = 0
        self.last_event_id = 0
        self.time: datetime | float = 0.0
        self.in_tail = False
        self.cancel_requested: tuple[int, str | None] | None = None
        self.signals: list[tuple[int, str, str | None]] = []
        self.started: dict[str, Any] = {}
        self._is_surely = is_surely
        self._news: Sequence[dict[str, Any]] = ()
        self._news_after = self.read_up_to = 0
        self.resumes_up_to = 0
        self._unread: Iterator[tuple[int, dict[str, Any]]] = _NOTHING

    # -- batches ------------------------------------------------------------------------------------------------------

    def read(self, events: Sequence[dict[str, Any]], until: int | None) -> None:
        """
        Take what is new in a history, to apply it batch by batch.

        Raises:
            HistoryException: it does not go on where the last one ended, or ends before the task does.
            DeciderException: the run's rules have a number that this pyflow does not know.
        """
        after = self._news_after = self.last_event_id
        new = self._news = news(events, after=after, until=until)
        self._unread = enumerate(new, after + 1)
        self.in_tail = False
        self.read_up_to = after + len(new)
        self.resumes_up_to = after + whole_batches(new) if until is None else self.read_up_to
        self.ahead.look_at(new)

    def forget(self) -> None:
        """Let go of the events that were read: all of them are applied."""
        self._news, self._unread = (), _NOTHING
        self.ahead.forget()

    def apply(self) -> list[Invocation]:
        """
        Apply the next batch: all events up to and including a DecisionTaskStarted, or the tail (contract 1).

        Returns:
            The invocations that settled, in the order of the events that settled them.

        Raises:
            NondeterminismException: code and history do not fit.
            HistoryException: the history does not hold together.
        """
        self.batch += 1
        self._completed = None
        settled = self._settled = []
        if self._is_marked:
            self.signals = []
            self._clear_marks()
        event_id = self.last_event_id
        event: Any = None
        try:
            for event_id, event in self._unread:
                event_type = event["eventType"]
                member, apply, about = _EVENTS[event_type]
                if member is None:  # a gap before it shows at the next event that is read
                    continue
                attributes = event[member]
                if event["eventId"] != event_id:
                    check_order(self._news, self._news_after + 1)
                if apply is None:
                    time = event["eventTimestamp"]
                    self.time = moment(event, event_id) if time.__class__ is str else time
                    self.started_event_id = event_id
                    break
                apply(self, event_id, event_type, attributes, about)
            else:  # all is read, also what was foreseen
                event_id, self.in_tail = self.read_up_to, True
        except (KeyError, TypeError) as error:
            raise unreadable(event, event_id, error) from error
        if self._outbox:
            self._settle_accounts()
        self.last_event_id = event_id
        # It stands behind the next DecisionTaskCompleted, if history goes on.
        self._next_answer = event_id - self._news_after + 1 if event_id < self.read_up_to else 0
        return settled

    # -- what is foreseen ---------------------------------------------------------------------------------------------

    def ask_foreseen(self, invocation: Invocation, value: Any) -> bool:
        """
        Ask for an activity, if history is known to answer as usual; tell whether it is.

        As usual: the history that was read goes on with the completion of this decision task and answers to all that code has
        asked for over this batch, in order; then comes this one, and says the same.

        Args:
            invocation: the activity, without its input.
            value: the value of its input.
        """
        index = self._next_answer
        if index == 0:
            return False
        try:
            event = self._news[index]
            attributes: Attributes = event["activityTaskScheduledEventAttributes"]
            options, is_surely = invocation.options, self._is_surely
            if (
                attributes["activityId"] == invocation.id
                and attributes["activityType"] == invocation.name
                and event["eventId"] == self._news_after + index + 1
                and (self._foreseen or "decisionTaskCompletedEventAttributes" in self._news[index - 1])
                and (not options or options.items() <= attributes.items())
                and is_surely(value, text := attributes.get("input"))
            ):
                self._next_answer = index + 1
                self._asked = invocation.order = self._asked + 1
                invocation.owed_in = self.batch
                invocation.input = text
                invocation.standing = _SCHEDULED
                self._foreseen.append(invocation)
                return True
        except (IndexError, KeyError, TypeError):
            pass  # what is wrong with it is said where it is applied
        self._next_answer = 0
        return False

    def _on_completed(self, event_id: int, event_type: str, attributes: Attributes, _: Any) -> None:
        started = attributes["startedEventId"]
        if started != self.started_event_id:
            raise HistoryException(
                f"history is not sound: DecisionTaskCompleted at event {event_id} completes the task started at event {started}; "
                f"the one open was started at event {self.started_event_id}.",
                event_id=event_id,
            )
        self._completed = (event_id, event_type, attributes)
        foreseen = self._answered = self._foreseen
        self._foreseen = []
        if foreseen:  # their answers come next, and were compared when they were asked for
            begun, unread = self._begun[_ACTIVITY], self._unread
            for invocation in foreseen:
                began_at, _ = next(unread)
                begun[began_at] = invocation
            if len(begun) >= OPEN_MAX_LEAST and len(begun) >= OPEN_MAX[_ACTIVITY]:
                self._at_limit.add(_ACTIVITY)
                self._is_marked = True

    # -- what comes unasked -------------------------------------------------------------------------------------------

    def _on_fact(self, event_id: int, event_type: str, attributes: Attributes, _: Any) -> None:
        """What asks for nothing, answers nothing and ends nothing."""

    def _on_started(self, event_id: int, event_type: str, attributes: Attributes, _: Any) -> None:
        self.started = attributes

    def _on_cancel_requested(self, event_id: int, event_type: str, attributes: Attributes, _: Any) -> None:
        if self.cancel_requested is None:
            self.cancel_requested = (event_id, attributes.get("cause"))

    def _on_signaled(self, event_id: int, event_type: str, attributes: Attributes, _: Any) -> None:
        name = attributes["signalName"]
        if not self.ahead.is_own_signal(name):
            self.signals.append((event_id, name, attributes.get("input")))
            self._is_marked = True

    def _on_closed(self, event_id: int, event_type: str, attributes: Attributes, name: str | None) -> None:
        """Nothing follows the end of an execution; mostly it answers the decision that closes it."""
        following = self._news[event_id - self._news_after :]
        if following:
            raise unsound(
                f"event {event_id + 1} ({following[0].get('eventType')}) follows the close at event {event_id}",
                event_id + 1,
            )
        if name is not None:
            self._on_close(event_id, event_type, attributes, name)


_Apply = Callable[[Replayer, int, str, Attributes, Any], None]


def _appliers() -> Iterator[tuple[str, _Apply, Any]]:
    """Yield for types of events what applies one, and what the tables say about the type."""
    for type_ in EVENT_ATTRIBUTES:
        yield type_, Replayer._on_fact, None
    for type_, (enter, about) in ENTRIES.items():
        yield type_, enter, about
    for type_ in CLOSE_EVENTS:
        yield type_, Replayer._on_closed, CLOSES.get(type_)
    yield "WorkflowExecutionStarted", Replayer._on_started, None
    yield "WorkflowExecutionCancelRequested", Replayer._on_cancel_requested, None
    yield "WorkflowExecutionSignaled", Replayer._on_signaled, None
    yield "DecisionTaskCompleted", Replayer._on_completed, None


_EVENTS: Final[dict[str, tuple[str | None, _Apply | None, Any]]] = {
    **{type_: (EVENT_ATTRIBUTES[type_], apply, about) for type_, apply, about in _appliers()},
    **dict.fromkeys(SILENT, (None, None, None)),
    "DecisionTaskStarted": (EVENT_ATTRIBUTES["DecisionTaskStarted"], None, None),
}
"""
By type: the member of an event that holds its attributes, or None if it says nothing to a replay; what applies it, or None
for the one that ends a batch; and what the tables say about it.
"""
