"""Each example runs alone with nothing set up, and under the fixture, and gives the same."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
RESULTS = {
    "recorded_values": [
        "for signal 'collected'",
        {"winner is one of them": True, "seconds": 5400.0, "tickets": 2, "looked up": 2},
    ],
    "signals": {"paid": "paid 42", "reminders": 2},
    "cancellation": {
        "confirmed": ["flight booked", "hotel booked", "off we go"],
        "canceled": ["CANCELED", "flight booked", "hotel booked", "hotel taken back", "flight taken back"],
        "forgotten": ["CANCELED", "flight booked", "hotel booked", "hotel taken back", "flight taken back"],
    },
    "concurrency": {
        "lengths": [3, 5, 6],
        "quickest": [10, 20],
        "log": ["fast 1", "fast 2", "slow 1", "slow 2"],
        "finished": ["fast", "slow"],
    },
    "retries": [
        {"page": "page of gopher://here", "seconds": 26, "other": "ConnectionError"},
        {"page": "ValueError", "seconds": 0, "other": "ConnectionError"},
    ],
    "children": {"painted": ["hall blue", "kitchen white"], "again": "hall white"},
    "continue_as_new": {"total": 36, "runs": 3},
    "patches": ["rye", "wheat, sliced"],
    "determinism": {
        "lottery": {"waited an hour": True, "tickets": 3, "won": True, "seal": 8},
        "secret": "determinism.py:44 in Careless.run: a draw of secrets or random.SystemRandom",
        "file": "determinism.py:46 in Careless.run: work on files",
        "sleep": "determinism.py:47 in Careless.run: time.sleep()",
    },
    "logging_workflow": [
        "order-7 - begun",
        "order-7 activity1 charging 5",
        "order-7 activity1.2 charging 5",
        "order-7 - paid, an hour later",
    ],
    "fan_out": {"result": 443061850, "scheduled": 1100, "refused": 0},
    "executors": {"digest": "010cd1ed", "hosts": ["a is up", "b is up"]},
}


@pytest.mark.parametrize("name", RESULTS)
def test_it_runs_alone(name):
    done = subprocess.run(
        [sys.executable, EXAMPLES / f"{name}.py"], capture_output=True, text=True, timeout=60, check=True, cwd="/"
    )
    assert json.loads(done.stdout) == RESULTS[name]


@pytest.mark.parametrize("name", RESULTS)
def test_it_runs_under_the_fixture_and_its_histories_replay(name, flow, monkeypatch):
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    assert module.demonstrate(flow) == RESULTS[name]


@pytest.mark.parametrize("name", RESULTS)
def test_it_is_short_and_says_how_it_runs_and_what_changes_on_aws(name):
    text = (EXAMPLES / f"{name}.py").read_text()
    assert len(text.splitlines()) <= 80
    assert f"    python examples/{name}.py\n" in text
    assert text.splitlines()[-1].startswith("# On AWS: ")


def test_tests_of_an_example_pass_in_a_session_of_their_own():
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(EXAMPLES / "test_order.py")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=EXAMPLES)
    assert done.returncode == 0, done.stdout
    assert len((EXAMPLES / "test_order.py").read_text().splitlines()) <= 80


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        (
            "failures.py",
            """PaymentError: cannot be charged\n["KeyError: 'Ada'", 'PaymentError: cannot be charged']\nnot paid, after 300 seconds\n""",
        ),
        (
            "explore.py",
            """{"the race": ["decide", "cancel is requested", "activity1 (charge) is worked on", "charge gives 'paid 5'", "decide"], "mended": true}\n""",
        ),
        ("heartbeat.py", "['3 files, attempt 2 began after 2', 'yes, says Ada']\n"),
        (
            "payloads.py",
            """38.90 for book and more, due 14 February\n{"number": 7, "placed": "2026-01-31T09:30:00+00:00", "lines": [{"what": "book", "price": "42.00"}, {"what": "pen", "price": "1.10"}]}\n""",
        ),
        (
            "big_payloads.py",
            "[150000, 100002]\nin history: pyflow.payload/1\n1 object in the store, compressed to less than 1 MB: True\n",
        ),
        ("deciders.py", '{"order": ["book", "lamp"], "decided by": ["first", "second"]}\n'),
        ("starting.py", "True True\nbook, paid by Ada\nCOMPLETED\n"),
    ],
)
def test_example_prints(name, printed):
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / name)], capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.returncode) == (printed, 0), done.stderr
    assert len((EXAMPLES / name).read_text().splitlines()) <= 80
