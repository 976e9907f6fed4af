"""
Other services for tests to run on than the local one: moto's, in this process, and what boto3 is configured for, in the end AWS.

Time does not skip there. What a test waits for is waited for, in real seconds; what would take too long, or cannot be done
there, says so, and the plugin skips the test with that reason.
"""

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from pyflow.exceptions import ServiceFault
from pyflow.local import Pending
from pyflow.swf.client import Client, create_client, service_faults
from pyflow.swf.events import CLOSE_EVENTS, attributes_of

from .world import DOMAIN, Function, UnsupportedException

__all__ = ["MOTO_REFUSES", "ElsewhereWorld", "UnsupportedException", "aws", "moto"]

__tracebackhide__ = True

MOTO_REFUSES: Final = frozenset(
    {
        "CancelTimer",  # it records TimerCancelled, which is no event of SWF's
        "ContinueAsNewWorkflowExecution",
        "RequestCancelActivityTask",
        "RequestCancelExternalWorkflowExecution",
        "ScheduleLambdaFunction",
        "SignalExternalWorkflowExecution",
        "StartChildWorkflowExecution",
    }
)
"""Decisions that moto's SWF does not carry out."""

MOTO_LACKS: Final = frozenset({"request_cancel_workflow_execution", "respond_activity_task_canceled"})
"""Actions that moto's SWF does not have."""

MOTO_WANTS: Final = {"signal_workflow_execution": {"input": "null"}}
"""Members that moto's methods want and SWF's do not, and what reads the same as none."""

LOOK_S: Final = 0.2
"""Real seconds from one look at what has happened to the next."""

WAIT_MAX_S: Final = 60.0
"""Real seconds that a test may wait for a timer or a timeout."""

_TIMERS: Final = {
    # event that begins something: the members that limit its time
    "TimerStarted": ("startToFireTimeout",),
    "ActivityTaskScheduled": (
        "scheduleToCloseTimeout",
        "startToCloseTimeout",
        "scheduleToStartTimeout",
        "heartbeatTimeout",
    ),
    "LambdaFunctionScheduled": ("startToCloseTimeout",),
    "DecisionTaskStarted": (),
    "StartChildWorkflowExecutionInitiated": (),
    "SignalExternalWorkflowExecutionInitiated": (),
    "RequestCancelExternalWorkflowExecutionInitiated": (),
}


