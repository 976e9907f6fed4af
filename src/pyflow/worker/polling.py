"""
Long polls: all pages of a task gathered, back-off when polls fail, no hot loop when they come back empty, a clean stop.

Nothing below this file knows of paging, and nothing here knows what a task is for.
"""

import logging
import time
from collections.abc import Callable
from threading import Event
from typing import Any, Final

from pyflow.exceptions import ServiceFault
from pyflow.swf.client import Client, is_local, service_faults
from pyflow.swf.faults import STALE_CREDENTIALS, Verdict, judge
from pyflow.swf.posts import can_post
from pyflow.swf.repeating import BACKOFF_MAX_S, backoff_s

logger = logging.getLogger(__name__)

Task = dict[str, Any]

EMPTY_POLL_S: Final = 0.5
"""The least time from one poll that came back empty to the next: two polls a second."""
BACKOFF_LOCAL_MAX_S: Final = 2.0
"""A service on this machine comes back when its author starts it again, and has no others to protect."""
REPAIR_MIN_S: Final = 5.0
POLLERS: Final = 2
POSTED_POLLERS: Final = 8
"""Where no thread waits for a poll, more of them cost next to nothing, and tasks that come together are handed out together."""
PAGE_TRIES: Final = 5
_NEVER: Final = Event()


def decision_poll(domain: str, task_list: str, identity: str, *, newest_only: bool = False) -> dict[str, Any]:
    """
    Return the request of a poll for decision tasks.

    Args:
        domain: a registered domain.
        task_list: the task list to poll.
        identity: recorded in DecisionTaskStarted; at most 256 characters.
        newest_only: ask for the events from the decision task before this one on (``startAtPreviousStartedEvent``). SWF selects
            them by time, and a service may not know the member: where they begin is to be seen from the first.
    """
    request: dict[str, Any] = {"domain": domain, "taskList": {"name": task_list}, "identity": identity}
    if newest_only:
        request["startAtPreviousStartedEvent"] = True
    return request


def poll_decision_task(client: Client, request: dict[str, Any], stop: Event | None = None) -> Task | None:
    """
    Poll once for a decision task, and gather all pages of its history.

    Args:
        client: see ``pyflow.swf.client``.
        request: from ``decision_poll``.
        stop: ends the waits between tries for a page; the task is then given up.

    Returns:
        PollForDecisionTask's reply with the ``events`` of all pages and no ``nextPageToken``. None where the poll was
        empty, and where a page could not be had: the task is given up and times out, since nobody decides on part of a
        history.

    Raises:
        ServiceFault: from the first page.

    Source:
        SWF API Reference, PollForDecisionTask: further pages come from the same action with ``nextPageToken``.
    """
    first_page = _call(client.poll_for_decision_task, "PollForDecisionTask", request)
    return gather(client, request, first_page, stop) if first_page.get("taskToken") else None


def gather(client: Client, request: dict[str, Any], task: Task, stop: Event | None = None) -> Task | None:
    """Return a task with the events of all pages, or None, as ``poll_decision_task``; its first page is there already."""
    token = task.pop("nextPageToken", None)
    while token:
        page = _page(client.poll_for_decision_task, "PollForDecisionTask", {**request, "nextPageToken": token}, stop)
        if page is None:
            logger.warning("gave up a decision task of %r: its history could not be read whole", _execution(task))
            return None
        task["events"] += page["events"]
        token = page.get("nextPageToken")
    return task


def whole_history(client: Client, domain: str, task: Task, stop: Event | None = None) -> Task | None:
    """
    Fetch the history of a task that has only its newest events.

    Args:
        client: see ``pyflow.swf.client``.
        domain: the task's.
        task: a decision task; it is not changed.
        stop: ends the waits between tries.

    Returns:
        The task with all events up to its ``startedEventId``; None where they could not be had.

    Source:
        SWF API Reference, GetWorkflowExecutionHistory. It goes on past the task: what has happened since is cut off.
    """
    started: int = task["startedEventId"]
    request: dict[str, Any] = {"domain": domain, "execution": task["workflowExecution"]}
    events: list[dict[str, Any]] = []
    while len(events) < started:
        page = _page(client.get_workflow_execution_history, "GetWorkflowExecutionHistory", request, stop)
        if page is None:
            return None
        events += page["events"]
        if not page.get("nextPageToken"):
            break
        request["nextPageToken"] = page["nextPageToken"]
    return {**task, "events": events[:started]}


def poll_activity_task(client: Client, domain: str, task_list: str, identity: str) -> Task | None:
    """
    Poll once for an activity task.

    Returns:
        PollForActivityTask's reply, or None where the poll was empty.

    Raises:
        ServiceFault: the poll failed.
    """
    request = activity_poll(domain, task_list, identity)
    task = _call(client.poll_for_activity_task, "PollForActivityTask", request)
    return task if task.get("taskToken") else None


