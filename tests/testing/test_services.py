"""The same tests on moto's SWF and on a real service over HTTP: what is supported passes, the rest is skipped and says why."""

import os
import subprocess
import sys

import pytest

import pyflow
from pyflow.local import LocalSWF
from pyflow.testing import Flow, StuckException, UnsupportedException, services

TESTS = """
import pyflow


@pyflow.activity("add one", "1.0", start_to_close=60)
def add_one(number):
    return number + 1


class Adding(pyflow.Workflow):
    NAME = "Adding"

    def run(self, number):
        return add_one(number)


class Parent(pyflow.Workflow):
    NAME = "Parent"

    def run(self, number):
        return self.swf.child(Adding, number)


def test_activity(flow):
    assert flow.run(Adding, 1) == 2


def test_child(flow):
    assert flow.run(Parent, 1) == 2


def test_a_month(flow):
    flow.start(Adding, 1)
    flow.advance(days=30)


def test_clock(flow):
    assert flow.clock.now_ms() > 0
"""


@pyflow.activity("served add one", "1.0", start_to_close=60)
def add_one(number):
    if number == 13:
        raise ValueError("unlucky")
    return number + 1


class Adding(pyflow.Workflow):
    NAME = "Served adding"

    def run(self, number):
        both = add_one.submit(number), add_one.submit(number + 1)
        self.swf.sleep(0)
        return [each.result() for each in both]


class Told(pyflow.Workflow):
    NAME = "Served told"

    def run(self, _):
        return [self.swf.receive("go"), self.swf.receive("go")]


class Sleeping(pyflow.Workflow):
    NAME = "Served sleeping"

    def run(self, _):
        self.swf.sleep(86_400)


class Parent(pyflow.Workflow):
    NAME = "Served parent"

    def run(self, number):
        return self.swf.child(Adding, number)


class Going(pyflow.Workflow):
    NAME = "Served going on"

    def run(self, left):
        if left:
            self.swf.continue_as_new(left - 1)
        return "done"


@pytest.fixture(scope="module")
def swf():
    with LocalSWF(poll_wait_s=0.1) as swf:
        yield swf


@pytest.fixture
def endpoint(swf, monkeypatch):
    with swf.serve() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SWF", server.url)
        yield server.url


class Timed(pyflow.Workflow):
    NAME = "Timed"

    def run(self, number):
        return add_one.submit(number).result(timeout=50)


def told(flow):
    execution = flow.start(Told)
    flow.run_until_blocked()
    execution.signal("go", 1)
    execution.signal("go", 2)
    return execution.result()


def test_moto_runs_what_it_supports_and_the_rest_says_why():
    with Flow(services.moto()) as flow:
        assert flow.run(Adding, 1) == [2, 3]
        assert told(flow) == [1, 2]
        without_a_value = flow.start(Told)
        without_a_value.signal("go")
        without_a_value.signal("go")
        assert without_a_value.result() == [None, None]
        fake = flow.fake(add_one, returns=7)
        assert flow.run(Adding, 1) == [7, 7]
        assert len(fake.calls) == 2
        with pytest.raises(UnsupportedException, match="no action request_cancel_workflow_execution"):
            flow.start(Told).cancel()
        with pytest.raises(UnsupportedException, match="cannot be a Python function on moto"):
            flow.lambda_function("double", lambda event, context: 2)


@pytest.mark.parametrize(
    ("workflow", "why"),
    [
        (Parent, "moto does not carry out StartChildWorkflowExecution"),
        (Timed, "moto does not carry out CancelTimer"),
        (Going, "moto does not carry out ContinueAsNewWorkflowExecution"),
        # What is left of a day: some of it has passed on the way here, on a busy machine more than half a second.
        (Sleeping, r"time does not skip on moto: the test would wait for 86,(400|3\d\d) s, and it may for 60 s"),
    ],
)
def test_what_moto_cannot_do_is_named(workflow, why):
    with Flow(services.moto()) as flow, pytest.raises(UnsupportedException, match=why):
        flow.run(workflow, 1)


def test_a_real_service_runs_everything_but_skips_no_time(endpoint):
    with Flow(services.aws("served")) as flow:
        assert flow.run(Adding, 1) == [2, 3]
        assert told(flow) == [1, 2]
        assert flow.run(Parent, 1) == [2, 3]
        assert flow.run(Going, 2) == "done"
        execution = flow.start(Told)
        execution.cancel()
        with pytest.raises(pyflow.WorkflowCanceledException):
            execution.result()
        with pytest.raises(UnsupportedException, match=r"time does not skip on SWF at http://127\.0\.0\.1"):
            flow.advance(days=3)
        with pytest.raises(UnsupportedException, match="no clock to set"):
            flow.clock.advance(1)


def test_what_a_test_leaves_open_is_terminated(endpoint, swf):
    with Flow(services.aws("left open")) as flow:
        flow.start(Told)
        flow.run_until_blocked()
    found = swf.direct().list_open_workflow_executions(domain="left open", startTimeFilter={"oldestDate": 0})
    assert found["executionInfos"] == []


def test_what_nothing_happens_in_is_stuck_after_a_while(endpoint):
    with Flow(services.aws("still", wait_max_s=0.3)) as flow, pytest.raises(StuckException):
        flow.run(Told)


def session(folder, *arguments):
    (folder / "test_both.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", "-p", "no:randomly", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=os.environ.copy(), timeout=60)


def test_a_session_on_moto_skips_what_moto_cannot_do(tmp_path):
    done = session(tmp_path, "--pyflow-service=moto")
    assert "1 passed, 3 skipped" in done.stdout, done.stdout
    assert "moto does not carry out StartChildWorkflowExecution" in done.stdout
    assert "time does not skip on moto: the test would wait for 2,592,000 s" in done.stdout


def test_a_session_on_a_real_service_takes_one_option(tmp_path, endpoint):
    done = session(tmp_path, "--pyflow-service=aws", "--pyflow-domain=a session")
    assert "2 passed, 2 skipped" in done.stdout, done.stdout


def test_a_session_on_aws_names_a_domain(tmp_path):
    done = session(tmp_path, "--pyflow-service=aws")
    assert "aws with --pyflow-domain=NAME" in done.stdout + done.stderr
