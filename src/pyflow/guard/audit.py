"""
Files, sockets, processes and threads, as Python's audit events tell of them.

An audit hook stays for the life of the process, and each event of any thread passes it: for nearly all of them it is one look
into a dictionary.

Source: Python Library Reference, Audit events table; PEP 578.
"""

import os
import sys
import threading
from typing import Any, Final

from pyflow._fiber import Fiber, getcurrent

from .places import comes_with_python, is_exempt
from .shims import THREAD
from .watch import Hazard, guard_in

FILE: Final = Hazard("work on files", "read and write files in an activity, or what is small in self.swf.invoke_once()")
SOCKET: Final = Hazard("a call over the network", "call other systems from an activity or a Lambda function")
PROCESS: Final = Hazard("starting a process", "start processes in an activity")
DATABASE: Final = Hazard("work on a database", "ask databases from an activity")
TERMINAL: Final = Hazard("input from the terminal", "send the workflow a signal: self.swf.receive()")
FOLDER: Final = Hazard("changing the current folder", "it changes for the whole process: do it in an activity")
ENVIRONMENT: Final = Hazard("changing os.environ", "it changes for the whole process: hand values on as arguments")

HAZARDS: Final = {
    **dict.fromkeys(
        "open os.listdir os.scandir os.mkdir os.rmdir os.remove os.rename os.link os.symlink os.truncate os.chmod os.chown "
        "os.utime tempfile.mkstemp tempfile.mkdtemp mmap.__new__".split(),
        FILE,
    ),
    **dict.fromkeys(
        "socket.__new__ socket.connect socket.bind socket.sendto socket.getaddrinfo socket.gethostbyname "
        "socket.gethostbyaddr".split(),
        SOCKET,
    ),
    **dict.fromkeys(
        "subprocess.Popen os.system os.exec os.fork os.forkpty os.posix_spawn os.spawn os.startfile".split(), PROCESS
    ),
    **dict.fromkeys(["_thread.start_new_thread", "_thread.start_joinable_thread"], THREAD),
    "sqlite3.connect": DATABASE,
    "builtins.input": TERMINAL,
    "os.chdir": FOLDER,
    **dict.fromkeys(["os.putenv", "os.unsetenv"], ENVIRONMENT),
}

_WRITES: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_is_installed = False
_lock = threading.Lock()


def install() -> None:
    """Add the hook; once is enough, and again does nothing. It cannot be taken out again."""
    global _is_installed  # noqa: PLW0603 - as the hook itself, it is the process's
    with _lock:
        if not _is_installed:
            _is_installed = True
            sys.addaudithook(_hook)


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if event in HAZARDS:
        fiber = getcurrent()
        if type(fiber) is Fiber:
            _look_at(fiber, event, args)


def _look_at(fiber: Fiber, event: str, args: tuple[Any, ...]) -> None:
    guard = guard_in(fiber)
    if guard is None or (event == "open" and _is_harmless(*args)):
        return
    frame = sys._getframe(2)  # noqa: SLF001 - CPython's own name for it
    if not is_exempt(frame):
        guard.met(HAZARDS[event], frame)


def _is_harmless(path: Any, mode: Any, flags: int) -> bool:
    """A descriptor was opened elsewhere; what comes with Python is read like an import."""
    return not isinstance(path, str) or path == os.devnull or (not flags & _WRITES and comes_with_python(path))
