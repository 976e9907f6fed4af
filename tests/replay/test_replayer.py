"""What code asks against what history holds, as numbered histories."""

import pytest

import pyflow
from histories import CHILD_PREFIX, history, short, task
from pyflow import HistoryException, NondeterminismException

FIRST = """
    1 WorkflowExecutionStarted input=5
    2 DecisionTaskScheduled
    3 DecisionTaskStarted scheduledEventId=2
"""


class Steps(pyflow.Workflow):
    """One lambda after another."""

    NAME = "W"
    add = pyflow.LambdaDescriptor("add")

    def run(self, number):
        number = self.add(number).result()
        return self.add(number).result()


STEPS = (
    FIRST
    + """
    4 DecisionTaskCompleted scheduledEventId=2 startedEventId=3
    5 LambdaFunctionScheduled id=lambda1 name=add input=5 decisionTaskCompletedEventId=4
    6 LambdaFunctionStarted scheduledEventId=5
    7 LambdaFunctionCompleted scheduledEventId=5 startedEventId=6 result=6
    8 DecisionTaskScheduled
    9 DecisionTaskStarted scheduledEventId=8
   10 DecisionTaskCompleted scheduledEventId=8 startedEventId=9
   11 LambdaFunctionScheduled id=lambda2 name=add input=6 decisionTaskCompletedEventId=10
   12 LambdaFunctionStarted scheduledEventId=11
   13 LambdaFunctionCompleted scheduledEventId=11 startedEventId=12 result=7
   14 DecisionTaskScheduled
   15 DecisionTaskStarted scheduledEventId=14
"""
)


@pytest.mark.parametrize(
    ("started", "decisions"),
    [
        (3, ["ScheduleLambdaFunction lambda1"]),
        (9, ["ScheduleLambdaFunction lambda2"]),
        (15, ["CompleteWorkflowExecution 7"]),
    ],
)
def test_each_prefix_gives_the_decisions_that_follow_it(started, decisions, deciders):
    assert short(deciders(Steps).decide(task(STEPS, until=started))) == decisions


def test_kept_run_and_cold_replay_agree_task_by_task(deciders):
    both = deciders(Steps)

    for started in (3, 9, 15):
        both.decide(task(STEPS, until=started))


def test_kept_run_is_really_kept(deciders):
    runs = []

    class Counted(Steps):
        def __init__(self, swf):
            runs.append(swf)
            super().__init__(swf)

    kept = deciders(Counted).kept
    for started in (3, 9, 15):
        kept.process_decision_task(task(STEPS, until=started))

    assert len(runs) == 1


def test_decision_task_that_timed_out_leaves_its_requests_owed(deciders):
    both = deciders(Steps)
    events = (
        FIRST
        + """
        4 DecisionTaskTimedOut scheduledEventId=2 startedEventId=3 timeoutType=START_TO_CLOSE
        5 DecisionTaskScheduled
        6 DecisionTaskStarted scheduledEventId=5
    """
    )

    assert short(both.decide(task(events, until=3))) == ["ScheduleLambdaFunction lambda1"]
    assert short(both.decide(task(events))) == ["ScheduleLambdaFunction lambda1"]


def test_completion_between_start_and_completion_of_a_task_counts_for_the_next(deciders):
    class Two(pyflow.Workflow):
        NAME = "W"

        def run(self, _):
            first = self.swf.invoke_lambda("a", None)
            second = self.swf.invoke_lambda("b", None)
            first.result()
            self.swf.invoke_lambda("c", None)
            second.result()

    events = (
        FIRST
        + """
        4 DecisionTaskCompleted scheduledEventId=2 startedEventId=3
        5 LambdaFunctionScheduled id=lambda1 name=a decisionTaskCompletedEventId=4
        6 LambdaFunctionScheduled id=lambda2 name=b decisionTaskCompletedEventId=4
        7 LambdaFunctionStarted scheduledEventId=5
        8 LambdaFunctionStarted scheduledEventId=6
        9 LambdaFunctionCompleted scheduledEventId=5 startedEventId=7 result=1
       10 DecisionTaskScheduled
       11 DecisionTaskStarted scheduledEventId=10
       12 LambdaFunctionCompleted scheduledEventId=6 startedEventId=8 result=2
       13 DecisionTaskScheduled
       14 DecisionTaskCompleted scheduledEventId=10 startedEventId=11
       15 LambdaFunctionScheduled id=lambda3 name=c decisionTaskCompletedEventId=14
       16 DecisionTaskStarted scheduledEventId=13
    """
    )
    both = deciders(Two)

    assert short(both.decide(task(events, until=11))) == ["ScheduleLambdaFunction lambda3"]
    assert short(both.decide(task(events))) == ["CompleteWorkflowExecution null"]


