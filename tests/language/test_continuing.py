"""Continuing as new by itself, what it takes along, and what happens to a run whose history is nearly full."""

import logging

import pytest

import pyflow
from histories import short, task
from pyflow import runtime
from pyflow.testing import Flow


def workflow(run, name="W"):
    return type(name, (pyflow.Workflow,), {"NAME": name, "run": run, "__module__": __name__})


@pyflow.activity("square", "1.0", start_to_close=60)
def square(number):
    return number * number


def histories_of(flow):
    """Return every history on the flow's service."""
    return [events for _, _, _, events in flow.recorded()]


def limits_met(histories):
    """Return the causes that tell of a limit, and ends that SWF brought about."""
    met = []
    for events in histories:
        for event in events:
            details = next((value for name, value in event.items() if name.endswith("EventAttributes")), {})
            if str(details.get("cause", "")).endswith(("_LIMIT_EXCEEDED", "_RATE_EXCEEDED")):
                met.append((event["eventType"], details["cause"]))
            if event["eventType"] in {"WorkflowExecutionTerminated", "WorkflowExecutionTimedOut"}:
                met.append((event["eventType"], details))
    return met


class TestCheckpoint:
    def test_continues_once_the_history_is_long_and_does_nothing_before(self, flow):
        def run(self, state):
            done, lengths = state or [0, []]
            while done < 12:
                self.swf.sleep(1)
                done += 1
                self.swf.checkpoint(lambda: [done, [*lengths, self.swf.history_length]], events=20)
            return lengths

        lengths = flow.run(workflow(run))
        assert len(lengths) >= 2
        assert all(20 <= length < 26 for length in lengths)

    def test_input_is_made_only_if_it_continues(self, flow):
        made = []

        def run(self, _):
            self.swf.checkpoint(lambda: made.append(1))
            return "here"

        assert flow.run(workflow(run)) == "here"
        assert not made

    @pytest.mark.parametrize("events", [0, 24_001])
    def test_budget_that_cannot_be_meant_is_refused(self, events, flow):
        def run(self, _):
            try:
                self.swf.checkpoint(dict, events=events)
            except ValueError as error:
                return str(error)

        assert "from 1 to 24,000" in flow.run(workflow(run))

    def test_belongs_to_the_main_fiber(self, flow):
        def run(self, _):
            spawned = self.swf.spawn(lambda: self.swf.checkpoint(dict))
            try:
                spawned.result()
            except pyflow.PyflowException as error:
                return str(error)

        assert "only the main fiber" in flow.run(workflow(run))


class TestSignalsTakenAlong:
    def test_none_is_lost_or_reported_and_each_name_keeps_its_order(self, flow, caplog):
        def run(self, carried):
            if carried is None:
                self.swf.receive("go")
                self.swf.continue_as_new(self.swf.unreceived_signals())
            self.swf.put_signals(carried)
            return [self.swf.receive("a"), self.swf.receive("b"), self.swf.receive("a"), self.swf.receive("a")]

        execution = flow.start(workflow(run))
        for name, value in [("a", 1), ("b", 2), ("a", 3), ("go", None)]:
            execution.signal(name, value)
        flow.run_until_blocked()
        flow.client.signal_workflow_execution(
            domain=flow.domain, workflowId=execution.workflow_id, signalName="a", input="4"
        )
        with caplog.at_level(logging.WARNING):
            assert execution.result() == [1, 2, 3, 4]
        assert not [record for record in caplog.records if "never received" in record.message]

    def test_those_put_back_come_before_those_that_are_there_and_wake_who_waits(self, flow):
        def run(self, _):
            waiting = self.swf.spawn(self.swf.receive, "a")
            self.swf.sleep(1)
            self.swf.put_signals({"a": [1, 2], "b": [3]})
            return [waiting.result(), self.swf.receive("a"), self.swf.receive("b")]

        assert flow.run(workflow(run)) == [1, 2, 3]

    def test_what_is_left_behind_is_reported(self, flow, caplog):
        def run(self, state):
            if state is None:
                self.swf.receive("go")
                self.swf.continue_as_new(1)
            return "over"

        execution = flow.start(workflow(run))
        execution.signal("a", 1)
        execution.signal("go")
        with caplog.at_level(logging.WARNING):
            assert execution.result() == "over"
        assert "never received: {'a': 1}" in caplog.text


class Adding(pyflow.Workflow):
    """Counts what a handler is given; continues as new when its timer fires, after ``drain``."""

    NAME = "Adding"

    @pyflow.signal
    def add(self, number):
        self.added.append(number)

    def run(self, added):
        self.added = added or []
        if added is None:
            self.swf.sleep(5)
            self.drain()
            self.swf.continue_as_new([*self.added, "continued"])
        return self.added

    def drain(self):
        pass


class Draining(Adding):
    NAME = "Draining"

    def drain(self):
        self.swf.sleep(0)


class Receiving(pyflow.Workflow):
    """The same without a handler."""

    NAME = "Receiving"

    def run(self, carried):
        if carried is None:
            self.swf.sleep(5)
            self.swf.continue_as_new(self.swf.unreceived_signals())
        self.swf.put_signals(carried)
        try:
            return [self.swf.receive("add", timeout=1), "continued"]
        except pyflow.WaitTimedOutException:
            return ["continued"]


