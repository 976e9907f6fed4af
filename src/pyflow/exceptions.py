"""
Every error that pyflow raises, as one tree. This file imports nothing of pyflow, so that every layer can use it.

::

    Exception
    ├── PyflowException                     catch this for anything below
    │   ├── DeciderException                a decision task cannot be decided; nobody's execution fails for it
    │   │   ├── NondeterminismException     the code and the recorded history disagree
    │   │   │   └── GuardException          the code does what cannot be replayed, and the guard is strict
    │   │   ├── HistoryException            the history itself is not sound (a gap, an unknown event, ...)
    │   │   └── DeciderStuckException       workflow code blocks this process, which should be replaced
    │   ├── WorkerStuckException            activity bodies block this process, which should be replaced
    │   ├── WorkflowFailedException         raised by authors: fail this execution, with a reason and details
    │   ├── WorkflowCanceledException       raised at a wait: somebody asked this execution to cancel
    │   ├── WorkflowTerminatedException     from a handle: somebody terminated the execution
    │   ├── WorkflowTimedOutException       from a handle: the execution took longer than its timeout
    │   ├── InvocationException             a lambda, activity, child workflow, timer, ... did not succeed
    │   │   ├── InvocationTimedOutException
    │   │   ├── InvocationFailedException
    │   │   └── InvocationCanceledException
    │   ├── HistoryLimitException           a run asks for more although its history is nearly full; raised once
    │   ├── WaitTimedOutException           a wait with a timeout ended before what it waited for
    │   ├── ActivityCanceledException       raised in a body: somebody asked this activity to cancel
    │   ├── NotInWorkflowException          result() and friends were called outside the workflow's own fiber
    │   ├── NotInActivityException          activity.current() was called outside an activity's body
    │   ├── SerializationException          a value cannot be sent through SWF (also a TypeError and a ValueError)
    │   ├── PayloadException                what was sent cannot be opened: a codec, key or store is missing, ...
    │   │   └── PayloadStoreException       the payload store does not answer; that may pass
    │   └── ServiceFault                    SWF, or the local service, refused a call
    └── WorkflowBlockedException            a name of pyflow 2.0.0; never raised
"""

from collections.abc import Sequence

__all__ = [
    "ActivityCanceledException",
    "DeciderException",
    "DeciderStuckException",
    "GuardException",
    "HistoryException",
    "HistoryLimitException",
    "InvocationCanceledException",
    "InvocationException",
    "InvocationFailedException",
    "InvocationTimedOutException",
    "NondeterminismException",
    "NotInActivityException",
    "NotInWorkflowException",
    "PayloadException",
    "PayloadStoreException",
    "PyflowException",
    "SerializationException",
    "ServiceFault",
    "WaitTimedOutException",
    "WorkerStuckException",
    "WorkflowBlockedException",
    "WorkflowCanceledException",
    "WorkflowFailedException",
    "WorkflowTerminatedException",
    "WorkflowTimedOutException",
]


class PyflowException(Exception):
    """
    The base of all errors of pyflow.

    ::

        try:
            order = self.charge(order).result()
        except pyflow.InvocationException as failure:
            ...
    """


class DeciderException(PyflowException):
    """A decision task cannot be decided: the fault is ours, the deployment's or the history's, never the execution's."""


class NondeterminismException(DeciderException):
    """
    What the workflow code asks for and what its history recorded do not agree.

    Raised by ``Decider.process_decision_task``; nothing is sent to SWF for such a task.

    Args:
        expected: what history holds, in words, or None where it holds nothing that fits.
        found: what the code asked for, in words, or None where it asked for nothing that fits.
        event_id: the event at which they part.
        where: ``file:line in function`` of the code's side, or of the wait it stands at; None if unknown.
    """

    def __init__(
        self, expected: str | None, found: str | None, *, event_id: int | None = None, where: str | None = None
    ) -> None:
        self.expected = expected
        self.found = found
        self.event_id = event_id
        self.where = where
        at = f" at event {event_id}" if event_id is not None else ""
        place = f" (code: {where})" if where else ""
        super().__init__(
            f"the workflow code does not fit its history{at}: history holds {expected or 'nothing that fits'}, "
            f"the code asks for {found or 'nothing that fits'}{place}. Deploy the code that made this history, "
            f"or register the changed workflow under a new version."
        )


