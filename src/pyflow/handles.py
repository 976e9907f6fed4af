"""
Executions from outside: ask after them, wait for them, and act on them.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from textwrap import indent
from typing import Any, Final, Generic

from .converter import JSON, REASON_MAX, DataConverter, sendable
from .exceptions import (
    PyflowException,
    SerializationException,
    ServiceFault,
    WaitTimedOutException,
    WorkflowCanceledException,
    WorkflowFailedException,
    WorkflowTerminatedException,
    WorkflowTimedOutException,
)
from .failures import read
from .future import R
from .others import WorkflowCode
from .payloads.hints import hints_of
from .swf.client import POLL_S, Client, create_client, is_local, service_faults
from .swf.events import CLOSE_EVENTS, attributes_of
from .swf.faults import Verdict, judge
from .swf.repeating import repeat

__all__ = ["ExecutionHandle", "WorkflowHandle", "WorkflowStatus", "get_workflow_status", "handle", "outcome_of"]

POLL_FIRST_S: Final = 0.05
POLL_MAX_S: Final = 5.0
POLL_LOCAL_MAX_S: Final = 0.25
"""The longest time from one look at a history's end to the next; SWF has no call that waits for it."""


@dataclass
class WorkflowStatus:
    """
    What ``get_workflow_status`` found out.

    ``execution_status``: ``OPEN`` or ``CLOSED``; ``workflow_description``: DescribeWorkflowExecution's whole reply;
    ``close_status``: ``COMPLETED``, ``FAILED``, ``CANCELED``, ``TERMINATED``, ``CONTINUED_AS_NEW`` or ``TIMED_OUT`` once it
    is closed; ``latest_activity_timestamp``: when an activity task was last scheduled; ``result``: the JSON text of a
    completed execution's result; ``failure_reason`` and ``failure_details``: of a failed one; ``exit_event``: the event
    that closed it, as the API gives it.
    """

    execution_status: str
    workflow_description: dict[str, Any]
    close_status: str | None = None
    latest_activity_timestamp: datetime | float | None = None
    result: str | None = None
    failure_reason: str | None = None
    failure_details: str | None = None
    exit_event: dict[str, Any] | None = None


def get_workflow_status(
    domain: str, workflow_id: str, run_id: str, client: Client | None = None
) -> WorkflowStatus | None:
    """
    Ask how an execution stands.

    Args:
        domain: its domain.
        workflow_id: its id.
        run_id: the run's id, as ``start_workflow`` gave it.
        client: an SWF client; None: ``create_client()``.

    Returns:
        Its status, or None where there is no such execution.

    Raises:
        ServiceFault: anything but ``UnknownResourceFault``.
        PyflowException: no client could be made.

    Source:
        SWF API Reference, DescribeWorkflowExecution, GetWorkflowExecutionHistory.
    """
    client = create_client() if client is None else client
    try:
        return _status(client, domain, {"workflowId": workflow_id, "runId": run_id})
    except ServiceFault as fault:
        if fault.code == "UnknownResourceFault":
            return None
        raise


def _status(client: Client, domain: str, execution: dict[str, str]) -> WorkflowStatus:
    with service_faults("DescribeWorkflowExecution"):
        description = client.describe_workflow_execution(domain=domain, execution=execution)
    info = description["executionInfo"]
    status = WorkflowStatus(
        execution_status=info["executionStatus"],
        workflow_description=description,
        close_status=info.get("closeStatus"),
        latest_activity_timestamp=description.get("latestActivityTaskTimestamp"),
    )
    if status.execution_status == "CLOSED":
        with service_faults("GetWorkflowExecutionHistory"):
            # nothing follows the event that closes an execution
            history = client.get_workflow_execution_history(
                domain=domain, execution=execution, reverseOrder=True, maximumPageSize=1
            )
        _add_exit(status, history["events"])
    return status


def _add_exit(status: WorkflowStatus, events: list[dict[str, Any]]) -> None:
    for event in events:
        if event["eventType"] in CLOSE_EVENTS:
            status.exit_event = event
            if event["eventType"] == "WorkflowExecutionCompleted":
                status.result = attributes_of(event).get("result")
            elif event["eventType"] == "WorkflowExecutionFailed":
                status.failure_reason = attributes_of(event).get("reason")
                status.failure_details = attributes_of(event).get("details")


