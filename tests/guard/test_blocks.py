"""A lock held across a wait, and a change to the whole process, are named by the line that takes it and the line that waits."""

import contextlib
import io
import threading
import warnings

import pytest

import pyflow
from pyflow.testing import Flow

LOCK = threading.Lock()


class Holder:
    def __init__(self):
        self.lock = threading.RLock()


HOLDER = Holder()


class Holding(pyflow.Workflow):
    NAME = "Holding"

    def __init__(self, swf):
        super().__init__(swf)
        self._lock = threading.Condition()

    def run(self, how):
        getattr(self, how)()
        return "done"

    def a_global(self):
        with LOCK:
            self.swf.sleep(1)

    def an_attribute(self):
        with contextlib.suppress(KeyError), HOLDER.lock:
            for _ in range(2):
                self.swf.sleep(1)

    def its_own(self):
        with self._lock:
            self.pause()

    def pause(self):
        self.swf.sleep(1)

    def warnings_caught(self):
        with warnings.catch_warnings():
            self.swf.sleep(1)

    def output_redirected(self):
        with contextlib.redirect_stdout(io.StringIO()):
            self.swf.sleep(1)

    def let_go(self):
        with LOCK:
            pass
        with self.swf.scope(timeout=60), contextlib.suppress(KeyError):
            self.swf.sleep(1)

    def not_waiting(self):
        with LOCK, warnings.catch_warnings():
            self.swf.invoke_once(int).result()


HELD = {
    "a_global": "waiting with a lock held, taken at {}:{}",
    "an_attribute": "waiting with a lock held, taken at {}:{}",
    "its_own": "waiting with a lock held, taken at {}:{}",
    "warnings_caught": "waiting inside of catch_warnings() at {}:{}",
    "output_redirected": "waiting inside of redirect_stdout() at {}:{}",
}


@pytest.mark.parametrize("how", HELD)
def test_strict_does_not_let_a_run_wait_with_it(how):
    flow = Flow(guard="strict")
    with pytest.raises(pyflow.GuardException) as caught:
        flow.run(Holding, how)
    flow.close()

    line = getattr(Holding, how).__code__.co_firstlineno
    assert caught.value.what == HELD[how].format(__file__, line + 1)
    assert caught.value.where.startswith(f"{__file__}:{line + (3 if how == 'an_attribute' else 2)} in Holding.{how}")
    assert LOCK.acquire(blocking=False)
    LOCK.release()


@pytest.mark.parametrize("how", HELD)
def test_warn_names_it_once(how, caplog, monkeypatch):
    monkeypatch.setattr("pyflow.guard.watch._told", set())
    flow = Flow(guard="warn")
    assert flow.run(Holding, how) == "done"
    flow.close()

    line = getattr(Holding, how).__code__.co_firstlineno
    (told,) = [record.getMessage() for record in caplog.records if record.name == "pyflow.guard"]
    assert HELD[how].format(__file__, line + 1) in told


@pytest.mark.parametrize("how", ["let_go", "not_waiting"])
def test_what_is_given_back_before_the_wait_is_fine(how):
    flow = Flow(guard="strict")
    assert flow.run(Holding, how) == "done"
    flow.check()
    flow.close()
