"""SWF's limits, handled for the author: a run of any size just goes on, in order."""

import pytest

import pyflow
from histories import short, task
from pyflow.replay import replayer, response
from pyflow.replay.invocations import new_invocation
from pyflow.replay.tables import Kind

FIRST = """
    1 WorkflowExecutionStarted input=5
    2 DecisionTaskScheduled
    3 DecisionTaskStarted scheduledEventId=2
"""


def workflow(run):
    return type("W", (pyflow.Workflow,), {"NAME": "W", "run": run, "__module__": __name__})


@pyflow.activity("square", "1.0", start_to_close=60)
def square(number):
    return number * number


class TestOpenItems:
    @pytest.fixture
    def small(self, monkeypatch):
        for kind in response.OPEN_MAX:
            monkeypatch.setitem(response.OPEN_MAX, kind, 3)
        for module in (replayer, response):
            monkeypatch.setattr(module, "OPEN_MAX_LEAST", 3)

    def test_no_more_are_asked_for_than_may_be_open(self, small, deciders):
        def run(self, _):
            self.swf.wait_for_all([self.swf.invoke_activity("f", "1") for _ in range(5)], self.swf.start_timer(1))

        assert short(deciders(workflow(run)).decide(task(FIRST))) == [
            "ScheduleActivityTask activity1",
            "ScheduleActivityTask activity2",
            "ScheduleActivityTask activity3",
            "StartTimer sleep1",
        ]

    def test_next_ones_follow_as_others_end(self, small, deciders):
        def run(self, _):
            self.swf.wait_for_all([self.swf.invoke_activity("f", "1") for _ in range(5)])

        events = (
            FIRST
            + """
            4 DecisionTaskCompleted scheduledEventId=2 startedEventId=3 executionContext=pyflow rules 1
            5 ActivityTaskScheduled activityId=activity1 activityType=f/1
            6 ActivityTaskScheduled activityId=activity2 activityType=f/1
            7 ActivityTaskScheduled activityId=activity3 activityType=f/1
            8 ActivityTaskStarted scheduledEventId=6
            9 ActivityTaskCompleted scheduledEventId=6 startedEventId=8
           10 DecisionTaskScheduled
           11 DecisionTaskStarted scheduledEventId=10
        """
        )
        assert short(deciders(workflow(run)).decide(task(events))) == ["ScheduleActivityTask activity4"]

    def test_response_below_the_limit_may_leave_nothing(self, small, deciders):
        def run(self, _):
            self.swf.wait_for_all([self.swf.invoke_activity("f", "1") for _ in range(3)])

        events = (
            FIRST
            + """
            4 DecisionTaskCompleted scheduledEventId=2 startedEventId=3
            5 ActivityTaskScheduled activityId=activity1 activityType=f/1
            6 ActivityTaskScheduled activityId=activity2 activityType=f/1
            7 ActivityTaskStarted scheduledEventId=6
            8 ActivityTaskCompleted scheduledEventId=6 startedEventId=7
            9 DecisionTaskScheduled
           10 DecisionTaskStarted scheduledEventId=9
        """
        )
        with pytest.raises(pyflow.NondeterminismException, match="activity activity3"):
            deciders(workflow(run)).cold.process_decision_task(task(events))

    def test_three_thousand_activities_in_one_run(self, flow):
        def run(self, _):
            return sum(future.result() for future in self.swf.wait_for_all([square.submit(n) for n in range(3_000)]))

        execution = flow.start(workflow(run))
        assert execution.result() == sum(n * n for n in range(3_000))
        types = [event["eventType"] for event in execution.history]
        assert "ScheduleActivityTaskFailed" not in types
        assert types.count("ActivityTaskScheduled") == 3_000
        assert len(types) < 20_000
        flow.forget(execution)  # its replay from each of a thousand prefixes is the proof's

    def test_timers_beyond_what_may_be_open(self, flow):
        def run(self, _):
            return len(self.swf.wait_for_all([self.swf.start_timer(60) for _ in range(2_500)]))

        execution = flow.start(workflow(run))
        assert execution.result() == 2_500
        assert "StartTimerFailed" not in [event["eventType"] for event in execution.history]
        flow.forget(execution)

    def test_more_attempts_fail_at_once_than_a_response_has_room_for(self, flow):
        calls = []

        @pyflow.activity(start_to_close=60, retry=pyflow.RetryPolicy(initial=5, jitter=0, max_attempts=2))
        def shaky(number):
            calls.append(number)
            if calls.count(number) == 1:
                raise ConnectionError("not yet")
            return number

        def run(self, _):
            return sum(self.swf.map(shaky, range(130)))

        flow.use(shaky)
        execution = flow.start(workflow(run))
        assert execution.result() == sum(range(130))
        assert sorted(calls) == sorted([*range(130)] * 2)