class GuardException(NondeterminismException):
    """
    Workflow code does what does not belong in a workflow, and the guard for determinism is strict.

    Raised at the line that does it, and then by ``Decider.process_decision_task``, also if the code catches it: the run is
    parked, and nothing of it is sent. Raised by registration for what the code was seen to do without running it.

    Args:
        findings: each as ``(what, where, remedy)``; where is ``file:line in function``.

    Attributes:
        what, where, remedy: of the first.
    """

    def __init__(self, findings: Sequence[tuple[str, str, str]]) -> None:
        self.findings = tuple(findings)
        self.what, where, self.remedy = self.findings[0]
        super().__init__(None, self.what, where=where)
        lines = [f"{where}: {what} does not belong in a workflow; {remedy}" for what, where, remedy in findings]
        self.args = ("\n".join(lines),)


class HistoryException(DeciderException):
    """
    A history is not sound: ids with gaps, an event type or attribute that SWF does not have, a task cut short.

    Args:
        message: what was expected and what was found.
        event_id: the event where it shows, if it can be said.
    """

    def __init__(self, message: str, *, event_id: int | None = None) -> None:
        self.event_id = event_id
        super().__init__(message)


class DeciderStuckException(DeciderException):
    """
    Workflow code has blocked so many threads of this process, and cannot be stopped, that the process should be replaced.

    Raised by ``Decider.poll_for_decision_tasks``, after what else was under way. Each of them was reported in the log when it
    was written off, with its stack.

    Args:
        threads: how many threads are blocked.
        latest: where the code of the latest stands.

    Attributes:
        exit_status: 70, with which a process should end for it, so that a supervisor starts another.
    """

    exit_status = 70

    def __init__(self, threads: int, latest: str) -> None:
        self.threads = threads
        super().__init__(
            f"workflow code blocks {threads} threads of this process and cannot be stopped; start another process. The latest: "
            f"{latest}"
        )


class WorkerStuckException(PyflowException):
    """
    Bodies that SWF waits for no longer do not end, and hold all slots of an executor, so that the process should be replaced.

    Raised by ``ActivityWorker.run``, after what else was under way.

    Args:
        executor: whose slots are held.
        bodies: the activities that hold them.

    Attributes:
        exit_status: 70, with which a process should end for it, so that a supervisor starts another.
    """

    exit_status = 70

    def __init__(self, executor: str, bodies: Sequence[str]) -> None:
        self.executor = executor
        self.bodies = tuple(bodies)
        super().__init__(
            f"all {len(bodies)} slots of executor {executor!r} are held by bodies that SWF waits for no longer, and that do not "
            f"end: {', '.join(bodies[:5])}{', ...' if len(bodies) > 5 else ''}. Start another process; give what may hang "
            f"timeouts of its own, or executor='process', where it is killed"
        )


class WorkflowFailedException(PyflowException):
    """
    Raise it in ``run`` to fail the execution on purpose.

    Args:
        reason: a short text; SWF keeps 256 characters.
        details: a longer text, or None; SWF keeps 32,768 characters.

    Attributes:
        remote_type, remote_message, remote_traceback: from the ``result`` of a handle, what the workflow's code raised; None
            where it failed itself on purpose, or is not pyflow's.
    """

    remote_type: str | None = None
    remote_message: str | None = None
    remote_traceback: str | None = None

    def __init__(self, reason: str, details: str | None) -> None:
        super().__init__(reason, details)

    def __str__(self) -> str:
        """Say why in one text, without the whole report."""
        said = [self.reason, self.remote_type, self.remote_message if self.remote_type else self.details]
        return ": ".join(part for part in said if part)

    @property
    def reason(self) -> str:
        """The short text."""
        return self.args[0]  # type: ignore[no-any-return]

    @property
    def details(self) -> str | None:
        """The longer text."""
        return self.args[1]  # type: ignore[no-any-return]


