"""
Lambda functions: Python functions registered by name, run in threads of this process.

A function runs as AWS Lambda runs it: ``function(event, context)``, its result as JSON text; what it raises is told as the error
document that Lambda makes.
"""

import json
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

DATA_MAX: Final = 32_768
REASON_MAX: Final = 256

Function = Callable[[Any, Any], Any]


@dataclass(frozen=True)
class Invocation:
    """One run of a function that is owed: the task it answers and what it is to be called with."""

    run: int
    scheduled_id: int
    name: str
    input: str | None
    timeout_s: int
    request_id: str


@dataclass(frozen=True)
class Outcome:
    """How an invocation ended: the event to record and its attributes."""

    event_type: str
    attributes: dict[str, str]


class Unanswered(Exception):
    """Raised by a function that is never to end: its task times out."""


class LambdaContext:
    """
    What a function gets as its second argument; the names are AWS Lambda's.

    Args:
        invocation: what it runs for.
    """

    function_version = "$LATEST"
    memory_limit_in_mb = "128"
    log_group_name = log_stream_name = ""
    identity = client_context = None

    def __init__(self, invocation: Invocation) -> None:
        self.function_name = invocation.name
        self.invoked_function_arn = f"arn:aws:lambda:us-east-1:123456789012:function:{invocation.name}"
        self.aws_request_id = invocation.request_id
        self._ends_at = time.monotonic() + invocation.timeout_s

    def get_remaining_time_in_millis(self) -> int:
        """Return how long the function has until SWF times it out."""
        return max(0, int((self._ends_at - time.monotonic()) * 1000))


class Lambdas:
    """
    Runs functions, a bounded number at a time.

    Args:
        functions: what is there at the start, by name.
        started: called in the function's thread before it runs; whether it may (its task may have closed meanwhile).
        finished: called in the function's thread with how it ended.
        most: how many run at once. One that ran into its timeout no longer counts: Python cannot stop a thread. 0: none by
            itself; ``run_next`` runs them.

    ``elsewhere`` runs the functions that are not registered, if it is set.
    """

    def __init__(
        self,
        functions: Mapping[str, Function],
        started: Callable[[Invocation], bool],
        finished: Callable[[Invocation, Outcome], None],
        most: int = 32,
    ) -> None:
        self._functions = dict(functions)
        self._started = started
        self._finished = finished
        self._most = most
        self.elsewhere: Callable[[Invocation], Outcome] | None = None
        self._lock = threading.Lock()
        self._waiting: deque[Invocation] = deque()
        self._running: set[Invocation] = set()
        self._closed = False

    def register(self, name: str, function: Function) -> None:
        """
        Offer a function under a name, in place of what had it.

        Raises:
            TypeError: not callable.
        """
        if not callable(function):
            raise TypeError(f"a Lambda function is called with (event, context); {function!r} cannot be called")
        self._functions[name] = function

    def submit(self, invocation: Invocation) -> None:
        """Run an invocation as soon as there is room."""
        with self._lock:
            self._waiting.append(invocation)
        self._fill()

    @property
    def waiting(self) -> int:
        """How many wait to be run."""
        return len(self._waiting)

    @property
    def names(self) -> list[str]:
        """The functions of those that wait to be run, in their order."""
        return [invocation.name for invocation in self._waiting]

    def forget(self) -> None:
        """Run none of those that wait."""
        with self._lock:
            self._waiting.clear()

    def run_next(self, number: int = 0) -> bool:
        """Run an invocation that waits, the first or that of a number, in the caller's thread; tell whether there was one."""
        with self._lock:
            if number >= len(self._waiting):
                return False
            invocation = self._waiting[number]
            self._waiting.remove(invocation)
            self._running.add(invocation)
        self._run(invocation)
        return True

    def write_off(self, run: int, scheduled_id: int) -> None:
        """Stop counting an invocation whose task is closed; its thread goes on to nobody's interest."""
        with self._lock:
            for group in (self._running, self._waiting):
                for invocation in [i for i in group if (i.run, i.scheduled_id) == (run, scheduled_id)]:
                    group.remove(invocation)
        self._fill()

    @property
    def busy(self) -> bool:
        """Whether a function runs or is about to."""
        return bool(self._running or self._waiting)

    def close(self) -> None:
        """Start nothing more; what runs is left to end by itself."""
        with self._lock:
            self._closed = True
            self._waiting.clear()

    def _fill(self) -> None:
        while True:
            with self._lock:
                if self._closed or not self._waiting or len(self._running) >= self._most:
                    return
                invocation = self._waiting.popleft()
                self._running.add(invocation)
            name = f"pyflow-lambda-{invocation.name}"
            threading.Thread(target=self._run, args=(invocation,), name=name, daemon=True).start()

    def _run(self, invocation: Invocation) -> None:
        try:
            if self._started(invocation):
                self._finished(invocation, self._outcome(invocation))
        except Unanswered:
            pass
        finally:
            with self._lock:
                self._running.discard(invocation)
            self._fill()

    def _outcome(self, invocation: Invocation) -> Outcome:
        function = self._functions.get(invocation.name)
        if function is not None:
            return _call(function, invocation)
        if self.elsewhere is not None:
            return self.elsewhere(invocation)
        known = ", ".join(sorted(self._functions)) or "none"
        return failure(
            "ResourceNotFoundException",
            f"Function not found: {invocation.name!r} is not registered with this local service (registered: {known}). "
            f"Register it with LocalSWF.register_lambda({invocation.name!r}, function), or on the command line with "
            f"--lambda {invocation.name}=FILE.py:FUNCTION.",
        )


def _call(function: Function, invocation: Invocation) -> Outcome:
    """Call a function as AWS Lambda would and return how it ended."""
    try:
        event = json.loads(invocation.input) if invocation.input else {}
    except ValueError as error:
        return failure("InvalidRequestContentException", f"the input of {invocation.name!r} is not JSON: {error}")
    try:
        result = function(event, LambdaContext(invocation))
    except Unanswered:
        raise
    except BaseException as error:
        return failure(type(error).__name__, str(error), traceback.format_tb(error.__traceback__)[1:])
    try:
        return completion(json.dumps(result, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        return failure("Runtime.MarshalError", f"the result of {invocation.name!r} is not JSON: {error}")


def completion(text: str) -> Outcome:
    """Return a function's success with its result as JSON text, or a failure if that is more than SWF keeps."""
    if len(text) > DATA_MAX:
        return failure("ResultTooLarge", f"the result is {len(text)} characters; SWF keeps {DATA_MAX}")
    return Outcome("LambdaFunctionCompleted", {"result": text})


def failure(kind: str, message: str, trace: Any = None) -> Outcome:
    """Return a failure with the document that Lambda makes of an error, cut to what SWF keeps."""
    document = json.dumps({"errorMessage": message, "errorType": kind, "stackTrace": trace or []})
    if len(document) > DATA_MAX:
        document = json.dumps({"errorMessage": message[: DATA_MAX // 16], "errorType": kind, "stackTrace": []})
    return Outcome("LambdaFunctionFailed", {"reason": kind[:REASON_MAX], "details": document[:DATA_MAX]})
