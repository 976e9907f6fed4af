"""
The replayer: what the code of one run asks, against what its history holds.

How it works. Code asks, and each ask lands in the *outbox*: the decisions that are owed. A batch of history is applied event by
event. An event that answers a decision (ActivityTaskScheduled, StartTimerFailed, ...) must find its invocation in the outbox and
takes it out; an event that ends one (ActivityTaskCompleted, ...) names the event that began it. Behind the answers to a
response nothing of that response may be left in the outbox. What is left when history ends is what must be sent.

Three things are not tidy. Events may stand between a DecisionTaskStarted and its DecisionTaskCompleted, and they can make
code owe something (a lambda asked for again) that this response could not hold yet: so each owed decision knows the batch it
is due in. A cancel can become pointless after it was sent, before anyone knows whether it arrived: it is dropped only once the
batch is over. And recorded values are read ahead, since code needs them at once.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from pyflow.exceptions import DeciderException, HistoryException, NondeterminismException
from pyflow.swf import decisions as swf
from pyflow.swf.decisions import Decision
from pyflow.swf.events import HistoryEvent
from pyflow.swf.model import DECISION_ATTRIBUTES, EVENT_ATTRIBUTES

from .batches import Batch
from .invocations import Invocation, Place, format_place
from .parking import PARK
from .tables import ANSWERS, CLOSES, DRIFTS, OUTCOMES, READ_AHEAD, REPEATING, TABLES, Kind, State

RULES: Final = 1
"""The number of the replay rules that this code writes (contract 0)."""

RULES_PREFIX: Final = "pyflow rules "
RESERVED: Final = "pyflow."
MORE: Final = "pyflow.more."
RETRY: Final = "pyflow.retry."
PATCH: Final = "pyflow.patch."
MATCHED: Final = (RETRY, PATCH)
"""Reserved ids that code asks for, by way of the engine, and that are matched as any other."""

DECISIONS_MAX: Final = 100
"""Decisions in one response; AWS names no number, every framework for SWF keeps to this one."""

RESPONSE_BYTES_MAX: Final = 900_000
"""Of the 1 MB that a request may have with its headers."""

OPEN_MAX: Final = {Kind.LAMBDA: 1_000, Kind.ACTIVITY: 1_000, Kind.CHILD: 1_000, Kind.TIMER: 990}
"""How many of a kind one execution may have open; of SWF's 1,000 timers a few are left for the engine's own."""

OPEN_MAX_LEAST: Final = min(OPEN_MAX.values())

_OutboxKey = tuple[Kind, str, bool]


class Recorded(NamedTuple):
    """
    A recorded value, read ahead.

    ``details`` is the marker's text. ``with_signal`` is true where 2.0.0 recorded it with a signal to itself: it then
    settles where the marker stands, in the next batch.
    """

    details: str | None
    with_signal: bool


class Drift(NamedTuple):
    """An input or duration that is not what history recorded: ``recorded`` and ``asked`` are texts or None."""

    event_id: int
    who: str
    what: str
    recorded: Any
    asked: Any
    where: Place | None


class Replayer:
    """
    The state of one run, rebuilt from its history.

    Args:
        run_id: the run's id; it prefixes the ids of children (contract 3).
        locate: gives ``file:line in function`` of where the code waits, for messages.

    Attributes:
        batch: the number of the batch that was applied last, from 1.
        started_event_id, last_event_id: its DecisionTaskStarted, and the last event applied.
        completed_up_to: the ``startedEventId`` of the last decision task known to be completed; 0 if none.
        of_2_0_0_up_to: the same of the last one that was completed without a rules number, as 2.0.0 did it.
        begun_by_2_0_0: the first response named no rules.
        cancel_requested: ``(event id, cause)`` of the first cancel request, or None.
        close_refused: why SWF refuses the closing decision, where no repetition can help; else None.
        signals: ``(event id, name, input)`` of those that came with the batch applied last.
        started: the attributes of WorkflowExecutionStarted.
        drifts: what differed and does not matter for matching.
    """

    def __init__(self, run_id: str, *, locate: Callable[[], str | None] = lambda: None) -> None:
        self.child_prefix = run_id.replace("+", "-").replace("/", "_").replace("=", "") + "."
        self.batch = 0
        self.started_event_id = 0
        self.last_event_id = 0
        self.completed_up_to = 0
        self.of_2_0_0_up_to = 0
        self.begun_by_2_0_0 = False
        self.cancel_requested: tuple[int, str | None] | None = None
        self.close_refused: str | None = None
        self.signals: list[tuple[int, str, str | None]] = []
        self.started: dict[str, Any] = {}
        self.drifts: list[Drift] = []
        self._locate = locate
        self._asked = 0
        self._has_returned = False
        self._rules: int | None = None
        self._outbox: dict[_OutboxKey, Invocation] = {}
        self._begun: dict[Kind, dict[int, Invocation]] = {kind: {} for kind in Kind}
        self._recorded: dict[str, Recorded] = {}
        self._retried: set[str] = set()
        self._own_signals: set[str] = set()
        self._at_limit: set[Kind] = set()
        self._pointless: list[Invocation] = []
        self._withdrawn: dict[str, Invocation] = {}
        self._reserved_open: dict[int, str] = {}
        self._more_count = 0
        self._settled: list[Invocation] = []
        # What the batch at hand shows of the response before it.
        self._completed: HistoryEvent | None = None
        self._answered: list[Invocation] = []
        self._has_more = self._is_parked = self._while_parked = False

    # -- what code does -----------------------------------------------------------------------------------------------

    def ask(self, invocation: Invocation) -> None:
        """Owe the decision of an invocation."""
        self._asked += 1
        kind = invocation.kind
        if kind is _CLOSE:
            self._has_returned = True
        invocation.order = self._asked
        invocation.owed_in = self.batch
        match_id = self._match_id(invocation) if kind is _CHILD else invocation.id
        self._outbox[kind, match_id, False] = invocation

    def cancel(self, invocation: Invocation, *, optional: bool) -> None:
        """
        Take something back: unsent, it is never sent; open, its cancel is owed if SWF has one; canceled or over, nothing.

        Args:
            invocation: what.
            optional: the engine does this by itself, and history may lack the event (contract 6).
        """
        if (invocation.state, "cancel") not in TABLES[invocation.kind]:
            return
        match_id = self._match_id(invocation)
        if invocation.step("cancel") is State.WITHDRAWN:
            del self._outbox[invocation.kind, match_id, False]
            if optional:
                self._withdrawn[invocation.id] = invocation
            return
        invocation.cancel_optional = optional
        invocation.owed_in = self.batch
        self._outbox[invocation.kind, match_id, True] = invocation

    def recorded(self, name: str) -> Recorded | None:
        """Return the recorded value of that name if the history given so far holds it anywhere."""
        return self._recorded.get(name)

    def was_retried(self, timer_id: str) -> bool:
        """Tell whether the history given so far holds the timer of a further attempt."""
        return timer_id in self._retried

    # -- what history does --------------------------------------------------------------------------------------------

    def read_ahead(self, batches: list[Batch]) -> None:
        """
        Look through batches before any is applied: rules number, recorded values, what is already completed.

        Raises:
            DeciderException: the run's rules have a number that this pyflow does not know.
        """
        for batch in batches:
            for _, event_type, _, attributes in batch.events:
                if event_type not in READ_AHEAD:
                    continue
                if event_type == "DecisionTaskCompleted":
                    if self._rules is None:
                        self._rules = _rules_of(attributes)
                        self.begun_by_2_0_0 = not names_rules(attributes)
                    started = attributes["startedEventId"]
                    self.completed_up_to = max(self.completed_up_to, started)  # more may have been read ahead before
                    if not names_rules(attributes):
                        self.of_2_0_0_up_to = max(self.of_2_0_0_up_to, started)
                elif event_type == "MarkerRecorded":
                    name = attributes["markerName"]
                    self._recorded[name] = Recorded(attributes.get("details"), with_signal=False)
                elif event_type == "SignalExternalWorkflowExecutionInitiated":
                    self._note_own_signal(attributes["signalName"])
                elif event_type == "TimerStarted" and attributes["timerId"].startswith(RETRY):
                    self._retried.add(attributes["timerId"])

    def apply(self, batch: Batch) -> list[Invocation]:
        """
        Apply all of a batch.

        Returns:
            The invocations that settled, in the order of the events that settled them.

        Raises:
            NondeterminismException: code and history do not fit.
            HistoryException: the history does not hold together.
        """
        self.batch += 1
        self._completed, self._answered = None, []
        self._has_more = self._is_parked = self._while_parked = False
        if self._at_limit:
            self._at_limit = {kind for kind in self._at_limit if len(self._begun[kind]) >= OPEN_MAX[kind]}
        if self.signals:
            self.signals = []
        if self._reserved_open:
            # As of the DecisionTaskStarted: that is what whoever answered with nothing had seen.
            self._while_parked = any(name.startswith(PARK) for name in self._reserved_open.values())
        settled = self._settled = []
        handlers = _HANDLERS
        event: HistoryEvent | None = None
        try:
            for event in batch.events:
                handlers[event[1]](self, event)
        except KeyError as error:
            assert event is not None
            event_id, event_type, *_ = event
            raise HistoryException(
                f"history is not sound: event {event_id} ({event_type}) lacks {error}.", event_id=event_id
            ) from error
        if self._outbox:
            self._settle_accounts()
        self.last_event_id = batch.last_event_id
        if batch.started_event_id is not None:
            self.started_event_id = batch.started_event_id
        return settled

    # -- what must be sent --------------------------------------------------------------------------------------------

    def decisions(self) -> list[Decision]:
        """
        Return the decisions that are owed, in the order they were asked for, a closing one last.

        At most 100 of them and 0.9 MB: what does not fit is left for the next response, which a reserved timer
        (``pyflow.more.N``) brings about. Of a kind that has as many open as an execution may have, what is more waits until
        one of them is over.
        """
        owed = [_decision(key, invocation) for key, invocation in self._within_limits() if key[0] is not Kind.CLOSE]
        close = self._outbox.get((Kind.CLOSE, "", False))
        if close is not None:
            owed.append(close.decide())
        fitting = _fitting(owed)
        if fitting == len(owed):
            return owed
        return [*owed[:fitting], swf.start_timer(f"{MORE}{self._more_count + 1}", "0")]

    def _within_limits(self) -> Iterator[tuple[_OutboxKey, Invocation]]:
        room = {kind: limit - len(self._begun[kind]) for kind, limit in OPEN_MAX.items()}
        for key, invocation in self._outbox.items():
            kind, _, cancels = key
            if not cancels and kind in room:
                room[kind] -= 1
                if room[kind] < 0:
                    continue
            yield key, invocation

    # -- events, one kind each ----------------------------------------------------------------------------------------

    def _on_fact(self, event: HistoryEvent) -> None:
        """What asks for nothing, answers nothing and ends nothing."""

    def _on_started(self, event: HistoryEvent) -> None:
        _, _, _, self.started = event

    def _on_cancel_requested(self, event: HistoryEvent) -> None:
        if self.cancel_requested is None:
            event_id, _, _, attributes = event
            self.cancel_requested = (event_id, attributes.get("cause"))

    def _on_signaled(self, event: HistoryEvent) -> None:
        event_id, _, _, attributes = event
        name = attributes["signalName"]
        if name not in self._own_signals:
            self.signals.append((event_id, name, attributes.get("input")))

    def _on_child_started(self, event: HistoryEvent) -> None:
        _, _, _, attributes = event
        invocation = self._begun[_CHILD].get(attributes["initiatedEventId"])
        if invocation is not None:
            invocation.child_run_id = attributes.get("workflowExecution", {}).get("runId")

    def _on_completed(self, event: HistoryEvent) -> None:
        event_id, _, _, attributes = event
        started = attributes["startedEventId"]
        if started != self.started_event_id:
            raise HistoryException(
                f"history is not sound: DecisionTaskCompleted at event {event_id} completes the task started at event {started}; "
                f"the one open was started at event {self.started_event_id}.",
                event_id=event_id,
            )
        self._completed = event

    def _on_answer(self, event: HistoryEvent) -> None:
        event_id, event_type, _, attributes = event
        answer = ANSWERS[event_type]
        kind = answer.kind
        # 2.0.0's signal to itself has no control, but its name says which it is.
        match_id = attributes.get(answer.id_in) or attributes["signalName"]
        name = attributes[answer.name_in] if answer.name_in is not None else None
        if kind is _CHILD:
            match_id = match_id.removeprefix(self.child_prefix)
        invocation = self._outbox.pop((kind, match_id, False), None)
        if invocation is None or (name is not None and name != invocation.name):
            invocation = self._mismatch(event, invocation, match_id, name)
            if invocation is None:
                return
        if kind is _CHILD:
            # The child has the id that history gives it: 2.0.0's had the bare one, and code may have sent that on.
            invocation.id = attributes["workflowId"]
        self._answered.append(invocation)
        state = invocation.step(event_type)
        if not invocation.is_plain or invocation.input != attributes.get("input"):
            self._note_drift(invocation, event)
        if state is _OPEN or state is _CANCELING:
            begun = self._begun[kind]
            begun[event_id] = invocation
            if len(begun) >= OPEN_MAX_LEAST and len(begun) >= OPEN_MAX.get(kind, 25_000):
                self._at_limit.add(kind)
        else:
            invocation.settle(event, state)
            self._settled.append(invocation)

    def _on_answer_to_cancel(self, event: HistoryEvent) -> None:
        _, event_type, _, attributes = event
        answer = ANSWERS[event_type]
        match_id = attributes[answer.id_in]
        invocation = self._outbox.pop((answer.kind, match_id, True), None)
        if invocation is None:
            invocation = self._mismatch(event, None, match_id, None)
            if invocation is None:
                return
        self._answered.append(invocation)
        state = invocation.step(event_type)
        if state is State.CANCELED:
            del self._begun[answer.kind][attributes["startedEventId"]]
            invocation.settle(event, state)
            self._settled.append(invocation)

    def _on_close(self, event: HistoryEvent) -> None:
        _, event_type, _, attributes = event
        name = CLOSES[event_type]
        invocation = self._outbox.pop((_CLOSE, "", False), None)
        if invocation is None or name != invocation.name:
            invocation = self._mismatch(event, invocation, "", name)
            assert invocation is not None
        self._answered.append(invocation)
        state = invocation.step(event_type)
        self._note_drift(invocation, event)
        invocation.settle(event, state)
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
        event_id, event_type, *_ = event
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

    def _on_outcome(self, event: HistoryEvent) -> None:
        event_id, event_type, _, attributes = event
        kind, begun_in = OUTCOMES[event_type]
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
        state = invocation.step(event_type)
        if state is _FAILED and not self._has_returned and invocation.wants_retry(attributes):
            self._ask_again(invocation)
            return
        if state is _CLOSED_WHILE_CANCELING:
            self._pointless.append(invocation)
            state = TABLES[invocation.kind][_OPEN, event_type]
        invocation.settle(event, state)
        self._settled.append(invocation)

    def _on_child_start_failed(self, event: HistoryEvent) -> None:
        """Refused at once it answers the decision; refused after Initiated it is the outcome of that."""
        event_id, event_type, _, attributes = event
        initiated = attributes["initiatedEventId"]
        if not initiated:
            self._on_answer(event)
            return
        invocation = self._begun[_CHILD].pop(initiated, None)
        if invocation is None:
            raise HistoryException(
                f"history is not sound: {event_type} at event {event_id} names event {initiated}, which began no child.",
                event_id=event_id,
            )
        invocation.settle(event, invocation.step(event_type))
        self._settled.append(invocation)

    def _on_refused_close(self, event: HistoryEvent) -> None:
        """
        Take a refused close for an answer, or for one of 2.0.0's own making.

        2.0.0 canceled by itself, and failed an execution whose response SWF would not take. Where SWF refused that too and
        it was all of the response, nothing of that batch was ever sent, as if the task had timed out.
        """
        _, event_type, *_ = event
        due = [(inv.kind, inv.name) for inv in self._outbox.values() if inv.owed_in < self.batch]
        is_all = due == [(Kind.CLOSE, CLOSES[event_type])]
        if is_all or self._answered or not self._is_of_2_0_0():
            self._on_close(event)
        else:
            self._is_parked = True

    def _on_reserved(self, event: HistoryEvent, name: str) -> None:
        """The engine's own ids match nothing an author asked for; they say what kind of response this was."""
        if name.startswith(MORE):
            self._more_count += 1
        event_id, event_type, *_ = event
        if event_type == "TimerStarted":
            self._reserved_open[event_id] = name
        self._has_more |= name.startswith(MORE)
        self._is_parked |= name.startswith(PARK)

    # -- the books ----------------------------------------------------------------------------------------------------

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
                    if not (key[2] and invocation.cancel_optional):
                        raise NondeterminismException(
                            f"no decision for it in the response at event {answered_at}",
                            str(invocation),
                            event_id=answered_at,
                            where=format_place(invocation.where),
                        )
                    del self._outbox[key]
        for invocation in self._pointless:
            self._outbox.pop((invocation.kind, invocation.id, True), None)
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

    def _note_drift(self, invocation: Invocation, event: HistoryEvent) -> None:
        decision = invocation.decide()
        asked_for = decision[DECISION_ATTRIBUTES[decision["decisionType"]]]
        _, _, _, recorded = event
        for what, asked in asked_for.items():
            if what in DRIFTS and recorded.get(what) != asked:
                self._note_difference(invocation, event, what, asked)
        if "input" in recorded and "input" not in asked_for:
            self._note_difference(invocation, event, "input", None)

    def _note_difference(self, invocation: Invocation, event: HistoryEvent, what: str, asked: Any) -> None:
        event_id, event_type, _, recorded = event
        held = recorded.get(what)
        if invocation.id.startswith(RETRY):
            return  # a changed policy governs only the attempts to come
        if event_type in REPEATING and not (what in _JSON and _same_json(asked, held)):
            self.drifts.append(Drift(event_id, str(invocation), what, held, asked, invocation.where))

    def _note_own_signal(self, signal_name: str) -> None:
        name = signal_name.replace("invoke_once_signal", "invoke_once", 1)
        if name != signal_name and name in self._recorded:
            self._recorded[name] = self._recorded[name]._replace(with_signal=True)
            self._own_signals.add(signal_name)

    def _match_id(self, invocation: Invocation) -> str:
        """Children are matched without the run's prefix, which 2.0.0 did not write."""
        return invocation.id.removeprefix(self.child_prefix) if invocation.kind is _CHILD else invocation.id

    def _is_of_2_0_0(self) -> bool:
        """Tell whether the response in this batch was sent without a rules number."""
        return self._completed is not None and not names_rules(self._completed[3])

    def _unasked(self, event: HistoryEvent, match_id: str, name: Any) -> NondeterminismException:
        """An event without its request: name what the code asks for instead, if anything."""
        event_id, event_type, *_ = event
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
_CHILD, _CLOSE = Kind.CHILD, Kind.CLOSE
_OPEN, _CANCELING, _FAILED = State.OPEN, State.CANCELING, State.FAILED
_CLOSED_WHILE_CANCELING = State.CLOSED_WHILE_CANCELING

