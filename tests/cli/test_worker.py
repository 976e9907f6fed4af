import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from command import pyflow, served, serving, wait_for
from pyflow import get_workflow_status, start_workflow
from pyflow.swf.client import Client, create_client

SHOP = """
import pathlib, time
import pyflow

@pyflow.activity(start_to_close=60)
def price(item):
    here = pathlib.Path(__file__).parent
    (here / 'started').touch()
    while not (here / 'go').exists():
        time.sleep(0.01)
    return len(item)

class Shop(pyflow.Workflow):
    NAME = 'Shop'
    def run(self, item):
        return price(item)
"""
WHERE = ("--domain", "d", "--task-list", "l")


@pytest.fixture
def shop(tmp_path) -> Path:
    (tmp_path / "shop.py").write_text(SHOP)
    return tmp_path


@pytest.fixture
def url(tmp_path) -> Iterator[str]:
    with served(tmp_path) as url:
        yield url


def start(client: Client, item: str = "book") -> dict[str, str]:
    return start_workflow("d", "Shop", "1.0", "l", input=[item], client=client)


def result_of(client: Client, execution: dict[str, str]) -> Any:
    def closed() -> Any:
        status = get_workflow_status("d", execution["workflowId"], execution["runId"], client)
        return status if status.close_status else None

    return json.loads(wait_for(closed, "result").result)


def test_it_says_what_it_found_registers_it_and_works(shop, url):
    client = create_client(url)
    (shop / "go").touch()
    with serving(shop, "worker", "shop.py", *WHERE, "--endpoint-url", url, "--identity", "ada") as worker:
        worker.line("polls")
        told = worker.log.read_text()

        assert "pyflow worker ada" in told
        assert "workflows   Shop 1.0" in told
        assert "activities  price 1.0" in told
        assert f"task list 'l' of domain 'd' at {url}" in told
        execution = start(client)
        assert result_of(client, execution) == 1
        events = client.get_workflow_execution_history(domain="d", execution=execution)["events"]
        (started, *_) = [event for event in events if event["eventType"] == "DecisionTaskStarted"]
        assert started["decisionTaskStartedEventAttributes"]["identity"] == "ada"


def test_its_converter_is_that_of_a_file(shop, url):
    (shop / "go").touch()
    (shop / "values.py").write_text("""
import pyflow
class Shouts(pyflow.DataConverter):
    def to_plain(self, value): return "THING"
shouts = Shouts()
""")
    (shop / "shop.py").write_text(SHOP.replace("return len(item)", "return object()"))
    client = create_client(url)
    options = (*WHERE, "--endpoint-url", url, "--converter", "values.py:shouts")
    with serving(shop, "worker", "shop.py", *options) as worker:
        worker.line("polls")
        assert result_of(client, start(client)) == "THING"


@pytest.mark.parametrize(
    ("target", "said"), [("shop.py:nothing", "has no nothing"), ("shop.py:Shop", "no pyflow.DataConverter")]
)
def test_a_converter_that_is_none_is_refused(shop, url, target, said):
    done = pyflow("worker", "shop.py", *WHERE, "--endpoint-url", url, "--converter", target, cwd=shop)

    assert done.returncode != 0
    assert said in done.stderr


def test_types_that_are_registered_are_no_error(shop, url):
    for _ in range(2):
        with serving(shop, "worker", "shop.py", *WHERE, "--endpoint-url", url) as worker:
            worker.line("polls")


def test_only_deciders_and_only_activities_make_a_whole(shop, url):
    client = create_client(url)
    (shop / "go").touch()
    where = (*WHERE, "--endpoint-url", url)
    with (
        serving(shop, "worker", "shop.py", *where, "--only", "deciders") as deciders,
        serving(shop, "worker", "shop.py", *where, "--only", "activities") as activities,
    ):
        deciders.line("activities  none")
        activities.line("workflows   none")
        deciders.line("polls")
        activities.line("polls")

        assert result_of(client, start(client)) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_at_once_when_only_polls_are_under_way(shop, url, number):
    with serving(shop, "worker", "shop.py", *WHERE, "--endpoint-url", url) as worker:
        worker.line("polling")

        assert worker.end(number) == 0


def test_a_signal_ends_it_after_the_body_under_way(shop, url):
    client = create_client(url)
    with serving(shop, "worker", "shop.py", *WHERE, "--endpoint-url", url) as worker:
        worker.line("polls")
        execution = start(client)
        wait_for((shop / "started").exists, "body under way")
        worker.process.send_signal(signal.SIGTERM)
        worker.line("stopping")
        time.sleep(0.1)
        assert worker.process.poll() is None
        (shop / "go").touch()
        assert worker.process.wait(10) == 0

    events = client.get_workflow_execution_history(domain="d", execution=execution)["events"]
    assert "ActivityTaskCompleted" in [event["eventType"] for event in events]


def test_a_second_signal_cuts_the_body_under_way(shop, url):
    client = create_client(url)
    with serving(shop, "worker", "shop.py", *WHERE, "--endpoint-url", url) as worker:
        worker.line("polls")
        start(client)
        wait_for((shop / "started").exists, "body under way")
        worker.process.send_signal(signal.SIGTERM)
        worker.line("stopping")

        assert worker.end(signal.SIGTERM) == 1


