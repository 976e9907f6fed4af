"""Hostile code that is let go of by the decider's cache: no fiber is left, nothing is asked, no thread is held."""

import gc
import threading

import pytest

import pyflow
from crews import kinds, site
from pyflow import _fiber
from pyflow._fiber import Fiber

LOCK = threading.Lock()


class Hostile(pyflow.Workflow):
    """One of eight ways not to go, by its input."""

    NAME = "Hostile"

    def run(self, way):
        return [
            self.plain,
            self.swallows,
            self.swallows_some,
            self.waits_in_finally,
            self.asks_in_finally,
            self.in_a_generator,
            self.with_a_lock,
            self.raises_another,
        ][way % 8]()

    def plain(self):
        return self.swf.receive("go")

    def swallows(self):
        while True:
            try:
                return self.swf.receive("go")
            except BaseException:
                continue

    def swallows_some(self):
        for _ in range(3):
            try:
                return self.swf.receive("go")
            except BaseException:
                continue
        return None

    def waits_in_finally(self):
        try:
            return self.swf.receive("go")
        finally:
            self.swf.sleep(1)

    def asks_in_finally(self):
        try:
            return self.swf.receive("go")
        finally:
            for _ in range(10):
                self.swf.start_timer(1)

    def in_a_generator(self):
        def waits():
            try:
                yield self.swf.receive("go")
            finally:
                self.swf.start_timer(1)

        return list(waits())

    def with_a_lock(self):
        with threading.Lock():
            return self.swf.receive("go")

    def raises_another(self):
        try:
            return self.swf.receive("go")
        except BaseException:
            raise ValueError("in my own words") from None


def fibers_alive() -> int:
    gc.collect()
    return sum(issubclass(type(each), Fiber) and bool(each) and not each.dead for each in gc.get_objects())


def evict(count: int) -> None:
    """Start runs, each of which pushes an older one out of a small cache; all of them go on at last."""
    abandoned, alive = len(_fiber._abandoned), fibers_alive()
    with site() as here:
        here.decider(Hostile, runs_kept=8, affinity=1)
        executions = [here.start(Hostile, way) for way in range(count)]
        for execution in executions:
            execution.signal("go", 1)
        for way, execution in enumerate(executions):
            assert execution.result(60) == ([1] if way % 8 == 5 else 1), f"way {way % 8}"
        asked = sum(kinds(one.history()).count("TimerStarted") for way, one in enumerate(executions) if way % 8 == 5)
        assert asked <= count // 8 + 1
    # what swallows its closing five times is set aside, on purpose, in a list with an end
    swallowed = len(_fiber._abandoned) - abandoned
    assert fibers_alive() - alive <= swallowed
    assert len(_fiber._abandoned) <= _fiber.ABANDONED_MAX


@pytest.fixture(autouse=True)
def own_list(monkeypatch):
    monkeypatch.setattr(_fiber, "_abandoned", [])


def test_a_cache_lets_go_of_hostile_code():
    evict(200)


@pytest.mark.proof
def test_a_cache_lets_go_of_much_hostile_code():
    evict(5_000)
