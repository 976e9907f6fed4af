"""moto's SWF, for clients in several threads."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from moto import mock_aws
from moto.swf.responses import SWFResponse


@contextmanager
def moto_in_turn() -> Iterator[None]:
    """Let one call at a time in: moto breaks where it looks for timeouts at a task that another thread's call just starts."""
    turn, call_action = threading.Lock(), SWFResponse.call_action

    def in_turn(response: SWFResponse) -> object:
        with turn:
            return call_action(response)

    def sleep(seconds: float) -> None:
        """A poll sleeps where there is nothing, and then says so: meanwhile it is the turn of others."""
        turn.release()
        time.sleep(seconds)
        turn.acquire()

    with mock_aws(), patch.object(SWFResponse, "call_action", in_turn), patch("moto.swf.models.sleep", sleep):
        yield
