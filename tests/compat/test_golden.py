"""
Golden histories: runs of ``golden/workflows.py``, replayed for ever.

Those in ``2.0.0/`` were decided by pyflow 2.0.0 itself, against a service that keeps SWF's rules; those in ``upgraded/`` were
begun by it and finished by this pyflow. Beside its events each file holds its decision tasks: ``decisions`` are what was
answered then, ``now`` is what this pyflow answers where it differs on purpose (ids of children, recorded values that are there
at once, timers that nobody needs any more, the order of completion, a cancel request that code can see).
Tracebacks are kept by their last line.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from golden.workflows import ALL
from pyflow.history.files import load
from pyflow.run import Run
from pyflow.swf.model import EVENT_ATTRIBUTES

GOLDEN = Path(__file__).parents[1] / "golden"
FILES = [pytest.param(path, id=f"{path.parent.name}/{path.stem}") for path in sorted(GOLDEN.glob("*/*.json"))]
WORKFLOWS = {workflow.NAME: workflow for workflow in ALL}
NOT_OF_2_0_0 = {
    # It could ask for none of these.
    "ActivityTaskCancelRequested",
    "RequestCancelActivityTaskFailed",
    "CancelTimerFailed",
    "RequestCancelExternalWorkflowExecutionInitiated",
    "RequestCancelExternalWorkflowExecutionFailed",
    "ExternalWorkflowExecutionCancelRequested",
    "WorkflowExecutionContinuedAsNew",
    "ContinueAsNewWorkflowExecutionFailed",
    # Only an IAM policy against markers brings it about.
    "RecordMarkerFailed",
}


def recorded_tasks(path):
    """Give each decision task of a file as PollForDecisionTask gave it, with what must be decided."""
    history = load(path)
    for task in json.loads(path.read_text())["tasks"]:
        started = task["startedEventId"]
        polled = {
            "taskToken": f"token-{started}",
            "workflowExecution": {"workflowId": history.workflow_id, "runId": history.run_id},
            "workflowType": history.workflow_type,
            "startedEventId": started,
            "previousStartedEventId": task["previousStartedEventId"],
            "events": history.events[:started],
        }
        yield polled, task.get("now", task["decisions"])


def without_tracebacks(decisions):
    """Keep tracebacks, in details and in the texts of markers, by their last line."""
    kept = json.loads(json.dumps(decisions))
    for decision in kept:
        (attributes,) = (value for value in decision.values() if isinstance(value, dict))
        if decision["decisionType"] == "RecordMarker":
            value = json.loads(attributes["details"])
            attributes["details"] = json.dumps(shortened(value))
        elif "details" in attributes:
            attributes.update(shortened(attributes))
    return kept


def shortened(failure):
    head, traceback, frames = failure.get("details", "").partition("Traceback (most recent call last):\n")
    if head.startswith(
        "pyflow.failure/1 "
    ):  # type and message, which 2.0.0 did not write, and which the last line has too
        head = ""
    return {**failure, "details": f"{head}{traceback}  ...\n{frames.splitlines()[-1]}"} if traceback else failure


@pytest.mark.parametrize("path", FILES)
def test_each_task_is_decided_as_recorded_cold_and_with_the_run_kept(path, deciders):
    workflow_class = WORKFLOWS[load(path).workflow_type["name"]]
    tasks = list(recorded_tasks(path))

    for first in range(len(tasks)):
        both = deciders(workflow_class)
        for polled, decisions in tasks[first:]:
            assert without_tracebacks(both.decide(polled)) == decisions


@pytest.mark.parametrize("path", FILES)
def test_whole_history_fits_its_code_and_holds_all_that_it_asks_for(path):
    history = load(path)
    live = Run(WORKFLOWS[history.workflow_type["name"]], history.workflow_id, history.run_id)

    live.advance(history.events, None)

    last = list(recorded_tasks(path))[-1]
    in_flight = history.events[-1]["eventId"] == last[0]["startedEventId"]
    assert without_tracebacks(live.decisions()) == (last[1] if in_flight else [])
    assert live.drifts == []
    live.close()


def test_they_hold_every_kind_of_event_that_2_0_0_could_meet():
    met = {event["eventType"] for case in FILES for event in load(case.values[0]).events}

    assert set(EVENT_ATTRIBUTES) - met == NOT_OF_2_0_0


@pytest.mark.proof
@pytest.mark.parametrize("seed", ["0", "1", "2", "3", "42", "1000", "65535", "4294967295"])
def test_under_other_hashes_too(seed):
    """Each test run has hashes of its own; these are the same eight every time, in processes of their own."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "tests/compat/test_golden.py",
        "tests/replay",
    ]
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    done = subprocess.run(command, cwd=GOLDEN.parents[1], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
