"""The further attempts of an invocation: what follows when one has failed."""

from typing import Any

from .chance import Chance
from .converter import duration
from .future import InvocationFuture, exception_of, future_of
from .replay.invocations import Invocation, new_invocation
from .replay.reserved import RETRY
from .replay.tables import Kind
from .retry import THROTTLED, Attempts, governs_anyway
from .runtime import Runtime


def try_again(runtime: Runtime, future: InvocationFuture[Any], invocation: Invocation) -> bool:
    """Begin the pause before a further attempt, if one is wanted; a changed policy governs only what is undecided."""
    if runtime.returned or invocation.outcome is None:
        return False
    failure = exception_of(invocation.outcome, invocation.failure, invocation.id)
    attempts: Attempts | None = future.attempts
    ahead = runtime.replayer.ahead
    if attempts is None:
        # It may have had a policy when this was decided; that it has none now governs only the attempts to come.
        was_retried = runtime.is_replaying and ahead.was_retried(f"{RETRY}{_bare(runtime, invocation.id)}.2")
        if not was_retried and (governs_anyway(failure) is None or ahead.begun_by_2_0_0):
            return False
        attempts = future.attempts = Attempts(None, invocation.id, runtime.seconds())
    policy = attempts.governing(failure)
    timer_id = f"{RETRY}{_bare(runtime, attempts.first_id)}.{attempts.number + 1}"
    pause_s = (policy or THROTTLED).pause_s(attempts.number, Chance(runtime.run_id, timer_id), failure)
    if runtime.is_replaying:
        wanted = ahead.was_retried(timer_id)
    else:
        elapsed_s = runtime.seconds() - attempts.since_s + pause_s
        wanted = policy is not None and policy.wants(failure, attempts.number, elapsed_s)
    if not wanted:
        return False
    seconds = str(duration(pause_s, "the pause before an attempt"))
    pause = new_invocation(Kind.TIMER, timer_id, None, invocation.where, options={"startToFireTimeout": seconds})
    paused = future_of(pause, runtime)
    paused._on_settled = lambda _: _next_attempt(runtime, future, attempts, invocation)  # noqa: SLF001 - nobody else waits for it
    attempts.pause = pause
    runtime.replayer.ask(pause)
    return True


def _next_attempt(runtime: Runtime, future: InvocationFuture[Any], attempts: Attempts, before: Invocation) -> None:
    attempts.pause = None
    if future.done or runtime.returned:
        return
    attempts.number += 1
    own_id = f"{attempts.first_id}.{attempts.number}"
    invocation = new_invocation(before.kind, own_id, before.name, before.where, before.input, before.options)
    invocation.future = future
    future.invocation = invocation
    runtime.replayer.ask(invocation)


def _bare(runtime: Runtime, id: str) -> str:
    """Return an id without the run's prefix that children have; with it, a timer's would be too long."""
    return id.removeprefix(runtime.replayer.child_prefix)
