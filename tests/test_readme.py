"""What the README shows is run here as it stands there; only the port is another one."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import pyflow
from command import free_ports
from pyflow.swf.client import create_client

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
DOMAIN = "SWFSampleDomain"
WAIT_S = 60.0


def blocks(language: str) -> list[str]:
    return re.findall(rf"^``` ?{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


MY_WORKFLOW, THUMBNAILS, POLL, START, STATUS = blocks("python")
RUN, SERVE, EXPORT, REGISTER_DOMAIN, WORK, START_BY_AWSCLI = [text.removeprefix("$ ") for text in blocks("console")]


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + WAIT_S
    while not (found := condition()):
        assert time.monotonic() < deadline, f"no {what} after {WAIT_S} s"
        time.sleep(0.05)
    return found


class Shell:
    """A folder with the examples in it, and the environment that the README sets up."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = str(port)
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHONPATH"))
        }
        self.environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        self.environment["AWS_CONFIG_FILE"] = self.environment["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
        self.stack = ExitStack()

    def text(self, command: str) -> str:
        return command.replace("$ export", "export").replace("8600", self.port)

    def export(self, commands: str) -> None:
        for name, value in re.findall(r"(AWS_\w+)=(\S+)", self.text(commands)):
            self.environment[name] = value

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", self.text(command)],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=WAIT_S,
            check=True,
        )

    def start(self, command: str, sign: str) -> subprocess.Popen[bytes]:
        """Start a command that serves, and wait for a sign of life in what it prints."""
        log = self.folder / f"{len(list(self.folder.glob('*.log')))}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                ["bash", "-c", "exec " + self.text(command)],
                cwd=self.folder,
                env=self.environment,
                stdout=out,
                stderr=subprocess.STDOUT,
            )

        def printed() -> bool:
            assert process.poll() is None, log.read_text()
            return sign in log.read_text()

        self.stack.callback(process.wait, 10)
        self.stack.callback(process.terminate)
        wait_for(printed, f"{sign!r} in what {command!r} prints")
        return process

    def python(self, *parts: str) -> str:
        path = self.folder / f"script{len(list(self.folder.glob('script*')))}.py"
        path.write_text("\n".join(["import pyflow", "import logging; logging.basicConfig(level='INFO')", *parts]))
        return f"{sys.executable} {path}"


@pytest.fixture(scope="module")
def shell(tmp_path_factory) -> Iterator[Shell]:
    """The README's service and its domain."""
    folder = tmp_path_factory.mktemp("readme")
    shutil.copytree(ROOT / "examples", folder / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    shell = Shell(folder, free_ports(1))
    with shell.stack:
        shell.start(SERVE, "ready")
        shell.export(EXPORT)
        shell.run(REGISTER_DOMAIN)
        yield shell


def result_of(shell: Shell, execution: dict[str, str]) -> Any:
    client = create_client(shell.environment["AWS_ENDPOINT_URL_SWF"])

    def closed() -> pyflow.WorkflowStatus | None:
        status = pyflow.get_workflow_status(DOMAIN, execution["workflowId"], execution["runId"], client)
        assert status is not None
        return status if status.execution_status == "CLOSED" else None

    status = wait_for(closed, "end of the execution")
    assert status.close_status == "COMPLETED", status
    return json.loads(status.result)


def test_a_workflow_is_tried_with_nothing_running(shell):
    done = shell.run(RUN)

    assert json.loads(done.stdout) == {"receipt": "Ada paid 59", "parcel": "parcel o-1, 3 items"}


def test_activities_are_called_like_functions(shell):
    (shell.folder / "thumbnails.py").write_text(MY_WORKFLOW + THUMBNAILS)

    done = shell.run("""pyflow run thumbnails.py:Thumbnails --input '"cat"'""")

    assert json.loads(done.stdout) == ["cat@100", "cat@1000"]


def test_poll_for_executions_start_workflow_and_get_workflow_status(shell):
    decider = shell.start(shell.python(MY_WORKFLOW, POLL), "polling")
    try:
        started = shell.run(shell.python(START, STATUS))
        workflow_id, run_id = re.search(r"workflow id (\S+) and run id (\S+)", started.stdout).groups()

        assert result_of(shell, {"workflowId": workflow_id, "runId": run_id}) == 49
        assert "OPEN" in started.stdout or "CLOSED COMPLETED 49" in started.stdout
    finally:
        decider.kill()


def test_the_worker_command_completes_what_awscli_starts(shell):
    worker = shell.start(WORK, "polls")
    try:
        started = json.loads(shell.run(START_BY_AWSCLI).stdout)

        assert result_of(shell, {"workflowId": "my-unique-workflow-id", "runId": started["runId"]}) == 49
    finally:
        worker.kill()


def test_the_first_example_is_the_file_of_that_name():
    def code(text: str) -> list[str]:
        return [line.strip() for line in text.splitlines() if line.strip()]

    assert "\n".join(code(MY_WORKFLOW)[1:]) in "\n".join(code((ROOT / "examples/my_workflow.py").read_text()))


@pytest.mark.parametrize(
    "page", [str(path.relative_to(ROOT)) for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"))]
)
def test_links_to_files_lead_somewhere(page):
    path = ROOT / page
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", path.read_text()):
        assert (path.parent / target).exists(), target


def test_every_dependency_has_its_paragraph():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [each for extra in project["optional-dependencies"].values() for each in extra]
    wanted = [each for each in [*project["dependencies"], *extras] if not each.startswith("pyflow-swf[")]
    page = (ROOT / "docs/dependencies.md").read_text()

    assert [name for name in (re.match(r"[\w-]+", each)[0] for each in wanted) if f"**{name}**" not in page] == []