class ExecutionHandle:
    """
    One execution, as others see it: signal it, cancel it, end it, see where it waits.

    Attributes:
        client: an SWF client.
        domain, workflow_id: the execution.
        run_id: the run that it is in; it changes as the execution continues as new and this handle follows.
        converter: what values become on their way; the one that its workers have.
        returns: the type hint of its result, if it says more than JSON; else None.
    """

    def __init__(
        self,
        client: Client,
        domain: str,
        workflow_id: str,
        run_id: str,
        *,
        converter: DataConverter = JSON,
        returns: Any = None,
    ) -> None:
        self.converter = converter
        self.returns = returns
        self.client = client
        self.domain = domain
        self.workflow_id = workflow_id
        self.run_id = run_id

    @property
    def execution(self) -> dict[str, str]:
        """``{"workflowId": ..., "runId": ...}``, as SWF names the run that it is in."""
        return {"workflowId": self.workflow_id, "runId": self.run_id}

    @property
    def closed(self) -> dict[str, Any] | None:
        """The event that closed the run it is in, in the API's form; None while it is open."""
        with service_faults("GetWorkflowExecutionHistory"):
            # nothing follows the event that closes an execution
            page = self.client.get_workflow_execution_history(
                domain=self.domain, execution=self.execution, reverseOrder=True, maximumPageSize=1
            )
        last: dict[str, Any] = page["events"][0]
        return last if last["eventType"] in CLOSE_EVENTS else None

    def describe(self) -> dict[str, Any]:
        """
        Return DescribeWorkflowExecution's reply about the run it is in.

        Raises:
            ServiceFault: ``UnknownResourceFault`` if there is no such execution.
        """
        with service_faults("DescribeWorkflowExecution"):
            reply: dict[str, Any] = self.client.describe_workflow_execution(
                domain=self.domain, execution=self.execution
            )
        return reply

    @property
    def waiting(self) -> str | None:
        """Where its code waits, ``file:line in function``, as its last response said; None if it waits nowhere."""
        context = self.describe().get("latestExecutionContext", "")
        return next((line[11:] for line in context.splitlines() if line.startswith("waiting at ")), None)

    def signal(self, name: str, value: Any = None) -> None:
        """
        Send it a signal.

        Args:
            name: the signal's, up to 256 characters.
            value: a value as ``run`` takes it; None sends no input.

        Raises:
            SerializationException: the value is not JSON, or too long.
            ServiceFault: ``UnknownResourceFault`` if it is not open. Where no answer came, or an error of the service's own
                (``status`` 0, or 500 and over), the signal may have arrived: it is not sent again by itself.

        Source:
            SWF API Reference, SignalWorkflowExecution.
        """
        converter = self.converter
        more = {} if value is None else {"input": converter.seal(converter.encode(value, "the value of signal", name))}
        self._send("SignalWorkflowExecution", self.client.signal_workflow_execution, signalName=name, **more)

    def cancel(self) -> None:
        """
        Ask it to cancel: WorkflowCanceledException is raised where its code waits.

        Raises:
            ServiceFault: ``UnknownResourceFault`` if it is not open.

        Source:
            SWF API Reference, RequestCancelWorkflowExecution.
        """
        self._send("RequestCancelWorkflowExecution", self.client.request_cancel_workflow_execution)

    def terminate(self, reason: str = "") -> None:
        """
        End it at once; its code is not asked, and its children get what its child policy says.

        Args:
            reason: a short text; cut at 256 characters.

        Raises:
            ServiceFault: ``UnknownResourceFault`` if it is not open.

        Source:
            SWF API Reference, TerminateWorkflowExecution.
        """
        more = {"reason": sendable(reason, REASON_MAX)} if reason else {}
        self._send("TerminateWorkflowExecution", self.client.terminate_workflow_execution, **more)

    def _send(self, operation: str, call: Callable[..., Any], **request: Any) -> None:
        """Call for the run it is in; and for its successor, if it has continued as new."""
        while True:
            run_id = self.run_id
            try:
                repeat(call, operation, domain=self.domain, workflowId=self.workflow_id, runId=run_id, **request)
            except ServiceFault as fault:
                if fault.code != "UnknownResourceFault":
                    raise
                self._end()
                if self.run_id == run_id:
                    raise
            else:
                return

    def _end(self) -> dict[str, Any] | None:
        """Return the event that closed it for good."""
        return self._end_after(self.closed)

    def _end_after(self, closed: dict[str, Any] | None) -> dict[str, Any] | None:
        """Return the event that closed it for good, given that of the run it is in: one that continued as new has a successor."""
        while closed is not None and closed["eventType"] == "WorkflowExecutionContinuedAsNew":
            self.run_id = attributes_of(closed)["newExecutionRunId"]
            closed = self.closed
        return closed

    def _events(self) -> list[dict[str, Any]]:
        """Return all events of the run it is in."""
        request: dict[str, Any] = {"domain": self.domain, "execution": self.execution}
        events: list[dict[str, Any]] = []
        while True:
            with service_faults("GetWorkflowExecutionHistory"):
                page = self.client.get_workflow_execution_history(**request)
            events += page["events"]
            if "nextPageToken" not in page:
                return events
            request["nextPageToken"] = page["nextPageToken"]


