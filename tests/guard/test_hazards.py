"""What a workflow may not do is named, with file and line and what to do instead; what only looks like it is let be."""

import linecache
import logging
import os
import re
import secrets
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import uuid
import zoneinfo

import pytest

import pyflow
from pyflow import DataConverter, EncryptionCodec, FileStore
from pyflow.run import Run
from pyflow.testing import Flow

DIRECTORY = os.path.dirname(__file__)

HAZARDS = {
    "read a file": (lambda: open(__file__).close(), "work on files", "in an activity"),
    "write a file": (
        lambda: open(os.path.join(tempfile.gettempdir(), "guarded"), "w").close(),
        "work on files",
        "in an activity",
    ),
    "list a folder": (lambda: os.listdir(DIRECTORY), "work on files", "in an activity"),
    "temporary file": (lambda: tempfile.TemporaryFile().close(), "work on files", "in an activity"),
    "socket": (lambda: socket.socket().close(), "a call over the network", "an activity or a Lambda function"),
    "resolve": (
        lambda: socket.getaddrinfo("127.0.0.1", 1),
        "a call over the network",
        "an activity or a Lambda function",
    ),
    "process": (lambda: subprocess.run([sys.executable, "-c", ""], check=True), "starting a process", "in an activity"),
    "shell": (lambda: os.system("true"), "starting a process", "in an activity"),
    "thread": (lambda: threading.Thread(target=int).start(), "starting a thread", "self.swf.spawn()"),
    "database": (lambda: sqlite3.connect(":memory:").close(), "work on a database", "an activity"),
    "sleep": (lambda: time.sleep(0), "time.sleep()", "self.swf.sleep()"),
    "secrets": (lambda: secrets.token_hex(4), "a draw of secrets or random.SystemRandom", "invoke_once"),
    "SystemRandom": (
        lambda: __import__("random").SystemRandom().random(),
        "a draw of secrets or random.SystemRandom",
        "self.swf.random",
    ),
    "urandom": (lambda: os.urandom(4), "os.urandom()", "self.swf.random.randbytes()"),
    "uuid1": (lambda: uuid.uuid1(), "uuid.uuid1()", "self.swf.uuid4()"),
    "environment": (lambda: os.environ.update(PYFLOW_TEST="1"), "changing os.environ", "as arguments"),
    "folder": (lambda: os.chdir(os.getcwd()), "changing the current folder", "in an activity"),
}


def workflow(body):
    class Doing(pyflow.Workflow):
        NAME = "Doing"

        def run(self, _):
            body()
            return "done"

    return Doing


def run(mode, body):
    flow = Flow(guard=mode)
    try:
        return flow.run(workflow(body))
    finally:
        flow.close()


@pytest.mark.parametrize("name", HAZARDS)
def test_strict_raises_at_the_line_and_says_what_to_do(name):
    body, what, remedy = HAZARDS[name]

    with pytest.raises(pyflow.GuardException) as caught:
        run("strict", body)

    assert caught.value.what == what
    assert caught.value.where == f"{__file__}:{body.__code__.co_firstlineno} in <lambda>"
    assert remedy in caught.value.remedy
    assert str(caught.value) == f"{caught.value.where}: {what} does not belong in a workflow; {caught.value.remedy}"


@pytest.mark.parametrize("name", HAZARDS)
def test_warn_says_the_same_once_and_lets_it_be(name, caplog, monkeypatch):
    monkeypatch.setattr("pyflow.guard.watch._told", set())
    body, what, remedy = HAZARDS[name]

    assert [run("warn", body) for _ in range(2)] == ["done", "done"]

    told = [record.getMessage() for record in caplog.records if record.name == "pyflow.guard"]
    place = f"{__file__}:{body.__code__.co_firstlineno} in <lambda>"
    assert [line for line in told if what in line] == [
        line for line in told if line.startswith(f"{place}: {what} does not belong")
    ]
    assert sum(what in line for line in told) == 1
    assert remedy in next(line for line in told if what in line)


@pytest.mark.parametrize("name", HAZARDS)
def test_off_says_nothing(name, caplog):
    assert run("off", HAZARDS[name][0]) == "done"
    assert [record for record in caplog.records if record.name == "pyflow.guard"] == []


def log_into_a_file():
    handler = logging.FileHandler(os.path.join(tempfile.gettempdir(), "guarded.log"), delay=True)
    logger = logging.getLogger("guarded")
    logger.addHandler(handler)
    try:
        logger.warning("to a file, at %s", time.time)
        try:
            raise KeyError("x")
        except KeyError:
            logger.exception("with a traceback")
    finally:
        logger.removeHandler(handler)
        handler.close()


def import_something():
    sys.modules.pop("colorsys", None)
    import colorsys  # noqa: F401


def format_an_error():
    linecache.clearcache()
    try:
        raise KeyError("x")
    except KeyError:
        assert "raise KeyError" in traceback.format_exc()


