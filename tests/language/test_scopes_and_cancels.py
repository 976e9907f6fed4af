"""Scopes, shields and cancels, nested and at once."""

import itertools

import pytest

import pyflow
from pyflow import RetryPolicy, WorkflowCanceledException


@pyflow.activity("slow", "1.0", start_to_close=600)
def slow(number):
    return number


def workflow(run, **members):
    return type("W", (pyflow.Workflow,), {"NAME": "W", "run": run, "__module__": __name__, **members})


def asked(execution, *types):
    return [event["eventType"] for event in execution.history if event["eventType"] in types]


def unserved(number):
    return slow.options(task_list="nobody").submit(number)


class TestScopes:
    def test_code_that_waits_for_a_canceled_future_leaves_the_block(self, flow):
        """It must not hear of the future's own cancel first, at a wait that its scope has ended."""

        def run(self, _):
            heard = []
            with self.swf.scope(timeout=10):
                try:
                    unserved(1).result()
                except pyflow.InvocationException as error:
                    heard.append(type(error).__name__)
                heard.append("went on")
            return heard

        execution = flow.start(workflow(run))
        assert execution.result() == []

    def test_who_waits_outside_for_what_the_scope_canceled_hears_of_it(self, flow):
        def run(self, _):
            futures = []

            def ask():
                with self.swf.scope(timeout=10):
                    futures.append(unserved(1))
                    self.swf.sleep(1000)

            done = self.swf.spawn(ask)
            self.swf.wait_until(lambda: bool(futures))
            try:
                futures[0].result()
            except pyflow.InvocationCanceledException:
                return [done.result(), "canceled"]

        assert flow.run(workflow(run)) == [None, "canceled"]

    def test_what_a_spawned_function_asked_for_is_canceled_with_it(self, flow):
        def run(self, _):
            def ask():
                unserved(1)
                unserved(2).result()

            with self.swf.scope(timeout=5):
                self.swf.spawn(ask).result()
            self.swf.sleep(1)

        execution = flow.start(workflow(run))
        execution.result()
        assert asked(execution, "ActivityTaskCanceled") == ["ActivityTaskCanceled"] * 2

    def test_what_was_asked_for_in_an_inner_block_that_is_over_is_canceled_with_the_outer(self, flow):
        def run(self, _):
            with self.swf.scope(timeout=5):
                with self.swf.scope():
                    unserved(1)
                with self.swf.shield():
                    unserved(2)
                self.swf.sleep(100)
            self.swf.sleep(1)

        execution = flow.start(workflow(run))
        execution.result()
        assert asked(execution, "ActivityTaskCanceled") == ["ActivityTaskCanceled"]

    def test_what_is_asked_for_between_the_cancel_and_the_wait_is_never_sent(self, flow):
        def run(self, _):
            with self.swf.scope() as scope:
                scope.cancel()
                slow(1)
            self.swf.sleep(1)
            return scope.canceled

        execution = flow.start(workflow(run))
        assert execution.result() is True
        assert asked(execution, "ActivityTaskScheduled") == []

    @pytest.mark.parametrize(("outer", "inner"), [(5, 10), (10, 5), (5, 5)])
    def test_nested_deadlines_in_any_order(self, flow, outer, inner):
        def run(self, _):
            said = []
            with self.swf.scope(timeout=outer) as one:
                with self.swf.scope(timeout=inner) as two:
                    self.swf.sleep(20)
                said.append("inner is over")
                self.swf.sleep(20)
                said.append("never said")
            return [said, one.canceled, two.canceled]

        said, one, two = flow.run(workflow(run))
        assert one
        assert said == (["inner is over"] if two else [])
        assert two == (inner < outer)

    def test_deadline_equal_to_what_is_waited_for_is_decided_by_the_order_of_events(self, flow):
        def run(self, _):
            said = []
            with self.swf.scope(timeout=10) as scope:
                self.swf.sleep(10)
                said.append("slept")
            self.swf.sleep(1)
            return [said, scope.canceled]

        execution = flow.start(workflow(run))
        assert execution.result() in ([["slept"], True], [[], True], [["slept"], False])

    def test_cancel_of_the_execution_inside_a_scope_passes_through_it(self, flow):
        def run(self, _):
            try:
                with self.swf.scope(timeout=100) as scope:
                    self.swf.sleep(1000)
            except WorkflowCanceledException:
                with self.swf.shield():
                    slow(1)
                return ["cleaned up", scope.canceled]

        execution = flow.start(workflow(run))
        flow.run_until_blocked()
        execution.cancel()
        assert execution.result() == ["cleaned up", False]

    def test_shield_in_a_scope_in_a_shield(self, flow):
        def run(self, _):
            said = []
            with self.swf.shield():
                with self.swf.scope(timeout=10) as scope:
                    with self.swf.shield():
                        self.swf.sleep(20)
                        said.append("shielded")
                    self.swf.sleep(1)
                    said.append("never said")
                said.append("outside")
                self.swf.sleep(1)
            try:
                self.swf.sleep(1)
            except WorkflowCanceledException:
                said.append("canceled at last")
            return [said, scope.canceled]

        execution = flow.start(workflow(run))
        flow.run_until_blocked()
        execution.cancel()
        assert execution.result() == [["shielded", "outside", "canceled at last"], True]

    def test_scope_keeps_nothing_of_what_is_done(self, flow):
        def run(self, _):
            with self.swf.scope() as scope:
                for _ in range(200):
                    with self.swf.scope():
                        self.swf.invoke_once(int).result()
                return [len(scope._futures) < 50, len(scope._inner)]

        assert flow.run(workflow(run)) == [True, 0]