class WorkflowCanceledException(PyflowException):
    """
    Somebody asked this execution to cancel (``RequestCancelWorkflowExecution``, or a parent's child policy).

    Raised once, at the wait where the code stands or at the next one that suspends. Catch it to clean up; an execution
    whose ``run`` is left with it closes as CANCELED.

    Args:
        details: recorded as the details of ``WorkflowExecutionCanceled``; at most 32,768 characters.
    """

    def __init__(self, details: str | None = None) -> None:
        self.details = details
        super().__init__(details or "cancellation of this workflow execution was requested")


class WorkflowTerminatedException(PyflowException):
    """
    An execution was terminated; raised by ``result`` of a handle.

    Args:
        reason: a short text of whoever did it, or None.
        details: a longer one, or None.
        cause: where SWF did it itself: ``CHILD_POLICY_APPLIED``, ``EVENT_LIMIT_EXCEEDED``, ...
    """

    def __init__(self, reason: str | None = None, details: str | None = None, *, cause: str | None = None) -> None:
        self.reason = reason
        self.details = details
        self.cause = cause
        super().__init__(": ".join(part for part in (cause, reason, details) if part) or "it was terminated")


class WorkflowTimedOutException(PyflowException):
    """
    An execution took longer than its timeout; raised by ``result`` of a handle.

    Args:
        timeout_type: ``START_TO_CLOSE``: SWF has no other for executions.
    """

    def __init__(self, timeout_type: str | None = None) -> None:
        self.timeout_type = timeout_type
        super().__init__(f"the execution timed out: {timeout_type}")


class InvocationException(PyflowException):
    """
    Something that the workflow asked for did not succeed.

    Args:
        reason: a short text from whoever failed, or SWF's own cause (``ACTIVITY_TYPE_DOES_NOT_EXIST``, ...), or None.
        details: a longer text, or None.
        cause: SWF's cause where SWF itself refused or ended it, else None.
    """

    def __init__(self, reason: str | None = None, details: str | None = None, *, cause: str | None = None) -> None:
        self.reason = reason
        self.details = details
        self.cause = cause
        super().__init__(": ".join(str(part) for part in (reason, details) if part))


class InvocationTimedOutException(InvocationException):
    """
    One of SWF's timeouts ended it.

    Args:
        message: the text of the exception.
        timeout_type: ``START_TO_CLOSE``, ``SCHEDULE_TO_START``, ``SCHEDULE_TO_CLOSE`` or ``HEARTBEAT``.
        details: the details of the last heartbeat, or None.
    """

    def __init__(
        self, message: str | None = None, details: str | None = None, *, timeout_type: str | None = None
    ) -> None:
        super().__init__(message)
        self.details = details
        self.timeout_type = timeout_type


