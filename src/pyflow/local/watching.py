"""Those who wait for a run to close."""

import threading
from collections import defaultdict
from functools import partial

from .calls import Call, Context
from .engine import Engine
from .state import Event


class Watchers:
    """Who waits for which run. They come, and are told, where somebody is at work at the engine."""

    def __init__(self) -> None:
        self._watches: defaultdict[int, list[Watch]] = defaultdict(list)

    def __len__(self) -> int:
        # Of a copy: whoever asks may be in another thread than those who come and go.
        return sum(map(len, list(self._watches.values())))

    def add(self, run: int, watch: "Watch") -> None:
        """Have somebody told when a run has closed."""
        self._watches[run].append(watch)

    def tell(self, run: int, event: Event) -> None:
        """Tell those who wait for a run that it has closed."""
        for watch in self._watches.pop(run, ()):
            watch.tell(event)

    def remove(self, watch: "Watch") -> None:
        """Forget somebody who does not wait any longer, or is about to begin to."""
        watch.abandoned = True
        run = watch.run
        if watch in self._watches.get(run, ()):
            self._watches[run].remove(watch)
            if not self._watches[run]:
                del self._watches[run]

    def release(self) -> None:
        """Let everybody go who waits."""
        for watches in self._watches.values():
            for watch in watches:
                watch.tell(None)
        self._watches.clear()


class Watch(Call):
    """
    A call that asks how a run has closed, and goes on waiting where it has not.

    Args:
        watchers: where it waits.
        engine: knows the run.
        domain: the run's.
        workflow_id: its names.
        run_id: likewise.
    """

    __slots__ = ("_event", "_waits", "_watchers", "run")

    def __init__(self, watchers: Watchers, engine: Engine, domain: str, workflow_id: str, run_id: str) -> None:
        super().__init__(
            partial(_run_and_end, engine, domain, workflow_id, run_id), "", threading.current_thread().is_alive
        )
        self.run = 0
        self._watchers = watchers
        self._event: Event | None = None
        self._waits = threading.Lock()
        self._waits.acquire()

    def finish(self) -> None:
        """Tell at once what is known; else wait for it."""
        if self.fault is not None:
            self._waits.release()
            return
        self.run, end = self.reply
        if end is not None:
            self.tell(end)
        elif not self.abandoned:
            self._watchers.add(self.run, self)

    def tell(self, event: Event | None) -> None:
        """Give the event that closed the run; None: nobody will know."""
        self._event = event
        self._waits.release()

    def wait(self, seconds: float) -> bool:
        """Wait until there is something to be told, for so long at most; return whether there is."""
        return self._waits.acquire(timeout=seconds)

    def end(self) -> Event | None:
        """
        Return the event that closed the run, as far as it is known.

        Raises:
            ServiceFault: UnknownResourceFault.
            PyflowException: the service is closed.
        """
        if self.fault is not None:
            raise self.fault
        return self._event


def _run_and_end(
    engine: Engine, domain: str, workflow_id: str, run_id: str, context: Context
) -> tuple[int, Event | None]:
    """Return a run's number and the event that closed it."""
    execution = engine.find_execution(domain, workflow_id, run_id, context.at)
    return execution.run, None if execution.open else engine.last_event(execution)