def activity_poll(domain: str, task_list: str, identity: str) -> dict[str, Any]:
    """Return the request of ``poll_activity_task``."""
    return {"domain": domain, "taskList": {"name": task_list}, "identity": identity}


class Poller:
    """
    The pace of one poller: it knows how long to wait before its next poll.

    Failed polls back off with full jitter; polls that come back empty at once are spaced; a task clears both. One
    thread calls ``next``; any thread may set ``stop``, which cuts waits short and lets the poll under way come to its
    end, because SWF may have handed a task to it.

    Args:
        poll: one poll; gives a task, or None if it was empty; raises ServiceFault.
        stop: set to stop.
        backoff_max_s: the longest wait after failed polls.
        is_own: the list is the process's own. After ``stop`` it is polled for as long as each poll gives a task, since nobody
            else does; and it is not insisted on where it is refused.
        renew: called where the service does not take the credentials any more.
    """

    def __init__(
        self,
        poll: Callable[[], Task | None],
        stop: Event,
        *,
        backoff_max_s: float = BACKOFF_MAX_S,
        is_own: bool = False,
        renew: Callable[[], None] = lambda: None,
    ) -> None:
        self._poll = poll
        self._stop = stop
        self._backoff_max_s = backoff_max_s
        self._is_own = is_own
        self._renew = renew
        self._gave = False
        self._failures = 0
        self._wait_s = 0.0
        self._began_s = 0.0
        self.polling = False
        """Whether a poll is under way; read by whoever wants to end the process."""

    def next(self) -> Task | None:
        """
        Wait as long as must be, then poll once.

        Returns:
            The task; None where the poll was empty or failed, and where ``stop`` was set before it began.

        Raises:
            ServiceFault: the service refuses what the poll says (a name, an identity), and no repetition can help; or it refuses
                an own list.
        """
        if not self.is_due():
            return None
        self.begin()
        return self.end(self._poll)

    def is_due(self) -> bool:
        """Wait as long as must be; tell whether to poll then."""
        if self._wait_s:
            self._stop.wait(self._wait_s)
            self._wait_s = 0.0
        return not self.over

    def begin(self) -> None:
        """Note that a poll begins. Whoever makes it otherwise than ``next`` calls this, and ``end`` when the reply is there."""
        self._gave = False
        self._began_s = time.monotonic()
        self.polling = True

    def end(self, poll: Callable[[], Task | None]) -> Task | None:
        """
        Take the outcome of the poll that was begun.

        Args:
            poll: gives or raises it.

        Returns:
            As ``next``.

        Raises:
            ServiceFault: as ``next``.
        """
        try:
            task = poll()
        except ServiceFault as fault:
            self._failed(fault)
            return None
        finally:
            self.polling = False
        self._failures = 0
        self._gave = task is not None
        self._wait_s = 0.0 if task else max(0.0, EMPTY_POLL_S - (time.monotonic() - self._began_s))
        return task

    @property
    def over(self) -> bool:
        """Whether ``stop`` is set and there is no more to come."""
        return self._stop.is_set() and not (self._is_own and self._gave)

    def _failed(self, fault: ServiceFault) -> None:
        verdict = judge(fault)
        is_stale = fault.code in STALE_CREDENTIALS
        if verdict is Verdict.OURS or (verdict is Verdict.REPAIR and self._is_own and not is_stale):
            raise fault
        self._wait_s = backoff_s(self._failures, self._backoff_max_s)
        self._failures += 1
        if verdict is Verdict.REPAIR:
            self._wait_s += REPAIR_MIN_S
            if is_stale:
                self._renew()
            logger.error("polling is refused, next try in %.0f s: %s", self._wait_s, fault)
        else:
            logger.warning("a poll failed, next try in %.1f s: %s", self._wait_s, fault)


def pollers_for(client: Client) -> int:
    """Give the number of polls that suits a client."""
    return POSTED_POLLERS if can_post(client) else POLLERS


def backoff_max_s(client: Client) -> float:
    """Give the longest back-off that suits a client's service."""
    return BACKOFF_LOCAL_MAX_S if is_local(client) else BACKOFF_MAX_S


def _page(call: Callable[..., Task], operation: str, request: dict[str, Any], stop: Event | None) -> Task | None:
    """Fetch one page of a history; None: it is not to be had."""
    for failures in range(PAGE_TRIES):
        try:
            page = _call(call, operation, request)
        except ServiceFault as fault:
            # An expired token is a validation fault; a task that timed out meanwhile is an unknown resource.
            if judge(fault) is not Verdict.RETRY:
                logger.warning("a page of a history is refused: %s", fault)
                return None
        else:
            if "events" in page:  # a body cut short parses to an empty reply
                return page
        if (stop or _NEVER).wait(backoff_s(failures, BACKOFF_LOCAL_MAX_S)):
            return None
    return None


def _call(operation: Callable[..., Task], name: str, request: dict[str, Any]) -> Task:
    with service_faults(name):
        return operation(**request)


def _execution(task: Task) -> Any:
    return task.get("workflowExecution", {}).get("workflowId")
