"""
Bodies in processes of their own: started fresh, kept for the next body, killed where nothing else helps.

A process shares nothing with the worker. It is spawned, never forked: a fork of a process with threads may hang for ever on a
lock that one of them held. What goes to and fro is JSON. The parent keeps the connection to SWF; it beats for the body, and
when the process ends in any way it is the first to know.
"""

import atexit
import json
import logging
import multiprocessing
import os
import signal
import sys
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from threading import Lock, Timer
from typing import Any, Final
from weakref import WeakSet

from pyflow.converter import DataConverter
from pyflow.exceptions import ServiceFault
from pyflow.swf.client import Client

from .bodies import Outcome
from .child import serve
from .performance import Performance

logger = logging.getLogger(__name__)

PROCESS_DIED: Final = "PROCESS_DIED"
"""The reason of a failure whose body's process ended by itself."""

PROCESS_NAME: Final = "pyflow-body"

LOOK_S: Final = 1.0
"""How often it is looked whether a process that says nothing is still there."""

CLOSE_S: Final = 5.0
"""How long a process that is idle may take to end."""

_SPAWN: Final = multiprocessing.get_context("spawn")
_books: Final = Lock()
"""multiprocessing reaps its children from any thread that starts one; two at once take each other's exit codes."""


_running: "Final[WeakSet[Child]]" = WeakSet()


@atexit.register
def _kill_all() -> None:
    """Leave no process behind. multiprocessing would send each a SIGTERM, which they do not heed, and wait for ever."""
    for child in list(_running):
        child.kill(at_once=True)


class Child:
    """One process, which runs one body at a time."""

    def __init__(self, converter: DataConverter) -> None:
        ours, theirs = _SPAWN.Pipe()
        self.connection: Connection[Any, Any] = ours
        self._process = _SPAWN.Process(target=serve, args=(theirs, converter), name=PROCESS_NAME, daemon=True)
        with _books:
            self._process.start()
        theirs.close()  # so that its end is seen here
        _running.add(self)
        self._killable = Lock()
        self._is_busy = False
        self.was_killed = False

    def begin(self, job: dict[str, Any]) -> None:
        """Give it a body to run."""
        with self._killable:
            self._is_busy = True
        self.send(job)

    def end(self) -> None:
        """The body is over: nobody may kill the process for it any more."""
        with self._killable:
            self._is_busy = False

    def send(self, message: dict[str, Any]) -> None:
        """Send a message; that nobody is there to read it shows when the next one is awaited."""
        with suppress(OSError):
            self.connection.send_bytes(json.dumps(message, default=str).encode())

    def receive(self) -> dict[str, Any] | None:
        """Wait for a message; None: the process has ended, or will never say anything more."""
        # Both the pipe and the sentinel, a pipe too, stay open when the process is gone but has left a fork behind.
        while not (ready := wait([self.connection, self._process.sentinel], LOOK_S)):
            if not (self._is_alive() or self.connection.poll()):
                return None
        if self.connection not in ready:
            return None
        try:
            message: dict[str, Any] = json.loads(self.connection.recv_bytes())
        except (EOFError, OSError):
            return None
        return message

    def _is_alive(self) -> bool:
        with _books:
            return self._process.is_alive()

    def kill(self, *, at_once: bool = False) -> None:
        """Kill the process, with what its body has started: if it still runs that body, or ``at_once``."""
        with self._killable:
            if not (self._is_busy or at_once):
                return
            self.was_killed = True
            try:
                os.killpg(self._process.pid or 0, signal.SIGKILL)
            except (ProcessLookupError, PermissionError, AttributeError):  # not a group of its own yet; or Windows
                self._process.kill()

    def close(self) -> int | None:
        """Let an idle process end, or clear away one that has ended; give its exit code."""
        self.send({"kind": "end"})
        self.connection.close()
        self._process.join(CLOSE_S)
        if self._process.is_alive():
            self.kill(at_once=True)
            self._process.join()
        _running.discard(self)
        with _books:
            code = self._process.exitcode
            self._process.close()
        return code


def is_body_process() -> bool:
    """Say whether this is the process of a body."""
    return multiprocessing.current_process().name == PROCESS_NAME


