"""
Heartbeats in the background, from threads of the worker's own, for all tasks under way.
"""

import heapq
import itertools
import logging
import time
from threading import Condition, Lock, Thread
from typing import Final

from pyflow.activities import WorkerSide
from pyflow.exceptions import ServiceFault
from pyflow.pulse import Pulse
from pyflow.swf.faults import Verdict, judge

logger = logging.getLogger(__name__)

LEAST_S: Final = 1.0
"""A body that beats more often than this is not sent to SWF more often: its newest details are."""
BEATERS: Final = 2
"""Threads that beat, so that one call that hangs does not let the other tasks time out."""
GRACE_S: Final = 1.0
"""How long after a timeout SWF is asked whether it has ended the task."""
SPARE: Final = 64
"""How many beats that count no more may be kept, beside as many as there are tasks."""
ASK_AGAIN_S: Final = 60.0
"""How often it is asked again, if the workflow has given this task a longer timeout than the definition."""


class Beat:
    """When the next beat of a task is due."""

    def __init__(self, pulse: Pulse, side: WorkerSide) -> None:
        self.pulse = pulse
        self.due_s: float | None = None
        self.sending = False
        self.gone = False
        self._auto_s = side.heartbeat_s / 3 if side.auto_heartbeat and side.heartbeat_s is not None else None
        self._silence_s = side.heartbeat_s
        limits = [limit for limit in (side.start_to_close_s, side.schedule_to_close_s) if limit is not None]
        self._over_s = time.monotonic() + min(limits) + GRACE_S if limits else None

    def stands_at(self, due_s: float) -> bool:
        """Whether it is still to beat at a time for which it was put down."""
        return due_s == self.due_s and not self.gone

    def next_s(self) -> float | None:
        """Return when to beat next, on the monotonic clock; None: not before something changes."""
        pulse = self.pulse
        if pulse.lost:
            return None
        due = []
        if self._auto_s is not None:
            # One that did not arrive is followed sooner: there must be time for more than two within the timeout.
            due.append(pulse.sent_s + (self._auto_s / 2 if pulse.failures else self._auto_s))
        elif self._silence_s is not None:
            # The body beats by itself and is late: SWF has ended the task, and only a beat can tell us.
            due.append(pulse.sent_s + self._silence_s + GRACE_S)
        if pulse.pending:
            due.append(pulse.body_sent_s + LEAST_S)
        if self._over_s is not None:
            due.append(max(self._over_s, pulse.sent_s + ASK_AGAIN_S if pulse.sent_s > self._over_s else 0.0))
        return min(due, default=None)


class Heart:
    """Beats for the tasks that it watches, each at its time; ``start`` it, and ``stop`` it."""

    def __init__(self) -> None:
        self._watched = 0
        self._queue: list[tuple[float, int, Beat]] = []
        self._order = itertools.count()
        self._lock = Lock()
        self._changed = Condition(self._lock)
        self._stopped = False

    def start(self) -> None:
        """Begin to beat."""
        for number in range(BEATERS):
            Thread(target=self._run, name=f"pyflow-heart-{number}", daemon=True).start()

    def stop(self) -> None:
        """Beat no more."""
        with self._lock:
            self._stopped = True
            self._changed.notify_all()

    def watch(self, pulse: Pulse, side: WorkerSide) -> Beat:
        """Beat for a task from now on."""
        beat = Beat(pulse, side)
        pulse.on_pending = lambda: self._schedule(beat)
        with self._lock:
            self._watched += 1
            self._put_down(beat)
        return beat

    def leave(self, beat: Beat) -> None:
        """Beat for a task no more; details that are still pending are sent."""
        with self._lock:
            beat.gone = True
            beat.pulse.on_pending = None
            self._watched -= 1
            if len(self._queue) > 2 * self._watched + SPARE:
                # Short bodies are gone long before their beats are due; they must not fill the memory until then.
                self._queue = [(due_s, order, each) for due_s, order, each in self._queue if each.stands_at(due_s)]
                heapq.heapify(self._queue)
        if beat.pulse.pending and not beat.pulse.lost:
            self._send(beat.pulse)

    def _schedule(self, beat: Beat) -> None:
        with self._lock:
            self._put_down(beat)

    def _put_down(self, beat: Beat) -> None:
        due_s = beat.next_s()
        if beat.gone or beat.sending or due_s == beat.due_s:
            return
        beat.due_s = due_s  # what stands in the queue with another time counts no more
        if due_s is not None:
            heapq.heappush(self._queue, (due_s, next(self._order), beat))
            if self._queue[0][2] is beat:  # else who waits for an earlier one looks at the next by itself
                self._changed.notify()

    def _run(self) -> None:
        while (beat := self._next()) is not None:
            self._send(beat.pulse)
            beat.sending = False
            self._schedule(beat)

    def _next(self) -> Beat | None:
        """Wait for the next beat that is due; None once stopped."""
        with self._lock:
            while not self._stopped:
                while self._queue and not self._queue[0][2].stands_at(self._queue[0][0]):
                    heapq.heappop(self._queue)
                wait_s = self._queue[0][0] - time.monotonic() if self._queue else None
                if wait_s is None or wait_s > 0:
                    self._changed.wait(wait_s)
                    continue
                _, _, beat = heapq.heappop(self._queue)
                beat.due_s, beat.sending = None, True
                if self._queue:
                    self._changed.notify()  # the other thread waits for the next one from here on
                return beat
        return None

    def _send(self, pulse: Pulse) -> None:
        try:
            pulse.send()
        except ServiceFault as fault:
            if judge(fault) is Verdict.OURS:
                pulse.details = None  # whatever SWF has against them, the beat itself must get through
            logger.error("a heartbeat is refused: %s", fault)  # noqa: TRY400 - the fault tells it all
        except Exception:
            logger.exception("a heartbeat failed")
