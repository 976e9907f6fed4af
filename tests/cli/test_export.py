"""``pyflow export``: a file that pytest replays, from a service that runs elsewhere."""

import json

import pytest
from click.testing import CliRunner

import pyflow
from pyflow.cli import main
from pyflow.history.check import check
from pyflow.history.files import load
from pyflow.testing import Flow


class Greeting(pyflow.Workflow):
    NAME = "Greeting"

    def run(self, name):
        self.swf.sleep(5)
        return f"hello {name}"


@pytest.fixture
def service():
    with Flow() as flow:
        flow.start(Greeting, "Ada", workflow_id="one").result()
        yield flow.service.serve().url


def export(*arguments):
    return CliRunner().invoke(main, ["export", *arguments])


def test_exported_file_is_one_that_replays(service, tmp_path):
    path = tmp_path / "one.history.json"
    result = export("one", "--domain", "flow", "--endpoint-url", service, "--output", str(path))

    assert (result.exit_code, result.output) == (0, "")
    history = load(path)
    assert (history.domain, history.workflow_id) == ("flow", "one")
    check(Greeting, history.workflow_id, history.run_id, history.events)


def test_without_a_file_it_goes_to_stdout_scrubbed_if_asked_for(service):
    result = export("one", "--domain", "flow", "--endpoint-url", service, "--scrub")

    content = json.loads(result.stdout)
    assert content["scrubbed"] is True
    assert "Ada" not in result.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["two", "--domain", "flow"], "no execution of domain 'flow' has the workflow id 'two'"),
        (
            ["one", "--domain", "flow", "--run-id", "r"],
            "'one' in domain 'flow' cannot be exported: UnknownResourceFault",
        ),
        (
            ["one", "--domain", "flow", "--output", "/nowhere/x.history.json"],
            "cannot write history file /nowhere/x.history.json",
        ),
    ],
)
def test_what_is_not_there_is_named_on_one_line(arguments, said, service):
    result = export(*arguments, "--endpoint-url", service)

    assert result.exit_code == 2
    assert result.stderr.startswith(f"pyflow: {said}")
