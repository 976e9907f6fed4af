"""What a kept run takes in memory, beside a greenlet that is parked and nothing else; each in a process of its own."""

import gc
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from greenlet import getcurrent, greenlet

import pyflow
from benchmarks.histories import decision_task
from benchmarks.rows import OURS, Goal, Row
from benchmarks.workflows import Steps

__all__ = ["measure"]

KEPT = 10_000
BARE = "a bare parked greenlet"
LIMIT = "what is allowed"


def measure(*, small: bool = False) -> list[Row]:
    """Keep runs that wait for their first activity, and as many bare greenlets; the figures are of the whole process's pages."""
    count = 200 if small else KEPT
    sizes = {name: _measured_elsewhere(name, count) for name in ("runs", "greenlets")}
    each = {OURS: sizes["runs"] / count / 1e3, BARE: sizes["greenlets"] / count / 1e3, LIMIT: 25.0}
    limit = Goal(LIMIT, 1, most=True)
    return [
        Row("a kept run", "KB", each, goals=(limit,)),
        Row(f"{count:,} kept runs", "MB", {OURS: sizes["runs"] / 1e6, LIMIT: 350.0}, goals=(limit,)),
    ]


def _measured_elsewhere(name: str, count: int) -> int:
    """Return by how many bytes a fresh process grows."""
    root = Path(__file__).parent.parent
    command = [sys.executable, "-m", "benchmarks.memory", name, str(count)]
    said = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout
    grown: int = json.loads(said)
    return grown


def _keep_runs(count: int) -> Any:
    decider = pyflow.Decider([Steps], "domain", "list", "benchmark", client=object(), runs_kept=count)
    for number in range(count):
        task = decision_task(0, of=10)
        task["workflowExecution"] = {"workflowId": f"steps-{number}", "runId": f"run-{number}"}
        assert decider.process_decision_task(task).decisions
    return decider


def _park_greenlets(count: int) -> Any:
    hub = getcurrent()

    def wait() -> None:
        hub.switch()

    parked = [greenlet(wait) for _ in range(count)]
    for one in parked:
        one.switch()
    return parked


def _grown(keep: Callable[[int], Any], count: int) -> int:
    """Return by how many bytes the process grows when it keeps so many; what the first of them brings along is not counted."""
    first = keep(10)
    gc.collect()
    before = _resident()
    kept = keep(count)
    gc.collect()
    grown = _resident() - before
    assert first is not kept
    return grown


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4_096


if __name__ == "__main__":
    print(json.dumps(_grown({"runs": _keep_runs, "greenlets": _park_greenlets}[sys.argv[1]], int(sys.argv[2]))))