class ElsewhereWorld:
    """
    A service that is not ours.

    What waits is read from the histories of the executions that were started here, and of their children: SWF's own counts
    are approximate.

    Args:
        name: of the service, for people.
        client: its client.
        domain: a registered domain; nobody else may poll its task list ``flow`` meanwhile.
        refuses: the types of decisions that it does not carry out.
        lacks: the methods that it does not have.
        wants: what it wants in requests that leave it out, by its methods.
        wait_max_s: real seconds that a test may wait for a timer or a timeout.
        close: lets go of the service.

    Attributes:
        client: the same, but what it refuses and lacks raises ``UnsupportedException``, and executions are noted.
    """

    def __init__(
        self,
        name: str,
        client: Client,
        domain: str,
        *,
        refuses: frozenset[str] = frozenset(),
        lacks: frozenset[str] = frozenset(),
        wants: Mapping[str, dict[str, Any]] = MappingProxyType({}),
        wait_max_s: float = WAIT_MAX_S,
        close: Callable[[], object] = lambda: None,
    ) -> None:
        self.name = name
        self.domain = domain
        self.client: Client = _Noting(self, client, refuses, lacks, wants)
        self.started: list[dict[str, str]] = []
        self._children: list[dict[str, str]] = []
        self._count, self._counted_s = 0, time.monotonic()
        self._real = client
        self._wait_max_s = wait_max_s
        self._close = close

    def __repr__(self) -> str:
        return self.name

    def now_ms(self) -> int:
        """Return the machine's time: that of a remote service is not told."""
        return round(time.time() * 1000)

    def pending(self) -> Pending:
        """Read what waits from the histories of what is open."""
        decisions: list[str] = []
        activities: list[tuple[str, str, str]] = []
        due_ms: int | None = None
        count = 0
        for execution in list(self.started):
            events = self._events(execution)
            count += len(events)
            if events[-1]["eventType"] in CLOSE_EVENTS:
                self.started.remove(execution)
                following = attributes_of(events[-1]).get("newExecutionRunId")
                if following is not None:
                    self.started.append({**execution, "runId": following})
                    due_ms = self.now_ms()
                continue
            found = _open_in(events, self.now_ms())
            decisions += found.decisions
            activities += found.activities
            if found.due_ms is not None:
                due_ms = min(found.due_ms, due_ms or found.due_ms)
        if decisions:
            due_ms = self.now_ms()  # it has come since somebody last looked
        if self._is_still(count) and due_ms is not None and due_ms <= self.now_ms():
            due_ms = None
        return Pending(list(dict.fromkeys(decisions)), activities, 0, due_ms, due_ms is None)

    def _is_still(self, count: int) -> bool:
        """Tell whether there has been no event for longer than may be waited."""
        if count != self._count:
            self._count, self._counted_s = count, time.monotonic()
        return time.monotonic() - self._counted_s > self._wait_max_s

    def pass_until(self, until_ms: int) -> None:
        """
        Wait, a little at a time: what is waited for may come from elsewhere.

        Raises:
            UnsupportedException: that is too long.
        """
        left_s = (until_ms - self.now_ms()) / 1000
        if left_s > self._wait_max_s:
            raise UnsupportedException(
                f"time does not skip on {self.name}: the test would wait for {left_s:,.0f} s, and it may for "
                f"{self._wait_max_s:g} s"
            )
        time.sleep(min(LOOK_S, max(0.01, left_s)))

    def run_lambda(self) -> bool:
        """Run none: they run where they are."""
        return False

    def lambda_function(self, name: str, function: Function) -> None:
        """
        Refuse: functions there are the real ones.

        Raises:
            UnsupportedException: always.
        """
        raise UnsupportedException(
            f"Lambda function {name!r} cannot be a Python function on {self.name}: it calls AWS Lambda or nothing"
        )

    def close(self) -> None:
        """Terminate what is open, and let go of the service."""
        for execution in self.started:
            with suppress(ServiceFault), service_faults("TerminateWorkflowExecution"):
                self._real.terminate_workflow_execution(
                    domain=self.domain, **_named(execution), reason="the test that started it is over"
                )
        self.started.clear()
        self._close()

    def _events(self, execution: dict[str, str]) -> list[dict[str, Any]]:
        request: dict[str, Any] = {"domain": self.domain, "execution": execution}
        events: list[dict[str, Any]] = []
        while True:
            with service_faults("GetWorkflowExecutionHistory"):
                page = self._real.get_workflow_execution_history(**request)
            events += page["events"]
            if not page.get("nextPageToken"):
                break
            request["nextPageToken"] = page["nextPageToken"]
        for event in events:
            if event["eventType"] == "ChildWorkflowExecutionStarted":
                child = attributes_of(event)["workflowExecution"]
                if child not in self._children:
                    self._children.append(child)
                    self.started.append(child)
        return events


class _Noting:
    """A client that notes what is started, and says what its service cannot do."""

    def __init__(
        self,
        world: ElsewhereWorld,
        client: Client,
        refuses: frozenset[str],
        lacks: frozenset[str],
        wants: Mapping[str, dict[str, Any]],
    ) -> None:
        self._world = world
        self._client = client
        self._refuses = refuses
        self._lacks = lacks
        self._wants = wants

    def __getattr__(self, name: str) -> Any:
        if name in self._lacks:
            raise UnsupportedException(f"{self._world.name} has no action {name}")
        method = getattr(self._client, name)
        wanted = self._wants.get(name)
        return method if wanted is None else lambda **request: method(**{**wanted, **request})

    def start_workflow_execution(self, **request: Any) -> Any:
        """Note the execution."""
        reply = self._client.start_workflow_execution(**request)
        self._world.started.append({"workflowId": request["workflowId"], "runId": reply["runId"]})
        return reply

    def respond_decision_task_completed(self, **request: Any) -> Any:
        """
        Look at the decisions first.

        Raises:
            UnsupportedException: the service does not carry one of them out.
        """
        for decision in request.get("decisions", []):
            if decision["decisionType"] in self._refuses:
                raise UnsupportedException(f"{self._world.name} does not carry out {decision['decisionType']}")
        return self._client.respond_decision_task_completed(**request)


