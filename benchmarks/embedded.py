"""Durable workflows of five activities, in one process: workflows a second, one and sixteen in flight, beside DBOS."""

import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import perf_counter

import pyflow
from benchmarks.peers import asked
from benchmarks.rows import OURS, Goal, Row
from benchmarks.timing import medians
from benchmarks.workflows import FiveSteps, add_one
from pyflow.local import LocalSWF

__all__ = ["measure"]

IN_FLIGHT = (1, 16)
GOAL = 5


def measure(*, small: bool = False) -> list[Row]:
    """Return workflows a second, with SQLite on disk and every step durable before the next one begins."""
    rows = []
    with asked() if small else asked("dbos") as peers:
        peers.try_out("five_steps", workflows=2, in_flight=1)
        for in_flight in IN_FLIGHT:
            workflows = 8 if small else (150 if in_flight == 1 else 480)
            with installation() as run:
                run(workflows=in_flight, in_flight=in_flight)
                timed: dict[str, Callable[[], float]] = {OURS: partial(_rate, run, workflows, in_flight)}
                for title, peer in peers.peers.items():
                    timed[title] = partial(_rate, partial(peer.ask, "five_steps"), workflows // 2, in_flight)
                figures = medians(timed, turns=1 if small else 3)
            goals = tuple(Goal(title, GOAL) for title in figures if title != OURS and in_flight > 1)
            rows.append(
                Row(
                    f"workflows of five durable steps, {in_flight} in flight",
                    "workflows/s",
                    figures,
                    peers.missing,
                    goals,
                    more_is_better=True,
                )
            )
    return rows


def _rate(run: Callable[..., float], workflows: int, in_flight: int) -> float:
    return workflows / run(workflows=workflows, in_flight=in_flight)


@contextmanager
def installation() -> Iterator["Installation"]:
    """A service on disk with a decider and an activity worker beside it, all in this process."""
    with tempfile.TemporaryDirectory() as folder, LocalSWF(Path(folder) / "flow.db") as swf:
        yield from Installation(swf).working()


class Installation:
    """Call it to run workflows; returns the seconds they took."""

    def __init__(self, swf: LocalSWF) -> None:
        self._client = swf.direct()
        self._swf = swf
        self._client.register_domain(name="domain", workflowExecutionRetentionPeriodInDays="1")
        self._decider = pyflow.Decider([FiveSteps], "domain", "list", "benchmark", self._client)
        self._worker = pyflow.ActivityWorker([add_one], "domain", "list", "benchmark", self._client, concurrency=16)
        self._decider.ensure_workflows_registered()
        self._worker.ensure_activities_registered()

    def working(self) -> Iterator["Installation"]:
        threads = [threading.Thread(target=work) for work in (self._decider.poll_for_decision_tasks, self._worker.run)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._decider.stop()
            self._worker.stop()
            self._swf.close()
            for thread in threads:
                thread.join()

    def __call__(self, *, workflows: int, in_flight: int) -> float:
        before = perf_counter()
        with ThreadPoolExecutor(in_flight) as starters:
            for result in starters.map(self._one, range(workflows)):
                assert result >= 5
        return perf_counter() - before

    def _one(self, number: int) -> int:
        started = pyflow.start_workflow("domain", "FiveSteps", "1.0", "list", input=number, client=self._client)
        return int(started.handle.result(60))
