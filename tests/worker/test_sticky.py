"""The cache of live runs: what the fence lets go on, and who is let go of first."""

import pytest

import pyflow
from histories import RUN_ID, history
from pyflow.run import Run
from pyflow.worker.sticky import CHARACTER_BYTES, FIBER_BYTES, RUN_BYTES, RunCache, continues

FIRST = """
    1 WorkflowExecutionStarted input=5
    2 DecisionTaskScheduled
    3 DecisionTaskStarted scheduledEventId=2
"""
ANSWERED = (
    FIRST
    + """
    4 DecisionTaskCompleted scheduledEventId=2 startedEventId=3 executionContext=pyflow rules 1
    5 WorkflowExecutionSignaled signalName=go
    6 DecisionTaskScheduled
    7 DecisionTaskStarted scheduledEventId=6
"""
)
TIMED_OUT = (
    FIRST
    + """
    4 DecisionTaskTimedOut scheduledEventId=2 startedEventId=3
    5 DecisionTaskScheduled
    6 DecisionTaskStarted scheduledEventId=5
"""
)
ANSWERED_BY_ANOTHER = (
    TIMED_OUT
    + """
    7 DecisionTaskCompleted scheduledEventId=5 startedEventId=6 executionContext=pyflow rules 1
    8 WorkflowExecutionSignaled signalName=go
    9 DecisionTaskScheduled
    10 DecisionTaskStarted scheduledEventId=9
"""
)
ANOTHER_AFTER_OURS = (
    ANSWERED
    + """
    8 DecisionTaskCompleted scheduledEventId=6 startedEventId=7 executionContext=pyflow rules 1
    9 WorkflowExecutionSignaled signalName=go
    10 DecisionTaskScheduled
    11 DecisionTaskStarted scheduledEventId=10
"""
)


class Waits(pyflow.Workflow):
    NAME = "W"

    def run(self, _):
        self.swf.receive("never")


def standing(run_id: str = RUN_ID) -> Run:
    """A run that stands at the first decision task."""
    run = Run(Waits, "order-1", run_id)
    run.advance(history(FIRST), 3)
    return run


@pytest.fixture
def run():
    run = standing()
    yield run
    run.close()


@pytest.mark.parametrize(
    ("events", "goes_on"),
    [
        (ANSWERED, True),
        (ANOTHER_AFTER_OURS, True),
        (TIMED_OUT, False),
        (ANSWERED_BY_ANOTHER, False),
        (FIRST, False),
    ],
    ids=[
        "its task was completed",
        "and another one since",
        "its task timed out",
        "and another was completed",
        "twice the same",
    ],
)
def test_a_run_goes_on_only_behind_the_completion_of_the_task_where_it_stands(run, events, goes_on):
    assert continues(run, history(events)) is goes_on


@pytest.mark.parametrize("first", [1, 2, 3, 4])
def test_a_part_of_a_history_will_do_if_it_leaves_no_gap(run, first):
    assert continues(run, history(ANSWERED)[first - 1 :])


@pytest.mark.parametrize("first", [5, 6, 7])
def test_a_gap_is_no_continuation(run, first):
    assert not continues(run, history(ANSWERED)[first - 1 :])


def test_nothing_is_no_continuation(run):
    assert not continues(run, [])


def test_events_that_are_not_dense_are_no_continuation(run):
    events = history(ANSWERED)
    del events[1]
    assert not continues(run, events)


