"""
Retry policies: after which failures to try again, how long to wait, and when to stop.

Source: AWS Architecture Blog, "Exponential Backoff And Jitter"; the policies of AWS Flow (ExponentialRetry).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from .converter import DURATION_MAX_S
from .exceptions import (
    InvocationCanceledException,
    InvocationException,
    InvocationFailedException,
    InvocationTimedOutException,
)
from .replay.invocations import LAMBDA_RETRIES_MAX, LAMBDA_RETRY_REASONS

Kinds = type[BaseException] | str | Sequence[type[BaseException] | str]

PAUSES_GROW_MAX: Final = 64
"""Pauses after which the next is as long as the one before: what grows by doubling is at any limit long before."""


@dataclass(frozen=True)
class RetryPolicy:
    """
    When a failed activity, Lambda function or child workflow is asked for again.

    The pause before attempt *a* is ``initial * factor ** (a - 2)`` seconds, at most ``max_interval``, less a random part of up to
    ``jitter`` of it.

    Args:
        initial: before the second attempt, in seconds or as a timedelta.
        factor: how much longer each pause is than the one before.
        max_interval: the longest pause, at most a year.
        jitter: 0 to 1.
        max_attempts: how many attempts in all, the first included; None: no limit.
        max_total: from the first ask, after which no further attempt begins; None: no limit. Where the pause would end after it,
            the failure stands at once.
        retry_on: only these: exception classes of pyflow, the other side's exception classes or their names,
            or SWF's timeout types (``HEARTBEAT``, ...) or causes. None: all failures but cancels, and what SWF would refuse again
            for ever: ``DEFAULT_..._UNDEFINED``, ``LAMBDA_SERVICE_NOT_AVAILABLE_IN_REGION``.
        no_retry_on: never these; stronger than ``retry_on``.
        when: asked last, with the exception; a pure function. What it raises pauses the execution, until code is deployed that
            does not.

    Raises:
        ValueError: a number is out of its range.
    """

    initial: float | timedelta = 1.0
    factor: float = 2.0
    max_interval: float | timedelta = 100.0
    jitter: float = 0.5
    max_attempts: int | None = None
    max_total: float | timedelta | None = None
    retry_on: Kinds | None = None
    no_retry_on: Kinds | None = None
    when: Callable[[InvocationException], bool] | None = None

    def __post_init__(self) -> None:
        longest, total = _seconds(self.max_interval), _seconds(self.max_total)
        sound = (
            0 <= _seconds(self.initial) < math.inf
            and 0 <= longest <= DURATION_MAX_S
            and 1 <= self.factor < math.inf
            and 0 <= self.jitter <= 1
            and total >= 0
        )
        if not sound:  # written so that what is no number is not sound
            raise ValueError(
                f"a retry policy needs initial >= 0, max_interval from 0 to {DURATION_MAX_S:,} seconds (a year), factor >= 1, "
                f"jitter from 0 to 1 and max_total >= 0; this is {self!r}"
            )
        if self.max_attempts is not None and self.max_attempts < 1:
            raise ValueError(f"max_attempts counts the first attempt: at least 1, not {self.max_attempts}")

    def wants(self, failure: InvocationException, attempt: int, elapsed_s: float) -> bool:
        """
        Tell whether to try again.

        Args:
            failure: how the attempt ended.
            attempt: its number, from 1.
            elapsed_s: seconds from the first ask to where the next attempt would begin.
        """
        if self.max_attempts is not None and attempt >= self.max_attempts:
            return False
        if elapsed_s > _seconds(self.max_total):
            return False
        if self.no_retry_on is not None and _is_of(failure, self.no_retry_on):
            return False
        by_default = not isinstance(failure, InvocationCanceledException) and not is_refused_for_ever(failure)
        wanted = by_default if self.retry_on is None else _is_of(failure, self.retry_on)
        return wanted and (self.when is None or self.when(failure))

    def pause_s(self, attempt: int, chance: Any, failure: InvocationException | None = None) -> float:
        """
        Return how long to wait after an attempt.

        Args:
            attempt: the number of the one that failed, from 1.
            chance: draws the jitter.
            failure: how it ended; one with ``retry_after`` says itself how long.
        """
        if isinstance(failure, InvocationFailedException) and failure.retry_after is not None:
            return failure.retry_after
        try:
            grown = _seconds(self.initial) * self.factor ** min(attempt - 1, PAUSES_GROW_MAX)
        except OverflowError:
            grown = math.inf
        return float(min(_seconds(self.max_interval), grown) * (1 - self.jitter * chance.random()))


def _seconds(given: float | timedelta | None) -> float:
    """Return a duration in seconds; None is one without an end."""
    if given is None:
        return math.inf
    return given.total_seconds() if isinstance(given, timedelta) else float(given)


LAMBDA_RETRY = RetryPolicy(
    initial=0.0,
    factor=1.0,
    jitter=0.0,
    max_attempts=LAMBDA_RETRIES_MAX + 1,
    retry_on=tuple(sorted(LAMBDA_RETRY_REASONS)),
)
"""
What Lambda functions have if nothing is said, as in 2.0.0: failures of the Lambda service itself, five times, at once.

