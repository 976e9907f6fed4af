"""How the parts of a worker process end."""

import threading
import time
from queue import SimpleQueue

from pyflow.cli.parts import Part, work


def test_a_task_that_a_poll_has_been_given_already_is_done_before_polls_are_left() -> None:
    """The answer to a body makes a decision task, and this process's own poll gets it while it looks idle."""
    stopped, done = threading.Event(), threading.Event()
    looks = iter([True, True])

    def run() -> None:
        stopped.wait()
        time.sleep(0.2)
        done.set()

    part = Part("decider", lambda: None, run, stopped.set, lambda: next(looks, False))
    requests: SimpleQueue[str | None] = SimpleQueue()
    requests.put(None)

    assert work([part], requests, abandon_polls=True, grace_s=60, on_stop=lambda: None) == 0
    assert done.is_set()


def test_polls_are_left_once_nothing_else_has_been_under_way_for_a_moment() -> None:
    hangs = threading.Event()
    part = Part("decider", lambda: None, lambda: hangs.wait(60) and None, lambda: None, lambda: True)
    requests: SimpleQueue[str | None] = SimpleQueue()
    requests.put(None)

    assert work([part], requests, abandon_polls=True, grace_s=60, on_stop=lambda: None) == 0
    assert not hangs.is_set()
    hangs.set()
