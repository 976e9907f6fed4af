"""Time as a part: the only seam between the service and any clock. Times are milliseconds since the epoch."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

_now_s = time.clock_gettime  # as it is before workflow code is kept from it, which costs each call
_since_boot = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Clock(Protocol):
    """What the service asks of a clock; ``skips`` is whether it leaps over times when nothing happens."""

    skips: bool

    def now_ms(self) -> int:
        """Return the time; it never goes back."""
        ...

    def wait_s(self, until_ms: int) -> float | None:
        """Return how many real seconds to sleep until that time comes; None where sleeping does not bring it."""
        ...

    def skip_to(self, until_ms: int) -> bool:
        """Go to that time at once, because nothing happens before it; return whether this clock does such things."""
        ...

    def on_change(self, wake: Callable[[], None]) -> None:
        """Take a function to call when the time was changed by hand."""
        ...


class SystemClock:
    """
    The machine's time, kept by its steady clock.

    The wall clock is read once. After that a step of it (NTP, a person, summer on a bad machine) fires no timer early or
    late; the time that the machine is suspended counts.
    """

    skips = False

    def __init__(self) -> None:
        self._offset_s = time.time() - _now_s(_since_boot)

    def now_ms(self) -> int:
        """Return the time."""
        return int((_now_s(_since_boot) + self._offset_s) * 1000)

    def wait_s(self, until_ms: int) -> float | None:
        """Return how long it is until then."""
        # One more millisecond, or a sleeper that wakes within the last one looks again and again until it is over.
        return max(0.0, (until_ms - self.now_ms() + 1) / 1000)

    def skip_to(self, until_ms: int) -> bool:
        """Time takes its time."""
        return False

    def on_change(self, wake: Callable[[], None]) -> None:
        """Nothing changes this clock."""


class VirtualClock:
    """
    Time that passes only when told to, or by leaps over the times when nothing happens.

    Args:
        start_s: the first moment, in seconds since the epoch.
        skip: leap to the next deadline of the service (a timer, a timeout) whenever no call is under way, no Lambda function
            runs, no task is with a worker that is alive, and no task waits for a poller that was seen, or since it came,
            within the last real second. So a year of timers passes in milliseconds, and no timeout strikes work that is
            being done.
    """

    def __init__(self, start_s: float = 1_500_000_000.0, *, skip: bool = False) -> None:
        self._now_ms = self._start_ms = round(start_s * 1000)
        self.skips = skip
        self._holds = 0
        self._wakes: list[Callable[[], None]] = []
        self._lock = threading.Lock()

    def now_ms(self) -> int:
        """Return the time."""
        return self._now_ms

    def wait_s(self, until_ms: int) -> float | None:
        """Sleeping brings nothing here."""
        return 0.0 if until_ms <= self._now_ms else None

    def advance(self, seconds: float) -> None:
        """
        Let time pass. Deadlines on the way are applied by the service in their order, each at its own time.

        Raises:
            ValueError: negative; time never goes back.
        """
        if seconds < 0:
            raise ValueError(f"time never goes back; advance({seconds}) was asked for")
        with self._lock:
            self._now_ms += round(seconds * 1000)
        self._wake()

    def start_over(self) -> None:
        """Be at the first moment again, for a service that remembers nothing."""
        self._now_ms = self._start_ms

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let no leap happen within a ``with`` block: while a test, not a worker, is what the workflows wait for."""
        with self._lock:
            self._holds += 1
        try:
            yield
        finally:
            with self._lock:
                self._holds -= 1
            self._wake()

    def skip_to(self, until_ms: int) -> bool:
        """Leap, if that is asked for and not held."""
        with self._lock:
            if not self.skips or self._holds:
                return False
            self._now_ms = max(self._now_ms, until_ms)
            return True

    def on_change(self, wake: Callable[[], None]) -> None:
        """Take a function to call after each advance."""
        self._wakes.append(wake)

    def _wake(self) -> None:
        for wake in self._wakes:
            wake()
