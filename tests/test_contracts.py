"""
The contracts that can never change once a run exists: each sentence of ARCHITECTURE.md that stands there in bold is
quoted here by the test that pins it. Pending ones try what a later release brings, and must fail until it is there.
"""

import contextlib
import re
from pathlib import Path

import pytest

import pyflow
from histories import CHILD_PREFIX, RUN_ID, START, history, short, task
from pyflow.replay.parking import parking
from pyflow.run import Run

ARCHITECTURE = Path(__file__).parents[1] / "ARCHITECTURE.md"
QUOTED: dict[str, str] = {}


def contract(*sentences):
    """Quote what a test pins."""

    def note(test):
        for sentence in sentences:
            QUOTED[sentence] = test.__name__
        return test

    return note


def bold_sentences():
    text = ARCHITECTURE.read_text()
    section = text[text.index("## Contracts") : text.index("## State machines")]
    flat = " ".join(section.split())
    return [bold for bold in re.findall(r"\*\*(.+?)\*\*(?!\*)", flat) if not re.match(r"(\d\.|bold)", bold)]


def test_each_sentence_in_bold_is_quoted_by_a_test_and_each_quotation_stands_there():
    assert sorted(QUOTED) == sorted(bold_sentences())


FIRST = """
    1 WorkflowExecutionStarted input=5
    2 DecisionTaskScheduled
    3 DecisionTaskStarted scheduledEventId=2
"""
LAMBDA_DONE = (
    FIRST
    + """
    4 DecisionTaskCompleted scheduledEventId=2 startedEventId=3 executionContext=pyflow rules 1
    5 LambdaFunctionScheduled id=lambda1 name=a
    6 LambdaFunctionStarted scheduledEventId=5
    7 LambdaFunctionCompleted scheduledEventId=5 startedEventId=6 result=7
    8 DecisionTaskScheduled
    9 DecisionTaskStarted scheduledEventId=8
"""
)


def workflow(run):
    return type("W", (pyflow.Workflow,), {"NAME": "W", "run": run})


def one_lambda(self, _):
    return self.swf.invoke_lambda("a", None).result()


# -- 0. The rules have a number ------------------------------------------------------------------------------------------


@contract("It stands first in every response's execution context")
@pytest.mark.parametrize("events", [FIRST, LAMBDA_DONE])
def test_rules_number_stands_first(events, deciders):
    decided = deciders(workflow(one_lambda)).cold.process_decision_task(task(events))

    assert decided.execution_context.splitlines()[0] == "pyflow rules 1"


@contract(
    "A run's rules are those named in its first DecisionTaskCompleted; none: rules 1, written here; "
    "an unknown number: not decided."
)
def test_rules_are_those_of_the_first_response(deciders):
    both = deciders(workflow(one_lambda))
    none = LAMBDA_DONE.replace("executionContext=pyflow rules 1", "")
    foreign = LAMBDA_DONE.replace("pyflow rules 1", "whatever else")
    unknown = LAMBDA_DONE.replace("pyflow rules 1", "pyflow rules 2\\nmore")

    assert short(both.decide(task(none))) == ["CompleteWorkflowExecution 7"]
    assert short(both.decide(task(foreign))) == ["CompleteWorkflowExecution 7"]
    with pytest.raises(pyflow.DeciderException, match="replay rules 2; this pyflow knows rules 1"):
        both.cold.process_decision_task(task(unknown))


