"""The language beyond 2.0.0, on the local service, with every history replayed from each prefix by the fixture."""

import pytest

import pyflow
from pyflow import RetryPolicy, WorkflowCanceledException


@pyflow.activity("add one", "1.0", start_to_close=60)
def add_one(number):
    if number < 0:
        raise ValueError(f"negative: {number}")
    return number + 1


FAILURES = {}


@pyflow.activity("flaky", "1.0", start_to_close=60)
def flaky(name, times):
    FAILURES[name] = FAILURES.get(name, 0) + 1
    if FAILURES[name] <= times:
        raise ConnectionError(f"try {FAILURES[name]}")
    return FAILURES[name]


def workflow(run, **members):
    return type("W", (pyflow.Workflow,), {"NAME": "W", "run": run, "__module__": __name__, **members})


def asked(execution, *types):
    return [event["eventType"] for event in execution.history if event["eventType"] in types]


class TestSpawn:
    def test_gives_a_future_of_the_very_object(self, flow):
        made = object()

        def run(self, _):
            future = self.swf.spawn(lambda: made)
            return [future.done, future.result() is made]

        assert flow.run(workflow(run)) == [False, True]

    def test_fibers_interleave_in_the_order_of_events_and_ids_are_their_own(self, flow):
        def run(self, _):
            steps = []

            def walk(name, seconds):
                for step in range(2):
                    self.swf.sleep(seconds)
                    steps.append(f"{name}{step}")
                return self.swf.start_timer(1).invocation_id

            slow, fast = self.swf.spawn(walk, "slow", 30), self.swf.spawn(walk, "fast", 20)
            self.swf.sleep(25)
            steps.append("main")
            return [slow.result(), fast.result(), steps]

        assert flow.run(workflow(run)) == ["f1.sleep3", "f2.sleep3", ["fast0", "main", "slow0", "fast1", "slow1"]]

    def test_error_is_the_very_error(self, flow):
        class Lost(Exception):
            pass

        def run(self, _):
            def lose():
                self.swf.sleep(1)
                raise Lost("here")

            future = self.swf.spawn(lose)
            try:
                future.result()
            except Lost as error:
                return [str(error), future.failed]

        assert flow.run(workflow(run)) == ["here", True]

    def test_can_be_canceled(self, flow):
        def run(self, _):
            seen = []

            def wait():
                try:
                    self.swf.sleep(1000)
                except WorkflowCanceledException:
                    seen.append("canceled")
                    self.swf.sleep(1)
                    seen.append("cleaned up")
                    raise

            future = self.swf.spawn(wait)
            self.swf.sleep(1)
            future.cancel(wait=True)
            return [seen, future.failed, type(future.exception).__name__]

        assert flow.run(workflow(run)) == [["canceled", "cleaned up"], True, "InvocationCanceledException"]