def test_refused_close_is_issued_again_and_code_does_not_run_again(deciders):
    ran = []

    class Short(pyflow.Workflow):
        NAME = "W"

        def run(self, number):
            ran.append(number)
            return number

    events = (
        FIRST
        + """
        4 WorkflowExecutionSignaled signalName=late
        5 DecisionTaskScheduled
        6 DecisionTaskCompleted scheduledEventId=2 startedEventId=3
        7 CompleteWorkflowExecutionFailed cause=UNHANDLED_DECISION decisionTaskCompletedEventId=6
        8 DecisionTaskStarted scheduledEventId=5
    """
    )

    assert short(deciders(Short).cold.process_decision_task(task(events)).decisions) == ["CompleteWorkflowExecution 5"]
    assert ran == [5]


class TestNondeterminism:
    def test_names_both_sides_the_event_and_the_line(self, deciders):
        class Other(Steps):
            def run(self, number):
                self.swf.sleep(1)

        with pytest.raises(NondeterminismException) as caught:
            deciders(Other).cold.process_decision_task(task(STEPS))

        assert caught.value.expected == "LambdaFunctionScheduled lambda1 (add)"
        assert caught.value.found == "timer sleep1"
        assert caught.value.event_id == 5
        assert "test_replayer.py" in caught.value.where
        assert "Other.run" in caught.value.where

    def test_request_without_its_event_is_told_with_the_line_that_asked(self, deciders):
        class More(Steps):
            def run(self, number):
                self.swf.start_timer(60)
                return super().run(number)

        with pytest.raises(NondeterminismException) as caught:
            deciders(More).cold.process_decision_task(task(STEPS))

        assert caught.value.expected == "no decision for it in the response at event 4"
        assert caught.value.found == "timer sleep1"
        assert "More.run" in caught.value.where  # it waits in Steps.run

    def test_same_id_of_another_name(self, deciders):
        class Renamed(Steps):
            add = pyflow.LambdaDescriptor("subtract")

        with pytest.raises(NondeterminismException) as caught:
            deciders(Renamed).cold.process_decision_task(task(STEPS))

        assert caught.value.expected == "LambdaFunctionScheduled lambda1 (add)"
        assert caught.value.found == "lambda function lambda1 (subtract)"

    def test_run_that_returns_before_its_history_does(self, deciders):
        class Early(Steps):
            def run(self, number):
                return number

        with pytest.raises(NondeterminismException) as caught:
            deciders(Early).cold.process_decision_task(task(STEPS))

        assert caught.value.found == "close (CompleteWorkflowExecution)"

    def test_event_when_code_waits_for_nothing_new_tells_where_it_waits(self, deciders):
        class Less(Steps):
            def run(self, number):
                number = self.add(number).result()
                self.swf.wait_for_all(self.swf.start_timer(1))

        events = STEPS.replace(
            "LambdaFunctionScheduled id=lambda2 name=add input=6", "TimerStarted timerId=sleep1"
        ).replace("12 LambdaFunctionStarted scheduledEventId=11", "12 LambdaFunctionScheduled id=lambda2 name=add")
        with pytest.raises(NondeterminismException) as caught:
            deciders(Less).cold.process_decision_task(task(events))

        assert caught.value.event_id == 12
        assert caught.value.found is None
        assert "Less.run" in caught.value.where


class TestDrift:
    def test_other_input_is_logged_once_and_not_refused(self, deciders, caplog):
        class Drifted(Steps):
            def run(self, number):
                return super().run(number + 100)

        decided = deciders(Drifted).cold.process_decision_task(task(STEPS))

        assert short(decided.decisions) == ["CompleteWorkflowExecution 7"]
        (record,) = caplog.records
        assert "lambda1" in record.message
        assert "'5' in history (event 5) and '105' in the code" in record.message

    def test_json_of_other_form_is_no_drift(self, deciders, caplog):
        events = STEPS.replace("lambda1 name=add input=5", "lambda1 name=add input=5.0")

        deciders(Steps).decide(task(events))

        assert not caplog.records


class TestUnsoundHistory:
    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda events: events.pop(4), "event 5 was expected next, event 6"),
            (lambda events: events.insert(4, events[4]), "event 6 was expected next, event 5"),
            (lambda events: events.pop(0), "event 1 was expected next"),
            (lambda events: events[0].update(eventType="TimerFired"), "event 1 .TimerFired. lacks its timerFired"),
            (lambda events: events[6].update(eventType="LambdaFunctionExploded"), "which SWF does not have"),
            (
                lambda events: events[4].pop("lambdaFunctionScheduledEventAttributes"),
                "lacks its lambdaFunctionScheduled",
            ),
            (lambda events: events[8].pop("eventTimestamp"), "has no eventTimestamp"),
            (lambda events: events[6].pop("eventId"), "has no integer eventId"),
            (lambda events: events[6]["lambdaFunctionCompletedEventAttributes"].clear(), "lacks 'scheduledEventId'"),
            (
                lambda events: events[6]["lambdaFunctionCompletedEventAttributes"].update(scheduledEventId=2),
                "nothing is open from there",
            ),
            (
                lambda events: events[9]["decisionTaskCompletedEventAttributes"].update(startedEventId=3),
                "the one open was started at event 9",
            ),
        ],
    )
    def test_is_refused_and_says_why(self, change, message, deciders):
        bad = task(STEPS)
        change(bad["events"])

        with pytest.raises(HistoryException, match=message):
            deciders(Steps).cold.process_decision_task(bad)

    def test_cut_short_is_refused(self, deciders):
        bad = task(STEPS)
        bad["events"] = bad["events"][:11]

        with pytest.raises(HistoryException, match="ends at event 11, before the task's DecisionTaskStarted at 15"):
            deciders(Steps).cold.process_decision_task(bad)

    def test_outcome_of_a_closed_invocation_is_refused(self, deciders):
        events = history(STEPS)
        events[12]["lambdaFunctionCompletedEventAttributes"]["scheduledEventId"] = 5

        with pytest.raises(HistoryException, match="ends what event 5 began"):
            deciders(Steps).cold.process_decision_task(task(events))


