"""What polls cost that wait for nothing, and what it costs to begin."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Final

from benchmarks.peers import PEERS, Missing, python_of
from benchmarks.rows import FLOOR, OURS, Goal, Row
from benchmarks.timing import medians
from pyflow.local import LocalSWF

__all__ = ["measure", "measure_import"]

POLLERS: Final = 200
WATCHED_S: Final = 10.0
PERCENT_MAX: Final = 1.0
LIMIT: Final = "limit"
MODULES: Final = {
    "pyflow2": "pyflow",
    "simpleflow": "simpleflow.swf.executor",
    "temporal": "temporalio.worker",
    "dbos": "dbos",
}


def measure(*, small: bool = False) -> list[Row]:
    """Return the processor time that this process takes while 200 polls wait, in threads of it and over HTTP."""
    pollers, watched_s = (5, 0.2) if small else (POLLERS, WATCHED_S)
    ways = {
        f"{pollers} idle polls through the direct client": _in_threads,
        f"{pollers} idle polls over HTTP": _over_http,
    }
    return [
        Row(
            what, "% of a core", {OURS: way(pollers, watched_s), LIMIT: PERCENT_MAX}, goals=(Goal(LIMIT, 1, most=True),)
        )
        for what, way in ways.items()
    ]


def _in_threads(pollers: int, watched_s: float) -> float:
    """Each poll is renewed every ten seconds, six times as often as it would be."""
    with LocalSWF(poll_wait_s=10.0) as swf:
        client = swf.direct()
        client.register_domain(name="domain", workflowExecutionRetentionPeriodInDays="1")

        def poll() -> None:
            while not ended:
                client.poll_for_activity_task(domain="domain", taskList={"name": "list"})

        ended: list[bool] = []
        threads = [Thread(target=poll) for _ in range(pollers)]
        for thread in threads:
            thread.start()
        percent = _watched(watched_s)
        ended.append(True)
    for thread in threads:
        thread.join()
    return percent


def _over_http(pollers: int, watched_s: float) -> float:
    body = b'{"domain":"domain","taskList":{"name":"list"}}'
    with LocalSWF() as swf, swf.serve() as server, ExitStack() as connections:
        swf.direct().register_domain(name="domain", workflowExecutionRetentionPeriodInDays="1")
        request = (
            f"POST / HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nX-Amz-Target: SimpleWorkflowService.PollForActivityTask\r\n"
            f"Content-Type: application/x-amz-json-1.0\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode("ascii")
        for _ in range(pollers):
            connection = connections.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            connection.sendall(request + body)
        return _watched(watched_s)


def _watched(watched_s: float) -> float:
    time.sleep(watched_s / 10)
    before = time.process_time()
    time.sleep(watched_s)
    return (time.process_time() - before) / watched_s * 100


def measure_import(*, small: bool = False) -> list[Row]:
    """Return how long a process takes that does nothing but import: ours, peers, boto3, and nothing."""
    missing: dict[str, str] = {}
    timed: dict[str, Callable[[], float]] = {
        OURS: partial(_starts, Path(sys.executable), "import pyflow"),
        FLOOR: partial(_starts, Path(sys.executable), "pass"),
        "boto3": partial(_starts, Path(sys.executable), "import boto3"),
    }
    for key, module in {} if small else MODULES.items():
        try:
            timed[PEERS[key]["title"]] = partial(_starts, python_of(key), f"import {module}")
        except Missing as error:
            missing[PEERS[key]["title"]] = str(error)
    figures = {who: figure * 1e3 for who, figure in medians(timed, turns=1 if small else 7).items()}
    return [Row("a process that imports it", "ms", figures, missing)]


def _starts(python: Path, code: str) -> float:
    before = time.perf_counter()
    subprocess.run([python, "-c", code], check=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - before
