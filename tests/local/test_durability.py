"""What the file keeps: everything that was answered, over a restart."""

import errno
import os
import shutil
import sqlite3
import stat
import time
from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import decisions
from local_driver import Driver, activity, child
from pyflow.exceptions import PyflowException
from pyflow.local import LocalSWF, VirtualClock, files
from pyflow.local.files import LOG_BYTES, SINCE_VERSION_1, OwnerLock


def reopened(path, clock: VirtualClock) -> tuple[LocalSWF, Driver]:
    swf = LocalSWF(path, clock=clock, poll_wait_s=0.0)
    driver = Driver.__new__(Driver)
    driver.client = swf.direct()
    return swf, driver


def test_open_work_goes_on_after_a_restart(tmp_path, clock: VirtualClock) -> None:
    path = tmp_path / "flow.sqlite"
    with LocalSWF(path, clock=clock, poll_wait_s=0.0) as swf:
        flow = Driver(swf.direct())
        run_id = flow.start()
        flow.decide(
            activity("waiting", input="x"),
            activity("started", heartbeat_timeout="50", task_priority="9"),
            decisions.start_timer("t", "100"),
            child(),
            executionContext="c",
        )
        work = flow.activity_task()
        flow.client.record_activity_task_heartbeat(taskToken=work["taskToken"], details="kept")
        task = flow.decision_task()
        before = flow.events(run_id), flow.describe(run_id)
    swf, flow = reopened(path, clock)
    with swf:
        assert (flow.events(run_id), flow.describe(run_id)) == before
        assert flow.activity_task()["input"] == "x"
        flow.respond(task)
        clock.advance(50)
        timed_out = flow.last(run_id, "ActivityTaskTimedOut")
        assert (timed_out["timeoutType"], timed_out["details"]) == ("HEARTBEAT", "kept")
        clock.advance(50)
        assert "TimerFired" in flow.history(run_id)
        kid = flow.last(run_id, "ChildWorkflowExecutionStarted")["workflowExecution"]["runId"]
        flow.client.terminate_workflow_execution(domain="d", workflowId="kid", runId=kid)
        assert "ChildWorkflowExecutionTerminated" in flow.history(run_id)


def test_deadlines_that_came_while_nobody_served_are_applied_at_their_time(tmp_path, clock: VirtualClock) -> None:
    path = tmp_path / "flow.sqlite"
    with LocalSWF(path, clock=clock, poll_wait_s=0.0) as swf:
        flow = Driver(swf.direct())
        run_id = flow.start()
        flow.decide(decisions.start_timer("b", "20"), decisions.start_timer("a", "10"))
    clock.advance(100)
    swf, flow = reopened(path, clock)
    with swf:
        fired = [event for event in flow.events(run_id) if event["eventType"] == "TimerFired"]
        assert [event["eventTimestamp"].timestamp() for event in fired] == [1_000_010, 1_000_020]


def test_a_new_file_is_private_and_ours(tmp_path) -> None:
    path = tmp_path / "flow.sqlite"
    with LocalSWF(path) as swf:
        assert swf.path == str(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA application_id").fetchone() == (0x70796677,)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_a_second_owner_is_refused_and_told_who_the_first_is(tmp_path) -> None:
    path = tmp_path / "flow.sqlite"
    owned = rf"flow.sqlite is in use by the process with pid {os.getpid()}"
    with LocalSWF(path), pytest.raises(PyflowException, match=owned):
        LocalSWF(path)
    LocalSWF(path).close()


def a_text(path) -> None:
    path.write_text("my diary, which is no database and longer than the hundred bytes that a header has " * 3)


def a_foreign_database(path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE mine (x)")
    connection.commit()
    connection.close()


def a_newer_file(path) -> None:
    LocalSWF(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (a_text, "not a SQLite database"),
        (a_foreign_database, "another program"),
        (a_newer_file, "schema version 99"),
    ],
)
def test_a_file_that_is_not_ours_is_refused_untouched(tmp_path, make, says: str) -> None:
    path = tmp_path / "theirs"
    make(path)
    before = path.read_bytes()
    with pytest.raises(PyflowException, match=says):
        LocalSWF(path)
    assert path.read_bytes() == before
    assert {file.name for file in tmp_path.iterdir()} <= {"theirs", "theirs-lock"}


def test_a_damaged_file_is_refused(tmp_path) -> None:
    path = tmp_path / "flow.sqlite"
    with LocalSWF(path) as swf:
        Driver(swf.direct()).start()
    whole = path.read_bytes()
    for page in range(1, len(whole) // 4096):
        at = page * 4096
        path.write_bytes(whole[:at] + b"\xff" * 64 + whole[at + 64 :])
        damaged = path.read_bytes()
        with pytest.raises(PyflowException, match=r"flow\.sqlite"):
            LocalSWF(path)
        assert path.read_bytes() == damaged


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE domains SET tags = '{'",
        "UPDATE types SET domain = 'x'",
        "INSERT INTO changes (change) VALUES (x'c1')",
        "INSERT INTO changes (change) VALUES (x'9101')",
    ],
)
def test_a_file_that_does_not_hold_what_it_should_is_refused(tmp_path, change: str) -> None:
    path = tmp_path / "flow.sqlite"
    with LocalSWF(path) as swf:
        Driver(swf.direct())
    connection = sqlite3.connect(path)
    connection.execute(change)
    connection.commit()
    connection.close()
    with pytest.raises(PyflowException, match="does not hold what it should"):
        LocalSWF(path)


