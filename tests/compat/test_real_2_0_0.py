"""The real pyflow-swf 2.0.0, from PyPI, on ``pyflow server``: it runs its own workflows, and hands one over to us midway."""

import json
import os
import subprocess
import sys
import tarfile
import time

import pytest

import pyflow
from pyflow.local import LocalSWF

pytestmark = pytest.mark.proof

PROGRAM = """
import json, sys
import pyflow

class Child(pyflow.Workflow):
    NAME = 'Child'

    def run(self, x):
        self.swf.sleep(2)
        return {'child': x}

class Parent(pyflow.Workflow):
    NAME = 'Parent'
    func = pyflow.LambdaDescriptor('length')
    child = pyflow.ChildWorkflowDescriptor('Child', '1.0')

    def run(self, x):
        once = self.swf.invoke_once(lambda: 42)
        length, timer, child = self.func(x), self.swf.start_timer(2), self.child({'a': 1})
        self.swf.wait_for_all(length, timer, child)
        self.swf.timed_wait_for_any(5, self.func('abc'))
        return [once.result(), length.result(), child.result()]
"""

RUN_IT = """
decider = pyflow.Decider([Parent, Child], 'domain', 'list', 'old')
decider.ensure_workflows_registered()
print(json.dumps(pyflow.start_workflow('domain', 'Parent', '1.0', 'list', 'arn:aws:iam::123456789012:role/swf',
                                       input='"Hello"', child_policy='TERMINATE')))
decider.poll_for_decision_tasks(float(sys.argv[1]))
"""


@pytest.fixture(scope="module")
def old_package(tmp_path_factory):
    folder = tmp_path_factory.mktemp("old")
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "download",
            "-q",
            "--no-deps",
            "--no-binary",
            ":all:",
            "pyflow-swf==2.0.0",
            "-d",
            folder,
        ],
        check=True,
        capture_output=True,
    )
    with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
        archive.extractall(folder, filter="data")
    return folder / "pyflow-swf-2.0.0"


@pytest.fixture
def service():
    with LocalSWF(lambdas={"length": lambda event, context: len(event)}, poll_wait_s=1.0) as swf:
        swf.client().register_domain(name="domain", workflowExecutionRetentionPeriodInDays="1")
        yield swf


def run_old(package, service, tmp_path, max_time):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM + RUN_IT)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")} | {
        "PYTHONPATH": str(package),
        "AWS_ENDPOINT_URL_SWF": service.serve().url,
        "AWS_ACCESS_KEY_ID": "any",
        "AWS_SECRET_ACCESS_KEY": "any",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", program, str(max_time)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(ran.stdout.splitlines()[0])


def wait_for_result(service, started):
    client = service.direct()
    for _ in range(300):
        status = pyflow.get_workflow_status("domain", started["workflowId"], started["runId"], client=client)
        if status.execution_status == "CLOSED":
            return status
        time.sleep(0.05)
    return pytest.fail("the execution did not close")


def test_runs_its_own_workflows(old_package, service, tmp_path):
    status = wait_for_result(service, run_old(old_package, service, tmp_path, 8))

    assert (status.close_status, status.result) == ("COMPLETED", '[42, 5, {"child": {"a": 1}}]')


def test_run_that_it_began_is_finished_by_us(old_package, service, tmp_path):
    started = run_old(old_package, service, tmp_path, 0.5)
    members = {}
    exec(PROGRAM, members)
    decider = pyflow.Decider([members["Parent"], members["Child"]], "domain", "list", "new", client=service.direct())
    decider.poll_for_decision_tasks(6)
    status = wait_for_result(service, started)

    assert (status.close_status, status.result) == ("COMPLETED", '[42, 5, {"child": {"a": 1}}]')
