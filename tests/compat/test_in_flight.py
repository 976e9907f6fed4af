"""Runs in flight of pyflow 2.0.0, edge by edge; whole recorded histories are in ``golden/``."""

import pytest

import pyflow
from histories import short, task

FIRST = """
    1 WorkflowExecutionStarted input=5
    2 DecisionTaskScheduled
    3 DecisionTaskStarted scheduledEventId=2
    4 DecisionTaskCompleted scheduledEventId=2 startedEventId=3
"""


def decide(run, events, deciders, **options):
    workflow_class = type("W", (pyflow.Workflow,), {"NAME": "W", "run": run})
    return short(deciders(workflow_class, **options).decide(task(FIRST + events)))


@pytest.mark.parametrize(
    "events",
    [
        """
        5 StartChildWorkflowExecutionFailed workflowId=child_workflow1 workflowType=C/1.0 cause=CAUSE initiatedEventId=0
        6 DecisionTaskScheduled
        7 DecisionTaskStarted scheduledEventId=6
        """,
        """
        5 StartChildWorkflowExecutionInitiated workflowId=child_workflow1 workflowType=C/1.0
        6 StartChildWorkflowExecutionFailed workflowId=child_workflow1 workflowType=C/1.0 cause=CAUSE initiatedEventId=5
        7 DecisionTaskScheduled
        8 DecisionTaskStarted scheduledEventId=7
        """,
    ],
    ids=["at once", "after initiated"],
)
def test_child_that_could_not_start_fails_with_swfs_cause(events, deciders):
    def run(self, _):
        child = self.swf.invoke_child_workflow("C", "1.0")
        self.swf.wait_for_all(child)
        return [str(child.exception), child.exception.cause]

    assert decide(run, events, deciders) == ['CompleteWorkflowExecution ["CAUSE", "CAUSE"]']


def test_lambda_that_fails_after_run_has_returned_is_not_asked_for_again(deciders):
    def run(self, _):
        self.swf.invoke_lambda("open", None)
        return self.swf.invoke_lambda("awaited", None).result()

    events = """
        5 LambdaFunctionScheduled id=lambda1 name=open
        6 LambdaFunctionScheduled id=lambda2 name=awaited
        7 LambdaFunctionStarted scheduledEventId=5
        8 LambdaFunctionStarted scheduledEventId=6
        9 LambdaFunctionCompleted scheduledEventId=6 startedEventId=8 result=1
       10 DecisionTaskScheduled
       11 DecisionTaskStarted scheduledEventId=10
       12 LambdaFunctionFailed scheduledEventId=5 startedEventId=7 reason=SdkClientException
       13 DecisionTaskScheduled
       14 DecisionTaskCompleted scheduledEventId=10 startedEventId=11
       15 CompleteWorkflowExecutionFailed cause=UNHANDLED_DECISION
       16 DecisionTaskStarted scheduledEventId=13
    """
    assert decide(run, events, deciders) == ["CompleteWorkflowExecution 1"]
