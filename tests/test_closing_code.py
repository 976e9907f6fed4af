"""Code that will not be closed, and decision tasks that are none."""

import pytest

import pyflow
from histories import task
from pyflow import Decider, DeciderException
from pyflow.exceptions import HistoryException

FIRST = """
    1 WorkflowExecutionStarted input=5
    2 DecisionTaskScheduled
    3 DecisionTaskStarted scheduledEventId=2
"""


class Stubborn(pyflow.Workflow):
    NAME = "W"
    step = pyflow.ActivityDescriptor("step", "1.0")

    def run(self, _):
        while True:
            try:
                self.step(1).result()
            except:  # noqa: E722
                continue


def other_run(one):
    return {**one, "workflowExecution": {"workflowId": "order-2", "runId": "other"}}


def test_code_that_swallows_its_closing_in_a_loop_is_left_where_it_stands(caplog):
    decider = Decider([Stubborn], "domain", "list", "test", client=object(), runs_kept=1)
    first = decider.process_decision_task(task(FIRST))
    second = decider.process_decision_task(other_run(task(FIRST)))
    assert [one["decisionType"] for one in second.decisions] == ["ScheduleActivityTask"]
    assert second.decisions == first.decisions
    assert "swallowed its closing" in caplog.text


def test_a_decider_without_a_client_decides_tasks(monkeypatch):
    def no_client():
        raise AssertionError("a client was made")

    monkeypatch.setattr("pyflow.worker.decider.create_client", no_client)
    decided = Decider([Stubborn], "domain", "list", "test").process_decision_task(task(FIRST))
    assert len(decided.decisions) == 1


def test_a_task_without_its_members_is_refused_with_their_names():
    decider = Decider([Stubborn], "domain", "list", "test", client=object())
    with pytest.raises(
        DeciderException, match="lacks events, startedEventId, taskToken, workflowExecution, workflowType"
    ):
        decider.process_decision_task({})


class Clock(pyflow.Workflow):
    NAME = "W"

    def run(self, _):
        return self.swf.now().isoformat()


def with_timestamp(one, stamp):
    return {**one, "events": [{**event, "eventTimestamp": stamp} for event in one["events"]]}


def test_timestamps_may_be_iso_strings():
    decider = Decider([Clock], "domain", "list", "test", client=object())
    decided = decider.process_decision_task(with_timestamp(task(FIRST), "2026-01-01T00:00:03Z"))
    result = decided.decisions[0]["completeWorkflowExecutionDecisionAttributes"]["result"]
    assert result == '"2026-01-01T00:00:03+00:00"'


def test_a_timestamp_that_is_none_is_no_sound_history():
    decider = Decider([Clock], "domain", "list", "test", client=object())
    with pytest.raises(HistoryException, match="yesterday"):
        decider.process_decision_task(with_timestamp(task(FIRST), "yesterday"))