class WorkflowHandle(ExecutionHandle, Generic[R]):
    """What ``pyflow.handle`` and ``start_workflow(...).handle`` give: an execution, and its result."""

    def result(self, timeout: float | timedelta | None = None) -> R:
        """
        Wait until it has closed for good, and give its result; runs that it continues as are followed.

        SWF has no call that waits: its history's end is looked at again and again, at most 5 seconds apart. A look that SWF
        does not answer is only another one to come. A service in this process wakes it when the run has closed.

        Args:
            timeout: seconds to wait at most; None: as long as it takes.

        Returns:
            What ``run`` returned, decoded from JSON, and rebuilt by its type hint where the class is known.

        Raises:
            WorkflowFailedException: it failed; with its reason and details.
            WorkflowCanceledException: it closed as canceled.
            WorkflowTerminatedException: somebody terminated it.
            WorkflowTimedOutException: it took longer than its timeout.
            WaitTimedOutException: it was not closed in time; it goes on.
            SerializationException: its result is not JSON, or does not fit the type hint.
            PayloadException: its result cannot be opened; PayloadStoreException: not now.
            ServiceFault: ``UnknownResourceFault`` (there is no such execution), ...
        """
        seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
        until_s = None if seconds is None else time.monotonic() + seconds
        most_s = POLL_LOCAL_MAX_S if is_local(self.client) else POLL_MAX_S
        pause_s = POLL_FIRST_S
        closed: dict[str, Any] | None = None
        if hasattr(self.client, "wait_for_close"):
            pause_s = most_s = POLL_S
            closed = self._wait(pause_s if seconds is None else min(pause_s, seconds))
        while (closed := self._look(closed)) is None:
            left_s = pause_s if until_s is None else until_s - time.monotonic()
            if left_s <= 0:
                raise WaitTimedOutException(f"{self.workflow_id} was not closed within {seconds} seconds")
            closed = self._wait(min(pause_s, left_s))
            pause_s = min(most_s, pause_s * 1.5)
        return outcome_of(closed, self.converter, self.returns)  # type: ignore[no-any-return] # what the type hint says

    def status(self) -> WorkflowStatus:
        """
        Tell how it stands; of runs that it continued as, the last.

        Raises:
            ServiceFault: ``UnknownResourceFault`` if there is no such execution, ...
        """
        self._end()
        status = _status(self.client, self.domain, self.execution)
        if status.result is not None:
            status.result = self.converter.open(status.result)
        return status

    def history(self) -> list[dict[str, Any]]:
        """Return the events of the run that it is in, all pages, in the API's form."""
        return self._events()

    def _wait(self, seconds: float) -> dict[str, Any] | None:
        """Let some time pass; where the client can tell that the run has closed, only until then: return what closed it."""
        if not hasattr(self.client, "wait_for_close"):
            time.sleep(seconds)
            return None
        try:
            closed: dict[str, Any] | None = self.client.wait_for_close(self.domain, self.execution, max(0.0, seconds))
        except ServiceFault as fault:
            if judge(fault) is not Verdict.RETRY:
                raise
            time.sleep(min(POLL_FIRST_S, seconds))
            return None
        return closed

    def _look(self, closed: dict[str, Any] | None) -> dict[str, Any] | None:
        try:
            return self._end() if closed is None else self._end_after(closed)
        except ServiceFault as fault:
            if judge(fault) is not Verdict.RETRY:
                raise
            return None


