"""
Small workflows with one bug each that some order of events, or a second replay, brings to light; and each mended.

They stand in a module of their own, so that another process can import them.
"""

import hashlib
import os
import random
import time
import uuid
from contextlib import suppress

import pyflow


@pyflow.activity("planted act", "1.0", start_to_close=60)
def act(what, key=None):
    return what


@pyflow.activity("planted undo", "1.0", start_to_close=60)
def undo(what):
    return what


def workflow(class_):
    """Give a class a workflow type of its own."""
    class_.NAME = f"planted {class_.__name__}"
    return class_


# -- races -------------------------------------------------------------------------------------------------------------


class Approval(pyflow.Workflow):
    """Timer and signal come in one batch: the timer is looked at first, whichever came first."""

    approved = False
    looks_at_the_timer_first = True

    @pyflow.signal
    def approve(self):
        self.approved = True

    def run(self, _):
        timer = self.swf.start_timer(3600)
        self.swf.wait_until(lambda: self.approved or timer.done)
        if timer.done and (self.looks_at_the_timer_first or not self.approved):
            return "expired"
        return "approved"


@workflow
class SignalAndTimer(Approval): ...


@workflow
class SignalAndTimerMended(Approval):
    looks_at_the_timer_first = False


@workflow
class CompletionAndCancel(pyflow.Workflow):
    """A cancel while the booking is under way leaves the booking."""

    def run(self, _):
        act("book")
        return "booked"


@workflow
class CompletionAndCancelMended(pyflow.Workflow):
    def run(self, _):
        booking = act.submit("book")
        try:
            return booking.result()
        except pyflow.WorkflowCanceledException:
            with self.swf.shield():
                booking.result()
                undo("book")
            raise


@workflow
class CancelDuringCleanup(pyflow.Workflow):
    """A cancel that comes while the first thing is undone leaves the second one."""

    def run(self, _):
        with self.swf.shield():
            act("first")
            act("second")
        self.clean_up()

    def clean_up(self):
        undo("second")
        undo("first")


@workflow
class CancelDuringCleanupMended(CancelDuringCleanup):
    def clean_up(self):
        with self.swf.shield():
            super().clean_up()


@workflow
class DoubleCharge(pyflow.Workflow):
    """An attempt that was not answered may have charged; the next one has another key."""

    def run(self, _):
        for _ in range(2):
            with suppress(pyflow.InvocationTimedOutException):
                return act("charge", key=str(self.swf.uuid4()))
        return "gave up"


@workflow
class DoubleChargeMended(pyflow.Workflow):
    def run(self, _):
        key = str(self.swf.uuid4())
        for _ in range(2):
            with suppress(pyflow.InvocationTimedOutException):
                return act("charge", key=key)
        return "gave up"


@workflow
class SignalLostAsItContinues(pyflow.Workflow):
    """What came and was not received is not handed on."""

    def run(self, left):
        self.swf.receive("item")
        act("item")
        if left > 1:
            self.swf.continue_as_new(left - 1)


@workflow
class SignalLostAsItContinuesMended(pyflow.Workflow):
    def run(self, state):
        left, items = state if isinstance(state, list) else (state, [])
        item = items.pop(0) if items else self.swf.receive("item")
        act(item)
        if left > 1:
            with suppress(pyflow.WaitTimedOutException):
                while True:
                    items.append(self.swf.receive("item", timeout=0))
            self.swf.continue_as_new([left - 1, items])


@workflow
class WhoWasFirst(pyflow.Workflow):
    """The first to complete is taken for the first that was asked."""

    def run(self, _):
        quotes = [act.submit(name) for name in ("ada", "bob")]
        return dict(zip(["ada", "bob"], [quote.result() for quote in self.swf.as_completed(quotes)], strict=True))


@workflow
class WhoWasFirstMended(pyflow.Workflow):
    def run(self, _):
        quotes = {name: act.submit(name) for name in ("ada", "bob")}
        return {name: quote.result() for name, quote in quotes.items()}


@workflow
class TooLateAndDone(pyflow.Workflow):
    """A charge that completes after it was given up is not given back."""

    def run(self, _):
        charge = act.submit("charge")
        try:
            return charge.result(timeout=30)
        except pyflow.WaitTimedOutException:
            charge.cancel()
            return "gave up"


@workflow
class TooLateAndDoneMended(pyflow.Workflow):
    def run(self, _):
        charge = act.submit("charge")
        try:
            return charge.result(timeout=30)
        except pyflow.WaitTimedOutException:
            charge.cancel(wait=True)
            with suppress(pyflow.InvocationCanceledException):
                charge.result()
                undo("charge")
            return "gave up"


@workflow
class NothingIsGivenBack(pyflow.Workflow):
    """If the second step fails, the first one stays done."""

    def run(self, _):
        act("first")
        act("second")


@workflow
class NothingIsGivenBackMended(pyflow.Workflow):
    def run(self, _):
        act("first")
        try:
            act("second")
        except pyflow.InvocationFailedException:
            undo("first")
            raise


@workflow
class SwallowedCancel(pyflow.Workflow):
    """What catches everything catches the cancel."""

    def run(self, _):
        for _ in range(2):
            with suppress(Exception):
                return act("try")
        return "gave up"


@workflow
class SwallowedCancelMended(pyflow.Workflow):
    def run(self, _):
        for _ in range(2):
            with suppress(pyflow.InvocationFailedException):
                return act("try")
        return "gave up"