def a_file_of_version_1(path: Path) -> str:
    with LocalSWF(path) as swf:
        run_id = Driver(swf.direct()).start()
    connection = sqlite3.connect(path)
    connection.executescript("DROP TABLE changes; PRAGMA user_version = 1; PRAGMA wal_checkpoint(TRUNCATE);")
    connection.close()
    assert version_in(path) == 1
    return run_id


def version_in(path: Path) -> int:
    """The version that an older pyflow would see, whatever stands in the write-ahead log."""
    return int.from_bytes(path.read_bytes()[60:64], "big")


@pytest.mark.parametrize("fast", [False, True])
def test_a_file_of_version_1_is_gone_on_with_and_an_older_pyflow_sees_that(tmp_path, fast: bool) -> None:
    path = tmp_path / "flow.sqlite"
    run_id = a_file_of_version_1(path)
    with LocalSWF(path, fast=fast) as swf:
        assert version_in(path) == 2
        flow = Driver.__new__(Driver)
        flow.client = swf.direct()
        assert flow.history(run_id) == ["WorkflowExecutionStarted", "DecisionTaskScheduled"]
        flow.start("other")
    with LocalSWF(path, fast=fast) as swf:
        assert swf.direct().count_open_workflow_executions(domain="d", startTimeFilter={"oldestDate": 0})["count"] == 2


def test_an_older_pyflow_sees_it_too_where_the_step_to_today_s_version_was_cut_short(tmp_path) -> None:
    """The process was killed when the log held the step, and the file did not yet."""
    path = tmp_path / "flow.sqlite"
    a_file_of_version_1(path)
    connection = sqlite3.connect(path)
    connection.executescript(f"BEGIN; {SINCE_VERSION_1}; PRAGMA user_version = 2; COMMIT;")
    for name in ("flow.sqlite", "flow.sqlite-wal"):
        shutil.copy(tmp_path / name, tmp_path / name.replace("flow", "cut"))
    connection.close()
    cut = tmp_path / "cut.sqlite"
    assert version_in(cut) == 1
    with LocalSWF(cut):
        assert version_in(cut) == 2


@pytest.mark.parametrize("writes", ["PRAGMA wal_checkpoint(TRUNCATE)", "COMMIT"])
def test_a_file_that_cannot_be_brought_up_to_date_is_refused_and_let_go(tmp_path, monkeypatch, writes: str) -> None:
    """The disk is full when it starts; what is kept of groups is still there afterwards."""
    path, copy = tmp_path / "flow.sqlite", tmp_path / "copy.sqlite"
    if writes == "COMMIT":
        with LocalSWF(path) as swf:
            Driver(swf.direct()).start()
            for name in ("", "-wal"):
                shutil.copy(f"{path}{name}", f"{copy}{name}")
    else:
        a_file_of_version_1(copy)

    class Full(sqlite3.Connection):
        def execute(self, statement, *values):
            if statement == writes:
                raise sqlite3.OperationalError("database or disk is full")
            return super().execute(statement, *values)

    with monkeypatch.context() as patched:
        patched.setattr(
            files,
            "_open",
            lambda path: sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=Full),
        )
        with pytest.raises(PyflowException, match=r"copy\.sqlite cannot be .*: database or disk is full"):
            LocalSWF(copy)
    with LocalSWF(copy) as swf:
        assert swf.direct().count_open_workflow_executions(domain="d", startTimeFilter={"oldestDate": 0})["count"] == 1


