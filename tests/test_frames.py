"""Where another thread stands, seen without harm."""

import subprocess
import sys
import threading

from pyflow.frames import frame_of

COLLECTING = """
import gc, sys, threading
from pyflow import frames

class Ring:
    def __init__(self):
        self.ring, self.local = self, threading.local()
        self.local.of_this_thread = 1

def all_frames(current_frames=sys._current_frames):
    for _ in range(20):
        Ring()
    return current_frames()

# What a look finds to collect is made as late as can be: where the look lets the collector run, it runs within.
sys._current_frames = all_frames
gc.set_threshold(1)
for _ in range(200):
    assert frames.frame_of(threading.get_ident()) is not None
assert gc.isenabled()
"""


def test_a_thread_stands_in_a_frame_and_nobody_in_none():
    go_on, there = threading.Event(), threading.Event()

    def stands():
        there.set()
        go_on.wait(10)

    thread = threading.Thread(target=stands)
    thread.start()
    there.wait(10)
    frame, names = frame_of(thread.ident), []
    while frame is not None:
        names.append(frame.f_code.co_name)
        frame = frame.f_back
    go_on.set()
    thread.join(10)
    assert "stands" in names
    assert frame_of(thread.ident) is None
    assert frame_of(None) is None


def test_no_collection_begins_while_the_interpreter_holds_its_list_of_threads():
    """On 3.11 it stood still for good. A process of its own, so that it can be ended."""
    subprocess.run([sys.executable, "-c", COLLECTING], check=True, timeout=60)
