"""``pyflow worker --processes``: workers that break are started again, code is exchanged, and all end together."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from command import WAIT_S, Serving, free_ports, pyflow, served, serving, wait_for
from pyflow import handle, start_workflow
from pyflow.cli.supervisor import Place
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
    return handle(started["workflowId"], started["runId"], domain="d", client=client).result(timeout=WAIT_S)


@contextmanager
def supervised(folder: Path, url: str, *options: str) -> Iterator[Serving]:
    with serving(folder, "worker", "shop.py", *WHERE, "--endpoint-url", url, "--processes", "2", *options) as command:
        wait_for(lambda: command.log.read_text().count("  polls") == 2, "two workers")
        try:
            yield command
        finally:
            command.process.send_signal(signal.SIGTERM)
            command.process.wait(WAIT_S)


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
        (tmp_path / "pyflow.py").write_text("raise SystemExit('the current folder is searched')")
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
        workers = pids(command)
        assert len(workers) == 2
        command.process.kill()
        wait_for(lambda: not any(is_there(pid) for pid in workers), "end of the workers")


def test_what_cannot_begin_is_refused_once(tmp_path: Path) -> None:
    ended = pyflow("worker", "missing.py", *WHERE, "--processes", "2", cwd=tmp_path)
    assert ended.returncode == 2
    assert "no such file: missing.py" in ended.stderr


# -- the supervisor by itself, over workers that do as a file says

STUB = """
import os, pathlib, signal, socket, sys, time

place = sys.argv[sys.argv.index("--place") + 1]
tie = socket.socket(fileno=int(sys.argv[sys.argv.index("--tie") + 1]))
does = pathlib.Path("does").read_text()
told = []
pathlib.Path(f"begun{os.getpid()}").touch()
if "dies when told" not in does:
    signal.signal(signal.SIGTERM, lambda *_: told.append(1))
if "breaks" in does:
    sys.exit(3)
if "unready" not in does:
    tie.sendall(b"ready\\n")
while True:
    time.sleep(0.01)
    end = pathlib.Path("end" + place)
    if end.exists():
        end.unlink()
        sys.exit(2)
    if told:
        pathlib.Path(f"told{os.getpid()}").touch()
        if "kills" in does:
            os.kill(os.getpid(), signal.SIGKILL)
        if "slow" in does:
            time.sleep(0.5)
        if "stays" not in does or pathlib.Path("go").exists():
            pathlib.Path(f"done{os.getpid()}").touch()
            sys.exit(0)
"""
RUNNER = """
import logging, sys
from pyflow.cli import supervisor