_JSON = frozenset({"input", "result"})

_HANDLERS: Final[dict[str, Callable[[Replayer, HistoryEvent], None]]] = {
    **dict.fromkeys(EVENT_ATTRIBUTES, Replayer._on_fact),
    **{
        type_: Replayer._on_answer_to_cancel if answer.cancels else Replayer._on_answer
        for type_, answer in ANSWERS.items()
    },
    **dict.fromkeys(CLOSES, Replayer._on_close),
    **dict.fromkeys(OUTCOMES, Replayer._on_outcome),
    "StartChildWorkflowExecutionFailed": Replayer._on_child_start_failed,
    "FailWorkflowExecutionFailed": Replayer._on_refused_close,
    "CancelWorkflowExecutionFailed": Replayer._on_refused_close,
    "WorkflowExecutionStarted": Replayer._on_started,
    "WorkflowExecutionCancelRequested": Replayer._on_cancel_requested,
    "WorkflowExecutionSignaled": Replayer._on_signaled,
    "ChildWorkflowExecutionStarted": Replayer._on_child_started,
    "DecisionTaskCompleted": Replayer._on_completed,
}


def execution_context(text: str = "") -> str:
    """Return the execution context of a response: the rules number first, then what is for people."""
    return f"{RULES_PREFIX}{RULES}\n{text}" if text else f"{RULES_PREFIX}{RULES}"


