"""Run every benchmark; print a line for each case, and write the figures to ``benchmarks/results.json``."""

import json
import platform
from pathlib import Path

from benchmarks.replay import measure

RESULTS = Path(__file__).with_name("results.json")


def main() -> None:
    print(f"Python {platform.python_version()} on {platform.machine()}; the floor is the least a replay in Python does")
    cases = measure()
    for name, figures in cases.items():
        print(
            f"{name:32} {figures['ms']:9.3f} ms   floor {figures['floor_ms']:8.3f} ms   "
            f"ratio {figures['ratio']:5.1f}   {figures['us_per_event']:6.2f} us an event"
        )
    RESULTS.write_text(json.dumps({"python": platform.python_version(), "cases": cases}, indent=2) + "\n")


if __name__ == "__main__":
    main()
