"""The decider and the activity worker against moto: an SWF that we did not write, for what it supports."""

import threading

import boto3
import pytest

import pyflow
from moto_in_turn import moto_in_turn

pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")


@pyflow.activity("double", "1.0", start_to_close=60)
def double(number: int) -> int:
    return number * 2


@pyflow.activity("refuse", "1.0", start_to_close=60)
def refuse() -> None:
    raise RuntimeError("no")


class Doubling(pyflow.Workflow):
    NAME = "Doubling"

    def run(self, number):
        first, second = double.submit(number), double.submit(number + 1)
        recorded = self.swf.invoke_once(lambda: "recorded").result()
        try:
            refuse()
        except pyflow.InvocationFailedException as failure:
            reason = failure.reason
        return [double(first.result() + second.result()), recorded, reason]


@pytest.fixture
def moto_swf(monkeypatch):
    for name, value in {
        "ACCESS_KEY_ID": "testing",
        "SECRET_ACCESS_KEY": "testing",
        "DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    with moto_in_turn():
        client = boto3.client("swf")
        client.register_domain(name="domain", workflowExecutionRetentionPeriodInDays="1")
        yield client


@pytest.mark.parametrize("runs_kept", [pytest.param(0, marks=pytest.mark.proof), 10])
def test_workflow_of_activities_runs_to_its_end(moto_swf, runs_kept):
    decider = pyflow.Decider([Doubling], "domain", "list", "me", client=moto_swf, runs_kept=runs_kept)
    worker = pyflow.ActivityWorker([double, refuse], "domain", "list", "me", client=moto_swf, concurrency=1)
    decider.ensure_workflows_registered()
    worker.ensure_activities_registered()
    started = pyflow.start_workflow(
        "domain", "Doubling", "1.0", "list", None, input=3, client=moto_swf, child_policy="TERMINATE"
    )
    working = threading.Thread(target=worker.run)
    deciding = threading.Thread(target=decider.poll_for_decision_tasks)
    working.start()
    deciding.start()
    status = None
    for _ in range(300):
        status = pyflow.get_workflow_status("domain", started["workflowId"], started["runId"], client=moto_swf)
        if status.execution_status == "CLOSED":
            break
        threading.Event().wait(0.05)
    decider.stop()
    worker.stop()
    deciding.join()
    working.join()

    assert status.close_status == "COMPLETED", status
    assert status.result == '[28, "recorded", "RuntimeError"]'
