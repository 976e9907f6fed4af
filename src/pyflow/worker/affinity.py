"""
Decider affinity: a run that this process keeps comes back to this process, and brings only its new events.

SWF lets an answer name the task list for the run's next decision tasks, and for how long one may wait there. Each process
names a list of its own, which nobody else polls. If it is gone, or too busy, SWF takes the run back to its own list after that
time by itself: a ``DecisionTaskTimedOut`` (SCHEDULE_TO_START) and one more replay are all that it costs.

Nothing that is decided depends on it. Where the service does not support it, it is off.
"""

import logging
import math
import os
import re
import socket
import time
import uuid
from typing import Any, Final

from pyflow.swf.client import Client, accepts

from .deciding import Task

logger = logging.getLogger("pyflow")

AFFINITY_S: Final = 5
"""How long a task waits for this process before SWF takes it back."""
ASKED_MAX: Final = 1_000
"""How many answers are remembered, until the first of them is found in a history."""
PREFIX: Final = "pyflow-"
"""What own lists begin with, so that an IAM policy can allow them."""
AFFINITY_MEMBERS: Final = frozenset({"taskList", "taskListScheduleToStartTimeout"})
"""What an answer has more that brings a run back."""
NAME_MAX: Final = 256
"""Characters of a task list's name."""


class Affinity:
    """
    The task list of one process, and whether it is used.

    Args:
        client: an SWF client.
        task_list: the list that all deciders poll; the own one is named after it.
        seconds: how long a task may wait for this process; 0: no affinity.

    Attributes:
        list_name: the own list.
        on: whether runs are asked to come back.
    """

    def __init__(self, client: Client, task_list: str, seconds: int) -> None:
        self.list_name = own_list_name(task_list)
        self.on = seconds > 0 and is_supported(client)
        self._seconds = seconds
        self._off_s = -math.inf
        self._is_proved = False
        self._asked: set[tuple[str, int]] = set()

    def members(self, task: Task) -> dict[str, Any]:
        """Return the members of RespondDecisionTaskCompleted that bring a task's run back here; none, where it is off."""
        if not self.on:
            return {}
        if not self._is_proved and len(self._asked) < ASKED_MAX:
            self._asked.add((task["workflowExecution"]["runId"], task["startedEventId"]))
        return {"taskList": {"name": self.list_name}, "taskListScheduleToStartTimeout": str(self._seconds)}

    @property
    def worth_polling(self) -> bool:
        """Whether tasks may come by the own list: those that were asked for before it was turned off may."""
        return self.on or time.monotonic() < self._off_s + self._seconds

    def turn_off(self, why: str) -> None:
        """Ask no run to come back any more; those that were asked are taken back by SWF."""
        if self.on:
            self.on = False
            self._off_s = time.monotonic()
            logger.info("no decider affinity from here on: %s", why)

    def notice(self, task: Task) -> None:
        """Look whether the service did as it was asked by an answer before this task; moto takes the members and forgets."""
        if self._is_proved or not self._asked:
            return
        run_id = task["workflowExecution"]["runId"]
        for event in task["events"]:
            if event["eventType"] != "DecisionTaskCompleted":
                continue
            completed = event["decisionTaskCompletedEventAttributes"]
            if (run_id, completed["startedEventId"]) in self._asked:
                self._is_proved = "taskListScheduleToStartTimeout" in completed
                self._asked.clear()
                if not self._is_proved:
                    self.turn_off("the service forgets the task list in an answer")
                return


def is_supported(client: Client) -> bool:
    """Tell whether a client knows the members that this needs."""
    return accepts(client, "PollForDecisionTask", "startAtPreviousStartedEvent") and accepts(
        client, "RespondDecisionTaskCompleted", "taskListScheduleToStartTimeout"
    )


def own_list_name(task_list: str) -> str:
    """Make up the name of a list that is only ours: ``pyflow-`` for policies, then what tells people whose it is."""
    own = f"-{re.sub('[^a-zA-Z0-9.-]', '-', socket.gethostname())[:64]}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    return f"{PREFIX}{task_list}"[: NAME_MAX - len(own)] + own
