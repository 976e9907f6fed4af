"""
The watchdog: workflow code must come to its next wait within seconds, and what does not is reported and stopped.

It looks, a few times a second, whether the code of each owner's job has come any further: to another wait, or another batch. It
counts only the time in which this thread ran as well, so that a machine that stands still is nobody's fault. Code that does
not come on is reported with its stack, and interrupted again and again: a spin ends with the first of these, a bare ``except``
needs some more, and what blocks in C cannot be reached. Such a thread is written off; another takes its place.
"""

import logging
import sys
import time
import traceback
from collections.abc import Sequence
from types import CodeType, FrameType
from typing import Any, Final

from pyflow._fiber import PACKAGE, caller
from pyflow.frames import frame_of
from pyflow.replay.invocations import format_place

from .locks import holders
from .owners import CodeStopped, Job, Owner

logger = logging.getLogger("pyflow")

LIMIT_S: Final = 2.0
LOOK_S: Final = 0.25
"""How often it looks at least while all goes well."""
INTERRUPT_S: Final = 0.02
"""How often it looks and interrupts while code is to be stopped."""
WRITE_OFF_FACTOR: Final = 2
"""After how many times the limit a thread is written off."""


class Watchdog:
    """
    Looks after owners.

    Args:
        limit_s: how long code may run from one wait to the next.
    """

    def __init__(self, limit_s: float = LIMIT_S) -> None:
        self._limit_s = limit_s
        self._look_s = min(LOOK_S, limit_s / 8)
        self._watches: dict[Owner, _Watch] = {}
        self._looked_s = time.monotonic()

    @property
    def pause_s(self) -> float:
        """How long to wait until the next look."""
        is_busy = any(watch.reason is not None for watch in self._watches.values())
        return INTERRUPT_S if is_busy else self._look_s

    def look(self, owners: Sequence[Owner]) -> list[Owner]:
        """
        Look once at each owner.

        Returns:
            Those to be written off: their code was interrupted for as long again as it had run, and did not end.
        """
        now_s = time.monotonic()
        # Twice its own pause at most: what is over was taken from all threads alike.
        passed_s = min(now_s - self._looked_s, 2 * self._look_s)
        self._looked_s = now_s
        lost = []
        for owner in owners:
            job = owner.job
            if job is None:
                self._watches.pop(owner, None)
                continue
            watch = self._watches.setdefault(owner, _Watch())
            if watch.has_come_on(owner):
                continue
            watch.stood_s += passed_s
            if watch.stood_s < self._limit_s or _is_debugged(owner):
                continue
            if watch.reason is None:
                watch.reason = self._report(owner, job, watch.stood_s)
            owner.interrupt(job, watch.reason)
            if watch.stood_s >= WRITE_OFF_FACTOR * self._limit_s:
                lost.append(owner)
        for owner in set(self._watches).difference(owners):
            del self._watches[owner]
        return lost

    def reason(self, owner: Owner) -> CodeStopped:
        """Return the error for the job of an owner that is written off."""
        return CodeStopped(f"{self._watches[owner].reason}. It could not be stopped: its thread is written off")

    def _report(self, owner: Owner, job: Job, stood_s: float) -> str:
        """Log where the code stands; return why it is stopped, in a sentence."""
        run = owner.decider.at_work
        frame = frame_of(owner.ident)
        place = format_place(_author_place(frame)) or "a place in pyflow"
        reason = f"the workflow code did not come to a wait within {self._limit_s:g} s; it stood at {place}"
        stack = "".join(traceback.format_stack(frame)) if frame is not None else "  (no stack)\n"
        held = holders(frame, owner.decider.kept_runs()) if frame is not None else []
        logger.error(
            "%s: %s.%s It is stopped and its run parked; no other execution is harmed. What takes long or waits belongs into an "
            "activity, time and locks into pyflow's own waits. Its stack:\n%s",
            job.name if run is None else f"{job.name} (code of workflow id {run.workflow_id!r}, run id {run.run_id!r})",
            reason,
            "".join(f" It waits for {told}." for told in held),
            stack,
        )
        return "; ".join([reason, *held])


class _Watch:
    """What is known of an owner's job: how far its code was, and how long it has stood there."""

    def __init__(self) -> None:
        self.seen: Any = None
        self.stood_s = 0.0
        self.reason: str | None = None

    def has_come_on(self, owner: Owner) -> bool:
        """Tell whether the code is further than at the last look; then it begins anew."""
        run = owner.decider.at_work
        seen: Any = (owner.jobs_begun, None)
        if run is not None:
            seen = (owner.jobs_begun, run.run_id, *run.progress)
        if seen == self.seen:
            return False
        self.seen, self.stood_s, self.reason = seen, 0.0, None
        return True


def _author_place(frame: FrameType | None) -> tuple[CodeType, int] | None:
    """Return the innermost place that is the author's, not pyflow's nor the standard library's if there is another."""
    return _outside_of_library(frame) or caller(frame)


def _outside_of_library(frame: FrameType | None) -> tuple[CodeType, int] | None:
    library = traceback.__file__.rpartition("traceback")[0]
    while frame is not None:
        filename = frame.f_code.co_filename
        is_library = filename.startswith(library) and "site-packages" not in filename
        # In "<...>" stands what was made at run time: the frozen library, what a NamedTuple or a dataclass is made of.
        if not (filename.startswith((PACKAGE, "<")) or is_library):
            return frame.f_code, frame.f_lasti
        frame = frame.f_back
    return None


def _is_debugged(owner: Owner) -> bool:
    """Tell whether a debugger traces the thread: a person looks at it, for as long as it takes."""
    if sys.version_info >= (3, 12) and sys.monitoring.get_tool(sys.monitoring.DEBUGGER_ID) is not None:
        return True
    frame = frame_of(owner.ident)
    while frame is not None:
        if frame.f_trace is not None and not type(frame.f_trace).__module__.startswith("coverage"):
            return True
        frame = frame.f_back
    return False
