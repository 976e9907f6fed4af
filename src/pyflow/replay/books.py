"""
The books of one run: what its code asks for, against what its history holds.

Two sides write in them. Code asks, and each ask lands in the *outbox*: the decisions that are owed. History answers, event by
event. An event that answers a decision (ActivityTaskScheduled, StartTimerFailed, ...) must find its invocation in the outbox and
takes it out; an event that ends one (ActivityTaskCompleted, ...) names the event that began it. Behind the answers to a
response nothing of that response may be left in the outbox: accounts are settled at the end of each batch. What is left when
history ends is what must be sent.

Two things are not tidy. Events may stand between a DecisionTaskStarted and its DecisionTaskCompleted, and they can make
code owe something (a lambda asked for again) that this response could not hold yet: so each owed decision knows the batch it
is due in. A cancel can become pointless after it was sent, before anyone knows whether it arrived: it is dropped only once the
batch is over.
"""

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any, Final

from pyflow.exceptions import HistoryException
from pyflow.swf import decisions as swf
from pyflow.swf.decisions import Decision
from pyflow.swf.events import HistoryEvent

from .ahead import Ahead
from .drift import Drift, drifts_of
from .invocations import LAMBDA_RETRIES_MAX, Invocation
from .machine import REQUESTED
from .mismatch import unanswered, unasked
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
from .tables import ANSWERS, CLOSES, OUTCOMES, TABLES, Answer, Kind, State

Attributes = dict[str, Any]

# A global costs a tenth of what a member costs that is looked up on its enum: only where every event or run passes.
_LAMBDA, _ACTIVITY, _TIMER, _CHILD = Kind.LAMBDA, Kind.ACTIVITY, Kind.TIMER, Kind.CHILD
_SIGNAL, _CANCEL, _CLOSE = Kind.SIGNAL, Kind.CANCEL, Kind.CLOSE
_OPEN, _CANCELING, _SUCCEEDED, _FAILED = State.OPEN, State.CANCELING, State.SUCCEEDED, State.FAILED
_CLOSED_WHILE_CANCELING = State.CLOSED_WHILE_CANCELING


