"""
The heartbeats of one activity task: sent now, or soon, and what SWF answers to them.
"""

import logging
import math
import os
import time
from collections.abc import Callable
from threading import Lock
from typing import Any

from .exceptions import PyflowException, ServiceFault
from .swf.client import Client, service_faults
from .swf.faults import Verdict, judge

logger = logging.getLogger(__name__)


class Pulse:
    """
    What keeps a task alive, and tells whether its body should stop.

    A body's beat is sent at once, unless its last was sent less than ``least_s`` ago: then it is *pending*, and whoever beats in
    the background sends it when that time is over, with the newest details.

    Args:
        client: an SWF client.
        task_token: the task's.
        activity_id: what it is called in messages.

    Attributes:
        details: JSON text of the newest details, or None.
        least_s: seconds from one beat of the body to the next; 0: each is sent at once; None: none from the calling thread.
        pending: a beat of the body waits to be sent.
        sent_s: when any was sent last, on the monotonic clock; at first when the pulse was made.
        body_sent_s: when one of the body was; at first long ago.
        failures: beats in a row that did not arrive.
        cancel_requested: somebody asked the activity to cancel.
        lost: SWF does not know the task any more: it timed out, or its execution has closed.
        lost_s: since when that is known, on the monotonic clock; at first never.
        stopping: its worker is stopping, and waits for it no longer.
        on_pending, on_over: called when a beat becomes pending, and once when the body should stop.
    """

    def __init__(self, client: Client, task_token: str, activity_id: str) -> None:
        self.details: str | None = None
        self.least_s: float | None = 0.0
        self.pending = False
        self.sent_s = time.monotonic()
        self.body_sent_s = -math.inf
        self.failures = 0
        self.cancel_requested = False
        self.lost = False
        self.lost_s = math.inf
        self.stopping = False
        self.on_pending: Callable[[], None] | None = None
        self.on_over: Callable[[], None] | None = None
        self._client = client
        self._token = task_token
        self._activity_id = activity_id
        self._process = os.getpid()
        self._sending = Lock()

    @property
    def over(self) -> str | None:
        """Why the body should stop, in words; None: it should go on."""
        if self.lost:
            return f"SWF does not wait for {self._activity_id} any more"
        if self.cancel_requested:
            return f"cancellation of {self._activity_id} was requested"
        if self.stopping:
            return f"the worker of {self._activity_id} is stopping"
        return None

    def beat(self, details: str | None = None) -> None:
        """
        Beat for the body: now, or as soon as it is time.

        Raises:
            ServiceFault: the service refuses it. That it does not arrive is logged only.
            PyflowException: this is a fork of the process that took the task.
        """
        if os.getpid() != self._process:
            raise PyflowException(
                f"a fork cannot beat for {self._activity_id}: the connection is that of process {self._process}. Beat there, or "
                f"give the fork the task token: pyflow.heartbeat_activity(token) makes a connection of its own."
            )
        if details is not None:
            self.details = details
        self.pending = True
        if self.least_s is not None and time.monotonic() - self.body_sent_s >= self.least_s:
            self.send()
        elif self.on_pending is not None:
            self.on_pending()

    def send(self) -> None:
        """Send a beat with the newest details; raises as ``beat`` does."""
        with self._sending:  # so that older details never come after newer ones
            self.sent_s = time.monotonic()
            if self.pending:
                self.body_sent_s, self.pending = self.sent_s, False
            more = {} if self.details is None else {"details": self.details}
            reply: dict[str, Any] = {}
            try:
                with service_faults("RecordActivityTaskHeartbeat"):
                    reply = self._client.record_activity_task_heartbeat(taskToken=self._token, **more)
            except ServiceFault as fault:
                self._refused(fault)
                if not self.lost:
                    return
        self.failures = 0
        self.turn(cancel_requested=reply.get("cancelRequested", False), stopping=reply.get("stopping", False))

    def turn(self, *, cancel_requested: bool = False, stopping: bool = False) -> None:
        """Note why the body should stop, and tell whoever wants to know, once."""
        self.cancel_requested |= cancel_requested
        self.stopping |= stopping
        if self.over and self.on_over is not None:
            tell, self.on_over = self.on_over, None
            tell()

    def _refused(self, fault: ServiceFault) -> None:
        verdict = judge(fault)
        if verdict is Verdict.LOST:
            self.lost, self.lost_s = True, time.monotonic()
        elif verdict is Verdict.SKIP:
            self.failures += 1
            logger.warning("a heartbeat of %s did not arrive: %s", self._activity_id, fault)
        else:
            self.failures += 1
            raise fault
