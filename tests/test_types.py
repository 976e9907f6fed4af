"""mypy and pyright accept the examples, and refuse wrong arguments, and nothing but them."""

import json
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
CALLS = HERE / "typed" / "calls.py"
BASED_ALONE = {"reportImplicitRelativeImport"}
"""What basedpyright adds to pyright: a test beside the file it tests imports it by its bare name, as pytest has it."""
WRONG = {number for number, line in enumerate(CALLS.read_text().splitlines(), 1) if line.endswith("# wrong")}


def pyright(*targets: Path) -> list[tuple[str, int, str]]:
    """Return file, line and text of each error."""
    this = ["--pythonpath", sys.executable]  # left to itself it looks for a .venv, and takes any python
    command = [sys.executable, "-m", "basedpyright", *this, "--outputjson", *map(str, targets)]
    found = json.loads(subprocess.run(command, cwd=HERE.parent, capture_output=True, text=True, check=False).stdout)
    assert found["summary"]["filesAnalyzed"] > 0
    return [
        (Path(each["file"]).name, each["range"]["start"]["line"] + 1, each["message"])
        for each in found["generalDiagnostics"]
        if each["severity"] == "error" and each.get("rule") not in BASED_ALONE
    ]


def test_pyright_accepts_the_examples() -> None:
    assert pyright(*(path for path in (HERE.parent / "examples").glob("*.py") if path.name != "my_workflow.py")) == []


def test_pyright_refuses_what_is_wrong_and_nothing_else() -> None:
    errors = pyright(CALLS)
    assert {line for _, line, _ in errors} == WRONG, errors


def test_mypy_refuses_what_is_wrong_and_nothing_else() -> None:
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--hide-error-context", str(CALLS)]
    checked = subprocess.run(command, cwd=HERE.parent, capture_output=True, text=True, check=False)
    lines = {int(number) for number in re.findall(r"calls\.py:(\d+): error:", checked.stdout)}
    assert lines == WRONG, checked.stdout
