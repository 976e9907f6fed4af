"""
Whether a worker is well: its polls are answered.

A poll that SWF holds open is answered within a minute, with a task or without. A worker that has not had an answer for longer
than that, back-off included, is of no use: no network, no permission, no domain. One that does not poll, because its bodies
take all its room, is well.
"""

import time
from collections.abc import Callable
from threading import Lock
from typing import Any, Final, Literal

from pyflow.interceptors import Interceptor
from pyflow.swf.client import as_fault

SILENCE_MAX_S: Final = 200.0
"""The longest time without an answer: a poll of 60 s, the longest back-off of 60 s, and another poll, with room."""

State = Literal["ok", "starting", "stopping", "failing"]


class Health(Interceptor):
    """
    Watches the polls.

    Args:
        silence_max_s: seconds without an answer after which a kind of poll is failing.
        clock: seconds that only grow.
    """

    def __init__(self, silence_max_s: float = SILENCE_MAX_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._stopping = False
        self._silence_max_s = silence_max_s
        self._clock = clock
        self._lock = Lock()
        self._began_s = clock()
        self._answered_s: dict[str, float] = {}
        self._unanswered_s: dict[str, float] = {}
        self._faults: dict[str, str] = {}

    def call(self, operation: str, request: dict[str, Any], proceed: Callable[[], Any]) -> Any:
        """Note how a poll ends; other calls say nothing about whether tasks come in."""
        if not operation.startswith("PollFor"):
            return proceed()
        with self._lock:
            self._unanswered_s.setdefault(operation, self._clock())
        try:
            reply = proceed()
        except Exception as error:
            with self._lock:
                self._faults[operation] = str(as_fault(error, operation) or type(error).__name__)
            raise
        with self._lock:
            self._answered_s[operation] = self._clock()
            self._unanswered_s.pop(operation, None)
            self._faults.pop(operation, None)
        return reply

    def stop(self) -> None:
        """Note that the worker has been told to end: nothing new should be sent its way."""
        self._stopping = True

    def report(self) -> dict[str, Any]:
        """
        Return how the worker is, for JSON.

        Returns:
            ``status``: ``ok``, ``starting`` (no answer yet), ``stopping`` or ``failing``; ``polls``: for each kind of poll the
            seconds since its last answer, or None, and the fault since then, or None.
        """
        now_s = self._clock()
        with self._lock:
            operations = sorted(self._answered_s.keys() | self._faults.keys())
            answered_s = dict(self._answered_s)
            unanswered_s = dict(self._unanswered_s)
            faults = dict(self._faults)
        polls = {
            each: {
                "answered_s_ago": round(now_s - answered_s[each], 1) if each in answered_s else None,
                "fault": faults.get(each),
            }
            for each in operations
        }
        waiting_since_s = min(unanswered_s.values(), default=now_s if answered_s else self._began_s)
        return {"status": self._status(now_s - waiting_since_s, answered_s), "polls": polls}

    def _status(self, silence_s: float, answered_s: dict[str, float]) -> State:
        if self._stopping:
            return "stopping"
        if silence_s > self._silence_max_s:
            return "failing"
        return "ok" if answered_s else "starting"
