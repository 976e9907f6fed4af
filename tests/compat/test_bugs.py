"""
The numbered bugs of pyflow 2.0.0 that are gone: one test or class each, named by its number and what holds now.

Unless a test says otherwise, every decision task of its history is decided cold and with the run kept, and both agree.
"""

import json
import logging

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

import pyflow
from histories import CHILD_PREFIX, RUN_ID, START, history, short, task
from pyflow.run import Run
from pyflow.swf import repeating
from pyflow.worker import polling, responding

FIRST = """
    1 WorkflowExecutionStarted input=5
    2 DecisionTaskScheduled
    3 DecisionTaskStarted scheduledEventId=2
"""
RESPONSE = "\n    4 DecisionTaskCompleted scheduledEventId=2 startedEventId=3\n"


def then(*lines):
    """Follow the first response with its events, and a decision task for what came of them."""
    numbered = [f"{number} {line}" for number, line in enumerate(lines, 5)]
    last = 4 + len(lines)
    task_lines = [f"{last + 1} DecisionTaskScheduled", f"{last + 2} DecisionTaskStarted scheduledEventId={last + 1}"]
    return FIRST + RESPONSE + "\n".join([*numbered, *task_lines])


def workflow(run, **members):
    return type("W", (pyflow.Workflow,), {"NAME": "W", "run": run, **members})


def decide(run, events, deciders, **members):
    """Decide every task of a history in turn; give the decisions of the last."""
    both = deciders(workflow(run, **members))
    started = [event["eventId"] for event in history(events) if event["eventType"] == "DecisionTaskStarted"]
    return [both.decide(task(events, until=event_id)) for event_id in started][-1]


def result_of(run, events, deciders, **members):
    """Decide every task; the last must complete the execution: give its result."""
    (decision,) = decide(run, events, deciders, **members)
    return json.loads(decision["completeWorkflowExecutionDecisionAttributes"]["result"])


def failure_of(run, events, deciders, **members):
    """Decide every task; the last must fail the execution: give reason and details."""
    (decision,) = decide(run, events, deciders, **members)
    return decision["failWorkflowExecutionDecisionAttributes"]


LAMBDA_DONE = then(
    "LambdaFunctionScheduled id=lambda1 name=a",
    "LambdaFunctionStarted scheduledEventId=5",
    "LambdaFunctionCompleted scheduledEventId=5 startedEventId=6 result=7",
)
SECOND_BEFORE_FIRST = then(
    "LambdaFunctionScheduled id=lambda1 name=a",
    "LambdaFunctionScheduled id=lambda2 name=b",
    'LambdaFunctionCompleted scheduledEventId=6 startedEventId=0 result="b"',
    'LambdaFunctionCompleted scheduledEventId=5 startedEventId=0 result="a"',
)
A_AND_TIMER = (
    "LambdaFunctionScheduled id=lambda1 name=a",
    "TimerStarted timerId=sleep1 startToFireTimeout=60",
)


def two_lambdas(swf):
    return swf.invoke_lambda("a", None), swf.invoke_lambda("b", None)


# -- severe ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ask", "events"),
    [
        (
            lambda swf: swf.invoke_activity("A", "1"),
            then(
                "ActivityTaskScheduled activityId=activity1 activityType=A/1",
                "ActivityTaskCanceled scheduledEventId=5 startedEventId=0 details=enough",
            ),
        ),
        (
            lambda swf: swf.invoke_child_workflow("C", "1"),
            then(
                f"StartChildWorkflowExecutionInitiated workflowId={CHILD_PREFIX}child_workflow1 workflowType=C/1",
                "ChildWorkflowExecutionStarted initiatedEventId=5",
                "ChildWorkflowExecutionCanceled initiatedEventId=5 startedEventId=6 details=enough",
            ),
        ),
    ],
    ids=["activity", "child"],
)
def test_bug_1_what_was_canceled_raises_invocation_canceled(ask, events, deciders):
    def run(self, _):
        try:
            ask(self.swf).result()
        except pyflow.InvocationCanceledException as canceled:
            return [str(canceled), canceled.reason, canceled.details]

    assert result_of(run, events, deciders) == ["enough", None, "enough"]