supervisor.RESTART_FIRST_S, supervisor.READY_S = float(sys.argv[1]), float(sys.argv[2])
logging.basicConfig(level=logging.INFO, format="%(created)f %(message)s")
sys.exit(supervisor.Supervisor(2, [sys.executable, "stub.py"], sys.argv[3] if sys.argv[3:] else None).run())
"""


class Alone:
    """A supervisor over two such workers; ``does`` says what those do that start from now on."""

    def __init__(
        self, folder: Path, *, restart_s: float = 0.05, ready_s: float = 300.0, port: int | None = None
    ) -> None:
        self.folder = folder
        (folder / "stub.py").write_text(STUB)
        (folder / "runner.py").write_text(RUNNER)
        self.does("")
        ports = [] if port is None else [str(port)]
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "runner.py", str(restart_s), str(ready_s), *ports],
                cwd=folder,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        wait_for(lambda: len(list(folder.glob("begun*"))) == 2, "two workers")

    def does(self, what: str) -> None:
        (self.folder / "does").write_text(what)

    def said(self, pattern: str, times: int = 1) -> list[Any]:
        """Wait until the log has lines with a pattern, and return what matches."""
        return list(
            wait_for(
                lambda: (found := re.findall(pattern, self.log.read_text())) if self.count(pattern) >= times else None,
                f"{pattern!r} {times} times in {self.log.read_text()}",
            )
        )

    def count(self, pattern: str) -> int:
        return len(re.findall(pattern, self.log.read_text()))

    def pids(self, number: int = 2) -> list[int]:
        """Wait until so many workers were started, and return their pids."""
        return [int(pid) for pid in self.said(r"worker \d started, pid (\d+)", number)]

    def tell(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self, number: int = signal.SIGTERM) -> int:
        self.tell(number)
        return self.process.wait(WAIT_S)


@contextmanager
def alone(folder: Path, **settings: Any) -> Iterator[Alone]:
    supervisor = Alone(folder, **settings)
    try:
        yield supervisor
    finally:
        supervisor.process.kill()
        supervisor.process.wait()
        for pid in supervisor.pids(0):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def test_pauses_grow_to_a_minute_and_are_short_again_after_a_steady_one() -> None:
    place = Place("worker 1")
    now_s = 0.0
    pauses = []
    for _ in range(8):
        pauses.append(place.broke(now_s))
        assert place.start_s == now_s + pauses[-1]
        now_s = place.begun_s = place.start_s
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]
    assert place.broke(now_s + 60) == 1
    assert place.broke(now_s + 61) == 1


def test_one_that_breaks_is_started_again_after_the_pause(tmp_path: Path) -> None:
    with alone(tmp_path, restart_s=0.4) as supervisor:
        first, _ = supervisor.pids()
        os.kill(first, signal.SIGKILL)
        supervisor.pids(3)
        ((broke,), *_) = [supervisor.said(r"([\d.]+) worker 1 .* ended with signal SIGKILL")]
        starts = supervisor.said(r"([\d.]+) worker 1 started", 2)
        assert float(starts[1]) - float(broke) >= 0.4


def test_a_refusal_ends_all_only_while_none_was_ever_ready(tmp_path: Path) -> None:
    with alone(tmp_path) as supervisor:
        supervisor.pids()
        supervisor.tell(signal.SIGHUP)
        supervisor.said("all workers are exchanged")  # so they were ready
        (tmp_path / "end0").touch()
        supervisor.said("ended with status 2; the next starts in")
        supervisor.pids(5)
        assert supervisor.end() == 0


@pytest.mark.parametrize(("does", "why"), [("breaks", "ended with status 3"), ("unready", "was not ready in time")])
def test_an_exchange_ends_at_the_first_that_is_not_ready_and_leaves_nothing_of_it(
    tmp_path: Path, does: str, why: str
) -> None:
    with alone(tmp_path, ready_s=0.3) as supervisor:
        old = supervisor.pids()
        supervisor.does(does)
        supervisor.tell(signal.SIGHUP)
        supervisor.said(f"worker 1 is not exchanged: its new process {why}. The code that runs stays.")
        supervisor.does("")
        supervisor.tell(signal.SIGHUP)
        supervisor.said("all workers are exchanged")

        _, _, given_up, *new = supervisor.pids(5)
        assert len(new) == 2
        assert not is_there(given_up)
        wait_for(lambda: not any(map(is_there, old)), "end of the old workers")
        assert supervisor.end() == 0


def test_another_signal_ends_an_exchange(tmp_path: Path) -> None:
    with alone(tmp_path) as supervisor:
        supervisor.pids()
        supervisor.does("unready")
        supervisor.tell(signal.SIGHUP)
        workers = supervisor.pids(3)
        assert supervisor.end() == 0
        assert supervisor.count("was not ready when another signal came") == 1
        assert not any(map(is_there, workers))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_end_waits_for_all_also_for_those_that_were_exchanged(tmp_path: Path, number: int) -> None:
    with alone(tmp_path) as supervisor:
        supervisor.does("slow")
        supervisor.tell(signal.SIGHUP)
        supervisor.said("all workers are exchanged")
        supervisor.does("")
        supervisor.tell(signal.SIGHUP)
        supervisor.said("all workers are exchanged", 2)
        slow = supervisor.pids(6)[2:4]

        assert supervisor.end(number) == 0
        assert all((tmp_path / f"done{pid}").exists() for pid in slow)


@pytest.mark.parametrize(("last", "status"), [(signal.SIGTERM, 1), (signal.SIGINT, 1), (signal.SIGHUP, 0)])
def test_a_second_signal_cuts_and_sighup_does_not(tmp_path: Path, last: int, status: int) -> None:
    with alone(tmp_path) as supervisor:
        supervisor.does("stays")
        supervisor.tell(signal.SIGHUP)
        supervisor.said("all workers are exchanged")
        workers = supervisor.pids(4)[2:]
        supervisor.tell(signal.SIGTERM)
        wait_for(lambda: all((tmp_path / f"told{pid}").exists() for pid in workers), "stops")
        supervisor.tell(last)
        if not status:
            (tmp_path / "go").touch()
        assert supervisor.process.wait(WAIT_S) == status
        assert not any(map(is_there, workers))


@pytest.mark.parametrize(("does", "status"), [("dies when told", 0), ("kills", 1)])
def test_one_that_dies_of_being_told_has_finished_and_one_that_is_killed_has_not(
    tmp_path: Path, does: str, status: int
) -> None:
    with alone(tmp_path) as supervisor:
        supervisor.does(does)
        supervisor.tell(signal.SIGHUP)
        supervisor.said("all workers are exchanged")
        assert supervisor.end() == status
        assert supervisor.count("ended with signal SIGKILL") == (2 if status else 0)


def test_its_report_is_well_while_all_are_ready_and_says_when_it_stops(tmp_path: Path) -> None:
    port = free_ports(1)

    def report() -> dict[str, Any]:
        return dict(json.loads(get(port, "/health")[1]))

    with alone(tmp_path, restart_s=60, port=port) as supervisor:
        first, _ = supervisor.pids()
        wait_for(lambda: report()["status"] == "ok", "two that are ready")
        supervisor.does("stays")
        os.kill(first, signal.SIGKILL)
        wait_for(lambda: [each["breaks"] for each in report()["workers"]] == [1, 0], "a broken one")
        assert [each["ready"] for each in report()["workers"]] == [False, True]
        assert report()["status"] == "starting"
        supervisor.tell(signal.SIGHUP)
        supervisor.said("all workers are exchanged")
        assert report()["status"] == "ok"
        assert [each["breaks"] for each in report()["workers"]] == [0, 0]
        supervisor.tell(signal.SIGTERM)
        assert wait_for(lambda: report()["status"] == "stopping", "the end")


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
        # The execution is closed a moment before its worker hears that the answer was taken.
        answered = b'pyflow_calls_total{operation="RespondDecisionTaskCompleted",outcome="ok"} 1.0'
        wait_for(lambda: any(answered in get(port + number, "/metrics")[1] for number in (1, 2)), "count of the answer")