@contract("Rules 1 also replay what pyflow-swf 2.0.0 recorded")
def test_lambda_id_reused_by_the_silent_retry_of_2_0_0(deciders):
    events = (
        FIRST
        + """
        4 DecisionTaskCompleted scheduledEventId=2 startedEventId=3
        5 LambdaFunctionScheduled id=lambda1 name=a
        6 LambdaFunctionStarted scheduledEventId=5
        7 LambdaFunctionFailed scheduledEventId=5 startedEventId=6 reason=ServiceException
        8 DecisionTaskScheduled
        9 DecisionTaskStarted scheduledEventId=8
       10 DecisionTaskCompleted scheduledEventId=8 startedEventId=9
       11 LambdaFunctionScheduled id=lambda1 name=a
       12 LambdaFunctionStarted scheduledEventId=11
       13 LambdaFunctionCompleted scheduledEventId=11 startedEventId=12 result=8
       14 DecisionTaskScheduled
       15 DecisionTaskStarted scheduledEventId=14
    """
    )
    both = deciders(workflow(one_lambda))

    assert short(both.decide(task(events, until=9))) == ["ScheduleLambdaFunction lambda1"]
    assert short(both.decide(task(events))) == ["CompleteWorkflowExecution 8"]


# -- 1. A batch ----------------------------------------------------------------------------------------------------------


@contract("every event up to and including a `DecisionTaskStarted`, in event-id order, also one that later timed out.")
def test_task_that_timed_out_is_a_batch_with_its_own_time(deciders):
    events = (
        FIRST
        + """
        4 DecisionTaskTimedOut scheduledEventId=2 startedEventId=3 timeoutType=START_TO_CLOSE
        5 DecisionTaskScheduled
        6 DecisionTaskStarted scheduledEventId=5
    """
    )

    def run(self, _):
        return self.swf.workflow_time().second

    assert short(deciders(workflow(run)).cold.process_decision_task(task(events)).decisions) == [
        "CompleteWorkflowExecution 3"
    ]


@contract("All of it is applied before code resumes.")
def test_all_of_a_batch_is_done_before_code_goes_on(deciders):
    events = (
        FIRST
        + """
        4 DecisionTaskCompleted scheduledEventId=2 startedEventId=3
        5 LambdaFunctionScheduled id=lambda1 name=a
        6 LambdaFunctionScheduled id=lambda2 name=b
        7 LambdaFunctionStarted scheduledEventId=5
        8 LambdaFunctionStarted scheduledEventId=6
        9 LambdaFunctionCompleted scheduledEventId=5 startedEventId=7
       10 DecisionTaskScheduled
       11 LambdaFunctionCompleted scheduledEventId=6 startedEventId=8
       12 DecisionTaskStarted scheduledEventId=10
    """
    )

    def run(self, _):
        first, second = self.swf.invoke_lambda("a", None), self.swf.invoke_lambda("b", None)
        first.result()
        return second.done

    assert short(deciders(workflow(run)).decide(task(events))) == ["CompleteWorkflowExecution true"]


@contract("Nothing past the task's `startedEventId` is read.")
def test_events_past_the_task_are_not_read(deciders):
    early = task(LAMBDA_DONE, until=3)
    early["events"] = [*history(LAMBDA_DONE), {"nonsense": True}]

    assert short(deciders(workflow(one_lambda)).decide(early)) == ["ScheduleLambdaFunction lambda1"]


@contract("the events after the last `DecisionTaskStarted` are a tail: matched, never resumed.")
def test_tail_is_matched_and_never_resumed():
    steps = []

    def run(self, _):
        steps.append("start")
        self.swf.invoke_lambda("a", None).result()
        steps.append("end")

    tail = history(LAMBDA_DONE)[:7]
    live = Run(workflow(run), "order-1", RUN_ID)
    live.advance(tail, None)
    assert steps == ["start"]
    live.close()

    tail[4]["lambdaFunctionScheduledEventAttributes"]["name"] = "b"
    with pytest.raises(pyflow.NondeterminismException):
        Run(workflow(run), "order-1", RUN_ID).advance(tail, None)


@contract("Once `run` has returned no fiber runs again; a refused close is only issued again.")
def test_refused_close_is_only_issued_again(deciders):
    events = (
        FIRST
        + """
        4 WorkflowExecutionCancelRequested
        5 DecisionTaskScheduled
        6 DecisionTaskCompleted scheduledEventId=2 startedEventId=3
        7 CompleteWorkflowExecutionFailed cause=UNHANDLED_DECISION
        8 DecisionTaskStarted scheduledEventId=5
    """
    )

    def run(self, number):
        return number

    assert short(deciders(workflow(run)).decide(task(events))) == ["CompleteWorkflowExecution 5"]


