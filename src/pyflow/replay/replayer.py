"""
The replayer: what the code of one run asks, against what its history holds.

How it works. Code asks, and each ask lands in the *outbox*: the decisions that are owed. A batch of history is applied event by
event. An event that answers a decision (ActivityTaskScheduled, StartTimerFailed, ...) must find its invocation in the outbox and
takes it out; an event that ends one (ActivityTaskCompleted, ...) names the event that began it. Behind the answers to a
response nothing of that response may be left in the outbox. What is left when history ends is what must be sent.

In a replay the answer to an ask for an activity nearly always stands right where history goes on. It is then compared at once,
and the ask never goes through the outbox.

Three things are not tidy. Events may stand between a DecisionTaskStarted and its DecisionTaskCompleted, and they can make
code owe something (a lambda asked for again) that this response could not hold yet: so each owed decision knows the batch it
is due in. A cancel can become pointless after it was sent, before anyone knows whether it arrived: it is dropped only once the
batch is over. And recorded values are read ahead, since code needs them at once.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import chain
from typing import Any, Final

from pyflow.exceptions import HistoryException, NondeterminismException
from pyflow.swf import decisions as swf
from pyflow.swf.decisions import Decision
from pyflow.swf.events import CLOSE_EVENTS, HistoryEvent
from pyflow.swf.model import EVENT_ATTRIBUTES

from .ahead import Ahead
from .batches import check_order, moment, news, unreadable, unsound, whole_batches
from .drift import Drift, drifts_of
from .invocations import LAMBDA_RETRIES_MAX, Invocation, format_place
from .machine import REQUESTED
from .reserved import MATCHED, MORE, PARK, RESERVED
from .response import (
    CANCEL_KEY,
    CHILD_KEY,
    CLOSE_KEY,
    OPEN_MAX,
    OPEN_MAX_LEAST,
    Outbox,
    fitting,
    owed_decisions,
    sealed,
)
from .rules import names_rules
from .tables import ANSWERS, CLOSES, OUTCOMES, SILENT, TABLES, Answer, Kind, State

_Attributes = dict[str, Any]
_NOTHING: Final[Iterator[Any]] = iter(())


class Replayer:
    """
    The state of one run, rebuilt from its history.

    Args:
        run_id: the run's id; it prefixes the ids of children (contract 3).
        locate: gives ``file:line in function`` of where the code waits, for messages.
        open_payload: gives the JSON of a payload that history holds; raises PayloadException if it cannot be had.
        is_surely: tells whether a text in history is that of a value, without any doubt.

    Attributes:
        batch: the number of the batch that was applied last, from 1.
        started_event_id, last_event_id: its DecisionTaskStarted, and the last event applied.
        read_up_to: the last event of what was read.
        resumes_up_to: the last DecisionTaskStarted of what was read; what is behind it is the tail, which resumes nobody.
        time: the timestamp of that DecisionTaskStarted.
        in_tail: the batch applied last has no DecisionTaskStarted: it is matched, and no code resumes.
        ahead: what has been read ahead of the history.
        cancel_requested: ``(event id, cause)`` of the first cancel request, or None.
        close_refused: why SWF refuses the closing decision, where no repetition can help; else None.
        signals: ``(event id, name, input)`` of those that came with the batch applied last.
        started: the attributes of WorkflowExecutionStarted.
        drifts: what differed and does not matter for matching.
    """

    __slots__ = (
        "_answered",
        "_asked",
        "_at_limit",
        "_begun",
        "_completed",
        "_foreseen",
        "_has_more",
        "_is_marked",
        "_is_parked",
        "_is_surely",
        "_locate",
        "_more_count",
        "_news",
        "_news_after",
        "_next_answer",
        "_open_payload",
        "_outbox",
        "_pointless",
        "_reserved_open",
        "_settled",
        "_unread",
        "_while_parked",
        "_withdrawn",
        "ahead",
        "batch",
        "cancel_requested",
        "child_prefix",
        "close_refused",
        "drifts",
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
        self.child_prefix = run_id.replace("+", "-").replace("/", "_").replace("=", "") + "."
        self.batch = 0
        self.started_event_id = 0
        self.last_event_id = 0
        self.time: datetime | float = 0.0
        self.in_tail = False
        self.ahead = Ahead()
        self.cancel_requested: tuple[int, str | None] | None = None
        self.close_refused: str | None = None
        self.signals: list[tuple[int, str, str | None]] = []
        self.started: dict[str, Any] = {}
        self.drifts: list[Drift] = []
        self._locate = locate
        self._open_payload = open_payload
        self._is_surely = is_surely
        self._asked = 0
        self._outbox: Outbox = {}
        self._begun: dict[Kind, dict[int, Invocation]] = {kind: {} for kind in _KINDS}
        self._at_limit: set[Kind] = set()
        self._pointless: list[Invocation] = []
        self._withdrawn: dict[str, Invocation] = {}
        self._reserved_open: dict[int, str] = {}
        self._more_count = 0
        self._settled: list[Invocation] = []
        self._news: Sequence[dict[str, Any]] = ()
        self._news_after = self.read_up_to = 0
        self.resumes_up_to = 0
        self._unread: Iterator[tuple[int, dict[str, Any]]] = _NOTHING
        self._foreseen: list[Invocation] = []
        self._next_answer = 0  # where in the news the answer to the next ask stands, if all is as usual; else 0
        # What the batch at hand shows of the response before it.
        self._completed: HistoryEvent | None = None
        self._answered: list[Invocation] = []
        self._has_more = self._is_parked = self._while_parked = False
        self._is_marked = False  # whether any of these, or of signals, limits and reserved ids, is out of the ordinary

    # -- what code does -----------------------------------------------------------------------------------------------

    def ask(self, invocation: Invocation) -> None:
        """Owe the decision of an invocation."""
        self._asked = invocation.order = self._asked + 1
        invocation.owed_in = self.batch
        self._next_answer = 0
        kind = invocation.kind
        key = self._key(invocation) if kind is _CHILD or kind is _CLOSE else invocation.id
        self._outbox[key] = invocation

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
            attributes: _Attributes = event["activityTaskScheduledEventAttributes"]
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

    def cancel(self, invocation: Invocation, *, optional: bool) -> None:
        """
        Take something back: unsent, it is never sent; open, its cancel is owed if SWF has one; canceled or over, nothing.

        Args:
            invocation: what.
            optional: the engine does this by itself, and history may lack the event (contract 6).
        """
        if (invocation.state, "cancel") not in TABLES[invocation.kind]:
            return
        if self._foreseen:
            self._meet_foreseen()
        if invocation.step("cancel") is State.WITHDRAWN:
            del self._outbox[self._key(invocation)]
            if optional:
                self._withdrawn[invocation.id] = invocation
            return
        invocation.cancel_optional = optional
        invocation.owed_in = self.batch
        self._outbox[f"{CANCEL_KEY}{invocation.id}"] = invocation

    def _meet_foreseen(self) -> None:
        """Owe after all what is foreseen: code that takes things back meets history event by event."""
        for invocation in self._foreseen:
            invocation.standing = REQUESTED[_ACTIVITY]
        self._outbox = {invocation.id: invocation for invocation in self._foreseen} | self._outbox
        self._foreseen, self._next_answer = [], 0

    # -- what history does --------------------------------------------------------------------------------------------

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

    def _clear_marks(self) -> None:
        """Forget what was out of the ordinary in the batch before, but for what goes on."""
        self.signals = []
        self._has_more = self._is_parked = False
        self._at_limit = {kind for kind in self._at_limit if len(self._begun[kind]) >= OPEN_MAX[kind]}
        # As of the DecisionTaskStarted: that is what whoever answered with nothing had seen.
        self._while_parked = any(name.startswith(PARK) for name in self._reserved_open.values())
        self._is_marked = bool(self._at_limit or self._reserved_open)

    def close(self) -> None:
        """Tell nobody any more: each future knows its invocation, and no rings are left for the collector."""
        for invocation in chain(self._foreseen, self._outbox.values(), *map(dict.values, self._begun.values())):
            invocation.future = None

    # -- what must be sent --------------------------------------------------------------------------------------------

    def decisions(self, seal: Callable[[str], str] | None = None) -> list[Decision]:
        """
        Return the decisions that are owed, in the order they were asked for, a closing one last.

        At most 100 of them and 0.9 MB: what does not fit is left for the next response, which a reserved timer
        (``pyflow.more.N``) brings about. Of a kind that has as many open as an execution may have, what is more waits until
        one of them is over.

        Args:
            seal: gives what is sent for the JSON of a payload; called for what is sent now and nothing else. None: the JSON.
        """
        owed = owed_decisions(self._outbox, self._begun, self._at_limit)
        if seal is not None:
            owed = sealed(owed, seal)
        count = fitting(owed)
        if count == len(owed):
            return owed
        return [*owed[:count], swf.start_timer(f"{MORE}{self._more_count + 1}", "0")]

    # -- events, one kind each ----------------------------------------------------------------------------------------

    def _on_fact(self, event_id: int, event_type: str, attributes: _Attributes, _: Any) -> None:
        """What asks for nothing, answers nothing and ends nothing."""

    def _on_started(self, event_id: int, event_type: str, attributes: _Attributes, _: Any) -> None:
        self.started = attributes

    def _on_cancel_requested(self, event_id: int, event_type: str, attributes: _Attributes, _: Any) -> None:
        if self.cancel_requested is None:
            self.cancel_requested = (event_id, attributes.get("cause"))

    def _on_signaled(self, event_id: int, event_type: str, attributes: _Attributes, _: Any) -> None:
        name = attributes["signalName"]
        if not self.ahead.is_own_signal(name):
            self.signals.append((event_id, name, attributes.get("input")))
            self._is_marked = True

    def _on_child_started(self, event_id: int, event_type: str, attributes: _Attributes, _: Any) -> None:
        invocation = self._begun[_CHILD].get(attributes["initiatedEventId"])
        if invocation is not None:
            invocation.child_run_id = attributes.get("workflowExecution", {}).get("runId")

    def _on_completed(self, event_id: int, event_type: str, attributes: _Attributes, _: Any) -> None:
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

    def _on_closed(self, event_id: int, event_type: str, attributes: _Attributes, _: Any) -> None:
        """Nothing follows the end of an execution."""
        following = self._news[event_id - self._news_after :]
        if following:
            raise unsound(
                f"event {event_id + 1} ({following[0].get('eventType')}) follows the close at event {event_id}",
                event_id + 1,
            )

    def _on_answer(self, event_id: int, event_type: str, attributes: _Attributes, answer: Answer) -> None:
        kind, id_in, name_in, _ = answer
        # 2.0.0's signal to itself has no control, but its name says which it is.
        key = match_id = attributes.get(id_in) or attributes["signalName"]
        name = attributes[name_in] if name_in is not None else None
        if kind is _CHILD:
            match_id = match_id.removeprefix(self.child_prefix)
            key = f"{CHILD_KEY}{match_id}"
        invocation = self._outbox.pop(key, None)
        if invocation is None or invocation.kind is not kind or (name is not None and name != invocation.name):
            invocation = self._mismatch((event_id, event_type, attributes), invocation, match_id, name)
            if invocation is None:
                return
        if kind is _CHILD:
            # The child has the id that history gives it: 2.0.0's had the bare one, and code may have sent that on.
            invocation.id = attributes["workflowId"]
        self._answered.append(invocation)
        state = invocation.take(event_id, event_type, attributes)
        options = invocation.options
        if invocation.input != attributes.get("input") or (options and not options.items() <= attributes.items()):
            self.drifts += drifts_of(invocation, (event_id, event_type, attributes), self._open_payload)
        if state is _OPEN or state is _CANCELING:
            begun = self._begun[kind]
            begun[event_id] = invocation
            if len(begun) >= OPEN_MAX_LEAST and len(begun) >= OPEN_MAX.get(kind, 25_000):
                self._at_limit.add(kind)
                self._is_marked = True
        else:
            self._settled.append(invocation)

    def _on_answer_to_cancel(self, event_id: int, event_type: str, attributes: _Attributes, answer: Answer) -> None:
        match_id = attributes[answer.id_in]
        invocation = self._outbox.pop(f"{CANCEL_KEY}{match_id}", None)
        if invocation is None:
            invocation = self._mismatch((event_id, event_type, attributes), None, match_id, None)
            if invocation is None:
                return
        self._answered.append(invocation)
        state = invocation.take(event_id, event_type, attributes)
        if state is State.CANCELED:
            del self._begun[answer.kind][attributes["startedEventId"]]
            self._settled.append(invocation)

    def _on_close(self, event_id: int, event_type: str, attributes: _Attributes, name: str) -> None:
        if event_type in CLOSE_EVENTS:
            self._on_closed(event_id, event_type, attributes, None)
        invocation = self._outbox.pop(CLOSE_KEY, None)
        if invocation is None or name != invocation.name:
            invocation = self._mismatch((event_id, event_type, attributes), invocation, "", name)
            assert invocation is not None
        self._answered.append(invocation)
        state = invocation.take(event_id, event_type, attributes)
        self.drifts += drifts_of(invocation, (event_id, event_type, attributes), self._open_payload)
        self._settled.append(invocation)
        if state is _FAILED:
            if attributes["cause"] != "UNHANDLED_DECISION":
                self.close_refused = str(attributes["cause"])
            self._ask_again(invocation)

    def _mismatch(self, event: HistoryEvent, found: Invocation | None, match_id: str, name: Any) -> Invocation | None:
        """
        Deal with an event that answers nothing owed, or something of another name.

        Returns:
            None for one of the engine's own ids. Else the one thing that may be meant: a timer of 2.0.0, which was sent
            although nothing waited for it any more.

        Raises:
            NondeterminismException: anything else (contract 6).
        """
        event_id, event_type, _ = event
        if found is not None and found.kind is not ANSWERS[event_type].kind:
            self._outbox[self._key(found)] = found
            found = None
        if found is None and match_id.startswith(RESERVED) and not match_id.startswith(MATCHED):
            self._on_reserved(event, match_id)
            return None
        if found is None and event_type in {"TimerStarted", "StartTimerFailed"} and self._is_of_2_0_0():
            found = self._withdrawn.pop(match_id, None)
            if found is not None:
                return found
        if found is None:
            raise self._unasked(event, match_id, name)
        raise NondeterminismException(
            _describe(event, match_id, name),
            str(found),
            event_id=event_id,
            where=format_place(found.where) or self._locate(),
        )

    def _on_outcome(self, event_id: int, event_type: str, attributes: _Attributes, ended: tuple[Kind, str]) -> None:
        kind, begun_in = ended
        began_at = attributes[begun_in]
        invocation = self._begun[kind].pop(began_at, None)
        if invocation is None:
            if self._reserved_open.pop(began_at, None):
                return
            raise HistoryException(
                f"history is not sound: {event_type} at event {event_id} ends what event {began_at} began, "
                f"and nothing is open from there.",
                event_id=event_id,
            )
        state = invocation.take(event_id, event_type, attributes)
        if state is not _SUCCEEDED:
            if (
                state is _FAILED
                and CLOSE_KEY not in self._outbox
                and self._is_retried_silently(invocation, attributes, began_at)
            ):
                self._ask_again(invocation)
                return
            if state is _CLOSED_WHILE_CANCELING:
                self._pointless.append(invocation)
        self._settled.append(invocation)

    def _on_child_start_failed(self, event_id: int, event_type: str, attributes: _Attributes, answer: Answer) -> None:
        """Refused at once it answers the decision; refused after Initiated it is the outcome of that."""
        initiated = attributes["initiatedEventId"]
        if not initiated:
            self._on_answer(event_id, event_type, attributes, answer)
            return
        invocation = self._begun[_CHILD].pop(initiated, None)
        if invocation is None:
            raise HistoryException(
                f"history is not sound: {event_type} at event {event_id} names event {initiated}, which began no child.",
                event_id=event_id,
            )
        invocation.take(event_id, event_type, attributes)
        self._settled.append(invocation)

    def _on_refused_close(self, event_id: int, event_type: str, attributes: _Attributes, name: str) -> None:
        """
        Take a refused close for an answer, or for one of 2.0.0's own making.

        2.0.0 canceled by itself, and failed an execution whose response SWF would not take. Where SWF refused that too and
        it was all of the response, nothing of that batch was ever sent, as if the task had timed out.
        """
        due = [(inv.kind, inv.name) for inv in self._outbox.values() if inv.owed_in < self.batch]
        is_all = due == [(Kind.CLOSE, name)]
        if is_all or self._answered or not self._is_of_2_0_0():
            self._on_close(event_id, event_type, attributes, name)
        else:
            self._is_parked = self._is_marked = True

    def _on_reserved(self, event: HistoryEvent, name: str) -> None:
        """The engine's own ids match nothing an author asked for; they say what kind of response this was."""
        self._is_marked = True
        if name.startswith(MORE):
            self._more_count += 1
        event_id, event_type, _ = event
        if event_type == "TimerStarted":
            self._reserved_open[event_id] = name
        self._has_more |= name.startswith(MORE)
        self._is_parked |= name.startswith(PARK)

    # -- the books ----------------------------------------------------------------------------------------------------

    def _is_retried_silently(self, invocation: Invocation, attributes: dict[str, Any], began_at: int) -> bool:
        """Tell whether 2.0.0's silent lambda retry follows a failure: the policy wants it, or history holds it already."""
        return invocation.is_of_lambda_service(attributes) and (
            invocation.retries < LAMBDA_RETRIES_MAX or self.ahead.is_lambda_asked_again(invocation.id, began_at)
        )

    def _ask_again(self, invocation: Invocation) -> None:
        invocation.retries += 1
        invocation.step("retry")
        invocation.outcome = None
        self.ask(invocation)

    def _settle_accounts(self) -> None:
        """At the end of a batch: of the response in it nothing may be left that it should have held."""
        if self._completed is not None:
            left = [(key, inv) for key, inv in self._outbox.items() if inv.owed_in < self.batch]
            if left and not self._stays_owed([inv for _, inv in left]):
                answered_at, *_ = self._completed
                for key, invocation in left:
                    if not (key.startswith(CANCEL_KEY) and invocation.cancel_optional):
                        raise NondeterminismException(
                            f"no decision for it in the response at event {answered_at}",
                            str(invocation),
                            event_id=answered_at,
                            where=format_place(invocation.where) or self._locate(),
                        )
                    del self._outbox[key]
        for invocation in self._pointless:
            self._outbox.pop(f"{CANCEL_KEY}{invocation.id}", None)
        self._pointless.clear()

    def _stays_owed(self, left: list[Invocation]) -> bool:
        """Tell whether the response may leave decisions owed: it was parked, or it was cut short and says so (contract 6)."""
        if self._is_parked or (self._while_parked and not self._answered):
            return True
        for kind in {invocation.kind for invocation in left}:
            if not self._has_more and kind not in self._at_limit:
                return False
            answered = [inv.order for inv in self._answered if inv.kind is kind]
            if answered and max(answered) > min(inv.order for inv in left if inv.kind is kind):
                return False
        return True

    def _key(self, invocation: Invocation) -> str:
        """Return what an owed decision is found by. Children are matched without the run's prefix, which 2.0.0 did not write."""
        if invocation.kind is _CHILD:
            return f"{CHILD_KEY}{invocation.id.removeprefix(self.child_prefix)}"
        return CLOSE_KEY if invocation.kind is _CLOSE else invocation.id

    def _is_of_2_0_0(self) -> bool:
        """Tell whether the response in this batch was sent without a rules number."""
        return self._completed is not None and not names_rules(self._completed[2])

    def _unasked(self, event: HistoryEvent, match_id: str, name: Any) -> NondeterminismException:
        """An event without its request: name what the code asks for instead, if anything."""
        event_id, event_type, _ = event
        due = [invocation for invocation in self._outbox.values() if invocation.owed_in < self.batch]
        kind = ANSWERS[event_type].kind
        instead = next((inv for inv in due if inv.kind is kind), due[0] if due else None)
        where = format_place(instead.where) if instead else None
        return NondeterminismException(
            _describe(event, match_id, name),
            str(instead) if instead else None,
            event_id=event_id,
            where=where or self._locate(),
        )


