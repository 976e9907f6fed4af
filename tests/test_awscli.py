"""An activity worker that is not Python: a shell with awscli takes a workflow's activity, and both sides see plain JSON."""

import json
import os
import subprocess
import sys
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

import pyflow
from pyflow.local import LocalSWF
from pyflow.swf.client import create_client
from pyflow.worker.decider import Decider

DOMAIN = "shop"
LIST = {"name": "wool"}


class Pullover(pyflow.Workflow):
    NAME = "Pullover"
    VERSION = "1"
    knit = pyflow.ActivityDescriptor("knit", "1", 60, "needles")

    def run(self, order: dict[str, Any]) -> list[Any]:
        return [self.knit(order).result(), "ironed"]


# What a worker in Ruby, Java or a shell does: three calls, and JSON.
WORKER = """
set -eu
task=$(aws swf poll-for-activity-task --domain shop --task-list name=needles --identity 'a shell' --output json)
field() { python3 -c "import json, sys; print(json.load(sys.stdin)['$1'])" <<< "$task"; }
aws swf record-activity-task-heartbeat --task-token "$(field taskToken)" --details '"half a sleeve"' > /dev/null
aws swf respond-activity-task-completed --task-token "$(field taskToken)" --result '{"sleeves": 2, "wool": "grün"}'
field input
"""


@pytest.fixture
def swf():
    with LocalSWF(poll_wait_s=1.0) as swf:
        client = swf.direct()
        client.register_domain(name=DOMAIN, workflowExecutionRetentionPeriodInDays="1")
        client.register_activity_type(
            domain=DOMAIN,
            name="knit",
            version="1",
            defaultTaskHeartbeatTimeout="NONE",
            defaultTaskScheduleToStartTimeout="NONE",
            defaultTaskScheduleToCloseTimeout="NONE",
        )
        yield swf


def shell(script: str, url: str) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHON"))}
    ours = {
        "AWS_ENDPOINT_URL_SWF": url,
        "AWS_ACCESS_KEY_ID": "any",
        "AWS_SECRET_ACCESS_KEY": "any",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), kept["PATH"]]),
    }
    done = subprocess.run(
        ["bash", "-c", script], env=kept | ours, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_worker_of_nothing_but_awscli_completes_an_activity(swf: LocalSWF) -> None:
    server = swf.serve()
    client = create_client(server.url)
    decider = Decider([Pullover], DOMAIN, LIST["name"], "decider", client)
    decider.ensure_workflows_registered()
    deciding = Thread(target=decider.poll_for_decision_tasks)
    deciding.start()
    try:
        execution = pyflow.start_workflow(
            domain=DOMAIN,
            workflow=Pullover,
            task_list=LIST["name"],
            input={"size": 40, "for": "Jürgen"},
            client=client,
        )

        seen = shell(WORKER, server.url)

        assert json.loads(seen) == {"size": 40, "for": "Jürgen"}
        assert execution.handle.result(timeout=30) == [{"sleeves": 2, "wool": "grün"}, "ironed"]
        (scheduled,) = [
            event["activityTaskScheduledEventAttributes"]
            for event in execution.handle.history()
            if event["eventType"] == "ActivityTaskScheduled"
        ]
        assert json.loads(scheduled["input"]) == {"size": 40, "for": "Jürgen"}
    finally:
        decider.stop()
        deciding.join()
