"""
Several worker processes under one: started, watched, started again, exchanged for new code, ended together.

Each worker is a command in a process of its own, tied to its supervisor by a socket: the worker writes a line when it is about
to poll; and reads the end of the supervisor, whatever that died of, as a request to stop.
"""

import logging
import signal
import socket
import subprocess
import time
from contextlib import AbstractContextManager, nullcontext
from queue import Empty, SimpleQueue
from threading import Thread
from types import FrameType
from typing import Any, Final

from pyflow.telemetry.endpoint import Endpoint

from .observing import address
from .output import Refusal

logger = logging.getLogger(__name__)

REFUSED: Final = 2
"""The exit status of a command that could not begin: to start it again would be refused again."""
RESTART_FIRST_S: Final = 1.0
RESTART_MAX_S: Final = 60.0
STEADY_S: Final = 60.0
"""A worker that ran so long before it broke is started again as if it were the first time."""
READY_S: Final = 300.0
"""How long a worker may take to be ready when code is exchanged: it registers types, within SWF's rates."""
WATCH_S: Final = 0.1


class Worker:
    """
    One worker process.

    Args:
        command: its command line; the file descriptor of its end of the tie is appended.
        name: what it is called in log lines.
    """

    def __init__(self, command: list[str], name: str) -> None:
        self.name = name
        self.is_ready = False
        self._tie, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen([*command, "--tie", str(theirs.fileno())], pass_fds=[theirs.fileno()])  # noqa: S603 - our own command line
        self.pid = self._process.pid
        Thread(target=self._listen, name=f"tie to {name}", daemon=True).start()

    @property
    def status(self) -> int | None:
        """Its exit status; None while it runs; negative: the signal that ended it."""
        return self._process.poll()

    def stop(self) -> None:
        """Ask it to finish what is under way and end."""
        if self.status is None:
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it now."""
        if self.status is None:
            self._process.kill()
            self._process.wait()

    def _listen(self) -> None:
        with self._tie:
            while said := self._tie.recv(64):
                self.is_ready = self.is_ready or said.startswith(b"ready")


class Place:
    """
    Where one of the workers belongs.

    Attributes:
        worker: who is there.
        begun_s: since when.
        breaks: how often in a row one broke.
        start_s: when the next one may start.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.worker: Worker | None = None
        self.begun_s = 0.0
        self.breaks = 0
        self.start_s = 0.0

    def broke(self, now_s: float) -> float:
        """Note that its worker has ended, and return how many seconds later the next one may start."""
        self.breaks = 0 if now_s - self.begun_s >= STEADY_S else self.breaks + 1
        pause_s = min(RESTART_MAX_S, RESTART_FIRST_S * 2.0 ** min(max(0, self.breaks - 1), 16))
        self.worker, self.start_s = None, now_s + pause_s
        return pause_s


