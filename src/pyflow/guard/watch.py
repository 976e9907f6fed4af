"""What is done about code that cannot be replayed: nothing, a line in the log, or an exception."""

import logging
import threading
import weakref
from collections.abc import Iterable
from types import FrameType
from typing import Any, Final, Literal, NamedTuple, Protocol

from pyflow._fiber import Fiber
from pyflow.chance import Chance
from pyflow.exceptions import GuardException
from pyflow.replay.invocations import format_place

from .places import place_of, top_level

Mode = Literal["off", "warn", "strict"]

TOLD_MAX: Final = 10_000

logger = logging.getLogger("pyflow.guard")
_told: set["Finding"] = set()
_lock = threading.Lock()


class Hazard(NamedTuple):
    """Something that a workflow had better not do, and what to do instead."""

    what: str
    remedy: str


class Finding(NamedTuple):
    """A hazard, and where in the code it is: ``file:line in function``."""

    what: str
    where: str
    remedy: str


class Owner(Protocol):
    """What the guard needs of the run whose code it watches."""

    workflow_class: type[Any]
    run_id: str

    def seconds(self) -> float:
        """Return the time of the batch in seconds since the epoch."""

    def freely(self, function: Any, *args: Any) -> Any:
        """Call something that may do what the code itself may not."""

    def give_up(self, error: BaseException) -> None:
        """Let nothing of this decision task be answered; its loop raises the error."""

    @property
    def begun_by_2_0_0(self) -> bool:
        """Whether 2.0.0 has decided the run's first task."""

    @property
    def stream(self) -> str:
        """Name the fiber whose code is running."""


class Guard:
    """
    The guard of one run.

    Args:
        mode: ``"warn"`` or ``"strict"``.
        owner: the run.
    """

    def __init__(self, mode: Mode, owner: Owner) -> None:
        self._mode = mode
        self._owner: Owner = weakref.proxy(owner)  # it holds this: no rings for the collector
        self._streams: dict[str, Chance] = {}

    @property
    def is_strict(self) -> bool:
        """
        Whether code gets values that replay, and an exception where there are none.

        Not in a run that 2.0.0 began: its history holds what the real functions gave.
        """
        return self._mode == "strict" and not self._owner.begun_by_2_0_0

    def seconds(self) -> float:
        """Return the workflow's time."""
        return self._owner.seconds()

    def chance(self) -> Chance:
        """Return the draws of the modules in the calling fiber; those of ``self.swf.random`` are another stream."""
        name = f"{self._owner.stream}.modules"
        stream = self._streams.get(name)
        if stream is None:
            stream = self._streams[name] = Chance(self._owner.run_id, name)
        return stream

    def met(self, hazard: Hazard, frame: FrameType | None) -> None:
        """
        Do what the mode says about a hazard that code has met.

        Args:
            hazard: what the code does.
            frame: where it does it.

        Raises:
            GuardException: in strict mode.
        """
        place = place_of(frame, top_level(self._owner.workflow_class.__module__))
        finding = Finding(hazard.what, format_place(place) or "an unknown place", hazard.remedy)
        if not self.is_strict:
            self._owner.freely(report, [finding])
            return
        error = GuardException([finding])
        self._owner.give_up(error)  # also if the code catches what is raised here
        raise error


def guard_in(fiber: Fiber) -> Guard | None:
    """Return the guard of the run whose fiber it is; None where the code may do as it likes."""
    owner = fiber.owner
    if owner is None or owner.is_free or fiber.closing:
        return None
    guard: Guard | None = owner.guard
    return guard


def report(findings: Iterable[Finding]) -> None:
    """Log each finding, once in the life of the process."""
    for finding in findings:
        with _lock:
            if finding in _told:
                continue
            if len(_told) >= TOLD_MAX:
                _told.clear()
            _told.add(finding)
        logger.warning("%s: %s does not belong in a workflow; %s", finding.where, finding.what, finding.remedy)