def test_a_log_without_its_file_is_not_thrown_away(tmp_path) -> None:
    path = tmp_path / "flow.sqlite"
    log = tmp_path / "flow.sqlite-wal"
    log.write_bytes(b"what was done last")
    with pytest.raises(PyflowException, match=r"write-ahead log flow\.sqlite-wal is"):
        LocalSWF(path)
    assert log.read_bytes() == b"what was done last"


class TestLog:
    @pytest.mark.parametrize("fast", [False, True])
    def test_has_room_from_the_start_unless_nobody_waits_for_the_disk(self, tmp_path, fast) -> None:
        (tmp_path / "elsewhere").mkdir()
        LocalSWF(tmp_path / "elsewhere" / "flow").close()
        (tmp_path / "flow").symlink_to(tmp_path / "elsewhere" / "flow")
        log = tmp_path / "elsewhere" / "flow-wal"
        with LocalSWF(tmp_path / "flow", fast=fast):
            assert (log.stat().st_size >= LOG_BYTES) is not fast
        assert not log.exists()

    def test_of_a_killed_service_is_read_before_it_is_given_room(self, tmp_path) -> None:
        path = tmp_path / "flow"
        with LocalSWF(path) as swf:
            Driver(swf.direct()).start()
            for name in ("flow", "flow-wal"):
                shutil.copy(tmp_path / name, tmp_path / name.replace("flow", "copy"))
        log = tmp_path / "copy-wal"
        os.truncate(log, len(log.read_bytes().rstrip(b"\0")))
        with LocalSWF(tmp_path / "copy") as swf:
            assert (
                swf.direct().count_open_workflow_executions(domain="d", startTimeFilter={"oldestDate": 0})["count"] == 1
            )
            assert log.stat().st_size >= LOG_BYTES

    @pytest.mark.parametrize("left", [0, 2_000_000])
    def test_takes_no_room_on_a_disk_that_is_full(self, tmp_path, monkeypatch, left: int) -> None:
        def full(descriptor: int, data: bytes) -> int:
            if not left:
                raise OSError(errno.ENOSPC, "No space left on device")
            return written(descriptor, data[:left])

        written = os.write
        with monkeypatch.context() as patched:
            patched.setattr(
                "pyflow.local.files.os.write", lambda at, data: (full if len(data) > 1_000 else written)(at, data)
            )
            swf = LocalSWF(tmp_path / "flow")
        with swf:
            assert (tmp_path / "flow-wal").stat().st_size < 100_000
            Driver(swf.direct()).start()


def test_a_place_that_cannot_hold_a_file_is_told(tmp_path) -> None:
    with pytest.raises(PyflowException, match="No such file or directory"):
        LocalSWF(tmp_path / "nowhere" / "flow.sqlite")
    (tmp_path / "directory").mkdir()
    with pytest.raises(PyflowException, match="directory cannot be used"):
        LocalSWF(tmp_path / "directory")


def test_another_name_of_an_owned_file_is_owned_too(tmp_path) -> None:
    path = tmp_path / "flow.sqlite"
    with LocalSWF(path):
        (tmp_path / "soft").symlink_to(path)
        (tmp_path / "hard").hardlink_to(path)
        with pytest.raises(PyflowException, match="in use by the process"):
            LocalSWF(tmp_path / "soft")
        with pytest.raises(PyflowException, match="locked"):
            LocalSWF(tmp_path / "hard")


def test_fast_waits_for_no_disk(tmp_path) -> None:
    for fast, level in ((False, 2), (True, 1)):
        with LocalSWF(tmp_path / f"{fast}.sqlite", fast=fast) as swf:
            assert swf._service._store._connection.execute("PRAGMA synchronous").fetchone() == (level,)


def test_an_empty_file_becomes_a_database(tmp_path) -> None:
    path = tmp_path / "flow.sqlite"
    path.touch()
    with LocalSWF(path) as swf:
        run_id = Driver(swf.direct()).start()
    swf, flow = reopened(path, VirtualClock())
    with swf:
        assert flow.history(run_id) == ["WorkflowExecutionStarted", "DecisionTaskScheduled"]


