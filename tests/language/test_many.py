"""Many at once, runs beside each other, and changes of code under open runs."""

import pytest

import pyflow
from pyflow.testing import Flow


@pyflow.activity("double", "1.0", start_to_close=60)
def double(number):
    return 2 * number


def workflow(run, **members):
    return type("W", (pyflow.Workflow,), {"NAME": "W", "run": run, "__module__": __name__, **members})


class TestMap:
    def test_two_hundred_and_fifty_items_a_few_at_a_time(self, flow):
        def run(self, count):
            return self.swf.map(double, range(count), limit=25)

        execution = flow.start(workflow(run), 250)
        assert execution.result() == [2 * number for number in range(250)]
        scheduled = [
            event["activityTaskScheduledEventAttributes"]["activityId"]
            for event in execution.history
            if event["eventType"] == "ActivityTaskScheduled"
        ]
        assert scheduled == [f"f{number}.activity1" for number in range(1, 251)]

    def test_items_may_come_from_a_generator_that_waits(self, flow):
        def run(self, _):
            def items():
                for number in range(4):
                    self.swf.sleep(1)
                    yield number

            return self.swf.map(double, items(), limit=2)

        assert flow.run(workflow(run)) == [0, 2, 4, 6]

    def test_nothing_is_mapped_to_nothing(self, flow):
        assert flow.run(workflow(lambda self, _: self.swf.map(double, []))) == []

    def test_waits_that_are_over_are_forgotten(self, flow):
        """Kept, they would make each wait for one of many dearer than the one before."""

        def run(self, _):
            long = self.swf.start_timer(1000)
            for _ in self.swf.as_completed([self.swf.start_timer(number) for number in range(1, 20)], long):
                if not long.done:
                    most.append(len(long._waits))
            for _ in range(5):
                with pytest.raises(pyflow.WaitTimedOutException):
                    self.swf.start_timer(10).result(timeout=1)

        most = []
        flow.run(workflow(run))
        assert max(most) <= 1


class TestCompletionPolicies:
    """Items are seconds; those below zero fail after so many."""

    def run(self, flow, items, **policy):
        def run(self, _):
            def walk(seconds):
                self.swf.sleep(abs(seconds))
                if seconds < 0:
                    raise KeyError(seconds)
                return seconds

            began = self.swf.now()
            try:
                found = self.swf.map(walk, items, **policy)
            except pyflow.InvocationFailedException as error:
                found = [error.reason, error.details, str(error.__cause__)]
            except KeyError as error:
                found = str(error)
            return [found, (self.swf.now() - began).total_seconds()]

        return flow.run(type("W", (pyflow.Workflow,), {"NAME": "W", "run": run, "__module__": __name__}))

    @pytest.mark.parametrize(
        ("policy", "found", "seconds"),
        [
            ({}, "-10", 10),
            ({"tolerate": 1}, ["TooManyFailed", "1 calls succeeded and 2 failed; 1 were tolerated", "-30"], 30),
            ({"tolerate": 2}, [20, 90], 90),
            ({"tolerate": 9}, [20, 90], 90),
            ({"enough": 1}, [20], 20),
            ({"enough": 2}, [20, 90], 90),
            ({"enough": 3}, ["TooFewSucceeded", "1 calls succeeded and 2 failed; 3 were asked for", "-30"], 30),
            (
                {"enough": 1, "tolerate": 0},
                ["TooFewSucceeded", "0 calls succeeded and 1 failed; 1 were asked for", "-10"],
                10,
            ),
            ({"enough": 2, "tolerate": 2}, [20, 90], 90),
            (
                {"enough": 3, "limit": 1},
                ["TooFewSucceeded", "1 calls succeeded and 2 failed; 3 were asked for", "-30"],
                60,
            ),
        ],
        ids=str,
    )
    def test_says_when_it_is_over_and_what_it_gives(self, flow, policy, found, seconds):
        assert self.run(flow, [20, -10, -30, 90], **policy) == [found, seconds]

    @pytest.mark.parametrize("policy", [{"limit": 0}, {"enough": 0}, {"tolerate": -1}], ids=str)
    def test_that_cannot_be_meant_is_refused(self, flow, policy):
        def run(self, _):
            with pytest.raises(ValueError, match="at least"):
                self.swf.map(int, [1], **policy)

        flow.run(type("W", (pyflow.Workflow,), {"NAME": "W", "run": run, "__module__": __name__}))