def moto() -> ElsewhereWorld:
    """
    Return moto's SWF, served in a thread of this process.

    Raises:
        UnsupportedException: moto is not installed.
    """
    try:
        from moto.server import ThreadedMotoServer  # noqa: PLC0415 - only for those who ask for it
    except ImportError:
        raise UnsupportedException("moto's server is not installed: pip install 'moto[server]'") from None
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # it logs each request to the terminal
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    client = create_client(f"http://{host}:{port}")
    domain = f"{DOMAIN}-{time.time_ns()}"
    client.register_domain(name=domain, workflowExecutionRetentionPeriodInDays="1")
    return ElsewhereWorld(
        "moto", client, domain, refuses=MOTO_REFUSES, lacks=MOTO_LACKS, wants=MOTO_WANTS, close=server.stop
    )


def aws(domain: str, *, wait_max_s: float = WAIT_MAX_S) -> ElsewhereWorld:
    """
    Return the service that boto3 is configured for: AWS, or what ``AWS_ENDPOINT_URL_SWF`` says.

    AWS charges for each execution, for each task, signal and timer in it, and for each day that executions are kept. Types that
    are registered stay in the domain. So give it a domain for tests alone, one for each session that runs at a time.

    Args:
        domain: registered if it is not there; its executions are kept for a day.
        wait_max_s: real seconds that a test may wait for a timer or a timeout.
    """
    client = create_client()
    try:
        with service_faults("RegisterDomain"):
            client.register_domain(name=domain, workflowExecutionRetentionPeriodInDays="1")
    except ServiceFault as fault:
        if fault.code != "DomainAlreadyExistsFault":
            raise
    return ElsewhereWorld(f"SWF at {client.meta.endpoint_url}", client, domain, wait_max_s=wait_max_s)


def _named(execution: dict[str, str]) -> dict[str, str]:
    return {"workflowId": execution["workflowId"], "runId": execution["runId"]}


def _open_in(events: list[dict[str, Any]], now_ms: int) -> Pending:
    """Read what waits from one history, and when time will bring the next thing."""
    began: dict[int, dict[str, Any]] = {event["eventId"]: event for event in events if event["eventType"] in _TIMERS}
    tasks: dict[int, dict[str, Any]] = {e["eventId"]: e for e in events if e["eventType"] == "DecisionTaskScheduled"}
    started: set[int] = set()
    for event in events:
        attributes = attributes_of(event)
        if event["eventType"] in ("ActivityTaskStarted", "LambdaFunctionStarted"):
            started.add(attributes.get("scheduledEventId", 0))
            continue
        for member in ("scheduledEventId", "startedEventId", "initiatedEventId"):
            began.pop(attributes.get(member, 0), None)
        if event["eventType"] == "DecisionTaskStarted":
            tasks.pop(attributes["scheduledEventId"], None)
            began[event["eventId"]] = event
    decisions = [attributes_of(task)["taskList"]["name"] for task in tasks.values()]
    activities = []
    for event_id, event in began.items():
        if event["eventType"] == "ActivityTaskScheduled" and event_id not in started:
            attributes = attributes_of(event)
            type_ = attributes["activityType"]
            activities.append((attributes["taskList"]["name"], type_["name"], type_["version"]))
    dues = [_due_ms(event, now_ms) for event in began.values()]
    return Pending(decisions, activities, 0, min(dues, default=None), not dues)


def _due_ms(event: dict[str, Any], now_ms: int) -> int:
    """Return when time ends what an event began; now, if anything else may end it."""
    attributes = attributes_of(event)
    limits = [attributes.get(member) for member in _TIMERS[event["eventType"]]]
    spans = [int(limit) for limit in limits if limit not in (None, "NONE")]
    if not spans:
        return now_ms
    at = event["eventTimestamp"]
    return round((at.timestamp() if isinstance(at, datetime) else at) * 1000) + min(spans) * 1000
