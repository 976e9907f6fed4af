"""Where another thread stands."""

import gc
import sys
import threading
from types import FrameType

_looking = threading.Lock()


def frame_of(thread_id: int | None) -> FrameType | None:
    """
    Return the innermost frame of a thread; None where there is no such thread.

    Args:
        thread_id: as ``threading.get_ident`` gives it.

    Source:
        CPython, ``sys._current_frames``. Until 3.12 a garbage collection may begin within it while it holds the interpreter's
        list of threads; if that finds a ``threading.local`` to let go of, which needs the list as well, the process stands still
        for good.
    """
    with _looking:
        collects = gc.isenabled()
        gc.disable()
        try:
            return sys._current_frames().get(thread_id or 0)  # noqa: SLF001 - CPython's only way to another thread's stack
        finally:
            if collects:
                gc.enable()
