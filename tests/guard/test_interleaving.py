"""Two runs whose code takes turns on one thread share nothing that they should not."""

import contextvars
import decimal
import random
import sys
import threading
import time

import pytest

import pyflow
from pyflow.testing import Flow

language = contextvars.ContextVar("language", default="none")
of_thread = threading.local()


class Turns(pyflow.Workflow):
    """Each sets something of its own, waits while the other does the same, and looks again."""

    NAME = "Turns"

    def run(self, name):
        language.set(name)
        decimal.getcontext().prec = 10 + len(name)
        drawn = random.random()
        try:
            raise KeyError(name)
        except KeyError:
            self.swf.receive("go")
            handled = repr(sys.exc_info()[1])
        return {
            "contextvar": language.get(),
            "decimal": str(decimal.Decimal(1) / 3),
            "exception": handled,
            "drawn": drawn,
            "time": time.time() == self.swf.workflow_time().timestamp(),
        }


@pytest.mark.parametrize("replayed", [False, True], ids=["from memory", "replayed"])
def test_two_runs_keep_apart_what_is_theirs(replayed):
    before = language.get(), decimal.getcontext().prec
    flow = Flow(guard="strict")
    executions = {name: flow.start(Turns, name, workflow_id=name) for name in ("one", "three")}
    flow.run_until_blocked()
    if replayed:
        flow.deploy(Turns)
    for execution in executions.values():
        execution.signal("go")
    results = {name: execution.result() for name, execution in executions.items()}
    flow.check()
    flow.close()

    assert {name: result["contextvar"] for name, result in results.items()} == {"one": "one", "three": "three"}
    assert {name: result["decimal"] for name, result in results.items()} == {
        "one": "0." + "3" * 13,
        "three": "0." + "3" * 15,
    }
    assert {name: result["exception"] for name, result in results.items()} == {
        "one": "KeyError('one')",
        "three": "KeyError('three')",
    }
    assert results["one"]["drawn"] != results["three"]["drawn"]
    assert results["one"]["time"] and results["three"]["time"]
    assert (language.get(), decimal.getcontext().prec) == before


def test_thread_locals_are_the_threads_and_not_the_runs():
    """As docs/determinism.md says: a greenlet does not change them, so what one run has set the others see."""

    class Naming(pyflow.Workflow):
        NAME = "Naming"

        def run(self, name):
            of_thread.name = name
            self.swf.receive("go")
            return of_thread.name

    flow = Flow()
    executions = [flow.start(Naming, name, workflow_id=name) for name in ("one", "three")]
    flow.run_until_blocked()
    for execution in executions:
        execution.signal("go")
    assert [execution.result() for execution in executions] == ["three", "three"]
    flow.close()
