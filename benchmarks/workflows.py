"""The workflows and the activity that are measured."""

import pyflow

__all__ = ["FanOut", "FiveSteps", "Steps", "add_one"]


class Steps(pyflow.Workflow):
    """Each step's input is what the step before it returned."""

    NAME = "Steps"
    step = pyflow.ActivityDescriptor("step", "1.0")

    def run(self, steps: int) -> int:
        total = 0
        for number in range(steps):
            total = self.step({"number": number, "total": total}).result()["total"]
        return total


class FanOut(pyflow.Workflow):
    """Everything is asked for at once, and waited for."""

    NAME = "FanOut"
    step = pyflow.ActivityDescriptor("step", "1.0")

    def run(self, steps: int) -> int:
        futures = [self.step({"number": number, "total": number}) for number in range(steps)]
        return sum(future.result()["total"] for future in futures)


@pyflow.activity(start_to_close=60)
def add_one(number: int) -> int:
    """Do as little as can be done."""
    return number + 1


class FiveSteps(pyflow.Workflow):
    """Five activities, one after the other."""

    NAME = "FiveSteps"

    def run(self, number: int) -> int:
        for _ in range(5):
            number = add_one(number)
        return number