class TestMapAndCompletion:
    def test_map_gives_results_in_the_order_of_the_items(self, flow):
        def run(self, _):
            return self.swf.map(add_one, range(5), limit=2)

        assert flow.run(workflow(run)) == [1, 2, 3, 4, 5]

    def test_map_never_has_more_than_the_limit_under_way(self, flow):
        def run(self, _):
            running, most = [], []

            def call(item):
                running.append(item)
                most.append(len(running))
                self.swf.sleep(10 - item)
                running.remove(item)
                return item

            return [self.swf.map(call, range(9), limit=3), max(most)]

        assert flow.run(workflow(run)) == [list(range(9)), 3]

    def test_map_waits_for_futures_too(self, flow):
        def run(self, _):
            return self.swf.map(add_one.submit, [1, 2])

        assert flow.run(workflow(run)) == [2, 3]

    def test_first_failure_is_raised_and_the_rest_canceled(self, flow):
        def run(self, _):
            def call(item):
                if item == 1:
                    raise KeyError("one")
                self.swf.sleep(100)

            try:
                self.swf.map(call, range(3))
            except KeyError:
                return "failed"

        execution = flow.start(workflow(run))
        assert execution.result() == "failed"
        assert asked(execution, "TimerFired", "TimerCanceled") in ([], ["TimerCanceled"])

    def test_enough_are_enough(self, flow):
        def run(self, _):
            def call(item):
                self.swf.sleep(item)
                if item == 10:
                    raise KeyError
                return item

            return self.swf.map(call, [30, 20, 10, 90], enough=2)

        assert flow.run(workflow(run)) == [30, 20]

    def test_too_few_is_a_failure(self, flow):
        def run(self, _):
            try:
                self.swf.map(add_one, [1, -1, -2], enough=2)
            except pyflow.InvocationFailedException as error:
                return str(error)

        assert flow.run(workflow(run)) == "TooFewSucceeded: 1 calls succeeded and 2 failed; 2 were asked for"

    def test_as_completed_yields_in_the_order_of_completion(self, flow):
        def run(self, _):
            timers = [self.swf.start_timer(seconds) for seconds in (30, 10, 20)]
            return [future.invocation_id for future in self.swf.as_completed(timers)]

        assert flow.run(workflow(run)) == ["sleep2", "sleep3", "sleep1"]


class TestSignals:
    def test_receive_gives_them_in_order(self, flow):
        def run(self, _):
            return [self.swf.receive("more") for _ in range(3)]

        execution = flow.start(workflow(run))
        execution.signal("more", 1)
        flow.run_until_blocked()
        execution.signal("other", 0)
        execution.signal("more", {"n": 2})
        execution.signal("more")
        assert execution.result() == [1, {"n": 2}, None]

    def test_receive_gives_up_after_its_timeout(self, flow):
        def run(self, _):
            try:
                self.swf.receive("never", timeout=60)
            except pyflow.WaitTimedOutException as error:
                return str(error)

        assert flow.run(workflow(run)) == "no signal 'never' came within 60 seconds"

    def test_receive_in_time_cancels_its_timer(self, flow):
        def run(self, _):
            value = self.swf.receive("go", timeout=60)
            self.swf.sleep(1)
            return value

        execution = flow.start(workflow(run))
        flow.run_until_blocked()
        execution.signal("go", 1)
        assert execution.result() == 1
        assert asked(execution, "TimerCanceled") == ["TimerCanceled"]

    def test_handlers_run_in_order_and_may_wait(self, flow):
        class Approving(pyflow.Workflow):
            NAME = "Approving"

            def __init__(self, swf):
                super().__init__(swf)
                self.seen = []

            def run(self, _):
                self.swf.wait_until(lambda: len(self.seen) == 3)
                return self.seen

            @pyflow.signal
            def approve(self, by):
                self.seen.append(add_one(by))

            @pyflow.signal("named otherwise")
            def reject(self, by, why):
                self.seen.append([by, why])

        execution = flow.start(Approving)
        execution.signal("approve", 1)
        execution.signal("named otherwise", {"by": "me", "why": "so"})
        execution.signal("approve", 2)
        assert execution.result() == [["me", "so"], 2, 3]

    def test_failing_handler_is_logged_and_the_run_goes_on(self, flow, caplog):
        class Careless(pyflow.Workflow):
            NAME = "Careless"

            def run(self, _):
                self.swf.sleep(1)
                return self.swf.receive("end")

            @pyflow.signal
            def boom(self):
                raise KeyError("boom")

        execution = flow.start(Careless)
        execution.signal("boom")
        execution.signal("end", "well")
        assert execution.result() == "well"
        assert "the handler of signal 'boom' failed" in caplog.text

    def test_text_that_is_not_json_is_given_as_it_is(self, flow):
        def run(self, _):
            return self.swf.receive("raw")

        execution = flow.start(workflow(run))
        flow.client.signal_workflow_execution(
            domain=flow.domain, workflowId=execution.workflow_id, signalName="raw", input="plain text"
        )
        assert execution.result() == "plain text"

    def test_signal_to_another_execution(self, flow):
        def listen(self, _):
            return self.swf.receive("hello")

        class Listener(pyflow.Workflow):
            NAME = "Listener"
            run = listen

        def run(self, other):
            self.swf.external(other).signal("hello", {"from": "me"}).result()
            try:
                self.swf.external("nobody").signal("hello").result()
            except pyflow.InvocationFailedException as error:
                return error.cause

        listener = flow.start(Listener, workflow_id="listener")
        assert flow.run(workflow(run), "listener") == "UNKNOWN_EXTERNAL_WORKFLOW_EXECUTION"
        assert listener.result() == {"from": "me"}