# -- 2. Where code advances ----------------------------------------------------------------------------------------------


@contract("Code advances only inside a wait", "a wait on something settled never switches.")
def test_wait_on_something_settled_stays_in_its_batch(deciders):
    def run(self, _):
        future = self.swf.invoke_lambda("a", None)
        future.result()
        before = self.swf.workflow_time()
        future.result()
        self.swf.wait_for_all(future)
        self.swf.wait_for_any([future])
        return self.swf.workflow_time() == before

    later = LAMBDA_DONE + (
        """
        10 DecisionTaskTimedOut scheduledEventId=8 startedEventId=9
        11 DecisionTaskScheduled
        12 DecisionTaskStarted scheduledEventId=11
        """
    )
    assert short(deciders(workflow(run)).cold.process_decision_task(task(later)).decisions) == [
        "CompleteWorkflowExecution true"
    ]


@contract("`Future.done` never advances history.", "History advances only when no fiber is ready.")
def test_asking_done_does_not_advance(deciders):
    def run(self, _):
        future = self.swf.invoke_lambda("a", None)
        return [future.done for _ in range(3)]

    decided = deciders(workflow(run)).cold.process_decision_task(task(FIRST))
    assert short(decided.decisions)[-1] == "CompleteWorkflowExecution [false, false, false]"


# -- 3. Ids --------------------------------------------------------------------------------------------------------------


@contract("made by per-kind counters in call order")
def test_ids_are_counted_by_kind_in_call_order(deciders):
    def run(self, _):
        self.swf.invoke_lambda("a", None)
        self.swf.invoke_activity("b", "1")
        self.swf.start_timer(1)
        self.swf.invoke_child_workflow("c", "1")
        self.swf.invoke_once(lambda: 1)
        self.swf.invoke_lambda("a", None)
        with contextlib.suppress(pyflow.WaitTimedOutException):
            self.swf.timed_wait_for_all(5, self.swf.invoke_activity("b", "1"))

    assert short(deciders(workflow(run)).decide(task(FIRST))) == [
        "ScheduleLambdaFunction lambda1",
        "ScheduleActivityTask activity1",
        "StartTimer sleep1",
        f"StartChildWorkflowExecution {CHILD_PREFIX}child_workflow1",
        "RecordMarker invoke_once1",
        "ScheduleLambdaFunction lambda2",
        "ScheduleActivityTask activity2",
        "StartTimer sleep2",
    ]
    assert not set(CHILD_PREFIX) & set("/+=:|")


@contract("the main fiber's are bare, those of spawned fiber *k* start with `fk.`")
def test_ids_of_spawned_fibers(deciders):
    def run(self, _):
        def inner():
            self.swf.invoke_lambda("a", None)
            self.swf.invoke_child_workflow("c", "1")
            self.swf.sleep(1)

        self.swf.spawn(inner)
        self.swf.spawn(inner)
        self.swf.sleep(1)

    assert short(deciders(workflow(run)).decide(task(FIRST))) == [
        "StartTimer sleep1",
        "ScheduleLambdaFunction f1.lambda1",
        f"StartChildWorkflowExecution {CHILD_PREFIX}f1.child_workflow1",
        "StartTimer f1.sleep1",
        "ScheduleLambdaFunction f2.lambda1",
        f"StartChildWorkflowExecution {CHILD_PREFIX}f2.child_workflow1",
        "StartTimer f2.sleep1",
    ]