class TestBug2ChildIdsAreUniqueInTheDomain:
    @staticmethod
    def run(self, _):
        self.swf.invoke_child_workflow("C", "1").result()

    def child_of(self, run_id, deciders, **options):
        first = task(FIRST)
        first["workflowExecution"]["runId"] = run_id
        (decision,) = deciders(workflow(self.run), **options).decide(first)
        return decision["startChildWorkflowExecutionDecisionAttributes"]["workflowId"]

    def test_two_parents_at_once_and_a_child_with_a_child_do_not_collide(self, deciders):
        ids = {self.child_of(run_id, deciders) for run_id in (RUN_ID, "22an0therRun+/=", "22theChildItself=")}

        assert len(ids) == 3
        assert not any(set(own_id) & set(":/|") for own_id in ids)

    def test_ids_of_2_0_0_are_there_on_demand(self, deciders):
        assert self.child_of(RUN_ID, deciders, legacy_child_ids=True) == "child_workflow1"


class Service:
    """Hands out tasks and faults in turn, then stops the decider; answers responses with faults, in turn."""

    def __init__(self, *polls, faults=()):
        self.polls = list(polls)
        self.faults = list(faults)
        self.sent = []
        self.registered = []

    def list_workflow_types(self, **_):
        return {"typeInfos": []}

    def register_workflow_type(self, **request):
        self.registered.append(request)

    def poll_for_decision_task(self, **_):
        if not self.polls:
            self.decider.stop()
            return {"startedEventId": 0, "previousStartedEventId": 0}
        reply = self.polls.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply

    def respond_decision_task_completed(self, **response):
        self.sent.append(short(response["decisions"]))
        if self.faults:
            raise self.faults.pop(0)

    def serve(self, *classes):
        self.decider = pyflow.Decider(classes, "domain", "list", "me", client=self, pollers=1)
        self.decider.poll_for_decision_tasks()
        return self.sent


@pytest.fixture
def no_pauses(monkeypatch):
    monkeypatch.setattr(repeating, "BACKOFF_FIRST_S", 0.0)
    monkeypatch.setattr(polling, "REPAIR_MIN_S", 0.0)
    monkeypatch.setattr(polling, "EMPTY_POLL_S", 0.0)
    monkeypatch.setattr(responding, "backoff_s", lambda *_: 0.0)


def client_error(code, status=400):
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "operation")


def echo(self, value):
    return value


@pytest.mark.parametrize(
    ("fault", "answers"),
    [
        (client_error("ThrottlingException"), 2),
        (client_error("InternalFailure", 500), 2),
        (EndpointConnectionError(endpoint_url="https://swf"), 2),
        (client_error("UnknownResourceFault"), 1),
    ],
    ids=["throttled", "internal failure", "connection lost", "task lost"],
)
def test_bug_3_error_of_the_response_never_fails_the_execution(fault, answers, no_pauses):
    sent = Service(task(FIRST), faults=[fault]).serve(workflow(echo))

    assert sent == [["CompleteWorkflowExecution 5"]] * answers


@pytest.mark.parametrize(
    ("polls", "faults", "answers"),
    [
        ([client_error("ThrottlingException"), EndpointConnectionError(endpoint_url="x"), task(FIRST)], [], 1),
        ([task(FIRST), task(FIRST)], [client_error("ValidationException"), client_error("UnknownResourceFault")], 3),
    ],
    ids=["polls", "both responses"],
)
def test_bug_4_error_of_a_poll_or_a_response_does_not_end_the_worker(polls, faults, answers, no_pauses):
    sent = Service(*polls, faults=list(faults)).serve(workflow(echo))

    assert len(sent) == answers
    assert sent[-1] == ["CompleteWorkflowExecution 5"]


def test_bug_5_unknown_workflow_type_is_not_answered(no_pauses, caplog, deciders):
    other = type("Other", (pyflow.Workflow,), {"NAME": "Other", "run": echo})

    assert Service(task(FIRST)).serve(other) == []
    assert "unknown workflow type: ('W', '1.0')" in caplog.text
    with pytest.raises(pyflow.DeciderException, match="unknown workflow type"):
        deciders(other).cold.process_decision_task(task(FIRST))


def test_bug_6_except_exception_around_a_wait_does_not_see_that_it_blocks(deciders):
    def run(self, _):
        try:
            self.swf.sleep(60)
        except Exception:
            return "swallowed"
        return "slept"

    fired = then("TimerStarted timerId=sleep1 startToFireTimeout=60", "TimerFired timerId=sleep1 startedEventId=5")
    assert short(decide(run, FIRST, deciders)) == ["StartTimer sleep1"]
    assert result_of(run, fired, deciders) == "slept"

    live = Run(workflow(run), "order-1", RUN_ID)
    live.advance(history(FIRST), 3)
    live.close()
    assert not live.returned


