"""Bodies in processes of their own: what they can do, and what becomes of those that do not end well."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

import bodies_in_processes as bodies
import pyflow
from activity_service import Service, working
from pyflow.converter import DataConverter
from pyflow.payloads.stores import FileStore


@pytest.fixture
def service():
    return Service()


def outcome_of(service, activity, value=None, **options):
    """Have one body run; give its answer."""
    service.put(json.dumps(value), name=activity.name)
    with working(service, activity, **options):
        ((how, answer),) = service.answered(1)
    return how, answer


def is_there(pid: int) -> bool:
    """Whether a process runs; one that has ended and is not reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def until(condition, timeout_s=30.0):
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def test_a_process_is_another_one_and_is_kept_for_the_next_body(service):
    service.put("0", "1", name="pid")
    with working(service, bodies.pid, concurrency=1):
        pids = {answer["result"] for _, answer in service.answered(2)}

    assert len(pids) == 1
    assert pids != {str(os.getpid())}
    assert not is_there(int(pids.pop()))


def test_the_task_is_there_as_in_the_worker(service):
    how, answer = outcome_of(service, bodies.tells)

    assert how == "completed"
    assert json.loads(answer["result"]) == ["activity0", 1, 1, "w", "r", None]


@pytest.mark.parametrize(
    ("how", "told"),
    [
        (3, "ended with exit code 3"),
        (0, "ended with exit code 0"),
        ("SIGKILL", "was killed by SIGKILL"),
        ("fault", "was killed by SIGSEGV"),
    ],
)
def test_a_process_that_dies_fails_its_task_at_once_and_the_worker_goes_on(service, how, told):
    service.put(json.dumps(how), name="ends")
    with working(service, bodies.ends, bodies.pid, concurrency=1):
        ((answered, answer),) = service.answered(1)
        service.put("1", name="pid", first=1)
        assert service.answered(2)[1][0] == "completed"

    assert (answered, answer["reason"]) == ("failed", "PROCESS_DIED")
    assert answer["details"] == f"the process of activity 'ends' {told} while the body ran"


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_death_is_seen_though_a_fork_holds_the_pipe_and_the_fork_goes_too(service, tmp_path):
    started_s = time.monotonic()
    how, answer = outcome_of(service, bodies.forks_and_dies, str(tmp_path / "pid"))

    assert (how, answer["reason"]) == ("failed", "PROCESS_DIED")
    assert "exit code 7" in answer["details"]
    assert time.monotonic() - started_s < 30
    until(lambda: not is_there(int((tmp_path / "pid").read_text())))


@pytest.mark.parametrize(("what", "reason"), [("odd", "Odd"), ("exit", "SystemExit"), ("no", "ValueError")])
def test_whatever_a_body_raises_comes_back_as_text_and_its_process_lives(service, what, reason):
    service.put(json.dumps(what), name="raises")
    service.put("1", name="pid", first=1)
    with working(service, bodies.raises, bodies.pid, concurrency=1):
        (how, answer), (after, _) = service.answered(2)

    assert (how, answer["reason"], after) == ("failed", reason, "completed")
    assert answer["details"].startswith(f"pyflow.failure/1 {reason} message=")
    assert "in raises" in answer["details"]


def test_cancel_is_raised_at_the_next_heartbeat(service):
    service.cancel = {"token0"}
    how, answer = outcome_of(service, bodies.beats)

    assert (how, answer["details"]) == ("canceled", "cancellation of activity0 was requested")


def test_a_hung_body_is_killed_with_its_programs_a_grace_after_the_cancel(service, tmp_path):
    file = tmp_path / "pids"
    service.put(json.dumps(str(file)), name="hangs")
    with working(service, bodies.hangs, cancel_grace_s=0.1):
        until(lambda: file.exists() and file.read_text())
        service.cancel = {"token0"}
        ((how, answer),) = service.answered(1)

    assert how == "canceled"
    assert "was killed" in answer["details"]
    until(lambda: not any(is_there(int(pid)) for pid in file.read_text().split()))


def test_a_body_that_swf_waits_for_no_longer_is_killed_and_not_answered(service, tmp_path):
    file = tmp_path / "pids"
    service.put(json.dumps(str(file)), name="hangs")
    with working(service, bodies.hangs, cancel_grace_s=0.1) as worker:
        until(lambda: file.exists() and file.read_text())
        service.gone = {"token0"}
        until(lambda: worker._under_way == set())

    assert service.answers == []
    until(lambda: not any(is_there(int(pid)) for pid in file.read_text().split()))