@contract("Authors' own ids may not start with `pyflow.`; reserved ids match nothing an author asked for.")
def test_reserved_ids_match_nothing_of_the_author(deciders):
    events = LAMBDA_DONE.replace("6 LambdaFunctionStarted scheduledEventId=5", "6 TimerStarted timerId=pyflow.more.1")
    events = events.replace("startedEventId=6 result=7", "startedEventId=5 result=7")

    assert short(deciders(workflow(one_lambda)).decide(task(events))) == ["CompleteWorkflowExecution 7"]


# -- 4. Completion order -------------------------------------------------------------------------------------------------


@contract("the order of closing event ids.")
def test_completion_order_is_that_of_closing_events(deciders):
    events = (
        FIRST
        + """
        4 DecisionTaskCompleted scheduledEventId=2 startedEventId=3
        5 LambdaFunctionScheduled id=lambda1 name=a
        6 TimerStarted timerId=sleep1
        7 LambdaFunctionStarted scheduledEventId=5
        8 TimerFired timerId=sleep1 startedEventId=6
        9 DecisionTaskScheduled
       10 LambdaFunctionCompleted scheduledEventId=5 startedEventId=7
       11 DecisionTaskStarted scheduledEventId=9
    """
    )

    def run(self, _):
        futures = [self.swf.invoke_lambda("a", None), self.swf.start_timer(1)]
        return [future.invocation_id for future in self.swf.wait_for_all(futures)]

    assert short(deciders(workflow(run)).decide(task(events))) == ['CompleteWorkflowExecution ["sleep1", "lambda1"]']


@contract(
    "What settles without an event settles when code makes it so, after the batch's events, in code order",
    "A recorded value leaves in the response of its own batch.",
)
def test_recorded_value_settles_after_the_events_and_leaves_with_its_batch(deciders):
    def run(self, _):
        future = self.swf.invoke_lambda("a", None)
        future.result()
        recorded = self.swf.invoke_once(lambda: 1)
        order = self.swf.wait_for_all(recorded, future)
        return [one.invocation_id for one in order]

    assert short(deciders(workflow(run)).decide(task(LAMBDA_DONE))) == [
        "RecordMarker invoke_once1",
        'CompleteWorkflowExecution ["lambda1", "invoke_once1"]',
    ]


# -- 5. Time and chance --------------------------------------------------------------------------------------------------


@contract("`workflow_time()` is constant within a batch: the time of its `DecisionTaskStarted`.")
def test_workflow_time_is_that_of_the_batch(deciders):
    def run(self, _):
        times = [self.swf.workflow_time()]
        self.swf.invoke_lambda("a", None).result()
        times.append(self.swf.workflow_time())
        return [time == START.replace(second=n) for time, n in zip(times, (3, 9), strict=True)]

    assert short(deciders(workflow(run)).decide(task(LAMBDA_DONE))) == ["CompleteWorkflowExecution [true, true]"]


@contract("Random draws come from one stream per fiber, seeded by the *origin* run id")
def test_random_draws_are_these_for_ever(deciders):
    def run(self, _):
        mine = [self.swf.random.randrange(1000) for _ in range(3)]
        other = self.swf.spawn(lambda: [self.swf.random.randrange(1000) for _ in range(3)]).result()
        return [mine, other, str(self.swf.uuid4()), self.swf.random.random()]

    assert short(deciders(workflow(run)).decide(task(FIRST))) == [
        'CompleteWorkflowExecution [[324, 91, 644], [769, 925, 850], "dfce3dbf-ce44-43f2-aac8-92fc167996ae", 0.6272222859424378]'
    ]


# -- 6. Matching ---------------------------------------------------------------------------------------------------------


@contract(
    "A request and its event match by kind, id and name",
    "A request without its event, or an event without its request, in replayed history is nondeterminism; "
    "it is never guessed at.",
)
@pytest.mark.parametrize(
    "code",
    [
        lambda self, _: self.swf.invoke_lambda("b", None).result(),
        lambda self, _: self.swf.invoke_activity("a", "1").result(),
        lambda self, _: self.swf.wait_for_all(self.swf.invoke_lambda("a", None), self.swf.start_timer(1)),
        lambda self, _: None,
    ],
    ids=["other name", "other kind", "request without its event", "event without its request"],
)
def test_what_does_not_match_is_refused(code, deciders):
    with pytest.raises(pyflow.NondeterminismException) as caught:
        deciders(workflow(code)).cold.process_decision_task(task(LAMBDA_DONE))

    assert caught.value.expected
    assert caught.value.found


