"""
A guard for determinism, keyed to the fiber: no sandbox, no import of anything again.

Code that runs in a workflow's fiber is told apart from everything else in the process by one look at the current greenlet.
What it reaches through the modules ``time``, ``random``, ``uuid`` and ``os`` passes through ``shims``; files, sockets and
processes are seen by ``audit``; what no shim can reach is looked for in the code itself, by ``inspection``, at registration;
what is held across a wait, by ``blocks``. Each asks ``watch`` what to do about it.
"""

from typing import get_args

from .audit import install as _install_audit_hook
from .blocks import look_at_blocks
from .inspection import findings_in, inspect
from .shims import install as _install_shims
from .shims import uninstall
from .watch import Finding, Guard, Mode, report

__all__ = ["Finding", "Guard", "Mode", "findings_in", "inspect", "install", "look_at_blocks", "report", "uninstall"]


def install(mode: Mode) -> None:
    """
    Put the shims on the modules and the audit hook on the process, unless the mode is off; once is enough.

    Raises:
        ValueError: there is no such mode.
    """
    if mode not in get_args(Mode):
        raise ValueError(f"guard is one of {', '.join(map(repr, get_args(Mode)))}, not {mode!r}")
    if mode != "off":
        _install_shims()
        _install_audit_hook()
