"""
Run benchmarks: all, or those named. Prints a line for each figure and keeps them in ``benchmarks/results.json``.

``python -m benchmarks``, ``python -m benchmarks embedded parsing``; ``make bench``, ``make bench CASE=embedded``.
"""

import json
import os
import platform
import sqlite3
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any, Final

from benchmarks import embedded, http, idle, memory, parsing, polls, replay
from benchmarks.rows import Row

__all__ = ["CASES", "RESULTS"]

RESULTS: Final = Path(__file__).with_name("results.json")
CASES: Final[dict[str, Callable[..., list[Row]]]] = {
    "replay": replay.measure_cold,
    "kept": replay.measure_warm,
    "life": replay.measure_life,
    "memory": memory.measure,
    "parsing": parsing.measure,
    "embedded": embedded.measure,
    "http": http.measure,
    "flatness": http.measure_flatness,
    "polls": polls.measure,
    "idle": idle.measure,
    "import": idle.measure_import,
}


def main(names: list[str]) -> None:
    """Run the cases named, or all of them; the results of the others stay as they were."""
    unknown = [name for name in names if name not in CASES]
    if unknown:
        sys.exit(f"no case is called {', '.join(unknown)}; there are: {', '.join(CASES)}")
    results: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {"cases": {}}
    for name in names or CASES:
        print(f"-- {name}", flush=True)
        before = perf_counter()
        rows = CASES[name]()
        for row in rows:
            print(row.line(), flush=True)
        results["cases"][name] = {
            "date": datetime.now(UTC).date().isoformat(),  # noqa: TID251 - a day for the reader, nothing replays it
            "seconds": perf_counter() - before,
            "load": os.getloadavg()[0],
            "rows": [row.as_json() for row in rows],
        }
        results["machine"] = machine()
        RESULTS.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def machine() -> dict[str, Any]:
    """Return what the reader must know of this machine."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} on {platform.machine()}",
        "cores": os.cpu_count(),
        "sqlite": sqlite3.sqlite_version,
    }


if __name__ == "__main__":
    main(sys.argv[1:])