# A global costs a tenth of what a member costs that is looked up on its enum: only where every event passes.
_KINDS: Final = tuple(Kind)
_ACTIVITY, _CHILD, _CLOSE = Kind.ACTIVITY, Kind.CHILD, Kind.CLOSE
_OPEN, _CANCELING, _SUCCEEDED, _FAILED = State.OPEN, State.CANCELING, State.SUCCEEDED, State.FAILED
_CLOSED_WHILE_CANCELING = State.CLOSED_WHILE_CANCELING
_SCHEDULED = REQUESTED[_ACTIVITY].step("ActivityTaskScheduled", "")

_Apply = Callable[[Replayer, int, str, _Attributes, Any], None]


def _appliers() -> Iterator[tuple[str, _Apply, Any]]:
    """Yield for types of events what applies one, and what the tables say about the type."""
    for type_, answer in ANSWERS.items():
        yield type_, Replayer._on_answer_to_cancel if answer.cancels else Replayer._on_answer, answer
    for type_, decision in CLOSES.items():
        yield type_, Replayer._on_close, decision
    for type_, ended in OUTCOMES.items():
        yield type_, Replayer._on_outcome, ended
    for type_ in ("FailWorkflowExecutionFailed", "CancelWorkflowExecutionFailed"):
        yield type_, Replayer._on_refused_close, CLOSES[type_]
    for type_ in ("WorkflowExecutionTerminated", "WorkflowExecutionTimedOut"):
        yield type_, Replayer._on_closed, None
    failed = "StartChildWorkflowExecutionFailed"
    yield failed, Replayer._on_child_start_failed, ANSWERS[failed]
    yield "WorkflowExecutionStarted", Replayer._on_started, None
    yield "WorkflowExecutionCancelRequested", Replayer._on_cancel_requested, None
    yield "WorkflowExecutionSignaled", Replayer._on_signaled, None
    yield "ChildWorkflowExecutionStarted", Replayer._on_child_started, None
    yield "DecisionTaskCompleted", Replayer._on_completed, None


_EVENTS: Final[dict[str, tuple[str | None, _Apply | None, Any]]] = {
    **{type_: (member, Replayer._on_fact, None) for type_, member in EVENT_ATTRIBUTES.items()},
    **{type_: (EVENT_ATTRIBUTES[type_], apply, about) for type_, apply, about in _appliers()},
    **dict.fromkeys(SILENT, (None, None, None)),
    "DecisionTaskStarted": (EVENT_ATTRIBUTES["DecisionTaskStarted"], None, None),
}
"""
By type: the member of an event that holds its attributes, or None if it says nothing to a replay; what applies it, or None
for the one that ends a batch; and what the tables say about it.
"""


def _describe(event: HistoryEvent, match_id: str, name: Any) -> str:
    event_type = event[1]
    if isinstance(name, dict):
        name = f"{name.get('name')} {name.get('version')}"
    about = " ".join(part for part in (match_id, f"({name})" if name else "") if part)
    return f"{event_type} {about}".rstrip()
