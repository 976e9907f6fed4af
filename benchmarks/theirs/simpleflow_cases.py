"""simpleflow: the same decisions, by its executor; the fork of a process for each, which its decider adds, is left out."""

import gc
import json
import logging
import os
from time import perf_counter

os.environ.update(AWS_DEFAULT_REGION="us-east-1", AWS_ACCESS_KEY_ID="any", AWS_SECRET_ACCESS_KEY="any")

from answering import answer
from benchmarks.histories import decision_task, fan_out_task
from simpleflow import Workflow, activity, futures
from simpleflow.swf.executor import Executor
from simpleflow.swf.mapper.models.domain import Domain
from simpleflow.swf.mapper.models.history import History
from simpleflow.swf.mapper.models.workflow import WorkflowExecution, WorkflowType
from simpleflow.swf.mapper.responses import Response

logging.disable(logging.CRITICAL)
ACTIVITY_ID = "activity-step-{}"
domain = Domain("domain")


@activity.with_attributes(name="step", version="1.0", task_list="list")
def step(given):
    raise NotImplementedError


class Steps(Workflow):
    name, version, task_list = "Steps", "1.0", "list"

    def run(self, steps):
        total = 0
        for number in range(steps):
            total = self.submit(step, {"number": number, "total": total}).result["total"]
        return total


class FanOut(Workflow):
    name, version, task_list = "FanOut", "1.0", "list"

    def run(self, steps):
        tasks = [self.submit(step, {"number": number, "total": number}) for number in range(steps)]
        futures.wait(*tasks)
        return sum(task.result["total"] for task in tasks)


def input_of(steps):
    return json.dumps({"args": [steps]})


def decide(steps, of):
    task = decision_task(steps, of=of, activity_id=ACTIVITY_ID, input_of=input_of)
    return timed(Steps, task)


def fan_out(steps):
    return timed(FanOut, fan_out_task(steps, activity_id=ACTIVITY_ID, input_of=input_of))


def timed(workflow, task):
    executor = Executor(domain, workflow, "list")
    gc.collect()
    before = perf_counter()
    history = History.from_event_list(task["events"])
    kind = WorkflowType(domain, workflow.name, workflow.version)
    execution = WorkflowExecution(domain=domain, workflow_id="workflow", run_id="run", workflow_type=kind)
    decided = executor.replay(Response(token="token", history=history, execution=execution))
    taken = perf_counter() - before
    kinds = [decision["decisionType"] for decision in decided.decisions]
    assert kinds in (["CompleteWorkflowExecution"], ["ScheduleActivityTask"]), decided.decisions
    return taken


answer(decide=decide, fan_out=fan_out)
