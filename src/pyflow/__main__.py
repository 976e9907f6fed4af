"""``python -m pyflow`` is the ``pyflow`` command."""

import sys
from pathlib import Path

from .cli import main

if __name__ == "__main__":
    # python -m puts the current folder on the path, the pyflow command does not: files are loaded the same way by both
    if sys.path and Path(sys.path[0] or ".").resolve() == Path.cwd():
        del sys.path[0]
    main(prog_name="pyflow")
