"""
Bodies that are ``async def``: all on one asyncio loop, which has a thread of its own.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from threading import Thread
from typing import Any, Final

from .bodies import Outcome, perform_async
from .performance import Performance

logger = logging.getLogger(__name__)

CLOSE_S: Final = 5.0
"""How long a loop is waited for at its end; longer only a body that blocks it."""


class Loop:
    """The asyncio loop of a worker; ``start`` it, and ``close`` it."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._run, name="pyflow-asyncio", daemon=True)
        self._under_way: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begin to run bodies."""
        self._thread.start()

    def begin(self, performance: Performance, wait_s: float, then: Callable[[Outcome], None]) -> None:
        """
        Run a body; what it waits for is canceled as soon as it should stop.

        Args:
            performance: the task.
            wait_s: seconds before it begins.
            then: called on the loop with the outcome; it may not block.
        """
        self._loop.call_soon_threadsafe(self._begin, performance, self._whole(performance, wait_s, then))

    def close(self) -> None:
        """Cancel what is left and end the thread, unless a body blocks it."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CLOSE_S)
        if self._thread.is_alive():
            logger.error("a body blocks the asyncio loop: it runs on")

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
            for task in self._under_way:
                task.cancel()
            if self._under_way:
                self._loop.run_until_complete(asyncio.wait(self._under_way, timeout=CLOSE_S / 2))
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        finally:
            self._loop.close()

    def _begin(self, performance: Performance, body: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(body, name=str(performance))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        performance.on_stop(lambda: self._cancel(task))

    def _cancel(self, task: asyncio.Task[None]) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(task.cancel)

    async def _whole(self, performance: Performance, wait_s: float, then: Callable[[Outcome], None]) -> None:
        pause_s: float | None = wait_s
        outcome = Outcome("CANCELED", "it had not begun")
        try:
            while pause_s is not None:
                await asyncio.sleep(pause_s)
                outcome = await _body(performance)
                pause_s = performance.pause_s(outcome)
        except asyncio.CancelledError:  # in a pause; what the body makes of it is an outcome
            pass
        then(outcome)


async def _body(performance: Performance) -> Outcome:
    return await perform_async(
        performance.activity, performance.task, performance.input, performance.converter, performance.surround
    )


def run_alone(performance: Performance) -> Outcome:
    """Run a body on a loop of its own, in a thread of its own, so that the caller may be in a loop; for tests."""
    outcomes: list[Outcome] = []

    def run() -> None:
        outcomes.append(asyncio.run(_body(performance)))

    thread = Thread(target=run, name="pyflow-asyncio")
    thread.start()
    thread.join()
    return outcomes[0]