class TestBug7FinallyDoesNotRunBecauseCodeWaits:
    def test_it_runs_once_when_code_gets_there(self, deciders):
        def run(self, _):
            try:
                self.swf.invoke_lambda("a", None).result()
            finally:
                self.swf.invoke_lambda("cleanup", None)

        assert short(decide(run, FIRST, deciders)) == ["ScheduleLambdaFunction lambda1"]
        assert short(decide(run, LAMBDA_DONE, deciders)) == [
            "ScheduleLambdaFunction lambda2",
            "CompleteWorkflowExecution null",
        ]

    def test_closing_a_parked_run_runs_it_and_nothing_it_asks_is_sent(self):
        seen = []

        def run(self, _):
            try:
                self.swf.sleep(60)
            finally:
                seen.append("finally")
                self.swf.invoke_lambda("cleanup", None)
                seen.append("asked")

        live = Run(workflow(run), "order-1", RUN_ID)
        live.advance(history(FIRST), 3)
        owed = short(live.decisions())
        assert seen == []

        live.close()

        assert seen == ["finally"]
        assert short(live.decisions()) == owed == ["StartTimer sleep1"]


def test_bug_8_call_put_before_a_replayed_one_is_found_and_named(deciders):
    def run(self, _):
        self.swf.invoke_activity("inserted", "1").result()
        return self.swf.invoke_lambda("a", None).result()

    both = deciders(workflow(run))
    both.kept.process_decision_task(task(LAMBDA_DONE, until=3))
    for decider in (both.cold, both.kept):
        with pytest.raises(pyflow.NondeterminismException) as caught:
            decider.process_decision_task(task(LAMBDA_DONE))

        assert caught.value.expected == "LambdaFunctionScheduled lambda1 (a)"
        assert caught.value.found == "activity activity1 (inserted 1)"
        assert caught.value.event_id == 5
        assert "test_bugs.py" in caught.value.where


@pytest.mark.parametrize(
    ("ask", "event", "found"),
    [
        (
            lambda swf: swf.invoke_lambda("b", None),
            "LambdaFunctionScheduled id=lambda1 name=a",
            "lambda function lambda1 (b)",
        ),
        (
            lambda swf: swf.invoke_activity("A", "2"),
            "ActivityTaskScheduled activityId=activity1 activityType=A/1",
            "activity activity1 (A 2)",
        ),
    ],
    ids=["function", "version"],
)
def test_bug_8_same_id_of_another_name_is_found_and_named(ask, event, found, deciders):
    with pytest.raises(pyflow.NondeterminismException) as caught:
        decide(lambda self, _: ask(self.swf).result(), then(event, "WorkflowExecutionSignaled signalName=x"), deciders)

    assert caught.value.found == found


@pytest.mark.parametrize("wait", ["timed_wait_for_all", "timed_wait_for_any"])
def test_bug_9_timed_wait_takes_a_list(wait, deciders):
    def run(self, _):
        (done,) = getattr(self.swf, wait)(60, [self.swf.invoke_lambda("a", None)])
        return done.result()

    events = then(*A_AND_TIMER, "LambdaFunctionCompleted scheduledEventId=5 startedEventId=0 result=7")
    assert short(decide(run, events, deciders)) == ["CancelTimer sleep1", "CompleteWorkflowExecution 7"]


