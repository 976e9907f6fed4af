"""A process forked from one that decides: nothing of the parent's is used there."""

import os
import threading
import traceback

import pytest

import pyflow
from crews import WAIT_S, kinds, site, wait_for
from histories import task

FIRST = """
    1 WorkflowExecutionStarted input=5
    2 DecisionTaskScheduled
    3 DecisionTaskStarted scheduledEventId=2
"""
ended_in = []


class Waits(pyflow.Workflow):
    NAME = "W"

    def run(self, _):
        try:
            return self.swf.receive("go")
        finally:
            ended_in.append(os.getpid())


def in_child(check) -> None:
    """Run a check in a forked child, and fail with its traceback if it fails."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            check()
            os.write(writing, b"ok")
        except BaseException:
            os.write(writing, traceback.format_exc().encode()[-4000:])
        finally:
            os._exit(0)
    os.close(writing)
    told = b""
    while more := os.read(reading, 4096):
        told += more
    os.close(reading)
    os.waitpid(child, 0)
    assert told == b"ok", told.decode()


def refuses(decider) -> None:
    for use in (
        lambda: decider.process_decision_task(task(FIRST)),
        lambda: decider.poll_for_decision_tasks(max_time=1),
        decider.ensure_workflows_registered,
        decider.forget,
    ):
        with pytest.raises(pyflow.PyflowException, match="before the process was forked"):
            use()
    assert ended_in == [], "the parent's fibers are not ended here"


@pytest.mark.filterwarnings(
    "ignore:This process:DeprecationWarning"
)  # Python 3.12: it is multi-threaded, and means to be
class TestFork:
    @pytest.fixture(autouse=True)
    def nothing_ended(self):
        ended_in.clear()

    def test_a_decider_made_before_the_fork_refuses_the_child(self):
        decider = pyflow.Decider([Waits], "d", "tl", "me", client=object())
        decider.process_decision_task(task(FIRST))
        in_child(lambda: refuses(decider))
        decider.forget()
        assert ended_in == [os.getpid()]

    def test_one_made_in_the_child_works_there(self):
        def check():
            decider = pyflow.Decider([Waits], "d", "tl", "me", client=object())
            assert decider.process_decision_task(task(FIRST)).decisions == []

        in_child(check)

    def test_a_fork_while_threads_decide_leaves_the_parent_s_at_work(self):
        with site() as here:
            decider = here.decider(Waits)
            execution = here.start(Waits)
            wait_for(lambda: "DecisionTaskCompleted" in kinds(execution.history()), "first decision")
            in_child(lambda: refuses(decider))
            execution.signal("go", 7)
            assert execution.result(WAIT_S) == 7

    @pytest.mark.parametrize("where", ["workflow", "activity"])
    def test_a_fork_from_inside_of_code(self, where):
        done = []

        def fork():
            in_child(lambda: refuses(deciders[0]))
            done.append(threading.get_ident())
            return 1

        @pyflow.activity("fork", "1.0", start_to_close=60)
        def forks():
            return fork()

        class Forks(pyflow.Workflow):
            NAME = "Forks"

            def run(self, _):
                return fork() if where == "workflow" else forks()

        with site() as here:
            deciders = [here.decider(Forks)]
            here.worker(forks)
            assert here.start(Forks).result(WAIT_S) == 1
        assert len(done) == 1
