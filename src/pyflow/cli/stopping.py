"""How a command is told to end, and how it ends."""

import logging
import os
import signal
import sys
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Final, NoReturn

SIGNALS_S: Final = 0.5
"""How long a signal may be overlooked."""


def stop_requests() -> "SimpleQueue[str | None]":
    """
    Take SIGTERM and SIGINT as requests to stop; a second one ends the process at once, with status 1.

    Returns:
        A queue with None for the signal; a thread that breaks may put its reason there too.
    """
    # SimpleQueue, because its put may interrupt its own get: a handler runs in the thread that waits, between any two steps.
    requests: SimpleQueue[str | None] = SimpleQueue()
    seen: list[int] = []

    def ask(number: int, _frame: FrameType | None) -> None:
        seen.append(number)
        if len(seen) > 1:
            os._exit(1)
        requests.put(None)

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, ask)
    return requests


def first_of(requests: "SimpleQueue[str | None]") -> str | None:
    """
    Wait for the first request.

    A signal that comes after Python's last look for one and before its wait has begun ends no wait, and neither does one that
    the kernel gives to another thread. Their handler runs between two waits; so no wait is long.
    """
    while True:
        try:
            return requests.get(timeout=SIGNALS_S)
        except Empty:
            continue


def leave(status: int) -> NoReturn:
    """
    End the process now, whatever its threads do.

    A poll that is left hanging must not be given a task while Python tidies up, and Python would wait for a body that
    nobody waits for any more.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