class TestInterleavedRuns:
    def test_runs_on_one_thread_share_nothing(self, flow):
        def run(self, name):
            said = []

            def walk(step):
                for _ in range(3):
                    said.append([name, step, self.swf.random.random(), double(step)])

            self.swf.wait_for_all([self.swf.spawn(walk, step) for step in (1, 2)], self.swf.start_timer(3))
            return [said, self.swf.receive("go")]

        workflow_class = workflow(run)
        executions = {name: flow.start(workflow_class, name, workflow_id=name) for name in "abc"}
        flow.run_until_blocked()
        for name in "cab":
            executions[name].signal("go", name)
            flow.run_until_blocked()
        results = {name: execution.result() for name, execution in executions.items()}
        for name, (said, signal) in results.items():
            assert signal == name
            assert {one[0] for one in said} == {name}
            assert sorted(one[1] for one in said) == [1, 1, 1, 2, 2, 2]
        draws = [one[2] for said, _ in results.values() for one in said]
        assert len(set(draws)) == len(draws)

    def test_what_belongs_to_another_run_is_refused(self, flow):
        futures = []

        def run(self, _):
            futures.append(self.swf.spawn(self.swf.sleep, 5))
            try:
                futures[0].result()
            except pyflow.NotInWorkflowException as error:
                return str(error)[:20]

        one, two = flow.start(workflow_class := workflow(run)), flow.start(workflow_class)
        assert one.result() is None
        assert two.result() == "this belongs to run "
        flow.forget(one)  # what one run kept for the other cannot be replayed
        flow.forget(two)


class TestPatches:
    """An open run on old code, then on new code; each history is checked with the code that made its end."""

    def test_open_runs_go_the_old_way_and_new_ones_the_new_way(self):
        def old(self, _):
            self.swf.sleep(1)
            first = double(1)
            self.swf.receive("go")
            return [first, double(2)]

        def new(self, _):
            self.swf.sleep(1)
            first = 100 if self.swf.patched("no first") else double(1)
            self.swf.receive("go")
            return [first, double(3) if self.swf.patched("three") else double(2)]

        def retired(self, _):
            self.swf.sleep(1)
            self.swf.deprecate_patch("no first")
            self.swf.receive("go")
            return [100, double(3) if self.swf.patched("three") else double(2)]

        flow = Flow()
        try:
            before = flow.start(workflow(old))
            flow.advance(2)
            flow.deploy(changed := workflow(new))
            after = flow.start(changed)
            flow.advance(2)
            before.signal("go")
            assert before.result() == [2, 6]
            check(flow, before, new)
            flow.deploy(changed := workflow(retired))
            after.signal("go")
            assert after.result() == [100, 6]
            check(flow, after, retired)
            check(flow, after, new)
            last = flow.start(changed)
            last.signal("go")
            assert last.result() == [100, 6]
            check(flow, last, retired)
        finally:
            flow.close()

    def test_name_that_no_marker_can_have_is_refused_at_once(self, flow):
        def run(self, _):
            for name in ("", "x" * 244):
                with pytest.raises(ValueError, match="1 to 243 characters"):
                    self.swf.patched(name)
            return self.swf.patched("x" * 243)

        assert flow.run(workflow(run)) is True

    def test_patch_in_a_loop_stays_as_it_was_first_met(self):
        def old(self, _):
            return [[double(number), self.swf.receive("go")][0] for number in range(3)]

        def new(self, _):
            taken = []
            for number in range(3):
                taken.append(100 if self.swf.patched("p") else double(number))
                self.swf.receive("go")
            return taken

        flow = Flow()
        try:
            before = flow.start(workflow(old))
            flow.run_until_blocked()
            flow.deploy(workflow(new))
            for _ in range(3):
                before.signal("go")
            assert before.result() == [0, 2, 4]
            check(flow, before, new)
        finally:
            flow.close()


def check(flow, execution, run):
    from pyflow.history.check import check

    check(workflow(run), execution.workflow_id, execution.run_id, execution.history)
