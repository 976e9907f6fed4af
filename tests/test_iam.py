"""The policies in docs/iam.md allow what each part calls, and name nothing that SWF does not have."""

import contextlib
import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyflow
from pyflow.local import LocalSWF
from pyflow.swf.methods import ACTIONS
from pyflow.swf.model import OPERATIONS
from pyflow.worker.activities import ActivityWorker
from pyflow.worker.decider import Decider

PAGE = (Path(__file__).parents[1] / "docs" / "iam.md").read_text()
DECISIONS = {
    "CancelTimer",
    "CancelWorkflowExecution",
    "CompleteWorkflowExecution",
    "ContinueAsNewWorkflowExecution",
    "FailWorkflowExecution",
    "RecordMarker",
    "RequestCancelActivityTask",
    "RequestCancelExternalWorkflowExecution",
    "ScheduleActivityTask",
    "SignalExternalWorkflowExecution",
    "StartChildWorkflowExecution",
    "StartTimer",
}
"""What IAM treats as calls; ScheduleLambdaFunction is not among them."""


def policy(heading: str) -> dict[str, Any]:
    section = PAGE[PAGE.index(f"\n## {heading}\n") :]
    (block,) = re.findall(r"```json\n(.*?)```", section.split("\n## ")[1], re.DOTALL)
    return json.loads(block)


def allowed(heading: str) -> set[str]:
    return {action.removeprefix("swf:") for each in policy(heading)["Statement"] for action in each["Action"]}


STARTER, DECIDER, WORKER = map(allowed, ("Whoever starts executions", "A decider", "An activity worker"))


class Denied(Exception):
    pass


class UnderPolicy:
    """A client that raises for what its policy does not allow, decisions included."""

    def __init__(self, client: Any, actions: set[str]) -> None:
        self._client = client
        self._actions = actions
        self.used: set[str] = set()

    def __getattr__(self, method: str) -> Any:
        if method not in ACTIONS:
            raise AttributeError(method)
        action = ACTIONS[method]

        def call(**request: Any) -> Any:
            decisions = {each["decisionType"] for each in request.get("decisions", ())} - {"ScheduleLambdaFunction"}
            for asked in {action, *decisions}:
                if asked not in self._actions:
                    raise Denied(asked)
            self.used |= {action, *decisions}
            return getattr(self._client, method)(**request)

        return call


@pyflow.activity(start_to_close=60, heartbeat=60, retry=pyflow.RetryPolicy(initial=0, max_attempts=2))
def charge(amount: int) -> int:
    task = pyflow.activity.current()
    if task.attempt == 1:
        task.heartbeat(amount)
        raise RuntimeError("once")
    assert task.last_details is None  # a failed attempt leaves none; the history is read all the same
    return amount


class Child(pyflow.Workflow):
    NAME = "Child"

    def run(self, _input: Any) -> str:
        return self.swf.receive("go")


class Everything(pyflow.Workflow):
    """Makes every kind of decision but a failure."""

    NAME = "Everything"

    def run(self, again: bool) -> int:
        child = self.swf.start_child(Child)
        self.swf.sleep(0)
        child.signal("go", "on")
        child.result()
        other = self.swf.start_child(Child)
        self.swf.sleep(0)
        other.cancel(wait=True)
        timer = self.swf.start_timer(100)
        waiting = charge.options(task_list="nobody").submit(1)
        self.swf.sleep(0)
        timer.cancel()
        waiting.cancel(wait=True)
        self.swf.invoke_once(int).result()
        if again:
            self.swf.continue_as_new(False)
        return charge(7)


def ended(handle: Any) -> str | None:
    with contextlib.suppress(pyflow.PyflowException):
        handle.result(timeout=30)
    return handle.status().close_status


def test_each_part_does_all_that_it_does_under_its_policy() -> None:
    with LocalSWF(poll_wait_s=0.2) as swf:
        swf.direct().register_domain(name="d", workflowExecutionRetentionPeriodInDays="1")
        starter, decisions, work = (UnderPolicy(swf.direct(), actions) for actions in (STARTER, DECIDER, WORKER))
        decider = Decider([Everything, Child], "d", "orders", "me", decisions)
        worker = ActivityWorker([charge], "d", "orders", "me", work)
        decider.ensure_workflows_registered()
        worker.ensure_activities_registered()
        with ThreadPoolExecutor() as threads:
            running = [threads.submit(decider.poll_for_decision_tasks), threads.submit(worker.run)]

            def start(name: str, input: Any = None) -> Any:
                started = pyflow.start_workflow("d", name, "1.0", "orders", input=input, client=starter)
                return pyflow.handle(started["workflowId"], domain="d", client=starter)

            everything, signaled, canceled, terminated = (
                start("Everything", True),
                *(start("Child") for _ in range(3)),
            )
            signaled.signal("go", 1)
            canceled.cancel()
            terminated.terminate("no")
            ends = [ended(handle) for handle in (everything, signaled, canceled, terminated)]
            pyflow.handle(signaled.workflow_id, domain="d", client=starter)  # looks among the closed ones too
            decider.stop()
            worker.stop()
            for each in running:
                each.result()

    assert ends == ["COMPLETED", "COMPLETED", "CANCELED", "TERMINATED"]
    assert STARTER - starter.used == set()
    assert DECIDER - decisions.used == {"FailWorkflowExecution"} | (DECIDER & {"GetWorkflowExecutionHistory"})
    assert WORKER - work.used == {"RespondActivityTaskCanceled"}


def test_the_policies_name_only_what_swf_has() -> None:
    assert DECISIONS | set(OPERATIONS) >= STARTER | DECIDER | WORKER
    assert DECISIONS <= DECIDER