class TestCancelOfSpawned:
    def test_what_has_not_begun_never_begins(self, flow):
        def run(self, _):
            future = self.swf.spawn(slow, 1)
            future.cancel()
            self.swf.sleep(1)
            return [future.failed, future.done]

        execution = flow.start(workflow(run))
        assert execution.result() == [True, True]
        assert asked(execution, "ActivityTaskScheduled") == []

    def test_cancel_that_waits_for_what_has_not_begun(self, flow):
        def run(self, _):
            future = self.swf.spawn(slow, 1)
            future.cancel(wait=True)
            return type(future.exception).__name__

        assert flow.run(workflow(run)) == "InvocationCanceledException"

    def test_map_that_fails_cancels_the_activities_of_the_rest(self, flow):
        def run(self, _):
            def call(item):
                if item == 1:
                    self.swf.sleep(5)
                    raise KeyError("one")
                return unserved(item).result()

            try:
                self.swf.map(call, range(3))
            except KeyError:
                self.swf.sleep(1)

        execution = flow.start(workflow(run))
        execution.result()
        assert asked(execution, "ActivityTaskCanceled") == ["ActivityTaskCanceled"] * 2

    def test_function_that_ends_the_process_fails_alone(self, flow):
        def run(self, _):
            def leave():
                raise SystemExit(3)

            future = self.swf.spawn(leave)
            self.swf.sleep(1)
            return [future.failed, type(future.exception).__name__]

        assert flow.run(workflow(run)) == [True, "SystemExit"]


class TestCancelAndRetry:
    def test_canceled_attempt_that_fails_is_not_tried_again(self, flow):
        def run(self, _):
            policy = RetryPolicy(initial=1, jitter=0, retry_on=pyflow.InvocationException)
            future = slow.options(task_list="nobody", schedule_to_start=50, retry=policy).submit(1)
            self.swf.sleep(1)
            future.cancel(wait=True)
            return type(future.exception).__name__

        execution = flow.start(workflow(run))
        assert execution.result() == "InvocationCanceledException"
        assert asked(execution, "ActivityTaskScheduled") == ["ActivityTaskScheduled"]

    def test_pause_can_be_canceled(self, flow):
        def run(self, _):
            policy = RetryPolicy(initial=100, jitter=0)
            future = slow.options(task_list="nobody", schedule_to_start=5, retry=policy).submit(1)
            self.swf.sleep(10)
            future.cancel(wait=True)
            self.swf.sleep(1000)
            return type(future.exception).__name__

        execution = flow.start(workflow(run))
        assert execution.result() == "InvocationCanceledException"
        assert asked(execution, "ActivityTaskScheduled", "TimerCanceled") == ["ActivityTaskScheduled", "TimerCanceled"]


ACTS = ("signal", "fire", "complete", "cancel")


@pytest.mark.parametrize("order", list(itertools.permutations(ACTS)), ids="-".join)
@pytest.mark.parametrize("how", ["complete", "fail", "cancel", "continue"])
def test_race_after_race_at_each_close(flow, order, how):
    """A signal, a timer, a completion and a cancel in one batch, in every order: what history has first, code sees first."""

    def run(self, said):
        if said is not None:
            return said
        said = []
        work = slow.options(task_list="by hand").submit(1)
        timer = self.swf.start_timer(10)

        def note(name, wait):
            wait()
            said.append(name)

        others = [
            self.swf.spawn(note, "signal", lambda: self.swf.receive("go")),
            self.swf.spawn(note, "fire", timer.result),
            self.swf.spawn(note, "complete", work.result),
        ]
        try:
            self.swf.receive("never")
        except WorkflowCanceledException:
            said.append("cancel")
        self.swf.wait_for_all(others)
        if how == "fail":
            raise pyflow.WorkflowFailedException("said", " ".join(said))
        if how == "cancel":
            raise WorkflowCanceledException(" ".join(said))
        if how == "continue":
            self.swf.continue_as_new(said)
        return said

    execution = flow.start(workflow(run))
    flow.run_until_blocked()
    task = flow.client.poll_for_activity_task(domain=flow.domain, taskList={"name": "by hand"})
    acts = {
        "signal": lambda: execution.signal("go"),
        "fire": lambda: (flow.clock.advance(10), flow.history(execution.workflow_id, execution.run_id)),
        "complete": lambda: flow.client.respond_activity_task_completed(taskToken=task["taskToken"], result="1"),
        "cancel": execution.cancel,
    }
    for act in order:
        acts[act]()
    if how == "fail":
        with pytest.raises(pyflow.WorkflowFailedException) as failure:
            execution.result()
        assert failure.value.details.split() == list(order)
    elif how == "cancel":
        with pytest.raises(WorkflowCanceledException) as canceled:
            execution.result()
        assert canceled.value.details.split() == list(order)
    else:
        assert execution.result() == list(order)
