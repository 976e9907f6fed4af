"""Signals against everything that may come with them: cancels, timeouts, the close."""

import pytest

import pyflow
from pyflow import WorkflowCanceledException


def workflow(run, **members):
    return type("W", (pyflow.Workflow,), {"NAME": "W", "run": run, "__module__": __name__, **members})


class TestReceive:
    @pytest.mark.parametrize("cancel_first", [True, False])
    def test_signal_that_comes_with_a_cancel_is_not_lost(self, flow, cancel_first):
        """Given to a wait that the cancel then ended, it would be gone."""

        def run(self, _):
            try:
                first = self.swf.receive("go")
            except WorkflowCanceledException:
                first = "canceled"
            try:
                return [first, self.swf.receive("go", timeout=10)]
            except WorkflowCanceledException:
                return [first, "canceled"]
            except pyflow.WaitTimedOutException:
                return [first, "nothing"]

        execution = flow.start(workflow(run))
        flow.run_until_blocked()
        for ask in [execution.cancel, lambda: execution.signal("go", 1)][:: 1 if cancel_first else -1]:
            ask()
        assert execution.result() == (["canceled", 1] if cancel_first else [1, "canceled"])

    def test_signal_given_to_a_scope_that_is_over_goes_to_the_next_who_waits(self, flow):
        def run(self, _):
            got = []

            def first():
                with self.swf.scope() as scope:
                    scopes.append(scope)
                    got.append(["first", self.swf.receive("go")])

            def second():
                got.append(["second", self.swf.receive("go")])

            scopes = []
            one, two = self.swf.spawn(first), self.swf.spawn(second)
            self.swf.receive("end")
            scopes[0].cancel()
            self.swf.wait_for_all(one, two)
            return got

        execution = flow.start(workflow(run))
        flow.run_until_blocked()
        execution.signal("end")
        execution.signal("go", 1)
        assert execution.result() == [["second", 1]]

    def test_two_who_wait_for_one_name_are_served_in_turn(self, flow):
        def run(self, _):
            futures = [self.swf.spawn(self.swf.receive, "go") for _ in range(3)]
            return [future.result() for future in futures]

        execution = flow.start(workflow(run))
        flow.run_until_blocked()
        execution.signal("go", 1)
        execution.signal("go", 2)
        flow.run_until_blocked()
        execution.signal("go", 3)
        assert execution.result() == [1, 2, 3]

    @pytest.mark.parametrize("seconds", [9, 10, 11])
    def test_signal_around_its_deadline_is_received_now_or_next(self, flow, seconds):
        def run(self, _):
            try:
                return ["in time", self.swf.receive("go", timeout=10)]
            except pyflow.WaitTimedOutException:
                return ["late", self.swf.receive("go")]

        execution = flow.start(workflow(run))
        flow.run_until_blocked()
        flow.clock.advance(seconds)
        execution.signal("go", 1)
        assert execution.result()[1] == 1


class TestWithTheClose:
    def test_signal_in_the_batch_of_the_close_is_reported(self, flow, caplog):
        def run(self, _):
            self.swf.sleep(1)

        execution = flow.start(workflow(run))
        flow.run_until_blocked()
        flow.clock.advance(1)
        execution.signal("go", 1)
        assert execution.result() is None
        assert "never received: {'go': 1}" in caplog.text

    def test_handler_in_the_batch_of_the_close_is_reported(self, flow, caplog):
        class Closing(pyflow.Workflow):
            NAME = "Closing"

            def run(self, _):
                self.swf.sleep(1)

            @pyflow.signal
            def go(self, value):
                raise AssertionError("the run is over")

        execution = flow.start(Closing)
        flow.run_until_blocked()
        flow.clock.advance(1)
        execution.signal("go", 1)
        assert execution.result() is None
        assert "handlers of signals that had not finished: 1" in caplog.text

    def test_signals_after_a_continue_as_new_go_to_the_successor(self, flow):
        def run(self, taken):
            taken = [*(taken or []), self.swf.receive("go")]
            if len(taken) < 3:
                self.swf.continue_as_new(taken)
            return taken

        execution = flow.start(workflow(run))
        for number in range(3):
            flow.run_until_blocked()
            flow.client.signal_workflow_execution(
                domain=flow.domain, workflowId=execution.workflow_id, signalName="go", input=str(number)
            )
        assert execution.result() == [0, 1, 2]


class TestHandlers:
    def test_handler_that_continues_as_new_is_refused_by_name(self, flow, caplog):
        class Hasty(pyflow.Workflow):
            NAME = "Hasty"

            def run(self, _):
                return self.swf.receive("end")

            @pyflow.signal
            def again(self):
                self.swf.continue_as_new()

        execution = flow.start(Hasty)
        flow.run_until_blocked()
        execution.signal("again")
        execution.signal("end", "well")
        assert execution.result() == "well"
        assert "only the main fiber, that of run itself, can continue as new" in caplog.text

    def test_handler_may_spawn_and_the_run_may_wait_for_it(self, flow):
        class Spawning(pyflow.Workflow):
            NAME = "Spawning"

            def __init__(self, swf):
                super().__init__(swf)
                self.futures = []

            def run(self, _):
                self.swf.wait_until(lambda: len(self.futures) == 2)
                return [future.result() for future in self.futures]

            @pyflow.signal
            def go(self, seconds):
                self.futures.append(self.swf.spawn(self.walk, seconds))

            def walk(self, seconds):
                timer = self.swf.start_timer(seconds)
                timer.result()
                return timer.invocation_id

        execution = flow.start(Spawning)
        execution.signal("go", 20)
        flow.run_until_blocked()
        execution.signal("go", 10)
        assert execution.result() == ["f2.sleep1", "f4.sleep1"]

    def test_handler_that_ends_the_process_ends_only_itself(self, flow, caplog):
        class Ending(pyflow.Workflow):
            NAME = "Ending"

            def run(self, _):
                return self.swf.receive("end")

            @pyflow.signal
            def go(self):
                raise SystemExit(3)

        execution = flow.start(Ending)
        flow.run_until_blocked()
        execution.signal("go")
        execution.signal("end", "well")
        assert execution.result() == "well"
        assert "the handler of signal 'go' failed" in caplog.text

    def test_value_that_does_not_fit_is_logged(self, flow, caplog):
        class Fitting(pyflow.Workflow):
            NAME = "Fitting"

            def run(self, _):
                return self.swf.receive("end")

            @pyflow.signal
            def go(self, one, two):
                raise AssertionError

        execution = flow.start(Fitting)
        flow.run_until_blocked()
        execution.signal("go", [1, 2])
        execution.signal("go", {"one": 1, "three": 3})
        execution.signal("end")
        execution.result()
        assert "takes an object of ['one', 'two'], not [1, 2]" in caplog.text
        assert "unexpected keyword argument 'three'" in caplog.text