class TestWaitUntil:
    def test_holds_at_once(self, flow):
        assert flow.run(workflow(lambda self, _: self.swf.wait_until(lambda: True))) is None

    def test_is_tried_after_each_step_of_any_fiber(self, flow):
        def run(self, _):
            state = []
            self.swf.spawn(lambda: (self.swf.sleep(5), state.append(1)))
            self.swf.wait_until(lambda: bool(state))
            return self.swf.workflow_time().timestamp()

        assert flow.run(workflow(run)) == flow.clock.now_ms() // 1000

    def test_gives_up_after_its_timeout(self, flow):
        def run(self, _):
            try:
                self.swf.wait_until(lambda: False, timeout=10)
            except pyflow.WaitTimedOutException:
                return "gave up"

        assert flow.run(workflow(run)) == "gave up"

    def test_error_of_the_predicate_is_raised_at_the_wait(self, flow):
        def run(self, _):
            state = []
            self.swf.spawn(lambda: (self.swf.sleep(5), state.append(1)))
            try:
                self.swf.wait_until(lambda: state and 1 / 0)
            except ZeroDivisionError:
                return "raised"

        assert flow.run(workflow(run)) == "raised"


class TestScopes:
    def test_timeout_leaves_the_block_and_cancels_what_it_asked_for(self, flow):
        def run(self, _):
            with self.swf.scope(timeout=10) as scope:
                self.swf.sleep(1000)
            self.swf.sleep(1)
            return scope.canceled

        execution = flow.start(workflow(run))
        assert execution.result() is True
        assert asked(execution, "TimerCanceled") == ["TimerCanceled"]

    def test_block_that_is_in_time_is_not_canceled(self, flow):
        def run(self, _):
            with self.swf.scope(timeout=100) as scope:
                self.swf.sleep(1)
            self.swf.sleep(200)
            return scope.canceled

        assert flow.run(workflow(run)) is False

    def test_outer_scope_ends_inner_ones(self, flow):
        def run(self, _):
            said = []
            with self.swf.scope(timeout=10) as outer:
                with self.swf.scope(timeout=100) as inner:
                    try:
                        self.swf.sleep(1000)
                    finally:
                        said.append("unwound")
                said.append("never said")
            return [said, outer.canceled, inner.canceled]

        assert flow.run(workflow(run)) == [["unwound"], True, False]

    def test_shield_holds_a_scope_s_end_back(self, flow):
        def run(self, _):
            said = []
            with self.swf.scope(timeout=10):
                with self.swf.shield():
                    self.swf.sleep(20)
                    said.append("shielded")
                self.swf.sleep(1)
                said.append("never said")
            return said

        assert flow.run(workflow(run)) == ["shielded"]

    def test_cancel_from_another_fiber(self, flow):
        def run(self, _):
            with self.swf.scope() as scope:
                self.swf.spawn(lambda: (self.swf.sleep(5), scope.cancel()))
                self.swf.sleep(1000)
            return scope.canceled

        assert flow.run(workflow(run)) is True

    def test_spawned_inside_is_canceled_with_it(self, flow):
        def run(self, _):
            with self.swf.scope(timeout=5):
                future = self.swf.spawn(self.swf.sleep, 1000)
                self.swf.sleep(1000)
            self.swf.wait_for_all(future)
            return future.failed

        assert flow.run(workflow(run)) is True


