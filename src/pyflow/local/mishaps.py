"""
What can go wrong between a client and the service, on purpose: the seam on which a plan of faults is put.

A plan is asked once for each request, in the order of their coming, what is to happen to it. All doors keep to it, each in
its own words: the direct client raises ServiceFault with status 0 where no answer came, boto3 its connection errors, and
over HTTP the connection breaks.
"""

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True)
class Drop:
    """The request does not arrive; the connection breaks."""


@dataclass(frozen=True)
class Lose:
    """The request is carried out, and its answer does not arrive."""


@dataclass(frozen=True)
class Delay:
    """The request arrives later, by real seconds."""

    seconds: float


@dataclass(frozen=True)
class Duplicate:
    """The request arrives twice, as a proxy's retry; the first answer is given."""


@dataclass(frozen=True)
class Refuse:
    """The request is answered with an error and not carried out."""

    code: str
    message: str
    status: int


THROTTLE: Final = Refuse("ThrottlingException", "Rate exceeded", 400)
UNAVAILABLE: Final = Refuse(
    "ServiceUnavailable", "The request has failed due to a temporary failure of the server.", 503
)
BROKEN: Final = Refuse("InternalFailure", "The request processing has failed because of an unknown error.", 500)

Mishap = Drop | Lose | Delay | Duplicate | Refuse
Plan = Callable[[str, dict[str, Any]], Mishap | None]
"""From an action and its request to what happens to it; None is nothing. May be called in several threads."""

EVERY: Final[tuple[Mishap, ...]] = (Drop(), Lose(), Delay(0.001), Duplicate(), THROTTLE, UNAVAILABLE, BROKEN)


class NoAnswer(Exception):
    """No answer comes; ``args[0]`` is botocore's name for how that looks."""


class RandomMishaps:
    """
    A plan drawn from a seed: the same requests in the same order meet the same mishaps.

    Args:
        seed: of the draws.
        rate: how many of the requests meet one, from 0 to 1.
        kinds: which, all equally often.
        spared: actions that meet none.
    """

    def __init__(
        self,
        seed: int,
        rate: float,
        *,
        kinds: Sequence[Mishap] = EVERY,
        spared: Sequence[str] = (),
    ) -> None:
        self._random = random.Random(seed)  # noqa: S311 - meant to be the same each time
        self._rate = rate
        self._kinds = tuple(kinds)
        self._spared = frozenset(spared)
        self._lock = threading.Lock()

    def __call__(self, action: str, request: dict[str, Any]) -> Mishap | None:
        """Draw."""
        with self._lock:
            if self._random.random() >= self._rate:
                return None
            mishap = self._random.choice(self._kinds)
        return None if action in self._spared else mishap