@workflow
class ShortChild(pyflow.Workflow):
    def run(self, _):
        with suppress(pyflow.WaitTimedOutException):
            self.swf.receive("hurry", timeout=60)


@workflow
class ChildGoneBeforeTheSignal(pyflow.Workflow):
    """A child that has closed takes no signal, and the refusal fails the parent."""

    def run(self, _):
        child = self.swf.start_child(ShortChild)
        self.swf.receive("hurry")
        self.tell(child)
        child.result()

    def tell(self, child):
        child.signal("hurry").result()


@workflow
class ChildGoneBeforeTheSignalMended(ChildGoneBeforeTheSignal):
    def tell(self, child):
        with suppress(pyflow.InvocationFailedException):
            super().tell(child)


class Paying(pyflow.Workflow):
    paid = 0

    def run(self, _):
        self.swf.wait_until(lambda: self.paid)
        self.swf.sleep(60)


@workflow
class LookWaitAct(Paying):
    """Between the look and the note of it there is a wait: a second signal comes into it."""

    @pyflow.signal
    def pay(self, amount):
        if not self.paid:
            act("charge")
            self.paid = amount


@workflow
class LookWaitActMended(Paying):
    @pyflow.signal
    def pay(self, amount):
        if not self.paid:
            self.paid = amount
            act("charge")


class Adding(pyflow.Workflow):
    total = added = 0

    def run(self, _):
        self.swf.wait_until(lambda: self.added == 2)
        return self.total


@workflow
class LostUpdate(Adding):
    """A value that was read before a wait is written after it."""

    @pyflow.signal
    def add(self, number):
        total = self.total
        act("log")
        self.total = total + number
        self.added += 1


@workflow
class LostUpdateMended(Adding):
    @pyflow.signal
    def add(self, number):
        act("log")
        self.total += number
        self.added += 1


class Closing(pyflow.Workflow):
    closed = False
    busy = 0

    @pyflow.signal
    def add(self, number):
        self.busy += 1
        act("begin")
        undo("end")
        self.busy -= 1

    @pyflow.signal
    def close(self):
        self.closed = True


@workflow
class EndsWhileAHandlerWorks(Closing):
    """run returns while the handler of a signal is in the middle."""

    def run(self, _):
        self.swf.wait_until(lambda: self.closed)


@workflow
class EndsWhileAHandlerWorksMended(Closing):
    def run(self, _):
        self.swf.wait_until(lambda: self.closed and not self.busy)


# -- what does not replay ----------------------------------------------------------------------------------------------


class Acting(pyflow.Workflow):
    def run(self, _):
        for what in self.things():
            act(what)
            self.swf.sleep(1)

    def things(self):
        return ["one"]


NAMES = [
    "ada",
    "bob",
    "cleo",
    "dan",
    "eve",
    "fay",
    "gus",
    "hal",
    "ida",
    "jim",
    "kim",
    "leo",
    "mia",
    "ned",
    "oda",
    "pam",
]
"""So many that two processes hardly ever agree on their order, or on which of them have an odd hash."""


@workflow
class OrderOfASet(Acting):
    def things(self):
        return set(NAMES)


@workflow
class OrderOfASetMended(Acting):
    def things(self):
        return sorted(set(NAMES))


@workflow
class HashOfAText(Acting):
    def things(self):
        return [name for name in NAMES if hash(name) % 2]


@workflow
class HashOfATextMended(Acting):
    def things(self):
        return [name for name in NAMES if hashlib.sha256(name.encode()).digest()[0] % 2]


class Thing:
    def __init__(self, name):
        self.name = name


@workflow
class OrderOfIds(Acting):
    def things(self):
        return [thing.name for thing in {Thing(f"thing {number}") for number in range(8)}]


@workflow
class OrderOfIdsMended(Acting):
    def things(self):
        return sorted(super().things())


@workflow
class Environment(Acting):
    def things(self):
        return [os.environ.get("PLANTED_REGION", "nowhere")]


@workflow
class EnvironmentMended(Acting):
    def things(self):
        return [self.swf.invoke_once(os.environ.get, "PLANTED_REGION").result()]


@workflow
class Random(Acting):
    def things(self):
        return [random.random()]


@workflow
class RandomMended(Acting):
    def things(self):
        return [self.swf.random.random()]


@workflow
class Uuid(Acting):
    def things(self):
        return [str(uuid.uuid4())]


@workflow
class UuidMended(Acting):
    def things(self):
        return [str(self.swf.uuid4())]


@workflow
class Clock(Acting):
    def things(self):
        return [time.time()]


@workflow
class ClockMended(Acting):
    def things(self):
        return [self.swf.workflow_time().timestamp()]


STARTED = 0


@workflow
class CounterOfAModule(Acting):
    def things(self):
        global STARTED
        STARTED += 1
        return [f"run number {STARTED}"]


@workflow
class CounterOfAModuleMended(Acting):
    started = 0

    def things(self):
        self.started += 1
        return [f"run number {self.started}"]


@workflow
class MutableDefault(Acting):
    def things(self, seen=[]):
        seen.append("thing")
        return [f"{len(seen)} things"]


@workflow
class MutableDefaultMended(Acting):
    def things(self, seen=None):
        return super().things()


@workflow
class CacheOfAClass(Acting):
    """The first run asks, and all others do not: also its own replay."""

    cache = {}

    def things(self):
        if "rate" not in self.cache:
            self.cache["rate"] = act("rate")
        return [self.cache["rate"]]


@workflow
class CacheOfAClassMended(Acting):
    def things(self):
        return [act("rate")]