class TestCancel:
    def test_timer(self, flow):
        def run(self, _):
            timer = self.swf.start_timer(1000)
            self.swf.sleep(1)
            timer.cancel()
            self.swf.sleep(1)
            return [timer.failed, type(timer.exception).__name__]

        execution = flow.start(workflow(run))
        assert execution.result() == [True, "InvocationCanceledException"]
        assert asked(execution, "TimerCanceled", "CancelTimerFailed") == ["TimerCanceled"]

    def test_what_was_never_sent_is_never_sent(self, flow):
        def run(self, _):
            for future in (self.swf.start_timer(9), add_one.submit(1), self.swf.invoke_child_workflow("W", "1.0")):
                future.cancel()
            self.swf.sleep(1)

        execution = flow.start(workflow(run))
        execution.result()
        assert asked(execution, "TimerStarted", "ActivityTaskScheduled", "StartChildWorkflowExecutionInitiated") == [
            "TimerStarted"
        ]

    def test_activity_that_nobody_has_begun_is_acknowledged(self, flow):
        def run(self, _):
            future = self.swf.invoke_activity("add one", "1.0", 1, task_list="nobody")
            self.swf.sleep(1)
            future.cancel(wait=True)
            return [future.failed, type(future.exception).__name__]

        execution = flow.start(workflow(run))
        assert execution.result() == [True, "InvocationCanceledException"]
        assert asked(execution, "ActivityTaskCancelRequested", "ActivityTaskCanceled") == [
            "ActivityTaskCancelRequested",
            "ActivityTaskCanceled",
        ]

    def test_without_waiting_it_is_canceled_at_once(self, flow):
        def run(self, _):
            future = self.swf.invoke_activity("add one", "1.0", 1, task_list="nobody")
            self.swf.sleep(1)
            future.cancel()
            return future.done

        assert flow.run(workflow(run)) is True


class TestRetries:
    def test_activity_is_tried_again_until_it_succeeds(self, flow):
        FAILURES.clear()

        def run(self, _):
            return flaky.options(retry=RetryPolicy(initial=10, factor=3, jitter=0))("a", 2)

        execution = flow.start(workflow(run))
        started = flow.clock.now_ms()
        assert execution.result() == 3
        assert flow.clock.now_ms() - started == 40_000
        ids = [
            event["activityTaskScheduledEventAttributes"]["activityId"]
            for event in execution.history
            if event["eventType"] == "ActivityTaskScheduled"
        ]
        assert ids == ["activity1", "activity1.2", "activity1.3"]

    def test_attempts_are_bounded(self, flow):
        FAILURES.clear()

        def run(self, _):
            try:
                flaky.options(retry=RetryPolicy(max_attempts=2))("b", 9)
            except pyflow.InvocationFailedException as error:
                return error.reason

        assert flow.run(workflow(run)) == "ConnectionError"
        assert FAILURES == {"b": 2}

    def test_only_what_the_policy_names_is_tried_again(self, flow):
        FAILURES.clear()

        def run(self, _):
            try:
                flaky.options(retry=RetryPolicy(no_retry_on=ConnectionError))("c", 9)
            except pyflow.InvocationFailedException as error:
                return error.reason

        assert flow.run(workflow(run)) == "ConnectionError"
        assert FAILURES == {"c": 1}