HARMLESS = {
    "import": import_something,
    "log": log_into_a_file,
    "traceback": format_an_error,
    "time zone": lambda: zoneinfo.ZoneInfo.no_cache("Europe/Berlin"),
    "print": lambda: print("said"),
    "null": lambda: open(os.devnull).close(),
    "environment": lambda: os.environ.get("HOME"),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_what_is_nobodys_doing_is_let_be(name):
    assert run("strict", HARMLESS[name]) == "done"


def test_recorded_values_may_do_anything():
    class Recording(pyflow.Workflow):
        NAME = "Recording"

        def run(self, _):
            return [self.swf.invoke_once(lambda: body() and None).succeeded for body, _, _ in HAZARDS.values()]

    flow = Flow(guard="strict")
    assert flow.run(Recording) == [True] * len(HAZARDS)
    flow.check()
    flow.close()


def test_what_pyflow_does_for_the_code_is_not_the_codes_doing(tmp_path):
    """A store opens files and an encrypting codec draws nonces, in the very fiber whose code asks for something."""

    @pyflow.activity(start_to_close=60)
    def repeat(text: str) -> str:
        return text * 20_000

    class Big(pyflow.Workflow):
        NAME = "Big"

        def run(self, text):
            return [len(repeat(text)) for _ in range(3)]

    def converter():
        return DataConverter(codecs=[EncryptionCodec({"k1": b"k" * 32})], store=FileStore(tmp_path))

    flow = Flow(guard="strict")
    flow.converter = converter()
    flow.use(repeat)
    execution = flow.start(Big, "abc")
    assert execution.result() == [60_000] * 3
    history = execution.history
    flow.close()

    # in one go, a replay reads on from within the code that waits; a new converter has no payload at hand yet
    run = Run(Big, execution.workflow_id, execution.first_run_id, converter=converter(), guard="strict")
    run.advance(history, None)
    assert run.returned


def test_bodies_of_activities_and_the_rest_of_the_process_are_not_guarded():
    @pyflow.activity(start_to_close=60)
    def work():
        for body, _, _ in HAZARDS.values():
            body()

    class Working(pyflow.Workflow):
        NAME = "Working"

        def run(self, _):
            work()

    flow = Flow(guard="strict")
    flow.use(work)
    flow.run(Working)
    flow.close()


def test_finally_of_a_run_that_is_let_go_of_is_not_the_workflows_doing(caplog):
    class Tidying(pyflow.Workflow):
        NAME = "Tidying"

        def run(self, _):
            try:
                self.swf.sleep(5)
            finally:
                if not self.swf.is_replaying and sys.exc_info()[0] is not None:
                    time.sleep(0)

    flow = Flow(guard="strict")
    execution = flow.start(Tidying)
    flow.run_until_blocked()
    flow.deploy(Tidying)
    assert execution.result() is None
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    flow.close()


def test_code_that_catches_it_sends_nothing_all_the_same():
    class Stubborn(pyflow.Workflow):
        NAME = "Stubborn"

        def run(self, _):
            try:
                os.urandom(4)
            except Exception:
                pass
            self.swf.sleep(1)

    flow = Flow(guard="strict")
    execution = flow.start(Stubborn)
    with pytest.raises(pyflow.GuardException, match=re.escape("os.urandom()")):
        flow.run_until_blocked()
    assert [event["eventType"] for event in execution.history] == [
        "WorkflowExecutionStarted",
        "DecisionTaskScheduled",
        "DecisionTaskStarted",
    ]
    flow.close()


@pytest.mark.parametrize("how", ["a spawned fiber", "a handler of a signal", "a predicate"])
def test_all_code_of_a_run_is_guarded(how):
    class Wide(pyflow.Workflow):
        NAME = "Wide"

        @pyflow.signal
        def poke(self):
            os.urandom(1)

        def run(self, _):
            if how == "a spawned fiber":
                self.swf.spawn(os.urandom, 1).result()
            if how == "a predicate":
                tries = []
                self.swf.wait_until(lambda: tries.append(1) or (len(tries) > 1 and os.urandom(1)), timeout=5)
            self.swf.sleep(5)

    flow = Flow(guard="strict")
    execution = flow.start(Wide)
    if how == "a handler of a signal":
        execution.signal("poke")
    with pytest.raises(pyflow.GuardException):
        execution.result()
    flow.close()


def test_a_run_that_is_stopped_is_parked_with_the_reason_and_goes_on_once_its_code_is_mended():
    """Nobody's execution fails for it: the fault is the deployment's."""

    class Drawing(pyflow.Workflow):
        NAME = "Drawing"

        def run(self, _):
            self.swf.sleep(1)
            return len(os.urandom(4))

    class Mended(pyflow.Workflow):
        NAME = "Drawing"

        def run(self, _):
            self.swf.sleep(1)
            return len(self.swf.random.randbytes(4))

    flow = Flow(guard="strict")
    execution = flow.start(Drawing)
    flow.run_until_blocked()
    flow.clock.advance(1)
    decider = pyflow.Decider([Drawing], flow.domain, flow.task_list, "real", client=flow.client, guard="strict")
    while not any(event["eventType"] == "MarkerRecorded" for event in execution.history):
        decider.poll_for_decision_tasks(0.05)
    (marker,) = [
        event["markerRecordedEventAttributes"] for event in execution.history if event["eventType"] == "MarkerRecorded"
    ]
    assert marker["markerName"].startswith("pyflow.park.")
    assert "test_hazards.py" in marker["details"] and "os.urandom() does not belong in a workflow" in marker["details"]

    flow.deploy(Mended)
    assert execution.result() == 4
    flow.check()
    flow.close()
