"""
Temporal's Replayer: whole histories of finished runs, each replayed cold.

Not quite the same unit of work: SWF peers replay a history in one go, Temporal activates the workflow once for each of its tasks.
``unsandboxed`` spares its default sandbox, which makes it 2.4 times slower.
"""

import asyncio
import gc
import json
import logging
from datetime import timedelta
from time import perf_counter

from answering import answer
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

logging.disable(logging.CRITICAL)
MINUTE = timedelta(seconds=60)


@workflow.defn(name="Steps")
class Steps:
    @workflow.run
    async def run(self, steps: int) -> int:
        total = 0
        for number in range(steps):
            given = {"number": number, "total": total}
            total = (await workflow.execute_activity("step", given, start_to_close_timeout=MINUTE))["total"]
        return total


@workflow.defn(name="FanOut")
class FanOut:
    @workflow.run
    async def run(self, steps: int) -> int:
        tasks = [
            workflow.execute_activity("step", {"number": number, "total": number}, start_to_close_timeout=MINUTE)
            for number in range(steps)
        ]
        return sum(result["total"] for result in await asyncio.gather(*tasks))


def payloads(value):
    import base64

    def coded(text):
        return base64.b64encode(text.encode()).decode()

    return {"payloads": [{"metadata": {"encoding": coded("json/plain")}, "data": coded(json.dumps(value))}]}


class Events(list):
    def add(self, kind, attributes, **values):
        event_id = len(self) + 1
        self.append(
            {
                "eventId": str(event_id),
                "eventTime": "2026-01-01T00:00:00Z",
                "eventType": "EVENT_TYPE_" + kind,
                attributes + "EventAttributes": values,
            }
        )
        return str(event_id)

    def start(self, name, steps):
        self.add(
            "WORKFLOW_EXECUTION_STARTED",
            "workflowExecutionStarted",
            workflowType={"name": name},
            taskQueue={"name": "list"},
            input=payloads(steps),
            originalExecutionRunId="run",
            firstExecutionRunId="run",
            attempt=1,
        )

    def task(self):
        scheduled = self.add("WORKFLOW_TASK_SCHEDULED", "workflowTaskScheduled", taskQueue={"name": "list"}, attempt=1)
        started = self.add("WORKFLOW_TASK_STARTED", "workflowTaskStarted", scheduledEventId=scheduled)
        return self.add(
            "WORKFLOW_TASK_COMPLETED", "workflowTaskCompleted", scheduledEventId=scheduled, startedEventId=started
        )

    def schedule(self, number, completed):
        return self.add(
            "ACTIVITY_TASK_SCHEDULED",
            "activityTaskScheduled",
            activityId=str(number + 1),
            activityType={"name": "step"},
            taskQueue={"name": "list"},
            input=payloads({"number": number, "total": number}),
            startToCloseTimeout="60s",
            workflowTaskCompletedEventId=completed,
        )

    def complete(self, task, total):
        taken = self.add("ACTIVITY_TASK_STARTED", "activityTaskStarted", scheduledEventId=task, attempt=1)
        self.add(
            "ACTIVITY_TASK_COMPLETED",
            "activityTaskCompleted",
            scheduledEventId=task,
            startedEventId=taken,
            result=payloads({"total": total}),
        )

    def history(self, completed, result):
        self.add(
            "WORKFLOW_EXECUTION_COMPLETED",
            "workflowExecutionCompleted",
            result=payloads(result),
            workflowTaskCompletedEventId=completed,
        )
        return WorkflowHistory.from_json("workflow", {"events": list(self)})


def sequential(steps):
    events = Events()
    events.start("Steps", steps)
    completed = events.task()
    for number in range(steps):
        events.complete(events.schedule(number, completed), number + 1)
        completed = events.task()
    return events.history(completed, steps)


def parallel(steps):
    events = Events()
    events.start("FanOut", steps)
    completed = events.task()
    for task, number in [(events.schedule(number, completed), number) for number in range(steps)]:
        events.complete(task, number)
    return events.history(events.task(), sum(range(steps)))


def decide(steps, of, unsandboxed=True):
    return timed(sequential(steps), unsandboxed)


def fan_out(steps, unsandboxed=True):
    return timed(parallel(steps), unsandboxed)


def timed(history, unsandboxed):
    runner = {"workflow_runner": UnsandboxedWorkflowRunner()} if unsandboxed else {}
    replayer = Replayer(workflows=[Steps, FanOut], **runner)
    gc.collect()
    before = perf_counter()
    asyncio.run(replayer.replay_workflow(history))
    return perf_counter() - before


answer(decide=decide, fan_out=fan_out)