def names_rules(completed: dict[str, Any]) -> bool:
    """Tell from the attributes of a DecisionTaskCompleted whether its response named its rules; 2.0.0's did not."""
    context: str | None = completed.get("executionContext")
    return context is not None and context.startswith(RULES_PREFIX)


def _rules_of(completed: dict[str, Any]) -> int:
    if not names_rules(completed):
        return RULES
    number = completed["executionContext"][len(RULES_PREFIX) :].split("\n", 1)[0].strip()
    if number != str(RULES):
        raise DeciderException(
            f"this run is decided by replay rules {number}; this pyflow knows rules {RULES}. "
            f"Let a worker with the pyflow that started the run decide it."
        )
    return RULES


def _decision(key: _OutboxKey, invocation: Invocation) -> Decision:
    if not key[2]:
        return invocation.decide()
    return swf.cancel_timer(invocation.id) if key[0] is Kind.TIMER else swf.request_cancel_activity_task(invocation.id)


def _fitting(owed: list[Decision]) -> int:
    """Tell how many of the decisions fit into one response, leaving room for the timer that brings the next."""
    count = len(owed) if len(owed) <= DECISIONS_MAX else DECISIONS_MAX - 1
    if count <= RESPONSE_BYTES_MAX // 40_000:
        return count
    room = RESPONSE_BYTES_MAX
    for fitting, decision in enumerate(owed[:count]):
        room -= len(json.dumps(decision))
        if room < 0:
            return fitting
    return count


def _same_json(one: str | None, other: str | None) -> bool:
    try:
        return bool(json.loads(one or "null") == json.loads(other or "null"))
    except ValueError:
        return False


def _describe(event: HistoryEvent, match_id: str, name: Any) -> str:
    _, event_type, *_ = event
    if isinstance(name, dict):
        name = f"{name.get('name')} {name.get('version')}"
    about = " ".join(part for part in (match_id, f"({name})" if name else "") if part)
    return f"{event_type} {about}".rstrip()
