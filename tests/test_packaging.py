"""The wheel: what is in it, and that it works where nothing else of this repository is."""

import os
import site
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


def run(folder: Path, *command: str, **environment: str) -> str:
    kept = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    done = subprocess.run(
        command, cwd=folder, env=kept | environment, check=True, capture_output=True, text=True, timeout=300
    )
    return done.stdout


def test_the_wheel_holds_all_of_the_package_and_nothing_else(wheel):
    source = {
        str(path.relative_to(ROOT / "src"))
        for path in (ROOT / "src").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}

    assert inside == source
    assert "pyflow/py.typed" in inside


def test_the_command_and_the_module_say_their_version(wheel, tmp_path):
    venv.create(tmp_path / "venv", with_pip=False)
    python = str(tmp_path / "venv/bin/python")
    install = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        str(wheel),
    ]
    run(tmp_path, *install)
    # the dependencies are borrowed from here; a folder on PYTHONPATH brings no .pth, so our own source is not among them
    dependencies = os.pathsep.join(site.getsitepackages())

    told = run(tmp_path, str(tmp_path / "venv/bin/pyflow"), "--version", PYTHONPATH=dependencies)
    where = run(tmp_path, python, "-c", "import pyflow; print(pyflow.__file__)", PYTHONPATH=dependencies)

    assert told.startswith("pyflow, version 3.")
    assert where.startswith(str(tmp_path))
    assert told == run(tmp_path, python, "-m", "pyflow", "--version", PYTHONPATH=dependencies)


@pytest.mark.proof
def test_the_wheel_brings_what_it_needs_into_an_empty_environment(wheel, tmp_path):
    venv.create(tmp_path / "venv", with_pip=True)
    run(tmp_path, str(tmp_path / "venv/bin/pip"), "install", "--quiet", str(wheel))
    command = str(tmp_path / "venv/bin/pyflow")
    order = '{"id": "o-1", "customer": "Ada", "items": ["tea"]}'

    assert run(tmp_path, command, "--version").startswith("pyflow, version 3.")
    assert "Ada paid 7" in run(tmp_path, command, "run", f"{ROOT / 'examples/order.py'}:Order", "--input", order)