class TestManyDecisions:
    class Fan(pyflow.Workflow):
        NAME = "W"

        def run(self, count):
            futures = [self.swf.start_timer(60) for _ in range(count)]
            self.swf.wait_for_all(futures)

    @pytest.mark.parametrize(("count", "sent"), [(99, 99), (100, 100), (101, 100), (250, 100)])
    def test_response_holds_at_most_a_hundred(self, count, sent, deciders):
        decisions = short(deciders(self.Fan).decide(task(FIRST.replace("input=5", f"input={count}"))))

        assert len(decisions) == sent
        assert ("StartTimer pyflow.more.1" in decisions) == (count > 100)

    def test_rest_is_sent_with_the_next_task(self, deciders):
        events = FIRST.replace("input=5", "input=101") + (
            "4 DecisionTaskCompleted scheduledEventId=2 startedEventId=3\n"
            + "\n".join(f"{n + 4} TimerStarted timerId=sleep{n} startToFireTimeout=60" for n in range(1, 100))
            + """
            104 TimerStarted timerId=pyflow.more.1 startToFireTimeout=0
            105 TimerFired timerId=pyflow.more.1 startedEventId=104
            106 DecisionTaskScheduled
            107 DecisionTaskStarted scheduledEventId=106
            """
        )

        assert short(deciders(self.Fan).decide(task(events))) == ["StartTimer sleep100", "StartTimer sleep101"]

    def test_cut_response_without_the_reserved_timer_is_nondeterminism(self, deciders):
        events = FIRST.replace("input=5", "input=3") + (
            """
            4 DecisionTaskCompleted scheduledEventId=2 startedEventId=3
            5 TimerStarted timerId=sleep1 startToFireTimeout=60
            6 TimerFired timerId=sleep1 startedEventId=5
            7 DecisionTaskScheduled
            8 DecisionTaskStarted scheduledEventId=7
            """
        )

        with pytest.raises(NondeterminismException, match="timer sleep2"):
            deciders(self.Fan).cold.process_decision_task(task(events))

    def test_cut_response_with_a_hole_is_nondeterminism(self, deciders):
        events = FIRST.replace("input=5", "input=3") + (
            """
            4 DecisionTaskCompleted scheduledEventId=2 startedEventId=3
            5 TimerStarted timerId=sleep2 startToFireTimeout=60
            6 TimerStarted timerId=pyflow.more.1 startToFireTimeout=0
            7 TimerFired timerId=pyflow.more.1 startedEventId=6
            8 DecisionTaskScheduled
            9 DecisionTaskStarted scheduledEventId=8
            """
        )

        with pytest.raises(NondeterminismException, match="timer sleep1"):
            deciders(self.Fan).cold.process_decision_task(task(events))

    def test_big_inputs_make_a_response_smaller_than_a_megabyte(self, deciders):
        class Big(pyflow.Workflow):
            NAME = "W"

            def run(self, _):
                self.swf.wait_for_all([self.swf.invoke_lambda("f", "x" * 30_000) for _ in range(60)])

        decisions = deciders(Big).decide(task(FIRST))

        assert len(str(decisions)) < 950_000
        assert short(decisions)[-1] == "StartTimer pyflow.more.1"


def test_child_of_2_0_0_is_matched_under_its_bare_id(deciders):
    class Parent(pyflow.Workflow):
        NAME = "W"
        child = pyflow.ChildWorkflowDescriptor("Child", "1.0")

        def run(self, _):
            return self.child(1).result()

    both = deciders(Parent)
    for own_id in ("child_workflow1", f"{CHILD_PREFIX}child_workflow1"):
        events = (
            FIRST
            + f"""
            4 DecisionTaskCompleted scheduledEventId=2 startedEventId=3
            5 StartChildWorkflowExecutionInitiated workflowId={own_id} workflowType=Child/1.0 input=1
            6 ChildWorkflowExecutionStarted initiatedEventId=5
            7 ChildWorkflowExecutionCompleted initiatedEventId=5 startedEventId=6 result=2
            8 DecisionTaskScheduled
            9 DecisionTaskStarted scheduledEventId=8
        """
        )
        assert short(both.decide(task(events, until=3))) == [
            f"StartChildWorkflowExecution {CHILD_PREFIX}child_workflow1"
        ]
        assert short(both.decide(task(events))) == ["CompleteWorkflowExecution 2"]
