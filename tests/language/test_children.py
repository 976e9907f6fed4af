"""Children: each way in which one closes against a cancel of it, each way in which one cannot start, each option; and strangers."""

import pytest

import pyflow
from histories import task
from pyflow import WorkflowCanceledException


def workflow(run, name="W"):
    return type(name, (pyflow.Workflow,), {"NAME": name, "run": run, "__module__": __name__})


class Child(pyflow.Workflow):
    """Ends as it is told by a signal; asked to cancel, it cleans up for 5 seconds."""

    NAME = "Child"

    def run(self, said):
        if said is not None:
            return said
        try:
            how = self.swf.receive("end")
        except WorkflowCanceledException:
            self.swf.sleep(5)
            raise WorkflowCanceledException("cleaned up") from None
        if how == "fail":
            raise pyflow.WorkflowFailedException("BROKEN", "beyond repair")
        if how == "cancel":
            raise WorkflowCanceledException("by itself")
        if how == "continue":
            self.swf.continue_as_new("in the end")
        return how


OUTCOMES = {
    "complete": "complete",
    "continue": "in the end",
    "fail": ["InvocationFailedException", "BROKEN", None],
    "cancel": ["InvocationCanceledException", None, None],
    "terminate": ["InvocationFailedException", "Child workflow was terminated", "TERMINATED"],
    "time out": ["InvocationTimedOutException", "InvocationStep 'child' timed out", None],
}
CLEANED_UP = ["InvocationCanceledException", None, None]


def parent(self, wait):
    child = self.swf.start_child(Child, workflow_id="child", execution_start_to_close=1_000)
    self.swf.receive("cancel it")
    child.cancel(wait=wait)
    self.swf.sleep(2_000)
    if child.succeeded:
        return child.result()
    return [type(child.exception).__name__, child.exception.reason, child.exception.cause]


@pytest.mark.parametrize("wait", [True, False])
@pytest.mark.parametrize("when", ["before", "in the batch of", "after"])
@pytest.mark.parametrize("how", OUTCOMES)
def test_each_way_to_close_against_a_cancel(flow, how, when, wait):
    """What history has first counts: a child that has closed is as it closed, and a cancel that came first gives a cancel."""
    flow.use(Child)
    execution = flow.start(workflow(parent), wait)
    flow.run_until_blocked()
    child = pyflow.handle("child", domain=flow.domain, client=flow.client)

    def close():
        if how == "terminate":
            child.terminate("by Ada")
        elif how == "time out":
            flow.advance(1_000)
        else:
            child.signal("end", how)

    if when == "after":
        execution.signal("cancel it")
        flow.run_until_blocked()
        flow.advance(10)
        assert execution.result() == CLEANED_UP if wait else "canceled by the workflow" in execution.result()
        return
    close()
    if when == "before":
        flow.run_until_blocked()
    execution.signal("cancel it")
    result = execution.result()
    if when == "before":
        assert result == OUTCOMES[how]
    else:
        assert result in (OUTCOMES[how], CLEANED_UP) or "canceled by the workflow" in result


@pytest.mark.parametrize(
    ("start", "cause"),
    [
        (lambda swf: swf.start_child(Child, workflow_id="taken"), "WORKFLOW_ALREADY_RUNNING"),
        (lambda swf: swf.invoke_child_workflow("Nobody", "1.0"), "WORKFLOW_TYPE_DOES_NOT_EXIST"),
        (lambda swf: swf.invoke_child_workflow("Child", "9.9"), "WORKFLOW_TYPE_DOES_NOT_EXIST"),
    ],
)
def test_one_that_cannot_start_fails_with_its_cause_and_leaves_the_other_alone(flow, start, cause):
    def run(self, _):
        child = start(self.swf)
        try:
            child.result()
        except pyflow.InvocationFailedException as error:
            child.cancel(wait=True)
            return error.cause

    taken = flow.start(Child, workflow_id="taken")
    flow.run_until_blocked()
    assert flow.run(workflow(run)) == cause
    taken.signal("end", "complete")
    assert taken.result() == "complete"