class TestBug10CancelRequestIsSeenByTheCode:
    BLOCKED = then("LambdaFunctionScheduled id=lambda1 name=a", "WorkflowExecutionCancelRequested")
    DONE_TOO = then(
        "LambdaFunctionScheduled id=lambda1 name=a",
        "LambdaFunctionCompleted scheduledEventId=5 startedEventId=0",
        "WorkflowExecutionCancelRequested",
    )

    @staticmethod
    def run(self, _):
        self.swf.invoke_lambda("a", None).result()
        self.swf.invoke_lambda("b", None).result()

    @pytest.mark.parametrize("events", [BLOCKED, DONE_TOO])
    def test_closing_decision_is_the_only_one_and_the_last(self, events, deciders):
        decisions = short(decide(self.run, events, deciders))

        assert [one for one in decisions if "WorkflowExecution" in one] == decisions[-1:] == ["CancelWorkflowExecution"]

    def test_code_can_clean_up_first(self, deciders):
        def run(self, _):
            try:
                self.swf.invoke_lambda("a", None).result()
            except pyflow.WorkflowCanceledException:
                self.swf.invoke_lambda("undo", None).result()
                raise

        assert short(decide(run, self.BLOCKED, deciders)) == ["ScheduleLambdaFunction lambda2"]

    def test_request_of_long_ago_is_not_decided_again(self, deciders):
        def run(self, _):
            try:
                self.swf.invoke_lambda("a", None).result()
            except pyflow.WorkflowCanceledException:
                self.swf.invoke_lambda("undo", None).result()
            return "undone"

        events = self.BLOCKED + (
            """
            9 DecisionTaskCompleted scheduledEventId=7 startedEventId=8
            10 LambdaFunctionScheduled id=lambda2 name=undo
            11 LambdaFunctionCompleted scheduledEventId=10 startedEventId=0
            12 DecisionTaskScheduled
            13 DecisionTaskStarted scheduledEventId=12
            """
        )
        assert result_of(run, events, deciders) == "undone"


def test_bug_11_input_that_is_not_json_fails_the_execution_and_runs_nothing(deciders):
    def run(self, _):
        self.swf.invoke_lambda("never", None)

    failure = failure_of(run, FIRST.replace("input=5", "input={bad"), deciders)
    assert failure["reason"] == "Invalid input to workflow"


class Counted(dict):
    """An event that counts how often it is looked at."""

    looks = 0

    def __getitem__(self, key):
        Counted.looks += 1
        return super().__getitem__(key)

    def get(self, key, default=None):
        Counted.looks += 1
        return super().get(key, default)


def test_bug_12_time_per_event_does_not_grow_with_the_history():
    def run(self, count):
        for _ in range(count):
            self.swf.invoke_lambda("a", None).result()

    def looks_per_event(steps):
        lines = [
            "WorkflowExecutionStarted input=1000000",
            "DecisionTaskScheduled",
            "DecisionTaskStarted scheduledEventId=2",
        ]
        for _ in range(steps):
            n = len(lines)
            lines += [
                f"DecisionTaskCompleted scheduledEventId={n - 1} startedEventId={n}",
                f"LambdaFunctionScheduled id=lambda{n // 6 + 1} name=a",
                f"LambdaFunctionStarted scheduledEventId={n + 2}",
                f"LambdaFunctionCompleted scheduledEventId={n + 2} startedEventId={n + 3}",
                "DecisionTaskScheduled",
                f"DecisionTaskStarted scheduledEventId={n + 5}",
            ]
        events = [Counted(event) for event in history("\n".join(f"{n} {line}" for n, line in enumerate(lines, 1)))]
        Counted.looks = 0
        live = Run(workflow(run), "order-1", RUN_ID)
        live.advance(events, len(events))
        live.close()
        return Counted.looks / len(events)

    assert looks_per_event(300) == pytest.approx(looks_per_event(30), rel=0.1)


# -- moderate --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wait", ["wait_for_all", "wait_for_any"])
def test_bug_14_waits_give_the_order_of_completion_within_a_batch(wait, deciders):
    def run(self, _):
        return [future.result() for future in getattr(self.swf, wait)(*two_lambdas(self.swf))]

    assert result_of(run, SECOND_BEFORE_FIRST, deciders) == ["b", "a"]


@pytest.mark.parametrize("nothing", [(), ([],), (iter(()),)])
def test_bug_15_wait_for_any_of_nothing_does_not_hang(nothing, deciders):
    def run(self, _):
        return self.swf.wait_for_any(*nothing)

    assert result_of(run, FIRST, deciders) == []


@pytest.mark.parametrize(
    "shape",
    [tuple, lambda both: (one for one in both), lambda both: [[both[0]], [[both[1]]]], lambda both: [*both, *both]],
    ids=["tuple", "generator", "nested", "twice"],
)
@pytest.mark.parametrize("wait", ["wait_for_all", "wait_for_any"])
def test_bug_16_waits_flatten_any_iterable_and_give_each_future_once(wait, shape, deciders):
    def run(self, _):
        return [future.result() for future in getattr(self.swf, wait)(shape(two_lambdas(self.swf)))]

    assert result_of(run, SECOND_BEFORE_FIRST, deciders) == ["b", "a"]


