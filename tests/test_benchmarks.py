"""The benchmarks measure what they say: sound histories, and the work of a decision."""

from benchmarks.floor import replay_at_least
from benchmarks.histories import EVENTS_PER_STEP, Steps, decision_task

from histories import short
from pyflow import Decider


def test_the_history_replays_to_its_next_step_and_to_its_end():
    decider = Decider([Steps], "domain", "list", "test", client=object(), runs_kept=0)
    middle, end = decision_task(3, of=4), decision_task(4, of=4)
    assert short(decider.process_decision_task(middle).decisions) == ["ScheduleActivityTask activity4"]
    assert short(decider.process_decision_task(end).decisions) == ["CompleteWorkflowExecution 4"]


def test_the_floor_goes_through_every_task_of_the_history():
    events = decision_task(3, of=4)["events"]
    assert len(events) == 3 + 3 * EVENTS_PER_STEP
    assert replay_at_least(events) == 0
    assert replay_at_least(events[:-3]) == 1