def handle(
    workflow_id: str,
    run_id: str | None = None,
    *,
    domain: str,
    client: Client | None = None,
    workflow: type[WorkflowCode[Any, R]] | None = None,
    converter: DataConverter = JSON,
) -> WorkflowHandle[R]:
    """
    Give a handle on an execution that somebody has started.

    Args:
        workflow_id: its id.
        run_id: which of its runs; None: the one that is open, else the one started last. On AWS one that started within the last
            second or so may not be found yet; the run id finds it.
        domain: its domain.
        client: an SWF client; None: ``create_client()``.
        workflow: its class, whose ``run`` says by a type hint what the result is; None: the result is plain JSON.
        converter: what values become on their way; the one that its workers have.

    Raises:
        PyflowException: no execution has this id.
        ServiceFault: ``UnknownResourceFault`` (no such domain), ...

    Source:
        SWF API Reference, ListOpenWorkflowExecutions, ListClosedWorkflowExecutions.
    """
    client = create_client() if client is None else client
    if run_id is None:
        found = newest_run(client, domain, workflow_id, open_only=False)
        if found is None:
            raise PyflowException(f"no execution of domain {domain!r} has the workflow id {workflow_id!r}")
        run_id = found["execution"]["runId"]
    returns = None if workflow is None else hints_of(workflow.run).result
    return WorkflowHandle(client, domain, workflow_id, run_id, converter=converter, returns=returns)


def newest_run(client: Client, domain: str, workflow_id: str, *, open_only: bool) -> dict[str, Any] | None:
    """Return what SWF lists of the run of an id that is open, or was started last; None if it lists none."""
    calls = {"ListOpenWorkflowExecutions": client.list_open_workflow_executions}
    if not open_only:
        calls["ListClosedWorkflowExecutions"] = client.list_closed_workflow_executions
    for operation, call in calls.items():
        with service_faults(operation):
            page = call(domain=domain, startTimeFilter={"oldestDate": 0}, executionFilter={"workflowId": workflow_id})
        infos = [info for info in page["executionInfos"] if info["execution"]["workflowId"] == workflow_id]
        if infos:
            newest: dict[str, Any] = max(infos, key=lambda info: info["startTimestamp"])
            return newest
    return None


def outcome_of(closed: dict[str, Any], converter: DataConverter = JSON, returns: Any = None) -> Any:
    """
    Return the result of an execution, or raise how it ended otherwise.

    Args:
        closed: the event that closed it, in the API's form; not WorkflowExecutionContinuedAsNew.
        converter: reads the result.
        returns: the rich type hint of the result, or None.

    Raises:
        WorkflowFailedException, WorkflowCanceledException, WorkflowTerminatedException, WorkflowTimedOutException: as it ended.
        SerializationException: its result is not JSON, or does not fit.
        PayloadException: its result cannot be opened.
    """
    attributes = attributes_of(closed)
    match closed["eventType"]:
        case "WorkflowExecutionFailed":
            failure = WorkflowFailedException(attributes.get("reason", ""), attributes.get("details"))
            report = read(failure.details)
            if report is not None:
                failure.remote_type, failure.remote_message, failure.remote_traceback, _ = report
                failure.add_note(f"where it happened:\n{indent(report.traceback.rstrip(), '  ')}")
            raise failure
        case "WorkflowExecutionCanceled":
            raise WorkflowCanceledException(attributes.get("details"))
        case "WorkflowExecutionTerminated":
            raise WorkflowTerminatedException(
                attributes.get("reason"), attributes.get("details"), cause=attributes.get("cause")
            )
        case "WorkflowExecutionTimedOut":
            raise WorkflowTimedOutException(attributes.get("timeoutType"))
    try:
        return converter.decode(attributes.get("result"), returns, "the result of the execution")
    except SerializationException:
        raise
    except ValueError as error:
        raise SerializationException(
            f"the result of the execution is not JSON: {error}; status().result is its text"
        ) from error