These retries are silent: no timer, and the id stays ``lambdaN``. With another policy, or None, a function has attempts as an
activity has, or none. What history has retried stays so; an execution that was not retried must not get this policy back.
"""


def _is_of(failure: InvocationException, kinds: Kinds) -> bool:
    names = {failure.reason, failure.cause}
    if isinstance(failure, InvocationTimedOutException):
        names.add(failure.timeout_type)
    if isinstance(failure, InvocationFailedException):
        names.add(failure.remote_type)
    for kind in [kinds] if isinstance(kinds, (type, str)) else kinds:
        if isinstance(kind, str):
            if kind in names:
                return True
        elif isinstance(failure, kind) or names & {kind.__name__, kind.__qualname__}:
            return True
    return False


THROTTLED = RetryPolicy(initial=1.0, factor=2.0, max_interval=60.0, jitter=0.5)
"""How what SWF refuses for now, by a rate or by how much is open, is asked for again, whatever the author's policy."""


UNOPENED: Final = "pyflow.unopened"
"""The reason of a failure by which a worker says that it cannot open the input of a task; the body has not run."""

NOT_OPENED = RetryPolicy(initial=5.0, factor=2.0, max_interval=300.0, jitter=0.5, max_total=86_400.0)
"""
How such a task is asked for again, whatever the author's policy: another worker may have the codec, key or store, or this one
when it has been deployed again. After a day the failure stands.
"""


def is_throttled(failure: InvocationException) -> bool:
    """Tell whether SWF refused it for now: ``..._RATE_EXCEEDED``, ``OPEN_..._LIMIT_EXCEEDED``."""
    cause = failure.cause or ""
    return cause.endswith("_RATE_EXCEEDED") or (cause.startswith("OPEN_") and cause.endswith("_LIMIT_EXCEEDED"))


def is_refused_for_ever(failure: InvocationException) -> bool:
    """
    Tell whether SWF will refuse the same request again, whatever happens meanwhile.

    A registered type cannot be given the default that it lacks. A type that is missing can be registered, by the worker that is
    being deployed, and a permission can be granted.
    """
    cause = failure.cause or ""
    return cause == "LAMBDA_SERVICE_NOT_AVAILABLE_IN_REGION" or (
        cause.startswith("DEFAULT_") and cause.endswith("_UNDEFINED")
    )


def governs_anyway(failure: InvocationException) -> RetryPolicy | None:
    """Return the policy for a failure that is nobody's code's, and so is not left to the author's; None: it is left to that."""
    if is_throttled(failure):
        return THROTTLED
    return NOT_OPENED if failure.reason == UNOPENED else None


class Attempts:
    """
    The attempts of one invocation.

    Attributes:
        policy: what governs those that are not decided yet; None: only what ``governs_anyway`` speaks of is asked for again.
        first_id: the id of the first attempt; later ones are ``first_id.2``, ...
        since_s: when the first one was asked for, in seconds since the epoch.
        number: of the attempt under way or over.
        pause: the timer before the next one, while it runs.
    """

    def __init__(self, policy: RetryPolicy | None, first_id: str, since_s: float) -> None:
        self.policy = policy
        self.first_id = first_id
        self.since_s = since_s
        self.number = 1
        self.pause: Any = None

    def governing(self, failure: InvocationException) -> RetryPolicy | None:
        """Return the policy that says what follows a failure."""
        return governs_anyway(failure) or self.policy