def test_threads_that_close_it_together_give_the_file_back_once(tmp_path, monkeypatch) -> None:
    """Twice would close a descriptor that is somebody else's by then."""
    swf = LocalSWF(tmp_path / "flow.db")
    release, released = OwnerLock.release, []

    def slowly(lock) -> None:
        released.append(lock)
        time.sleep(0.05)
        release(lock)

    monkeypatch.setattr(OwnerLock, "release", slowly)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: swf.close(), range(4)))
    assert len(released) == 1


def test_a_closed_service_says_so(swf: LocalSWF) -> None:
    direct = swf.direct()
    swf.close()
    swf.close()
    with pytest.raises(PyflowException, match="closed"):
        direct.list_domains(registrationStatus="REGISTERED")


def test_a_lambda_that_ran_when_the_process_ended_is_not_run_again(tmp_path, clock: VirtualClock) -> None:
    path = tmp_path / "flow.sqlite"
    with LocalSWF(path, clock=clock, poll_wait_s=0.0) as swf:
        flow = Driver(swf.direct())
        run_id = flow.start()
        swf._service.lambdas.close()
        flow.decide(decisions.schedule_lambda_function("ran", "f"), decisions.schedule_lambda_function("waited", "f"))
    connection = sqlite3.connect(path)
    connection.execute(
        "INSERT INTO events (run, id, type, at, attributes) VALUES (1, 7, 'LambdaFunctionStarted', ?, ?)",
        (1_000_000_000, '{"scheduledEventId":5}'),
    )
    connection.execute("UPDATE lambda_tasks SET started_id = 7 WHERE event_id = 5")
    connection.commit()
    connection.close()
    ran = []
    swf = LocalSWF(path, clock=clock, poll_wait_s=5.0, lambdas={"f": lambda event, context: ran.append(1)})
    with swf:
        driver = Driver.__new__(Driver)
        driver.client = swf.direct()
        while "LambdaFunctionCompleted" not in driver.history(run_id):
            pass
        assert ran == [1]
        assert driver.last(run_id, "LambdaFunctionFailed")["reason"] == "ServiceRestarted"


def test_lambdas_that_waited_begin_in_the_order_in_which_they_were_asked_for(tmp_path) -> None:
    path = tmp_path / "flow.sqlite"
    with LocalSWF(path, poll_wait_s=0.0, lambda_threads=False) as swf:
        flow = Driver(swf.direct())
        tasks = [(flow.start(name), flow.decision_task())[1] for name in ("a", "b")]
        for task, name in zip(reversed(tasks), ("first", "second"), strict=True):
            flow.respond(task, decisions.schedule_lambda_function("l", name))
        asked = swf._service.lambdas.names
    with LocalSWF(path, lambda_threads=False) as swf:
        assert swf._service.lambdas.names == asked == ["first", "second"]


def test_a_seed_gives_no_id_again_after_a_restart(tmp_path) -> None:
    drawn = set()
    for name in ("a", "b", "c"):
        with LocalSWF(tmp_path / "flow.sqlite", seed=1) as swf:
            flow = Driver(swf.direct()) if name == "a" else Driver.__new__(Driver)
            flow.client = swf.direct()
            drawn |= {flow.start(f"{name}1"), flow.start(f"{name}2")}
            secret = swf._service.engine.store.service_fact("token_secret")
    assert len(drawn) == 6
    assert not [run_id for run_id in drawn if b64decode(run_id[2:]).hex() == secret]


def test_virtual_time_goes_on_from_the_files_last_event(tmp_path) -> None:
    path = tmp_path / "flow.sqlite"
    clock = VirtualClock(start_s=2_000_000)
    with LocalSWF(path, clock=clock, poll_wait_s=0.0) as swf:
        flow = Driver(swf.direct())
        clock.advance(86_400)
        run_id = flow.start()
    behind, ahead = VirtualClock(start_s=1_000_000), VirtualClock(start_s=3_000_000)
    for clock in (behind, ahead):
        with LocalSWF(path, clock=clock, poll_wait_s=0.0):
            pass
    assert behind.now_ms() == 2_086_400_000
    assert ahead.now_ms() == 3_000_000_000
    assert run_id