class TestSignalsInTheLastMoment:
    @pytest.mark.parametrize(
        ("workflow", "order", "result", "lost"),
        [
            (Adding, "signal first", [1, "continued"], False),
            (Adding, "timer first", ["continued"], True),
            (Draining, "timer first", [1, "continued"], False),
            (Receiving, "timer first", [1, "continued"], False),
        ],
    )
    def test_one_that_comes_after_what_ends_the_run_needs_a_wait_for_its_handler(
        self, flow, caplog, workflow, order, result, lost
    ):
        execution = flow.start(workflow)
        flow.run_until_blocked()
        if order == "signal first":
            execution.signal("add", 1)
        flow.world.pass_until(flow.world.pending().due_ms)  # one batch holds both
        if order == "timer first":
            execution.signal("add", 1)

        assert execution.result() == result
        assert ("handlers of signals that had not finished: 1" in caplog.text) is lost

    @pytest.mark.parametrize("workflow", [Draining, Receiving])
    def test_one_that_comes_while_the_close_is_decided_is_lost_and_named(self, flow, caplog, workflow):
        execution = flow.start(workflow)
        respond = flow.client.respond_decision_task_completed

        def late(**response):
            if response["decisions"][-1]["decisionType"].startswith("ContinueAsNew") and "add" not in str(
                execution.history
            ):
                execution.signal("add", 1)  # SWF refuses the close: UNHANDLED_DECISION
            return respond(**response)

        flow.client.__dict__["respond_decision_task_completed"] = late

        assert execution.result() == ["continued"]
        assert "signal 'add' came to run" in caplog.text


class TestNearlyFullHistory:
    @pytest.fixture
    def small(self, monkeypatch):
        monkeypatch.setattr(runtime, "HISTORY_MAX", 30)

    def test_new_work_is_refused_once_and_cleaning_up_goes_through(self, small, flow):
        def run(self, _):
            try:
                while True:
                    self.swf.sleep(1)
            except pyflow.HistoryLimitException as error:
                return [error.events, square(3), self.swf.start_timer(1).result()]

        events, *cleaned = flow.run(workflow(run))
        assert 30 <= events < 36
        assert cleaned == [9, None]

    def test_left_alone_it_fails_the_run_and_says_what_to_do(self, small, flow):
        def run(self, _):
            while True:
                self.swf.sleep(1)

        with pytest.raises(pyflow.WorkflowFailedException) as caught:
            flow.run(workflow(run))
        assert "self.swf.checkpoint" in caught.value.details

    def test_what_was_asked_for_before_is_waited_for(self, small, flow):
        def run(self, _):
            return [future.result() for future in [self.swf.start_timer(seconds) for seconds in range(1, 20)]]

        assert flow.run(workflow(run)) == [None] * 19

    def test_runs_of_2_0_0_go_on_as_they_did(self, small, deciders):
        lines = ["1 WorkflowExecutionStarted", "2 DecisionTaskScheduled", "3 DecisionTaskStarted scheduledEventId=2"]
        for number in range(6):
            at = 4 + 6 * number
            lines += [
                f"{at} DecisionTaskCompleted scheduledEventId={at - 2} startedEventId={at - 1}",
                f"{at + 1} TimerStarted timerId=sleep{number + 1} startToFireTimeout=1",
                f"{at + 2} WorkflowExecutionSignaled signalName=x",
                f"{at + 3} TimerFired timerId=sleep{number + 1} startedEventId={at + 1}",
                f"{at + 4} DecisionTaskScheduled",
                f"{at + 5} DecisionTaskStarted scheduledEventId={at + 4}",
            ]

        def run(self, _):
            while True:
                self.swf.sleep(1)

        assert short(deciders(workflow(run)).cold.process_decision_task(task("\n".join(lines))).decisions) == [
            "StartTimer sleep7"
        ]


class TestManyItems:
    """No limit of SWF is met, whatever the number: by children, or by a run that hands over to the next."""

    def through_children(self, flow, items, size, at_once):
        class Part(pyflow.Workflow):
            NAME = "Part"

            def run(self, numbers):
                return sum(self.swf.map(square.submit, numbers, limit=50))

        def run(self, count):
            parts = [list(range(first, min(first + size, count))) for first in range(0, count, size)]
            return sum(self.swf.map(lambda part: self.swf.child(Part, part), parts, limit=at_once))

        flow.use(Part)
        execution = flow.start(workflow(run), items)
        assert execution.result() == sum(number * number for number in range(items))
        assert limits_met(histories_of(flow)) == []
        return execution

    def through_continued_runs(self, flow, items, size, events):
        def run(self, state):
            total, first, count = state
            while first < count:
                part = range(first, min(first + size, count))
                total += sum(self.swf.map(square.submit, part, limit=size // 2))
                first += size
                self.swf.checkpoint(lambda: [total, first, count], events=events)
            return total

        execution = flow.start(workflow(run), [0, 0, items])
        assert execution.result() == sum(number * number for number in range(items))
        histories = histories_of(flow)
        assert limits_met(histories) == []
        assert len(histories) > 1
        assert max(map(len, histories)) < 24_000
        return execution

    def test_through_children(self, flow):
        self.through_children(flow, 60, 20, 2)

    def test_through_continued_runs(self, flow):
        self.through_continued_runs(flow, 60, 20, 100)

    @pytest.mark.proof
    def test_twenty_thousand_through_children(self):
        with Flow() as flow:
            execution = self.through_children(flow, 20_000, 400, 5)
            flow.forget(execution)  # to replay it from each of its prefixes would take hours

    @pytest.mark.proof
    def test_twenty_thousand_through_continued_runs(self):
        with Flow() as flow:
            execution = self.through_continued_runs(flow, 20_000, 500, 15_000)
            flow.forget(execution)