def test_every_option_is_in_the_decision(deciders):
    def run(self, _):
        self.swf.start_child(
            Child,
            {"a": 1},
            workflow_id="mine",
            task_list="list",
            child_policy=self.swf.CHILD_POLICY_ABANDON,
            lambda_role="role",
            tags=("x", "y"),
            priority=-3,
            execution_start_to_close=60.5,
            task_start_to_close=7,
        ).result()

    begun = "1 WorkflowExecutionStarted\n2 DecisionTaskScheduled\n3 DecisionTaskStarted scheduledEventId=2"
    (decision,) = deciders(workflow(run)).decide(task(begun))
    assert decision["startChildWorkflowExecutionDecisionAttributes"] == {
        "workflowId": "mine",
        "workflowType": {"name": "Child", "version": "1.0"},
        "input": '{"a": 1}',
        "taskList": {"name": "list"},
        "childPolicy": "ABANDON",
        "lambdaRole": "role",
        "tagList": ["x", "y"],
        "taskPriority": "-3",
        "executionStartToCloseTimeout": "61",
        "taskStartToCloseTimeout": "7",
    }


@pytest.mark.parametrize(
    ("policy", "end"),
    [
        ("TERMINATE", "WorkflowTerminatedException"),
        ("REQUEST_CANCEL", "WorkflowCanceledException"),
        ("ABANDON", "abandoned"),
    ],
)
@pytest.mark.parametrize("how", ["terminate", "time out"])
def test_policy_of_a_parent_that_is_ended_reaches_its_children(flow, policy, end, how):
    def run(self, _):
        self.swf.start_child(Child, workflow_id="child").result()

    flow.use(Child)
    execution = flow.start(workflow(run), child_policy=policy, execution_start_to_close_timeout=100)
    flow.run_until_blocked()
    if how == "terminate":
        execution.terminate()
    else:
        flow.advance(100)
    flow.run_until_blocked()
    flow.advance(10)
    child = pyflow.handle("child", domain=flow.domain, client=flow.client)
    if policy == "ABANDON":
        child.signal("end", end)
        flow.run_until_blocked()
        assert child.result() == end
    else:
        with pytest.raises(pyflow.PyflowException) as raised:
            child.result()
        assert type(raised.value).__name__ == end


class TestStrangers:
    def test_cancel_is_delivered_or_fails_with_its_cause(self, flow):
        def run(self, _):
            self.swf.external("stranger").cancel().result()
            causes = []
            for asked in (
                self.swf.external("nobody").cancel(),
                self.swf.external("nobody").signal("s", 1),
                self.swf.external("stranger", "no such run").signal("s"),
            ):
                with pytest.raises(pyflow.InvocationFailedException) as error:
                    asked.result()
                causes.append(error.value.cause)
            return causes

        stranger = flow.start(Child, workflow_id="stranger")
        flow.run_until_blocked()
        assert flow.run(workflow(run)) == ["UNKNOWN_EXTERNAL_WORKFLOW_EXECUTION"] * 3
        with pytest.raises(WorkflowCanceledException) as canceled:
            stranger.result()
        assert canceled.value.details == "cleaned up"

    def test_two_cancels_of_an_execution_are_heard_once(self, flow):
        def run(self, _):
            heard = []
            for _ in range(3):
                try:
                    self.swf.sleep(100)
                except WorkflowCanceledException:
                    heard.append(self.swf.cancel_requested)
            return heard

        execution = flow.start(workflow(run))
        flow.run_until_blocked()
        execution.cancel()
        flow.advance(10)
        execution.cancel()
        assert execution.result() == [True]
        kinds = [event["eventType"] for event in execution.history]
        assert kinds.count("WorkflowExecutionCancelRequested") == 2

    def test_signals_to_another_arrive_in_the_order_in_which_they_were_sent(self, flow):
        def run(self, _):
            for number in range(5):
                self.swf.external("stranger").signal("n", number)

        def listen(self, _):
            return [self.swf.receive("n") for _ in range(5)]

        stranger = flow.start(workflow(listen, "Listener"), workflow_id="stranger")
        flow.run_until_blocked()
        flow.run(workflow(run))
        assert stranger.result() == [0, 1, 2, 3, 4]


def test_ids_of_children_of_two_runs_never_meet(flow):
    def run(self, _):
        children = [self.swf.start_child(Child, "done") for _ in range(3)]
        return [child.result() and child.workflow_id for child in children]

    flow.use(Child)
    parent = workflow(run)
    two = [flow.start(parent) for _ in range(2)]
    ids = [child_id for execution in two for child_id in execution.result()]
    assert len(set(ids)) == 6