def refused(folder: Path, *arguments: str) -> str:
    done = pyflow("worker", *arguments, cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    lines = done.stderr.splitlines()
    assert lines[-1].startswith("pyflow: ")
    assert "Traceback" not in done.stderr
    return lines[-1]


def test_files_with_nothing_in_them_are_refused(shop, url):
    (shop / "empty.py").write_text("import pyflow\nclass Base(pyflow.Workflow): pass")

    line = refused(shop, "empty.py", *WHERE, "--endpoint-url", url)

    assert line == "pyflow: nothing to run: no workflow class with a NAME or @pyflow.activity function in empty.py"


def test_no_service_is_refused_with_what_to_start(shop):
    line = refused(shop, "shop.py", *WHERE, "--endpoint-url", "http://127.0.0.1:9")

    assert line == "pyflow: no service answers at http://127.0.0.1:9: start one with `pyflow server`"


def test_aws_without_a_region_is_refused_with_what_to_set(shop):
    assert "AWS_REGION" in refused(shop, "shop.py", *WHERE)


def test_plain_http_to_another_machine_is_refused(shop):
    assert "unencrypted" in refused(shop, "shop.py", *WHERE, "--endpoint-url", "http://192.0.2.1:8600")


def test_a_file_that_cannot_be_imported_shows_the_authors_traceback_only(shop):
    (shop / "broken.py").write_text("import pyflow\n1 / 0\n")

    done = pyflow("worker", "broken.py", *WHERE, cwd=shop)

    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "Traceback (most recent call last):",
        f'  File "{shop / "broken.py"}", line 2, in <module>',
        "    1 / 0",
        "    ~~^~~",
        "ZeroDivisionError: division by zero",
        "pyflow: broken.py cannot be imported, see above",
    ]


def test_domain_and_task_list_must_be_given(shop):
    done = pyflow("worker", "shop.py", cwd=shop)

    assert done.returncode == 2
    assert "--domain" in done.stderr


def test_log_lines_are_json_objects_if_asked_for(shop, url):
    (shop / "go").touch()
    with serving(shop, "worker", "shop.py", *WHERE, "--endpoint-url", url, "--log-format", "json") as command:
        record = json.loads(command.line("polling for"))
        assert command.end(signal.SIGTERM) == 0
    assert all(json.loads(line) for line in command.log.read_text().splitlines())
    assert record["level"] == "INFO"
    assert record["logger"].startswith("pyflow")
    assert set(record) >= {"time", "message"}


NOTES = """
import pathlib
import pyflow

class Notes(pyflow.Interceptor):
    def call(self, operation, request, proceed):
        with (pathlib.Path(__file__).parent / 'calls').open('a') as notes:
            notes.write(operation + '\\n')
        return proceed()

a_number = 7
"""


def test_an_interceptor_of_a_file_is_put_around(shop, url):
    (shop / "go").touch()
    (shop / "notes.py").write_text(NOTES)
    client = create_client(url)
    arguments = ("worker", "shop.py", *WHERE, "--endpoint-url", url, "--interceptor")
    with serving(shop, *arguments, "notes.py:Notes") as command:
        command.line("polls")
        assert result_of(client, start(client)) == 1
    assert {"RespondDecisionTaskCompleted", "PollForActivityTask"} <= set((shop / "calls").read_text().split())

    refused = pyflow(*arguments, "notes.py:a_number", cwd=shop)
    assert (refused.returncode, "7 is no pyflow.Interceptor" in refused.stderr) == (2, True)


def test_what_is_not_finished_within_the_grace_is_left(shop, url):
    client = create_client(url)
    with serving(shop, "worker", "shop.py", *WHERE, "--endpoint-url", url, "--grace", "0.2") as command:
        command.line("polls")
        start(client)
        wait_for((shop / "started").exists, "body under way")
        assert command.end(signal.SIGTERM) == 1
        assert "activities: not finished within the grace of 0 s" in command.log.read_text()


def test_the_number_of_bodies_at_once_is_as_it_is_told(shop, url):
    (shop / "more.py").write_text("import pyflow\n@pyflow.activity(start_to_close=9)\nasync def ping(): pass")
    port = "--health-port", "0"
    sizes = "--concurrency", "thread=3", "--concurrency", "7"
    with serving(shop, "worker", "shop.py", "more.py", *WHERE, "--endpoint-url", url, *port, *sizes) as worker:
        health = worker.line("health at").partition("health at ")[2].partition("/health")[0]
        worker.line("polls")
        with urlopen(f"{health}/metrics") as reply:
            metrics = reply.read().decode()
    assert 'pyflow_slots{executor="thread"} 3.0' in metrics
    assert 'pyflow_slots{executor="async"} 7.0' in metrics
    assert 'pyflow_slots_used{executor="thread"} 0.0' in metrics


@pytest.mark.parametrize("text", ["0", "many", "fiber=3", "thread="])
def test_a_number_of_bodies_that_is_none_is_refused(shop, text):
    done = pyflow("worker", "shop.py", *WHERE, "--concurrency", text, cwd=shop)

    assert (done.returncode, "is not a number from 1" in done.stderr) == (2, True)
