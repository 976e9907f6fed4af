"""An owner's thread: what is sent to stop the code of one job stops nothing else, and costs nobody else anything."""

import subprocess
import sys
import threading
from types import SimpleNamespace

from crews import wait_for
from pyflow.frames import frame_of
from pyflow.worker.owners import CodeInterrupted, Job, Owner, _raise_in


def job(work):
    done = threading.Event()
    made = Job(lambda: "a job", work, lambda _: done.set())
    return made, done


def test_an_interrupt_that_comes_as_the_code_ends_reaches_no_later_job():
    """The thread waits at the gate to end the job while the interrupt is sent by whoever holds it."""
    owner = Owner(SimpleNamespace(close=lambda: None))
    owner.start()
    begun, go_on = threading.Event(), threading.Event()
    first, first_done = job(lambda _: (begun.set(), go_on.wait(30)) and "one")
    owner.put(first)
    assert begun.wait(30)
    with owner.gate:
        go_on.set()
        wait_for(lambda: frame_of(owner.ident).f_code.co_name == "_end", "end of the job")
        owner.stop_reason = "it was late"
        _raise_in(owner.ident, CodeInterrupted)
    assert first_done.wait(30)
    assert first.outcome() == "one"
    second, second_done = job(lambda _: sum(number for number in range(10_000)))
    owner.put(second)
    assert second_done.wait(30)
    assert second.outcome() == sum(range(10_000))
    owner.finish()
    owner.join(30)
    assert not owner.is_alive()


PROFILED = """
import threading
threading.setprofile(lambda frame, event, arg: None)

import pyflow
from pyflow.local import LocalSWF

@pyflow.activity("double", start_to_close=30)
def double(number):
    return 2 * number

class Doubles(pyflow.Workflow):
    NAME, VERSION = "Doubles", "1.0"

    def run(self, number):
        return double(number)

with LocalSWF() as swf:
    client = swf.direct()
    client.register_domain(name="d", workflowExecutionRetentionPeriodInDays="1")
    decider = pyflow.Decider([Doubles], "d", "l", "me", client)
    worker = pyflow.ActivityWorker([double], "d", "l", "me", client)
    decider.ensure_workflows_registered()
    worker.ensure_activities_registered()
    threads = [threading.Thread(target=work) for work in (decider.poll_for_decision_tasks, worker.run)]
    for thread in threads:
        thread.start()
    started = [pyflow.start_workflow("d", "Doubles", "1.0", "l", input=n, client=client) for n in range(20)]
    print([each.handle.result(60) for each in started])
    decider.stop()
    worker.stop()
    for thread in threads:
        thread.join()
"""


def test_workers_get_on_under_a_profiler():
    """An interrupt that is taken back leaves Python 3.11 with threads that, if they are profiled, do nothing but look for it."""
    ran = subprocess.run([sys.executable, "-c", PROFILED], capture_output=True, text=True, timeout=100, check=False)
    assert ran.stdout.split("\n")[0] == str([2 * n for n in range(20)]), ran.stderr