class Processes:
    """
    The processes of a worker.

    Args:
        client: an SWF client, for what bodies ask of SWF.
        converter: what values become on their way; each process gets a copy.
        cancel_grace_s: how long a body that should stop may take before its process is killed.
    """

    def __init__(self, client: Client, converter: DataConverter, cancel_grace_s: float) -> None:
        self._client = client
        self._converter = converter
        self._cancel_grace_s = cancel_grace_s
        self._idle: list[Child] = []
        self._lock = Lock()

    def perform(self, performance: Performance) -> Outcome:
        """Run a body in a process, in the calling thread's time; the process is kept if it outlives the body."""
        try:
            job = _job(performance)
            child = self._taken()
        except OSError as error:
            return Outcome("FAILED", f"no process can be started: {error}", PROCESS_DIED)
        timers: list[Timer] = []

        def kill_later() -> None:
            timers.append(Timer(self._cancel_grace_s, child.kill))
            timers[-1].daemon = True
            timers[-1].start()

        child.begin(job)
        performance.on_stop(kill_later)
        outcome, has_begun = None, False
        while outcome is None and (message := child.receive()) is not None:
            if message["kind"] == "outcome":
                outcome = Outcome(*message["outcome"])
            elif message["kind"] == "begun":
                has_begun = True
            else:
                child.send(self._called(performance, message["operation"], message["request"]))
        child.end()
        for timer in timers:
            timer.cancel()
        killed = child.was_killed
        if outcome is None or killed:
            child.kill(at_once=True)  # what the body has started outlives its process no more than the worker's end
            code = child.close()
            return outcome or _died(performance, code, killed=killed, has_begun=has_begun)
        with self._lock:
            self._idle.append(child)
        return outcome

    def close(self) -> None:
        """Let the processes end; those whose bodies nobody waits for any more end with the worker."""
        with self._lock:
            idle, self._idle = self._idle, []
        for child in idle:
            child.close()

    def _taken(self) -> Child:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return Child(self._converter)

    def _called(self, performance: Performance, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Do for a body what it asks of SWF: a heartbeat, or the history of its execution."""
        pulse = performance.task.pulse
        try:
            if operation == "record_activity_task_heartbeat":
                pulse.beat(request.get("details"))
                if pulse.lost:
                    raise ServiceFault("UnknownResourceFault", "the task is not open any more")  # noqa: TRY301
                return {"reply": {"cancelRequested": pulse.cancel_requested, "stopping": pulse.stopping}}
            return {"reply": self._client.get_workflow_execution_history(**request)}
        except ServiceFault as fault:
            return {"fault": [fault.code, fault.message, fault.status]}
        except Exception as error:  # what a client raises; the child has it as the fault it would have had itself
            return {"fault": [type(error).__name__, str(error), 0]}


def _job(performance: Performance) -> dict[str, Any]:
    """Say which function to run, and on what; the child finds it as it finds any module, or else by its file."""
    activity = performance.activity
    module = sys.modules.get(activity.function.__module__)
    return {
        "kind": "job",
        "module": activity.function.__module__,
        "file": getattr(module, "__file__", None),
        "function": activity.function.__qualname__,
        "type": [activity.name, activity.version],
        "task": {
            "taskToken": performance.task.task_token,
            "activityId": performance.task.activity_id,
            "activityType": {"name": activity.name, "version": activity.version},
            "workflowExecution": {"workflowId": performance.task.workflow_id, "runId": performance.task.run_id},
            "startedEventId": performance.task.started_event_id,
        },
        "domain": performance.domain,
        "input": performance.input,
        "attempt_in_worker": performance.task.attempt_in_worker,
    }


def _died(performance: Performance, code: int | None, *, killed: bool, has_begun: bool) -> Outcome:
    if killed and performance.task.pulse.over:
        return Outcome("CANCELED", f"{performance.task.pulse.over}; its process did not stop by itself and was killed")
    how = "ended without a word" if code is None else f"ended with exit code {code}"
    if code is not None and code < 0:
        how = f"was killed by {signal.Signals(-code).name}"
    when = "while the body ran"
    if not has_begun:
        when = (
            "before the body began. A script that starts a worker does so under `if __name__ == '__main__':`, since each process "
            "imports it"
        )
    return Outcome("FAILED", f"the process of activity {performance.activity.name!r} {how} {when}", PROCESS_DIED)
