"""What is kept of groups, and when the tables follow: they never hold anything else than if they had been written each time."""

import shutil
import sqlite3
import sys
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any, Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

import decisions
from local_driver import Driver, activity
from pyflow.local import LocalSWF, VirtualClock, files
from pyflow.local.changes import Change, ExecutionChange, ItemChange, NetChange
from pyflow.local.store import EVENTS_KEPT_MAX, Store

TABLES = ("waiting", "started")
KEYS = st.tuples(st.integers(1, 2), st.integers(5, 7))
PLACES = st.one_of(st.none(), st.tuples(st.sampled_from(TABLES), st.integers()))


def applied(tables: dict[str, dict[Any, Any]], items: dict[str, dict[Any, Any]]) -> None:
    for table, rows in items.items():
        for key, row in rows.items():
            if row is None:
                del tables[table][key]  # only what is there is taken out
            else:
                tables[table][key] = row


@given(st.lists(st.lists(st.tuples(KEYS, PLACES), max_size=4, unique_by=lambda each: each[0])))
def test_the_net_change_of_items_brings_what_the_changes_bring_one_by_one(groups):
    """An item goes from place to place, or changes where it stands, or is closed, and may come back."""
    places: dict[Any, str] = {}
    changes = []
    for group in groups:
        items = []
        for key, place in group:
            before, now = places.get(key), place and place[0]
            if before is not None and before != now:
                items.append(ItemChange(before, key, None, is_new=False))
            if place is not None:
                items.append(ItemChange(place[0], key, (*key, place[1]), is_new=before != now))
            places[key] = now
        changes.append(Change([], [], items))
    one_by_one: dict[str, dict[Any, Any]] = {table: {} for table in TABLES}
    for change in changes:
        applied(one_by_one, NetChange(change).items)
    for cut in range(len(changes) + 1):
        at_once: dict[str, dict[Any, Any]] = {table: {} for table in TABLES}
        applied(at_once, NetChange(*changes[:cut]).items)
        applied(at_once, NetChange(*changes[cut:]).items)
        assert at_once == one_by_one


def test_what_came_and_went_is_in_no_net_change():
    net = NetChange(
        Change([], [], [ItemChange("waiting", (1, 5), (1, 5), is_new=True)]),
        Change(
            [], [], [ItemChange("waiting", (1, 5), None, is_new=False), ItemChange("started", (1, 5), (1, 5), True)]
        ),
        Change([], [], [ItemChange("started", (1, 5), (1, 5, "half"), is_new=False)]),
        Change([], [], [ItemChange("started", (1, 5), None, is_new=False)]),
    )
    assert not any(net.items.values())


def test_an_execution_is_born_once_and_has_its_last_state():
    net = NetChange(
        Change([(1, 1)], [ExecutionChange(1, (1, "w"), ("RUNNING",)), ExecutionChange(2, None, ("RUNNING",))], []),
        Change([(1, 2)], [ExecutionChange(1, None, ("CLOSED",))], []),
    )
    assert (net.events, net.born) == ([(1, 1), (1, 2)], {1: (1, "w")})
    assert net.states == {1: ("CLOSED",), 2: ("RUNNING",)}


CHANGE = Change(
    [(1, 2, "DecisionTaskScheduled", 1_000, '{"a":"\\u00fc"}')],
    [ExecutionChange(1, (1, "d", None, "[]"), ("tl", None, False, 0)), ExecutionChange(2, None, ("tl",))],
    [ItemChange("timers", (1, 5), (1, 5, 1_700_000_000_000), True), ItemChange("timers", (1, 6), None, False)],
)
IN_FILES_OF_VERSION_2 = bytes.fromhex(
    "9391950102b54465636973696f6e5461736b5363686564756c6564cd03e8ae7b2261223a225c7530306663227d9293019401a164c0a25b5d94a2746cc0"
    "c2009302c091a2746c9294a674696d657273920105930105cf0000018bcfe56800c394a674696d657273920106c0c2"
)


def test_a_change_reads_as_it_was_kept_by_whatever_pyflow_kept_it():
    assert Change.decode(CHANGE.encode()) == CHANGE
    assert Change.decode(IN_FILES_OF_VERSION_2) == CHANGE


def scenario(flow: Driver, clock: VirtualClock, number: int) -> None:
    name = f"w{number}"
    flow.start(name, input="x" * 100)
    flow.decide(activity("a"), activity("b"), decisions.start_timer("t", "9"), decisions.start_timer("u", "900"))
    work = flow.activity_task()
    flow.client.record_activity_task_heartbeat(taskToken=work["taskToken"], details="half")
    if number % 2:
        flow.client.respond_activity_task_completed(taskToken=work["taskToken"])
        flow.respond(flow.decision_task(), decisions.complete_workflow_execution())
    clock.advance(10)


def rows_in(path: Path) -> dict[str, list[Any]]:
    connection = sqlite3.connect(path)
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    found = {table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in tables}
    connection.close()
    return found


