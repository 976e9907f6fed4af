"""Activities whose bodies run in processes of their own, which must find them in a module."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyflow
from pyflow import RetryPolicy, activity

in_a_process = {"start_to_close": 60, "executor": "process"}


class Odd(Exception):
    """It cannot be pickled, cannot say what it is, and is its own cause."""

    def __init__(self, one, two):
        self.kept = lambda: (one, two)
        self.__cause__ = self

    def __str__(self):
        raise RuntimeError("no words")


@pyflow.activity(**in_a_process)
def pid(_):
    return os.getpid()


@pyflow.activity(**in_a_process)
def tells(_):
    task = activity.current()
    return [task.activity_id, task.attempt, task.attempt_in_worker, task.workflow_id, task.run_id, task.last_details]


@pyflow.activity(**in_a_process)
def ends(how):
    """End the process: by an exit code, or a signal's name; ``fault`` reads from nowhere."""
    if how == "fault":
        ctypes.string_at(0)
    if isinstance(how, int):
        os._exit(how)
    os.kill(os.getpid(), getattr(signal, how))
    time.sleep(60)


@pyflow.activity(**in_a_process)
def raises(what):
    if what == "odd":
        raise Odd(1, 2)
    if what == "exit":
        sys.exit(3)
    raise ValueError(what)


@pyflow.activity(start_to_close=60, heartbeat=1, executor="process")
def hangs(file):
    """Start a program, say which, and never end."""
    program = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Path(file).write_text(f"{os.getpid()} {program.pid}")
    while True:
        time.sleep(1)


@pyflow.activity(start_to_close=60, heartbeat=1, executor="process")
def beats(_):
    """Beat until told to stop; what it is told is the answer."""
    task = activity.current()
    count = 0
    while True:
        count += 1
        task.heartbeat({"beat": count})
        time.sleep(0.01)


@pyflow.activity(**in_a_process)
def leaves(_):
    activity.current().heartbeat("left")
    activity.current().complete_later()


@pyflow.activity(**in_a_process, retry_in_worker=RetryPolicy(initial=0, max_attempts=3))
def dies_twice(_):
    attempt = activity.current().attempt_in_worker
    if attempt < 3:
        os._exit(attempt)
    return attempt


@pyflow.activity(**in_a_process)
def ignores_sigterm_itself(_):
    """Programs that a body starts end by SIGTERM as they always do."""
    program = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    program.terminate()
    return program.wait(30)


@pyflow.activity(**in_a_process)
def forks_and_dies(file):
    """Leave a fork behind that holds all that this process had open, and die."""
    child = os.fork()
    if child == 0:
        time.sleep(600)
    Path(file).write_text(str(child))
    os._exit(7)


@pyflow.activity(**in_a_process)
def repeats(text):
    activity.current().heartbeat(text[:3])
    return text * 2