class TestCache:
    def kept(self, cache: RunCache, *run_ids: str) -> list[str]:
        for run_id in run_ids:
            cache.keep(standing(run_id))
        return [run.run_id for run in cache]

    def test_the_least_recently_used_is_let_go_of(self):
        cache = RunCache(2)
        assert self.kept(cache, "a", "b", "c") == ["b", "c"]
        taken = cache.take("b", history(ANSWERED))
        taken.advance(history(ANSWERED), 7)
        assert cache.keep(taken)
        assert self.kept(cache, "d") == ["b", "d"]
        cache.close()
        assert (len(cache), cache.bytes) == (0, 0)

    def test_bytes_are_a_bound_as_well(self):
        cache = RunCache(1_000, 2 * RUN_BYTES + 100)
        assert self.kept(cache, "a", "b", "c") == ["b", "c"]
        assert cache.bytes == 2 * (RUN_BYTES + CHARACTER_BYTES)
        cache.close()

    def test_one_that_is_too_large_alone_is_not_kept(self):
        cache = RunCache(10, RUN_BYTES - 1)
        assert not cache.keep(standing())
        assert (len(cache), cache.bytes) == (0, 0)

    def test_none_are_kept_where_none_may_be(self):
        assert self.kept(RunCache(0), "a") == []

    def test_a_run_grows_by_what_its_parts_of_history_bring(self):
        cache = RunCache(10)
        cache.keep(standing())
        before = cache.bytes
        part = history(ANSWERED.replace("signalName=go", "signalName=go input=" + "x" * 1_000))[3:]
        run = cache.take(RUN_ID, part)
        assert cache.bytes == 0
        run.advance(part, 7)
        cache.keep(run)
        assert cache.bytes == before + CHARACTER_BYTES * 1_000
        cache.close()

    def test_what_a_run_has_applied_before_is_not_looked_at_again(self):
        cache = RunCache(10)
        cache.keep(standing())
        before = cache.bytes
        whole = [history(FIRST)[0], None, None, *history(ANSWERED)[3:]]
        run = cache.take(RUN_ID, whole)
        run.advance(whole, 7)
        assert cache.keep(run)
        assert cache.bytes == before
        cache.close()

    def test_a_run_out_of_step_is_let_go_of(self):
        cache = RunCache(10)
        cache.keep(standing())
        assert cache.take(RUN_ID, history(TIMED_OUT)) is None
        assert (len(cache), cache.bytes) == (0, 0)

    def test_a_fiber_more_takes_more(self):
        class Spawns(Waits):
            def run(self, _):
                self.swf.spawn(self.swf.receive, "never")
                self.swf.receive("never")

        cache = RunCache(10)
        run = Run(Spawns, "order-1", RUN_ID)
        run.advance(history(FIRST), 3)
        cache.keep(run)
        assert cache.bytes == RUN_BYTES + CHARACTER_BYTES + FIBER_BYTES
        cache.close()


RECORDED = '{"succeeded": true, "result": 7}'
GIVEN_AND_GAVE = f"""
    1 WorkflowExecutionStarted input=5
    2 DecisionTaskScheduled
    3 DecisionTaskStarted scheduledEventId=2
    4 DecisionTaskCompleted scheduledEventId=2 startedEventId=3 executionContext=pyflow rules 1
    5 ActivityTaskScheduled activityId=activity1 activityType=work/1 input=1234 decisionTaskCompletedEventId=4
    6 ActivityTaskScheduled activityId=activity2 activityType=work/1 decisionTaskCompletedEventId=4
    7 MarkerRecorded markerName=invoke_once1 details={RECORDED} decisionTaskCompletedEventId=4
    8 ActivityTaskStarted scheduledEventId=5
    9 ActivityTaskCompleted scheduledEventId=5 startedEventId=8 result=123456
    10 ActivityTaskStarted scheduledEventId=6
    11 ActivityTaskFailed scheduledEventId=6 startedEventId=10 reason=broken details=12345678
    12 DecisionTaskScheduled
    13 DecisionTaskStarted scheduledEventId=12
"""


def test_what_code_was_given_and_gave_is_counted_however_it_was_replayed():
    class Works(Waits):
        work = pyflow.ActivityDescriptor("work", "1")

        def run(self, _):
            asked = [self.work(1234), self.work()]
            self.swf.invoke_once(lambda: 7)
            self.swf.wait_for_all(asked)
            self.swf.receive("never")

    for starts in ([3, 13], [13]):
        run = Run(Works, "order-1", RUN_ID)
        for started in starts:
            run.advance(history(GIVEN_AND_GAVE), started)
        assert run.runtime.characters == len("5") + len("1234") + len("123456") + len("12345678") + len(RECORDED)
        run.close()