def test_bug_16_future_given_twice_comes_back_once(deciders):
    def run(self, _):
        a, b = two_lambdas(self.swf)
        return [future.result() for future in self.swf.wait_for_all(a, b, a)]

    assert result_of(run, SECOND_BEFORE_FIRST, deciders) == ["b", "a"]


class TestBug17TimedWaitCancelsItsTimer:
    @staticmethod
    def run(self, _):
        self.swf.timed_wait_for_any(60, self.swf.invoke_lambda("a", None))
        self.swf.invoke_lambda("b", None).result()

    IN_TIME = then(*A_AND_TIMER, "LambdaFunctionCompleted scheduledEventId=5 startedEventId=0")

    def test_that_it_does_not_need_any_more(self, deciders):
        assert short(decide(self.run, self.IN_TIME, deciders)) == [
            "CancelTimer sleep1",
            "ScheduleLambdaFunction lambda2",
        ]

    def test_and_not_one_that_has_fired(self, deciders):
        def run(self, _):
            try:
                self.swf.timed_wait_for_all(60, self.swf.invoke_lambda("a", None))
            except pyflow.WaitTimedOutException:
                return "timed out"

        assert result_of(run, then(*A_AND_TIMER, "TimerFired timerId=sleep1 startedEventId=6"), deciders) == "timed out"

    def test_and_the_history_with_its_event_replays(self, deciders):
        events = self.IN_TIME + (
            """
            10 DecisionTaskCompleted scheduledEventId=8 startedEventId=9
            11 TimerCanceled timerId=sleep1 startedEventId=6
            12 LambdaFunctionScheduled id=lambda2 name=b
            13 LambdaFunctionCompleted scheduledEventId=12 startedEventId=0
            14 DecisionTaskScheduled
            15 DecisionTaskStarted scheduledEventId=14
            """
        )
        assert result_of(self.run, events, deciders) is None


RECORDED_FAILURE = then(
    'MarkerRecorded markerName=invoke_once1 details={"succeeded": false, "reason": "R", "details": "KeyError: 1"}',
    "SignalExternalWorkflowExecutionInitiated workflowId=order-1 signalName=invoke_once_signal1",
    "WorkflowExecutionSignaled signalName=invoke_once_signal1",
)


@pytest.mark.parametrize("events", [FIRST, RECORDED_FAILURE], ids=["new", "recorded by 2.0.0"])
def test_bug_18_future_of_a_failed_callable_has_failed(events, deciders):
    def run(self, _):
        future = self.swf.invoke_once({}.__getitem__, 1)
        self.swf.wait_for_all(future)
        try:
            future.result()
        except pyflow.InvocationFailedException as raised:
            said = [type(future.exception) is type(raised), "KeyError: 1" in raised.details]
        return [future.done, future.succeeded, future.failed, *said, future.invocation_id]

    both = deciders(workflow(run))
    closing = both.cold.process_decision_task(task(events)).decisions[-1]
    result = json.loads(closing["completeWorkflowExecutionDecisionAttributes"]["result"])
    assert result == [True, False, True, True, True, "invoke_once1"]


@pytest.mark.parametrize(
    ("value", "problem"),
    [(object(), "Object of type object"), ({1j}, "Object of type complex"), ("x" * 40_000, "characters of JSON")],
    ids=["object", "set", "too long"],
)
def test_bug_19_value_that_cannot_be_recorded_is_a_recorded_failure(value, problem, deciders):
    calls = []

    def run(self, _):
        future = self.swf.invoke_once(lambda: calls.append(1) or value)
        return [future.failed, problem in future.exception.details]

    marker, closing = decide(run, FIRST, deciders)
    assert closing["completeWorkflowExecutionDecisionAttributes"]["result"] == "[true, true]"
    assert json.loads(marker["recordMarkerDecisionAttributes"]["details"])["succeeded"] is False
    assert len(calls) == 2  # once cold, once with the run kept


def test_bug_19_the_type_of_the_callables_exception_is_kept(deciders):
    class OutOfStock(Exception):
        pass

    def fail():
        raise OutOfStock("shelf 7")

    def run(self, _):
        return self.swf.invoke_once(fail).exception.details.splitlines()[-1]

    _, closing = decide(run, FIRST, deciders)
    assert "OutOfStock: shelf 7" in closing["completeWorkflowExecutionDecisionAttributes"]["result"]


