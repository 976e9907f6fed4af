import signal
import threading
import time

import pytest

from pyflow.cli.stopping import first_of, stop_requests


@pytest.fixture(autouse=True)
def handlers():
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_signal_that_does_not_end_the_wait_is_heard_soon():
    """As it is with one that comes in the moment before the wait begins: here another thread gets it."""
    requests, heard = stop_requests(), threading.Event()

    def raise_here():
        time.sleep(0.05)
        signal.raise_signal(signal.SIGTERM)
        if not heard.wait(30):
            requests.put("the signal was overlooked")

    raising = threading.Thread(target=raise_here)
    raising.start()

    assert first_of(requests) is None
    heard.set()
    raising.join()
