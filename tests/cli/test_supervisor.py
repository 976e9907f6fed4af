"""``pyflow worker --processes``: workers that break are started again, code is exchanged, and all end together."""

import json
import os
import re
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from command import Serving, pyflow, served, serving, wait_for
from pyflow import handle, start_workflow
from pyflow.swf.client import Client, create_client

CODE = """
import pyflow

class Shop(pyflow.Workflow):
    NAME = 'Shop'
    def run(self, _input):
        return {answer!r}
"""
WHERE = ("--domain", "d", "--task-list", "l")


def write(folder: Path, answer: str) -> None:
    (folder / "shop.py").write_text(CODE.format(answer=answer))


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    write(tmp_path, "old")
    with served(tmp_path) as url:
        yield url


def answer(client: Client) -> Any:
    started = start_workflow("d", "Shop", "1.0", "l", client=client)
    return handle(started["workflowId"], started["runId"], domain="d", client=client).result(timeout=20)


@contextmanager
def supervised(folder: Path, url: str, *options: str) -> Iterator[Serving]:
    with serving(folder, "worker", "shop.py", *WHERE, "--endpoint-url", url, "--processes", "2", *options) as command:
        wait_for(lambda: command.log.read_text().count("  polls") == 2, "two workers")
        try:
            yield command
        finally:
            command.process.send_signal(signal.SIGTERM)
            command.process.wait(20)


def pids(command: Serving) -> list[int]:
    return [int(pid) for pid in re.findall(r"worker \d started, pid (\d+)", command.log.read_text())]


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # The first of its threads may have ended before the others have, and then its polls are still open.
    is_ended = Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] == "Z"
    return not is_ended or len(list(Path(f"/proc/{pid}/task").iterdir())) > 1


def test_a_killed_worker_is_started_again_and_all_end_together(tmp_path: Path, url: str) -> None:
    client = create_client(url)
    with supervised(tmp_path, url, "--identity", "shop") as command:
        first = pids(command)[0]
        assert answer(client) == "old"
        os.kill(first, signal.SIGKILL)
        command.line("ended with signal SIGKILL; the next starts in 1 s")
        wait_for(lambda: command.log.read_text().count("  polls") == 3, "a third worker")
        assert answer(client) == "old"
        assert command.end(signal.SIGTERM) == 0
        assert not any(is_there(pid) for pid in pids(command))
    assert {"pyflow worker shop:1", "pyflow worker shop:2"} <= set(command.log.read_text().splitlines())


def test_sighup_exchanges_the_code_and_keeps_the_old_where_the_new_is_broken(tmp_path: Path, url: str) -> None:
    client = create_client(url)
    with supervised(tmp_path, url) as command:
        old = pids(command)
        (tmp_path / "shop.py").write_text("this is no Python")
        command.process.send_signal(signal.SIGHUP)
        command.line("worker 1 is not exchanged: its new process ended with status 2. The code that runs stays.")
        assert all(is_there(pid) for pid in old)
        assert answer(client) == "old"

        write(tmp_path, "new")
        command.process.send_signal(signal.SIGHUP)
        command.line("all workers are exchanged")
        wait_for(lambda: not any(is_there(pid) for pid in old), "end of the old workers")
        assert answer(client) == "new"


LONG = """
import pathlib, time
import pyflow

@pyflow.activity(start_to_close=60)
def hang():
    (pathlib.Path(__file__).parent / 'started').touch()
    time.sleep(30)

class Shop(pyflow.Workflow):
    NAME = 'Shop'
    def run(self, _input):
        return hang()
"""


def test_it_says_so_by_its_status_where_a_worker_could_not_finish(tmp_path: Path, url: str) -> None:
    (tmp_path / "shop.py").write_text(LONG)
    with supervised(tmp_path, url, "--grace", "0.2") as command:
        start_workflow("d", "Shop", "1.0", "l", client=create_client(url))
        wait_for((tmp_path / "started").exists, "body under way")
        assert command.end(signal.SIGTERM) == 1
        assert "ended with status 1" in command.log.read_text()


SLOW = """
import pathlib, time
while not (pathlib.Path(__file__).parent / 'go').exists():
    time.sleep(0.02)
"""


def test_the_others_are_looked_after_while_one_is_exchanged(tmp_path: Path, url: str) -> None:
    with supervised(tmp_path, url) as command:
        other = int(re.findall(r"worker 2 started, pid (\d+)", command.log.read_text())[0])
        (tmp_path / "shop.py").write_text(SLOW + CODE.format(answer="new"))
        command.process.send_signal(signal.SIGHUP)
        wait_for(lambda: command.log.read_text().count("worker 1 started") == 2, "exchange")
        os.kill(other, signal.SIGKILL)
        wait_for(lambda: command.log.read_text().count("worker 2 started") == 2, "another worker 2")
        (tmp_path / "go").touch()
        command.line("all workers are exchanged")
        assert answer(create_client(url)) == "new"


def test_workers_end_when_their_supervisor_is_killed(tmp_path: Path, url: str) -> None:
    with supervised(tmp_path, url) as command:
        command.process.kill()
        wait_for(lambda: not any(is_there(pid) for pid in pids(command)), "end of the workers")


def test_what_cannot_begin_is_refused_once(tmp_path: Path) -> None:
    ended = pyflow("worker", "missing.py", *WHERE, "--processes", "2", cwd=tmp_path)
    assert ended.returncode == 2
    assert "no such file: missing.py" in ended.stderr


def free_ports(count: int) -> int:
    """Return the first of so many ports in a row that are free."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as first:
            port = first.getsockname()[1]
            try:
                for number in range(1, count):
                    socket.create_server(("127.0.0.1", port + number)).close()
            except (OSError, OverflowError):
                continue
        return int(port)


def get(port: int, path: str) -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_the_supervisor_and_each_worker_have_a_health_port(tmp_path: Path, url: str) -> None:
    port = free_ports(3)
    with supervised(tmp_path, url, "--health-port", str(port)) as command:
        wait_for(lambda: get(port, "/health")[0] == 200, "health")
        report = json.loads(get(port, "/health")[1])
        assert sorted(each["pid"] for each in report["workers"]) == sorted(pids(command))
        assert answer(create_client(url)) == "old"
        metrics = get(port + 1, "/metrics")[1] + get(port + 2, "/metrics")[1]
        assert b'pyflow_calls_total{operation="RespondDecisionTaskCompleted",outcome="ok"} 1.0' in metrics
