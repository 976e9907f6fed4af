"""pyflow-swf 2.0.0: the same decisions, by its decider."""

import gc
import logging
from time import perf_counter

from answering import answer
from benchmarks.histories import decision_task, fan_out_task

import pyflow

logging.disable(logging.CRITICAL)


class Steps(pyflow.Workflow):
    NAME = "Steps"
    VERSION = "1.0"
    step = pyflow.ActivityDescriptor("step", "1.0")

    def run(self, steps):
        total = 0
        for number in range(steps):
            total = self.step({"number": number, "total": total}).result()["total"]
        return total


class FanOut(pyflow.Workflow):
    NAME = "FanOut"
    VERSION = "1.0"
    step = pyflow.ActivityDescriptor("step", "1.0")

    def run(self, steps):
        futures = [self.step({"number": number, "total": number}) for number in range(steps)]
        return sum(future.result()["total"] for future in futures)


decider = pyflow.Decider([Steps, FanOut], "domain", "list", "benchmark", client=object())


def decide(steps, of):
    return timed(decision_task(steps, of=of), "CompleteWorkflowExecution" if steps == of else "ScheduleActivityTask")


def fan_out(steps):
    return timed(fan_out_task(steps), "CompleteWorkflowExecution")


def timed(task, expected):
    gc.collect()
    before = perf_counter()
    decisions = decider.process_decision_task(task).decisions
    taken = perf_counter() - before
    assert [decision["decisionType"] for decision in decisions] == [expected], decisions
    return taken


answer(decide=decide, fan_out=fan_out)