def test_a_task_may_be_left_open(service):
    service.put("1", name="leaves")
    with working(service, bodies.leaves) as worker:
        service.until(lambda: service.beats)
        until(lambda: worker._under_way == set())

    assert service.answers == []


def test_a_body_that_dies_is_tried_again_in_the_worker(service):
    how, answer = outcome_of(service, bodies.dies_twice)

    assert (how, answer["result"]) == ("completed", "3")


def test_programs_of_a_body_heed_sigterm_though_the_process_does_not(service):
    how, answer = outcome_of(service, bodies.ignores_sigterm_itself)

    assert (how, answer["result"]) == ("completed", str(-signal.SIGTERM))


def test_a_payload_too_long_for_swf_goes_through_the_store_of_the_worker(service, tmp_path):
    converter = DataConverter(store=FileStore(tmp_path))
    text = "x" * 40_000
    service.put(converter.seal(json.dumps(text)), name="repeats")
    with working(service, bodies.repeats, converter=converter):
        ((how, answer),) = service.answered(1)

    assert how == "completed"
    assert len(answer["result"]) < 1_000
    assert converter.decode(answer["result"]) == text * 2
    assert service.beats[0]["details"] == '"xxx"'


def descriptors() -> Counter[str]:
    """What is open in this process, by what it is: numbers are used again, and earlier tests' may be closed meanwhile."""
    found: Counter[str] = Counter()
    for each in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            found[str(each.readlink())] += 1
    return found


def children() -> set[int]:
    """The processes that this one has begun and not yet reaped."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == os.getpid():
                found.add(int(stat.parent.name))
    return found


def test_no_process_no_zombie_and_no_descriptor_is_left_behind(service):
    outcome_of(
        Service(), bodies.pid
    )  # whatever is opened once is open, and multiprocessing's resource tracker is there
    open_before, children_before = descriptors(), children()
    for number in range(4):
        service.put("3" if number % 2 else '"x"', name="ends" if number % 2 else "pid", first=number)
    with working(service, bodies.ends, bodies.pid):
        service.answered(4)

    assert not descriptors() - open_before
    assert not children() - children_before


SCRIPT = """
import os, sys, threading, time
sys.path[:0] = {path!r}
import pyflow
from activity_service import Service

@pyflow.activity("charge", start_to_close=60, executor="process")
def charge(what):
    if what == "hang":
        print(os.getpid(), flush=True)
        time.sleep(600)
    return what

{guard}
    service = Service()
    service.put({input!r})
    worker = pyflow.ActivityWorker([charge], "d", "list", client=service)
    threading.Thread(target=lambda: service.answered(1) and worker.stop(), daemon=True).start()
    worker.run()
    print(service.answers, flush=True)
"""


def script(tmp_path, guard="if __name__ == '__main__':", input='"book"'):
    root = Path(__file__).parents[2]
    file = tmp_path / "sells.py"
    file.write_text(SCRIPT.format(path=[str(root)], guard=guard, input=input))
    return [sys.executable, str(file)]


def test_an_activity_of_the_script_itself_is_found(tmp_path):
    done = subprocess.run(script(tmp_path), capture_output=True, text=True, timeout=60)

    assert "('completed', {'taskToken': 'token0', 'result': '\"book\"'})" in done.stdout, done.stderr


def test_a_script_without_a_guard_is_told_so(tmp_path):
    done = subprocess.run(script(tmp_path, guard="if True:"), capture_output=True, text=True, timeout=60)

    assert "before the body began. A script that starts a worker does so under `if __name__" in done.stdout


def test_a_body_dies_with_its_worker(tmp_path):
    with subprocess.Popen(script(tmp_path, input='"hang"'), stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        try:
            body = int(worker.stdout.readline())
            assert is_there(body)
        finally:
            worker.kill()

    until(lambda: not is_there(body))


def test_an_activity_that_its_module_does_not_hold_is_named(service):
    renamed = pyflow.activity("other", start_to_close=60, executor="process")(bodies.pid.function)
    how, answer = outcome_of(service, renamed)

    assert how == "failed"
    assert "holds no activity other 1.0 once it is imported in a process of its own" in answer["details"]
