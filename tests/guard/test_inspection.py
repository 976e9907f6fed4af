"""What no shim reaches is found by reading the code: those lines, and no others."""

import logging
import subprocess
import sys
from pathlib import Path

import pytest

import pyflow
from pyflow import guard
from pyflow.testing import Flow

DIRECTORY = Path(__file__).parent
CLOCKED = DIRECTORY / "clocked.py"
MARKED = sorted(
    f"{CLOCKED}:{number} {line.partition('  # ')[2]}"
    for number, line in enumerate(CLOCKED.read_text().splitlines(), 1)
    if line.partition("  # ")[2].startswith(("datetime.", "date.", "time.", "random.", "os.", "a random"))
)


@pytest.fixture
def clocked(monkeypatch):
    """Import the module while the real functions are there, as a program does before it makes a decider."""
    monkeypatch.syspath_prepend(str(DIRECTORY))
    guard.uninstall()
    import clocked

    guard.install("warn")
    yield clocked
    del sys.modules["clocked"]


def test_each_marked_line_is_found_and_no_other(clocked):
    findings = guard.findings_in(clocked.Clocked)

    of_fields = [finding for finding in findings if "Stamped.made" in finding.where]
    assert [finding.what for finding in of_fields] == ["datetime.now()"]
    assert (
        sorted(
            f"{finding.where.partition(' in ')[0]} {finding.what}" for finding in findings if finding not in of_fields
        )
        == MARKED
    )
    assert {finding.where.partition(" in ")[2] for finding in findings} >= {
        "Clocked.run",
        "Base.inherited",
        "wrapped",
        "Clerk.stamp",
    }
    assert all("use self.swf." in finding.remedy for finding in findings)


def test_strict_refuses_to_register_with_all_findings(clocked):
    flow = Flow(guard="strict")
    with pytest.raises(pyflow.GuardException) as caught:
        flow.start(clocked.Clocked)
    flow.close()

    assert len(caught.value.findings) == len(MARKED) + 1
    assert str(caught.value).count("does not belong in a workflow") == len(MARKED) + 1
    assert caught.value.where == caught.value.findings[0][1]


def test_warn_logs_them_once(clocked, caplog, monkeypatch):
    monkeypatch.setattr("pyflow.guard.watch._told", set())
    for _ in range(2):
        flow = Flow(guard="warn")
        flow.use(clocked.Clocked)
        flow.run_until_blocked()
        flow.close()

    told = [record for record in caplog.records if record.name == "pyflow.guard"]
    assert len(told) == len(MARKED) + 1
    assert {record.levelno for record in told} == {logging.WARNING}


def test_off_reads_nothing(clocked, caplog):
    flow = Flow(guard="off")
    flow.use(clocked.Clocked)
    flow.run_until_blocked()
    flow.close()
    assert caplog.records == []


def test_code_without_a_source_is_not_read():
    space = {"pyflow": pyflow}
    exec(
        "from datetime import datetime\nclass Shell(pyflow.Workflow):\n NAME='Shell'\n def run(self, _): return datetime.now()",
        space,
    )
    assert guard.findings_in(space["Shell"]) == []


def test_workflows_of_an_installed_package_are_read_and_packages_that_they_use_are_not(tmp_path):
    """In production the author's own code lies in site-packages too."""
    site = tmp_path / "site"
    (site / "company").mkdir(parents=True)
    (site / "company" / "__init__.py").write_text("")
    (site / "company" / "times.py").write_text(
        "from datetime import datetime\ndef stamp():\n    return datetime.now()\n"
    )
    (site / "company" / "orders.py").write_text(
        "import pyflow, library\nfrom .times import stamp\n"
        "class Order(pyflow.Workflow):\n    NAME = 'Order'\n    def run(self, _):\n        return stamp(), library.stamp()\n"
    )
    (site / "library.py").write_text("from datetime import datetime\ndef stamp():\n    return datetime.now()\n")
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import pyflow.guard.places as places; places._INSTALLED += (sys.argv[1],)\n"
        "from company.orders import Order; from pyflow.guard import findings_in\n"
        "print([finding.where for finding in findings_in(Order)])"
    )
    said = subprocess.run([sys.executable, "-c", code, str(site)], capture_output=True, text=True, check=True).stdout
    assert said == f"['{site / 'company' / 'times.py'}:3 in stamp']\n"