def test_bug_20_recorded_value_costs_one_marker_and_no_decision_task(deciders):
    def run(self, _):
        return self.swf.invoke_once(lambda: 7).result()

    assert short(decide(run, FIRST, deciders)) == ["RecordMarker invoke_once1", "CompleteWorkflowExecution 7"]


def test_bug_22_lambda_result_that_is_not_json_is_a_failure_of_that_lambda(deciders):
    def run(self, _):
        first, second = two_lambdas(self.swf)
        self.swf.wait_for_all(first, second)
        return [first.failed, first.exception.reason, second.result()]

    events = SECOND_BEFORE_FIRST.replace('result="a"', "result=not json")
    assert result_of(run, events, deciders) == [True, "Decoding result failed", "b"]


def test_bug_23_failure_of_a_lambda_that_code_has_not_called_is_nondeterminism(deciders):
    def run(self, _):
        self.swf.sleep(60)

    events = then(
        "LambdaFunctionScheduled id=lambda1 name=a",
        "LambdaFunctionFailed scheduledEventId=5 startedEventId=0 reason=SdkClientException",
    )
    with pytest.raises(pyflow.NondeterminismException, match="lambda1"):
        decide(run, events, deciders)


@pytest.mark.parametrize(
    ("reason", "details", "sent"),
    [
        ("R", None, {"reason": "R"}),
        ("R", {"k": 1}, {"reason": "R", "details": "{'k': 1}"}),
        (404, ValueError("x"), {"reason": "404", "details": "ValueError('x')"}),
        ("r" * 300, "", {"reason": "r" * 247 + "... [cut]", "details": ""}),
    ],
)
def test_bug_24_workflow_fails_with_any_reason_and_details(reason, details, sent, deciders):
    def run(self, _):
        raise pyflow.WorkflowFailedException(reason, details)

    assert failure_of(run, FIRST, deciders) == sent
    assert len(sent["reason"]) <= 256


def test_bug_25_fractions_of_seconds_are_rounded_up_and_no_durations_are_refused_at_the_call(deciders):
    def run(self, _):
        for seconds in (-1, -0.5, float("nan"), float("inf"), 31_536_001):
            with pytest.raises(ValueError):
                self.swf.sleep(seconds)
        self.swf.sleep(1.5)

    (decision,) = decide(run, FIRST, deciders)
    assert decision["startTimerDecisionAttributes"]["startToFireTimeout"] == "2"


def test_bug_26_start_workflow_leaves_out_what_is_not_given_and_encodes_the_input():
    class Starter:
        def start_workflow_execution(self, **request):
            self.request = request
            return {"runId": "run-1"}

    service = Starter()
    started = pyflow.start_workflow("domain", "Order", "1.0", "list", client=service)

    assert started == {"workflowId": service.request["workflowId"], "runId": "run-1"}
    assert started["workflowId"].startswith("Order@")
    assert not {"input", "lambdaRole"} & set(service.request)

    pyflow.start_workflow("domain", "Order", "1.0", "list", "role", {"n": 1}, service, workflow_id="order-7")
    assert (service.request["workflowId"], service.request["input"], service.request["lambdaRole"]) == (
        "order-7",
        '{"n": 1}',
        "role",
    )


def test_bug_27_types_are_registered_with_their_own_task_list_and_without_a_run():
    class Own(pyflow.Workflow):
        NAME = "Own"
        OPTIONS = {"defaultTaskList": {"name": "own-list"}, "defaultTaskPriority": 5}

        def __init__(self, swf):
            super().__init__(swf)
            self.started_by = swf.workflow_id

    service = Service()
    service.serve(Own)

    (request,) = service.registered
    assert request["defaultTaskList"] == {"name": "own-list"}
    assert request["defaultTaskPriority"] == "5"