@contract("Inputs and durations are not matched: a difference is drift")
def test_other_input_is_drift(caplog):
    live = Run(workflow(lambda self, _: self.swf.invoke_lambda("a", {"x": 1}).result()), "order-1", RUN_ID)
    live.advance(history(LAMBDA_DONE), 9)

    ((event_id, who, what, recorded, asked, _),) = live.drifts
    assert (event_id, who, what, recorded, asked) == (5, "lambda function lambda1 (a)", "input", None, '{"x": 1}')
    assert short(live.decisions()) == ["CompleteWorkflowExecution 7"]
    assert len(caplog.records) == 1


@contract("A response cut short", "is read from history, never recomputed:")
def test_cut_response_is_read_from_history(deciders):
    # 2 of 3 were sent, which no rule of today would do: only history knows.
    events = (
        FIRST
        + """
        4 DecisionTaskCompleted scheduledEventId=2 startedEventId=3
        5 TimerStarted timerId=sleep1
        6 TimerStarted timerId=sleep2
        7 TimerStarted timerId=pyflow.more.1
        8 TimerFired timerId=pyflow.more.1 startedEventId=7
        9 DecisionTaskScheduled
       10 DecisionTaskStarted scheduledEventId=9
    """
    )

    def run(self, _):
        self.swf.wait_for_all([self.swf.start_timer(9) for _ in range(3)])

    assert short(deciders(workflow(run)).decide(task(events))) == ["StartTimer sleep3"]


@contract("A task answered by parking replays as one that timed out")
def test_parked_task_leaves_its_requests_owed(deciders):
    events = (
        FIRST
        + """
        4 DecisionTaskCompleted scheduledEventId=2 startedEventId=3
        5 TimerStarted timerId=pyflow.park.1
        6 MarkerRecorded markerName=pyflow.park.1 details=because
        7 WorkflowExecutionSignaled signalName=x
        8 DecisionTaskScheduled
        9 DecisionTaskStarted scheduledEventId=8
       10 DecisionTaskCompleted scheduledEventId=8 startedEventId=9
       11 TimerFired timerId=pyflow.park.1 startedEventId=5
       12 DecisionTaskScheduled
       13 DecisionTaskStarted scheduledEventId=12
    """
    )
    both = deciders(workflow(one_lambda))

    assert parking(history(events)[:9], "again") == []
    assert [d["decisionType"] for d in parking(history(events), "again")] == ["StartTimer", "RecordMarker"]
    for started in (3, 9, 13):
        assert short(both.decide(task(events, until=started))) == ["ScheduleLambdaFunction lambda1"]


@contract("Cancels that the engine asks for by itself (the timer of a timed wait) may lack their event.")
def test_cancel_of_a_timed_wait_may_be_missing(deciders):
    events = (
        FIRST
        + """
        4 DecisionTaskCompleted scheduledEventId=2 startedEventId=3
        5 LambdaFunctionScheduled id=lambda1 name=a
        6 TimerStarted timerId=sleep1 startToFireTimeout=60
        7 LambdaFunctionStarted scheduledEventId=5
        8 LambdaFunctionCompleted scheduledEventId=5 startedEventId=7
        9 DecisionTaskScheduled
       10 DecisionTaskStarted scheduledEventId=9
       11 DecisionTaskCompleted scheduledEventId=9 startedEventId=10
       12 LambdaFunctionScheduled id=lambda2 name=b
       13 TimerFired timerId=sleep1 startedEventId=6
       14 DecisionTaskScheduled
       15 DecisionTaskStarted scheduledEventId=14
    """
    )

    def run(self, _):
        self.swf.timed_wait_for_all(60, self.swf.invoke_lambda("a", None))
        return self.swf.invoke_lambda("b", None).result()

    assert short(deciders(workflow(run)).decide(task(events))) == []