@pytest.mark.parametrize("ends", ["closed", "killed"])
def test_the_tables_are_the_same_however_seldom_they_are_written(tmp_path, monkeypatch, ends):
    found = []
    for most in (0, 1, 13, EVENTS_KEPT_MAX):
        monkeypatch.setattr("pyflow.local.store.EVENTS_KEPT_MAX", most)
        clock = VirtualClock(start_s=1_000_000)
        path = tmp_path / f"{most}.sqlite"
        with LocalSWF(path, clock=clock, poll_wait_s=0.0, seed=1) as swf:
            flow = Driver(swf.direct())
            for number in range(8):
                scenario(flow, clock, number)
            if most in (0, EVENTS_KEPT_MAX):
                kept = swf._service._store._connection.execute("SELECT COUNT(*) FROM changes").fetchone()[0]
                assert bool(kept) is bool(most)
            if ends == "killed":
                for name in (path.name, f"{path.name}-wal"):
                    (tmp_path / f"copy-{name}").write_bytes((tmp_path / name).read_bytes())
        if ends == "killed":
            path = tmp_path / f"copy-{path.name}"
            LocalSWF(path, clock=clock).close()
        found.append(rows_in(path))
    assert found[0]["changes"] == []
    assert len(found[0]["timers"]) >= 2
    assert len(found[0]["started_activity_tasks"]) >= 2
    assert found == [found[0]] * 4


def test_much_is_not_left_to_the_next_start(tmp_path):
    with LocalSWF(tmp_path / "flow.sqlite", poll_wait_s=0.0) as swf:
        flow, connection = Driver(swf.direct()), swf._service._store._connection
        kept = []
        for number in range(600):
            flow.start(f"w{number}", input="x" * 2_000)
            kept.append(connection.execute("SELECT COALESCE(SUM(LENGTH(change)), 0) FROM changes").fetchone()[0])
    assert 900_000 < max(kept) < 1_100_000
    assert min(kept[300:]) == 0


def test_much_does_not_stay_in_memory():
    with LocalSWF(poll_wait_s=0.0) as swf:
        flow, store = Driver(swf.direct()), swf._service._store
        kept = []
        for number in range(EVENTS_KEPT_MAX // 2 + 10):
            flow.start(f"w{number}")
            kept.append(sum(len(change.events) for change in store._kept))
    assert max(kept) == EVENTS_KEPT_MAX
    assert kept[-1] < 20


class CutShort:
    """Raises KeyboardInterrupt before a step of the store: once, where so many were done within its ``with`` block."""

    def __init__(self, after: int) -> None:
        self.left = after

    def __enter__(self) -> Self:
        self._before = sys.gettrace()
        sys.settrace(self._look)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)

    def _look(self, frame: FrameType, event: str, _: object) -> Any:
        if not frame.f_code.co_filename.endswith(("local/store.py", "local/changes.py")):
            return None
        if event == "line":
            self.left -= 1
            if self.left == 0:
                sys.settrace(None)
                raise KeyboardInterrupt
        return self._look


def cut_short(path: Path | str, after: int) -> bool:
    """Whether a call was cut short after so many steps; if so, it is done once more, and all is sound."""
    with LocalSWF(path, poll_wait_s=0.0, thread=False, fast=True) as swf:
        flow = Driver(swf.direct())
        run_id = flow.start()
        task = flow.decision_task()
        flow.events(run_id)  # so nothing is kept of groups before
        cut = CutShort(after)
        with suppress(KeyboardInterrupt), cut:
            flow.respond(task, activity(schedule_to_start_timeout="9"))
        flow.signal()
        if isinstance(path, Path):
            for name in (path.name, f"{path.name}-wal"):
                shutil.copy(path.with_name(name), path.with_name(f"copy-{name}"))
        told = flow.events(run_id)
        assert [event["eventId"] for event in told] == list(range(1, len(told) + 1))
        assert flow.describe(run_id)["openCounts"]["openActivityTasks"] == 1
        assert flow.activity_task()["activityId"] == "a"
    if isinstance(path, Path):
        with LocalSWF(path.with_name(f"copy-{path.name}"), poll_wait_s=0.0, fast=True) as swf:
            flow.client = swf.direct()
            assert flow.events(run_id) == told
    return cut.left <= 0


@pytest.mark.parametrize("place", ["file", "memory"])
def test_a_group_that_is_cut_short_anywhere_is_there_as_a_whole_or_not_at_all(tmp_path, place):
    steps = 1
    while cut_short(tmp_path / f"{steps}.sqlite" if place == "file" else ":memory:", steps):
        steps += 1
    assert steps > 20


def test_what_is_not_committed_when_it_is_closed_is_not_kept(tmp_path):
    path = str(tmp_path / "flow.sqlite")
    store = Store(files.connect(path))
    store.put_service_fact("kept", "yes")
    store.commit()
    store.put_service_fact("left", "yes")
    store.close()
    store = Store(files.connect(path))
    assert [store.service_fact(key) for key in ("kept", "left")] == ["yes", None]
    store.close()