class Books:
    """
    What a run owes, what it has open, and what of it has settled.

    Args:
        run_id: the run's id; it prefixes the ids of children (contract 3).
        locate: gives ``file:line in function`` of where the code waits, for messages.
        open_payload: gives the JSON of a payload that history holds; raises PayloadException if it cannot be had.

    Attributes:
        batch: the number of the batch that was applied last, from 1.
        ahead: what has been read ahead of the history.
        child_prefix: what the ids of the run's children begin with.
        close_refused: why SWF refuses the closing decision, where no repetition can help; else None.
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
        "_locate",
        "_more_count",
        "_next_answer",
        "_open_payload",
        "_outbox",
        "_pointless",
        "_reserved_open",
        "_settled",
        "_while_parked",
        "_withdrawn",
        "ahead",
        "batch",
        "child_prefix",
        "close_refused",
        "drifts",
    )

    def __init__(self, run_id: str, locate: Callable[[], str | None], open_payload: Callable[[str], str]) -> None:
        self.child_prefix = run_id.replace("+", "-").replace("/", "_").replace("=", "") + "."
        self.batch = 0
        self.ahead = Ahead()
        self.close_refused: str | None = None
        self.drifts: list[Drift] = []
        self._locate = locate
        self._open_payload = open_payload
        self._asked = 0
        self._outbox: Outbox = {}
        # A recorded value and the close are never open. Written out: a comprehension would take twice the steps.
        self._begun: dict[Kind, dict[int, Invocation]] = {
            _LAMBDA: {},
            _ACTIVITY: {},
            _TIMER: {},
            _CHILD: {},
            _SIGNAL: {},
            _CANCEL: {},
        }
        self._at_limit: set[Kind] = set()
        self._pointless: list[Invocation] = []
        self._withdrawn: dict[str, Invocation] = {}
        self._reserved_open: dict[int, str] = {}
        self._more_count = 0
        self._settled: list[Invocation] = []
        # What was asked for over this batch and is known to be answered: it is never in the outbox.
        self._foreseen: list[Invocation] = []
        # Where in the news the answer to the next ask stands, if all is as usual; else 0.
        self._next_answer = 0
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

    def _key(self, invocation: Invocation) -> str:
        """Return what an owed decision is found by. Children are matched without the run's prefix, which 2.0.0 did not write."""
        if invocation.kind is _CHILD:
            return f"{CHILD_KEY}{invocation.id.removeprefix(self.child_prefix)}"
        return CLOSE_KEY if invocation.kind is _CLOSE else invocation.id

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

    def close(self) -> None:
        """Tell nobody any more: each future knows its invocation, and no rings are left for the collector."""
        for invocation in chain(self._foreseen, self._outbox.values(), *map(dict.values, self._begun.values())):
            invocation.future = None

    # -- what history answers -----------------------------------------------------------------------------------------

    def _on_answer(self, event_id: int, event_type: str, attributes: Attributes, answer: Answer) -> None:
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

    def _on_answer_to_cancel(self, event_id: int, event_type: str, attributes: Attributes, answer: Answer) -> None:
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

    def _on_close(self, event_id: int, event_type: str, attributes: Attributes, name: str) -> None:
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

    def _on_refused_close(self, event_id: int, event_type: str, attributes: Attributes, name: str) -> None:
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

    def _mismatch(self, event: HistoryEvent, found: Invocation | None, match_id: str, name: Any) -> Invocation | None:
        """
        Deal with an event that answers nothing owed, or something of another name.

        Returns:
            None for one of the engine's own ids. Else the one thing that may be meant: a timer of 2.0.0, which was sent
            although nothing waited for it any more.

        Raises:
            NondeterminismException: anything else (contract 6).
        """
        event_type = event[1]
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
            due = [invocation for invocation in self._outbox.values() if invocation.owed_in < self.batch]
            kind = ANSWERS[event_type].kind
            found = next((invocation for invocation in due if invocation.kind is kind), due[0] if due else None)
        raise unasked(event, match_id, name, found, self._locate)

    # -- what history ends --------------------------------------------------------------------------------------------

    def _on_child_started(self, event_id: int, event_type: str, attributes: Attributes, _: Any) -> None:
        invocation = self._begun[_CHILD].get(attributes["initiatedEventId"])
        if invocation is not None:
            invocation.child_run_id = attributes.get("workflowExecution", {}).get("runId")

    def _on_outcome(self, event_id: int, event_type: str, attributes: Attributes, ended: tuple[Kind, str]) -> None:
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

    def _on_child_start_failed(self, event_id: int, event_type: str, attributes: Attributes, answer: Answer) -> None:
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

    def _is_retried_silently(self, invocation: Invocation, attributes: Attributes, began_at: int) -> bool:
        """Tell whether 2.0.0's silent lambda retry follows a failure: the policy wants it, or history holds it already."""
        return invocation.is_of_lambda_service(attributes) and (
            invocation.retries < LAMBDA_RETRIES_MAX or self.ahead.is_lambda_asked_again(invocation.id, began_at)
        )

    def _ask_again(self, invocation: Invocation) -> None:
        invocation.retries += 1
        invocation.step("retry")
        invocation.outcome = None
        self.ask(invocation)

    # -- the end of a batch -------------------------------------------------------------------------------------------

    def _settle_accounts(self) -> None:
        """At the end of a batch: of the response in it nothing may be left that it should have held."""
        if self._completed is not None:
            left = [(key, inv) for key, inv in self._outbox.items() if inv.owed_in < self.batch]
            if left and not self._stays_owed([inv for _, inv in left]):
                answered_at, *_ = self._completed
                for key, invocation in left:
                    if not (key.startswith(CANCEL_KEY) and invocation.cancel_optional):
                        raise unanswered(invocation, answered_at, self._locate)
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

    def _is_of_2_0_0(self) -> bool:
        """Tell whether the response in this batch was sent without a rules number."""
        return self._completed is not None and not names_rules(self._completed[2])

    def _clear_marks(self) -> None:
        """Forget what was out of the ordinary in the batch before, but for what goes on."""
        self._has_more = self._is_parked = False
        self._at_limit = {kind for kind in self._at_limit if len(self._begun[kind]) >= OPEN_MAX[kind]}
        # As of the DecisionTaskStarted: that is what whoever answered with nothing had seen.
        self._while_parked = any(name.startswith(PARK) for name in self._reserved_open.values())
        self._is_marked = bool(self._at_limit or self._reserved_open)


Enter = Callable[[Books, int, str, Attributes, Any], None]
"""Enters an event: its id, type and attributes, and what the tables say about the type."""


def _entries() -> Iterator[tuple[str, Enter, Any]]:
    """Yield for types of events what enters one, and what the tables say about the type."""
    for type_, answer in ANSWERS.items():
        yield type_, Books._on_answer_to_cancel if answer.cancels else Books._on_answer, answer
    for type_, decision in CLOSES.items():
        yield type_, Books._on_close, decision
    for type_, ended in OUTCOMES.items():
        yield type_, Books._on_outcome, ended
    for type_ in ("FailWorkflowExecutionFailed", "CancelWorkflowExecutionFailed"):
        yield type_, Books._on_refused_close, CLOSES[type_]
    failed = "StartChildWorkflowExecutionFailed"
    yield failed, Books._on_child_start_failed, ANSWERS[failed]
    yield "ChildWorkflowExecutionStarted", Books._on_child_started, None


ENTRIES: Final = {type_: (enter, about) for type_, enter, about in _entries()}
"""By type: what enters an event of it into the books, and what the tables say about it."""