# -- 7. Several fibers ---------------------------------------------------------------------------------------------------


@contract(
    "One queue of ready fibers, ordered by the event id that made each ready, ties by fiber number",
    "`spawn` queues and never switches.",
)
def test_fibers_run_in_the_order_of_events(deciders):
    steps = []

    def run(self, _):
        def after(name):
            self.swf.invoke_lambda(name, None).result()
            steps.append(name)

        self.swf.spawn(after, "a")
        self.swf.spawn(after, "b")
        steps.append("spawned")
        self.swf.invoke_lambda("main", None).result()
        steps.append("main")

    events = (
        FIRST
        + """
        4 DecisionTaskCompleted scheduledEventId=2 startedEventId=3
        5 LambdaFunctionScheduled id=lambda1 name=main
        6 LambdaFunctionScheduled id=f1.lambda1 name=a
        7 LambdaFunctionScheduled id=f2.lambda1 name=b
        8 LambdaFunctionStarted scheduledEventId=5
        9 LambdaFunctionStarted scheduledEventId=6
       10 LambdaFunctionStarted scheduledEventId=7
       11 LambdaFunctionCompleted scheduledEventId=7 startedEventId=10
       12 DecisionTaskScheduled
       13 LambdaFunctionCompleted scheduledEventId=6 startedEventId=9
       14 LambdaFunctionCompleted scheduledEventId=5 startedEventId=8
       15 DecisionTaskStarted scheduledEventId=12
    """
    )
    deciders(workflow(run)).cold.process_decision_task(task(events))
    assert steps == ["spawned", "b", "a", "main"]


@contract("`wait_until` predicates are tried in registration order after every fiber's step.")
def test_wait_until_predicates_are_tried_in_order(deciders):
    steps, state = [], []

    def run(self, _):
        def until(name):
            self.swf.wait_until(lambda: (steps.append(f"try {name}"), bool(state))[1])
            steps.append(name)

        self.swf.spawn(until, "a")
        self.swf.spawn(until, "b")
        self.swf.spawn(lambda: state.append(1))
        self.swf.sleep(1)

    deciders(workflow(run)).cold.process_decision_task(task(FIRST))
    # Each asks once itself, and then after every step of any fiber, in the order of registration, until it holds.
    after_each_step = ["try a", "try a", "try b", "try a", "try b", "try a", "try b", "a", "try b", "b"]
    assert steps == after_each_step


@contract(
    "If a cancel request and what a wait waits for come in one batch, the smaller event id wins; "
    "a later cancel is raised at the next wait that suspends."
)
@pytest.mark.parametrize(("cancel", "done", "result"), [(7, 8, "canceled"), (8, 7, "done, then canceled")])
def test_smaller_event_id_wins(cancel, done, result, deciders):
    lines = {
        cancel: "WorkflowExecutionCancelRequested",
        done: "LambdaFunctionCompleted scheduledEventId=5 startedEventId=6",
    }
    events = (
        FIRST
        + f"""
        4 DecisionTaskCompleted scheduledEventId=2 startedEventId=3
        5 LambdaFunctionScheduled id=lambda1 name=a
        6 LambdaFunctionStarted scheduledEventId=5
        7 {lines[7]}
        8 {lines[8]}
        9 DecisionTaskScheduled
       10 DecisionTaskStarted scheduledEventId=9
    """
    )

    def run(self, _):
        said = []
        try:
            self.swf.invoke_lambda("a", None).result()
            said.append("done, then ")
            self.swf.sleep(1)
        except pyflow.WorkflowCanceledException:
            said.append("canceled")
        return "".join(said)

    assert short(deciders(workflow(run)).decide(task(events)))[-1] == f'CompleteWorkflowExecution "{result}"'