class TestThrottledCauses:
    @pytest.mark.parametrize(
        ("ask", "refused", "again"),
        [
            (
                lambda swf: swf.invoke_activity("f", "1"),
                "ScheduleActivityTaskFailed activityId=activity1 activityType=f/1 cause=ACTIVITY_CREATION_RATE_EXCEEDED",
                "ScheduleActivityTask activity1.2",
            ),
            (
                lambda swf: swf.invoke_lambda("f", None),
                "ScheduleLambdaFunctionFailed id=lambda1 name=f cause=OPEN_LAMBDA_FUNCTIONS_LIMIT_EXCEEDED",
                "ScheduleLambdaFunction lambda1.2",
            ),
            (
                lambda swf: swf.start_timer(5),
                "StartTimerFailed timerId=sleep1 cause=TIMER_CREATION_RATE_EXCEEDED",
                "StartTimer sleep1.2",
            ),
        ],
    )
    def test_are_waited_out_and_asked_again(self, ask, refused, again, deciders):
        def run(self, _):
            ask(self.swf).result()

        both = deciders(workflow(run))
        events = (
            FIRST
            + f"""
            4 DecisionTaskCompleted scheduledEventId=2 startedEventId=3 executionContext=pyflow rules 1
            5 {refused}
            6 DecisionTaskScheduled
            7 DecisionTaskStarted scheduledEventId=6
            8 DecisionTaskCompleted scheduledEventId=6 startedEventId=7
            9 TimerStarted timerId=pyflow.retry.{again.split()[1]} startToFireTimeout=1
           10 TimerFired timerId=pyflow.retry.{again.split()[1]} startedEventId=9
           11 DecisionTaskScheduled
           12 DecisionTaskStarted scheduledEventId=11
        """
        )
        both.decide(task(events, until=3))
        assert short(both.decide(task(events, until=7))) == [f"StartTimer pyflow.retry.{again.split()[1]}"]
        assert short(both.decide(task(events))) == [again]

    def test_other_causes_are_the_author_s(self, deciders):
        def run(self, _):
            try:
                self.swf.invoke_activity("f", "1").result()
            except pyflow.InvocationFailedException as error:
                return error.cause

        events = (
            FIRST
            + """
            4 DecisionTaskCompleted scheduledEventId=2 startedEventId=3 executionContext=pyflow rules 1
            5 ScheduleActivityTaskFailed activityId=activity1 activityType=f/1 cause=ACTIVITY_TYPE_DOES_NOT_EXIST
            6 DecisionTaskScheduled
            7 DecisionTaskStarted scheduledEventId=6
        """
        )
        assert short(deciders(workflow(run)).decide(task(events))) == [
            'CompleteWorkflowExecution "ACTIVITY_TYPE_DOES_NOT_EXIST"'
        ]


def test_limits_are_those_of_swf():
    assert response.OPEN_MAX == {Kind.LAMBDA: 1_000, Kind.ACTIVITY: 1_000, Kind.CHILD: 1_000, Kind.TIMER: 990}
    assert response.DECISIONS_MAX == 100


def test_a_single_one_waits_too_while_its_kind_stands_at_its_limit():
    timer = new_invocation(Kind.TIMER, "sleep1", None, None, None, {"startToFireTimeout": "1"})
    begun = {kind: dict.fromkeys(range(990) if kind is Kind.TIMER else ()) for kind in Kind}

    assert response.owed_decisions({"sleep1": timer}, begun, {Kind.TIMER}) == []
    assert len(response.owed_decisions({"sleep1": timer}, begun | {Kind.TIMER: {}}, set())) == 1