class TestBug29FailuresSayAllThatSwfSaid:
    def exception(self, ask, events, deciders):
        seen = []

        def run(self, _):
            future = ask(self.swf)
            self.swf.wait_for_all(future)
            seen.append(future.exception)

        decide(run, events, deciders)
        cold, kept = seen
        assert vars(cold) == vars(kept)
        return kept

    def activity(self, swf):
        return swf.invoke_activity("A", "1")

    SCHEDULED = "ActivityTaskScheduled activityId=activity1 activityType=A/1"

    def test_timeouts(self, deciders):
        events = then(
            self.SCHEDULED,
            "ActivityTaskTimedOut scheduledEventId=5 startedEventId=0 timeoutType=HEARTBEAT details=half",
        )
        raised = self.exception(self.activity, events, deciders)

        assert isinstance(raised, pyflow.InvocationTimedOutException)
        assert (raised.timeout_type, raised.details) == ("HEARTBEAT", "half")
        assert raised.args == ("InvocationStep 'activity1' timed out",)

    def test_failures(self, deciders):
        events = then(self.SCHEDULED, "ActivityTaskFailed scheduledEventId=5 startedEventId=0 reason=R details=D")
        raised = self.exception(self.activity, events, deciders)

        assert (raised.reason, raised.details, raised.cause, raised.args) == ("R", "D", None, ("R: D",))

    def test_refusals(self, deciders):
        refused = "ScheduleActivityTaskFailed activityId=activity1 activityType=A/1 cause=ACTIVITY_TYPE_DOES_NOT_EXIST"
        raised = self.exception(self.activity, then(refused), deciders)

        assert raised.reason == raised.cause == "ACTIVITY_TYPE_DOES_NOT_EXIST"
        assert raised.args == ("ACTIVITY_TYPE_DOES_NOT_EXIST",)


def test_bug_32_is_replaying_is_false_again_after_a_timeout_and_its_documentation_says_so(deciders):
    seen = []

    def run(self, _):
        seen.append(self.swf.is_replaying)
        self.swf.sleep(1)

    timed_out = FIRST + (
        """
        4 DecisionTaskTimedOut scheduledEventId=2 startedEventId=3 timeoutType=START_TO_CLOSE
        5 DecisionTaskScheduled
        6 DecisionTaskStarted scheduledEventId=5
        """
    )
    for started in (3, 6):
        deciders(workflow(run)).cold.process_decision_task(task(timed_out, until=started))

    assert seen == [False, False]
    said = " ".join(pyflow.WorkflowInvocationHelper.is_replaying.__doc__.split())
    assert "False is no promise of a first time: after a decision task that timed out the same code runs again." in said


def test_bug_33_refused_close_is_issued_again_and_run_does_not_run_again(deciders):
    ran = []

    def run(self, number):
        ran.append(number)
        return [len(ran) and number, self.swf.workflow_time() == START.replace(second=3)]

    events = FIRST + (
        """
        4 WorkflowExecutionSignaled signalName=late
        5 DecisionTaskScheduled
        6 DecisionTaskCompleted scheduledEventId=2 startedEventId=3
        7 CompleteWorkflowExecutionFailed cause=UNHANDLED_DECISION
        8 DecisionTaskStarted scheduledEventId=5
        9 WorkflowExecutionSignaled signalName=late
       10 DecisionTaskScheduled
       11 DecisionTaskCompleted scheduledEventId=5 startedEventId=8
       12 CompleteWorkflowExecutionFailed cause=UNHANDLED_DECISION
       13 DecisionTaskStarted scheduledEventId=10
        """
    )
    assert result_of(run, events, deciders) == [5, True]


class TestBug34:
    def test_two_classes_of_one_type_are_refused(self):
        one, other = workflow(echo), workflow(echo)

        with pytest.raises(pyflow.PyflowException, match=r"both workflow type 'W' '1\.0'"):
            pyflow.Decider([one, other], "domain", "list", "me", client=object())
        pyflow.Decider([one, one], "domain", "list", "me", client=object())

    def test_no_link_to_a_console_that_is_gone_is_logged(self, deciders, caplog):
        caplog.set_level(logging.DEBUG)
        decide(echo, FIRST, deciders)

        assert "console.aws" not in caplog.text


def test_bug_35_descriptor_on_the_class_is_itself():
    class Order(pyflow.Workflow):
        NAME = "Order"
        function = pyflow.LambdaDescriptor("f", timeout=3)
        activity = pyflow.ActivityDescriptor("a", "1")
        child = pyflow.ChildWorkflowDescriptor("c", "1")

    assert (Order.function.function_name, Order.function.timeout) == ("f", 3)
    assert (Order.activity.activity_name, Order.activity.activity_version) == ("a", "1")
    assert (Order.child.workflow_name, Order.child.workflow_version) == ("c", "1")
    for descriptor in (Order.function, Order.activity, Order.child):
        assert "self.invoke_" not in (type(descriptor).__doc__ or "")