class InvocationFailedException(InvocationException):
    """
    It failed, was terminated, or SWF refused to start it.

    ``args`` is one text, ``"reason: details"``. Where the other side is pyflow, it is the reason, type and message, and the other
    side's traceback is a note, which every printed traceback shows.

    Args:
        reason: the name of the exception's type, of an activity; a sentence, of a workflow; SWF's cause; or None.
        details: the whole report, as SWF recorded it, or None.
        cause: SWF's cause where SWF itself refused or ended it (``TERMINATED``, ...), else None.
        remote_type: the qualified name of the class that was raised there; the reason, where the other side is not pyflow.
        remote_message: its text; the details, where the other side is not pyflow.
        remote_traceback: the author's frames there, with causes, and with what failed still further away; None where the
            other side is not pyflow.
        retry_after: seconds to wait before trying again, if the exception there had such an attribute.
    """

    def __init__(
        self,
        reason: str | None = None,
        details: str | None = None,
        *,
        cause: str | None = None,
        remote_type: str | None = None,
        remote_message: str | None = None,
        remote_traceback: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(reason, details, cause=cause)
        self.remote_type = reason if remote_type is None else remote_type
        self.remote_message = details if remote_message is None else remote_message
        self.remote_traceback = remote_traceback
        self.retry_after = retry_after
        if remote_traceback is not None:
            said = [reason, None if remote_type == reason else remote_type, remote_message]
            self.args = (": ".join(part for part in said if part),)
            indented = "\n".join(f"  {line}" for line in remote_traceback.rstrip().splitlines())
            self.add_note(f"where it happened:\n{indented}")


class InvocationCanceledException(InvocationException):
    """It was canceled; ``args`` is one text, ``"reason: details"``."""


class HistoryLimitException(PyflowException):
    """
    A run asks for more although its history is nearly full: SWF ends an execution at 25,000 events, without a word to its code.

    It is raised once, where code next asks for something from 24,000 events on. What is asked for after that goes through, so
    that code can clean up, or continue as new. Left alone it fails the execution.

    Attributes:
        events: the length of the history.
    """

    def __init__(self, events: int) -> None:
        self.events = events
        super().__init__(
            f"the history of this run has {events:,} events, and SWF ends an execution at 25,000: nothing new is begun. Continue "
            f"as new before: call self.swf.checkpoint(...) in the main loop"
        )


class WaitTimedOutException(PyflowException):
    """A wait with a timeout ended before what it waited for came."""


class NotInWorkflowException(PyflowException):
    """
    A call that waits was made outside the fiber that its workflow runs in.

    Another thread, an activity, a signal handler, a finalizer and the code of another run are all outside. Nothing has
    switched and nothing was asked for.
    """


class ActivityCanceledException(PyflowException):
    """
    Somebody asked this activity to cancel, or SWF does not wait for it any more.

    Raised in a body by ``activity.current().heartbeat()``. A body that is left with it, for whatever cause, answers its task as
    canceled.

    Args:
        details: recorded as the details of ``ActivityTaskCanceled``; at most 32,768 characters.
    """

    def __init__(self, details: str | None = None) -> None:
        self.details = details
        super().__init__(details or "cancellation of this activity was requested")


class NotInActivityException(PyflowException):
    """``activity.current()`` was called where no worker runs the body of an activity."""


class SerializationException(PyflowException, TypeError, ValueError):
    """
    A value cannot travel through SWF: it is not JSON, its text is over SWF's 32,768 characters, or it does not fit a type hint.

    Its text says which value, where in it, what was expected and what was found.
    """


class PayloadException(PyflowException):
    """
    What was sent cannot be opened: this side lacks its codec, its key or its store, or it was changed on the way.

    Nobody's execution fails for it: a decider parks the run, which goes on by itself once it can be opened.

    Args:
        message: what is missing, and where it is to be given.
        codec: the codec's name, if one is concerned.
        key: the id of the encryption key, or the key in the payload store, if one is concerned.
    """

    def __init__(self, message: str, *, codec: str | None = None, key: str | None = None) -> None:
        self.codec = codec
        self.key = key
        super().__init__(message)


class PayloadStoreException(PayloadException):
    """The payload store does not answer. That may pass: workers try again, a decider leaves its task to be handed out again."""


class ServiceFault(PyflowException):
    """
    SWF, or the local service, answered a call with a fault.

    Args:
        code: SWF's name for it, without its namespace: ``UnknownResourceFault``, ``ValidationException``, ...
        message: the service's text.
        operation: the action that was called, ``RespondDecisionTaskCompleted``; None where it is not known.
        status: the HTTP status.
    """

    def __init__(self, code: str, message: str, *, operation: str | None = None, status: int = 400) -> None:
        self.code = code
        self.message = message
        self.operation = operation
        self.status = status
        super().__init__(f"{code} from {operation}: {message}" if operation else f"{code}: {message}")


class WorkflowBlockedException(Exception):
    """A name that pyflow 2.0.0 had. Nothing raises it: a workflow that waits is parked, and nothing unwinds."""