class TestChildren:
    def test_by_class_with_a_handle(self, flow):
        class Listener(pyflow.Workflow):
            NAME = "Listener"

            def run(self, prefix):
                return prefix + self.swf.receive("hello")

        def run(self, _):
            child = self.swf.start_child(Listener, ">", tags=["t"], task_start_to_close=20)
            child.signal("hello", "you").result()
            return [child.result(), child.run_id is not None]

        flow.use(Listener)
        assert flow.run(workflow(run)) == [">you", True]

    def test_call_blocks(self, flow):
        class Inner(pyflow.Workflow):
            NAME = "Inner"

            def run(self, number):
                return number * 2

        flow.use(Inner)
        assert flow.run(workflow(lambda self, _: self.swf.child(Inner, 4))) == 8

    def test_cancel_with_acknowledgement(self, flow):
        class Patient(pyflow.Workflow):
            NAME = "Patient"

            def run(self, _):
                self.swf.sleep(10_000)

        def run(self, _):
            child = self.swf.start_child(Patient)
            self.swf.sleep(1)
            child.cancel(wait=True)
            return type(child.exception).__name__

        flow.use(Patient)
        assert flow.run(workflow(run)) == "InvocationCanceledException"


class TestTheRunItself:
    def test_draws_replay(self, flow):
        def run(self, _):
            first = [self.swf.random.random(), self.swf.random.randint(1, 6), str(self.swf.uuid4())]
            self.swf.sleep(1)
            return [*first, self.swf.spawn(lambda: self.swf.random.random()).result(), self.swf.now().timestamp()]

        one, two, three, four, _ = flow.run(workflow(run))
        assert 0 <= one < 1
        assert 1 <= two <= 6
        assert len(three) == 36
        assert one != four

    def test_continue_as_new(self, flow):
        def run(self, number):
            self.swf.sleep(1)
            if number < 3:
                self.swf.continue_as_new(number + 1)
            return [number, self.swf.history_length < 20, self.swf.should_continue_as_new]

        execution = flow.start(workflow(run), 0)
        assert execution.result() == [3, True, False]

    def test_result_with_a_timeout(self, flow):
        def run(self, _):
            timer = self.swf.start_timer(100)
            try:
                timer.result(timeout=10)
            except pyflow.WaitTimedOutException as error:
                return [str(error), timer.done]

        assert flow.run(workflow(run)) == ["sleep1 was not done within 10 seconds", False]

    def test_status_and_where_are_in_the_execution_context(self, flow):
        def run(self, _):
            self.swf.set_status({"step": 1})
            self.swf.spawn(self.swf.sleep, 500)
            self.swf.receive("never")

        execution = flow.start(workflow(run))
        flow.run_until_blocked()
        context = flow.client.describe_workflow_execution(
            domain=flow.domain, execution={"workflowId": execution.workflow_id, "runId": execution.run_id}
        )["latestExecutionContext"]
        lines = context.splitlines()
        assert lines[0] == "pyflow rules 1"
        assert lines[1] == 'status {"step": 1}'
        assert "test_language.py" in lines[2]
        assert "for signal 'never'" in lines[3]
        assert "timer f1.sleep1" in context
        execution.terminate()

    @pytest.mark.parametrize("shown", [False, True])
    def test_locals_are_in_the_execution_context_only_if_asked_for(self, shown, flow):
        class Sour:
            def __repr__(self):
                raise ValueError("no")

        class Showing(pyflow.Workflow):
            NAME = "Showing"
            SHOW_LOCALS = shown

            def run(self, _):
                password, long, sour = "hunter2", list(range(1_000)), Sour()
                self.swf.receive("never")
                return password, long, sour

        execution = flow.start(Showing)
        flow.run_until_blocked()
        context = flow.client.describe_workflow_execution(
            domain=flow.domain, execution={"workflowId": execution.workflow_id, "runId": execution.run_id}
        )["latestExecutionContext"]
        execution.terminate()
        assert ("hunter2" in context) is shown
        if shown:
            assert "    long = [0, 1, 2, 3, 4, 5, ...]" in context
            assert "    sour = <Sour instance at" in context

    def test_patch_is_taken_by_new_runs_and_remembered(self, flow):
        def run(self, _):
            new = self.swf.patched("p")
            self.swf.sleep(1)
            return [new, self.swf.patched("p"), self.swf.patched("later")]

        assert flow.run(workflow(run)) == [True, True, True]