class Supervisor:
    """
    Keeps a number of workers running until it is told to stop.

    Args:
        count: how many.
        command: of each worker; its place and its tie are appended.
        health_at: where to serve ``/health``, ``HOST:PORT`` or ``PORT``; None: nowhere.
    """

    def __init__(self, count: int, command: list[str], health_at: str | None) -> None:
        self._places = [Place(f"worker {number + 1}") for number in range(count)]
        self._command = command
        self._health_at = health_at
        self._asked: SimpleQueue[int] = SimpleQueue()
        self._ever_ready = False
        self._leaving: list[Worker] = []
        self._stopping = False

    def run(self) -> int:
        """
        Start the workers, and keep them running until SIGTERM or SIGINT; SIGHUP exchanges them one by one for new ones.

        Returns:
            The exit status: 0 after a stop; 2 if a worker was refused before any was ready; 1 if a second signal cut, or a worker
            did not finish what was under way.
        """

        with self._health_port():
            return self._watch()

    def report(self) -> dict[str, Any]:
        """
        Return how the workers are, for JSON.

        Returns:
            ``status``: ``ok`` if all are ready, else ``starting`` or ``stopping``; ``workers``: pid, whether it is ready, and how
            often its place broke in a row.
        """
        workers = [
            {
                "pid": place.worker and place.worker.pid,
                "ready": place.worker is not None and place.worker.is_ready and place.worker.status is None,
                "breaks": place.breaks,
            }
            for place in self._places
        ]
        is_ok = all(each["ready"] for each in workers)
        return {"status": "stopping" if self._stopping else "ok" if is_ok else "starting", "workers": workers}

    def _health_port(self) -> AbstractContextManager[Any]:
        if self._health_at is None:
            return nullcontext()
        host, port = address(self._health_at)
        try:
            return Endpoint(self.report, None, host, port)
        except OSError as error:
            raise Refusal(f"--health-port {self._health_at}: {error.strerror}") from error

    def _watch(self) -> int:
        def ask(number: int, _frame: FrameType | None) -> None:
            self._asked.put(number)

        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, ask)
        while True:
            for place in self._places:
                if not self._tend(place):
                    return self._end(REFUSED)
            self._leaving = [worker for worker in self._leaving if worker.status is None]
            match self._next_ask(WATCH_S):
                case None:
                    continue
                case signal.SIGHUP:
                    self._exchange()
                case _:
                    return self._end(0)

    def _next_ask(self, wait_s: float) -> int | None:
        try:
            return self._asked.get(timeout=wait_s)
        except Empty:
            return None

    def _tend(self, place: Place) -> bool:
        """Look after one place; False if its worker was refused at the very start."""
        now_s = time.monotonic()
        worker = place.worker
        if worker is None:
            if now_s >= place.start_s:
                self._start(place)
            return True
        self._ever_ready = self._ever_ready or worker.is_ready
        status = worker.status
        if status is None:
            return True
        if status == REFUSED and not self._ever_ready:
            return False
        pause_s = place.broke(now_s)
        logger.error(
            "%s (pid %d) ended with %s; the next starts in %.0f s", worker.name, worker.pid, _told(status), pause_s
        )
        return True

    def _start(self, place: Place) -> Worker:
        place.worker = Worker([*self._command, "--place", str(self._places.index(place))], place.name)
        place.begun_s = time.monotonic()
        logger.info("%s started, pid %d", place.name, place.worker.pid)
        return place.worker

    def _exchange(self) -> None:
        """Put new workers, with the code as it is now, in the place of the old; an old one stays if the new one is not ready."""
        for place in self._places:
            old = place.worker
            new = self._start(place)
            deadline_s = time.monotonic() + READY_S
            while not new.is_ready and new.status is None and time.monotonic() < deadline_s and self._asked.empty():
                time.sleep(WATCH_S)
                for other in self._places:
                    if other is not place:
                        self._tend(other)
            if new.is_ready:
                place.breaks = 0
                if old is not None:
                    old.stop()
                    self._leaving.append(old)
                continue
            logger.error(
                "%s is not exchanged: its new process %s. The code that runs stays.", place.name, self._why_not(new)
            )
            new.kill()
            place.worker = old
            return
        logger.info("all workers are exchanged")

    def _why_not(self, worker: Worker) -> str:
        status = worker.status
        if status is not None:
            return f"ended with {_told(status)}"
        return "was not ready in time" if self._asked.empty() else "was not ready when another signal came"

    def _end(self, status: int) -> int:
        """Stop all workers and wait for them; a further signal cuts."""
        self._stopping = True
        workers = [*self._leaving, *(place.worker for place in self._places if place.worker is not None)]
        for worker in workers:
            worker.stop()
        while any(worker.status is None for worker in workers):
            if self._next_ask(WATCH_S) not in {None, signal.SIGHUP}:
                for worker in workers:
                    worker.kill()
                return 1
        # One that is told to stop before it listens to signals dies of it, with nothing under way.
        unfinished = [each for each in workers if each.status not in {0, -signal.SIGTERM}]
        for worker in unfinished:
            logger.error("%s (pid %d) ended with %s", worker.name, worker.pid, _told(worker.status or 0))
        return 1 if unfinished and not status else status


def _told(status: int) -> str:
    return f"status {status}" if status >= 0 else f"signal {signal.Signals(-status).name}"
