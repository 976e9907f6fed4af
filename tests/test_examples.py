"""Each example runs alone, as its first lines say, and prints its result."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        (
            "failures.py",
            """PaymentError: cannot be charged\n["KeyError: 'Ada'", 'PaymentError: cannot be charged']\nnot paid, after 300 seconds\n""",
        ),
        ("heartbeat.py", "['3 files, attempt 2 began after 2', 'yes, says Ada']\n"),
        ("starting.py", "True True\nbook, paid by Ada\nCOMPLETED\n"),
    ],
)
def test_example_prints(name, printed):
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / name)], capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.returncode) == (printed, 0), done.stderr
    assert len((EXAMPLES / name).read_text().splitlines()) <= 80
