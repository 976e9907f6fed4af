"""
The functions of ``time``, ``random``, ``uuid`` and ``os`` that give another value each time.

Each is put back behind a function of ours, on its module, so that whoever looks it up there comes through here. Outside of a
workflow's fiber that costs one look at the current greenlet; the real function answers. Ours are bound methods, as some of the
real ones are: kept as an attribute of a class, neither kind takes the instance as an argument.
"""

import atexit
import importlib
import os
import random
import sys
import threading
import time
import uuid
from collections.abc import Callable
from types import MethodType, ModuleType
from typing import Any, Final

from pyflow._fiber import Fiber, getcurrent

from .places import is_exempt
from .watch import Guard, Hazard, guard_in

IN_STRICT: Final = 'or run it with guard="strict", where it gives a value that replays'

CLOCKS: Final[dict[str, Callable[[float], Any]]] = {
    "time": lambda seconds: seconds,
    "time_ns": lambda seconds: round(seconds * 1_000) * 1_000_000,  # SWF counts milliseconds
    "monotonic": lambda seconds: seconds,
    "monotonic_ns": lambda seconds: round(seconds * 1_000) * 1_000_000,
    "perf_counter": lambda seconds: seconds,
    "perf_counter_ns": lambda seconds: round(seconds * 1_000) * 1_000_000,
    "process_time": lambda seconds: seconds,
    "process_time_ns": lambda seconds: round(seconds * 1_000) * 1_000_000,
    "thread_time": lambda seconds: seconds,
    "thread_time_ns": lambda seconds: round(seconds * 1_000) * 1_000_000,
}
"""Functions of ``time`` without arguments, and what each makes of the workflow's time."""

OF_NOW: Final = {"gmtime": 0, "localtime": 0, "ctime": 0, "asctime": 0, "strftime": 1}
"""Functions of ``time`` that mean now if the argument at this position is left out."""

SLEEP: Final = Hazard("time.sleep()", "it holds up every run of this thread: use self.swf.sleep()")
THREAD: Final = Hazard(
    "starting a thread", "use self.swf.spawn() for code beside this one, and an activity for work that takes long"
)
ENTROPY: Final = Hazard("os.urandom()", "use self.swf.random.randbytes(), or make a secret in an activity")
SECRET: Final = Hazard(
    "a draw of secrets or random.SystemRandom",
    "make the secret in an activity or in self.swf.invoke_once(); for what is no secret there is self.swf.random",
)
NO_UUID: Final = "use self.swf.uuid4()"

ORIGINALS: Final[dict[int, tuple[Any, Hazard]]] = {}
"""The real functions, by their ``id``, each with what is wrong with it: a name that was imported early leads to one of these."""

_installed: list[tuple[Any, str, Any, Any]] = []
_lock = threading.Lock()


class Shim:
    """What the functions put on a module are bound to; pickled, they are the module's."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module.__name__

    def __reduce__(self) -> tuple[Any, ...]:
        return importlib.import_module, (self._module,)


def install() -> None:
    """Put the shims on the modules; once is enough, and again does nothing."""
    with _lock:
        if _installed:
            return
        for name, of_seconds in CLOCKS.items():
            if hasattr(time, name):
                _put(time, name, _clock(getattr(time, name), of_seconds, _hazard_of_time(name)), _hazard_of_time(name))
        for name, position in OF_NOW.items():
            hazard = _hazard_of_time(name)
            _put(time, name, _of_now(getattr(time, name), name, position, hazard), hazard)
        for name, real in list(vars(random).items()):
            if not name.startswith("_") and getattr(real, "__self__", None) is random._inst:  # noqa: SLF001 - what its functions are bound to
                hazard = Hazard(f"random.{name}()", f"use self.swf.random.{name}(), {IN_STRICT}")
                _put(random, name, _draw(real, name, hazard), hazard)
        for name in ("uuid1", "uuid6", "uuid7", "getnode"):
            if hasattr(uuid, name):
                hazard = Hazard(f"uuid.{name}()", NO_UUID)
                _put(uuid, name, _hazardous(getattr(uuid, name), hazard), hazard)
        _put(os, "urandom", _entropy(os.urandom), ENTROPY)
        if hasattr(os, "getrandom"):
            _put(os, "getrandom", _hazardous(os.getrandom, ENTROPY), ENTROPY)
        _put(random, "_urandom", _hazardous(random._urandom, SECRET), ENTROPY)  # type: ignore[attr-defined] # noqa: SLF001 - where SystemRandom, and so secrets, draws
        _put(time, "sleep", _hazardous(time.sleep, SLEEP), SLEEP)
        atexit.register(_let_all_pass)
        _replace(threading.Thread, "start", _starting(threading.Thread.start))


def uninstall() -> None:
    """Put the real functions back; what somebody else has put over ours since stays."""
    with _lock:
        for module, name, ours, real in _installed:
            if vars(module).get(name) is ours:
                setattr(module, name, real)
        _installed.clear()


def _let_all_pass() -> None:
    """Look at nobody any more: greenlet does not tell who calls while the interpreter ends, and ours are still called."""
    globals()["getcurrent"] = lambda: None  # a look at a flag would cost each call of each shim


def _put(module: ModuleType, name: str, function: Callable[..., Any], hazard: Hazard) -> None:
    real = getattr(module, name)
    function.__name__ = function.__qualname__ = name
    function.__doc__ = real.__doc__
    if not isinstance(getattr(real, "__self__", None), Shim):
        ORIGINALS[id(real)] = real, hazard
    _replace(module, name, MethodType(function, Shim(module)))


def _replace(holder: Any, name: str, ours: Any) -> None:
    _installed.append((holder, name, ours, getattr(holder, name)))
    setattr(holder, name, ours)


def _hazard_of_time(name: str) -> Hazard:
    return Hazard(f"time.{name}()", f"use self.swf.now(), {IN_STRICT}")


def _clock(real: Callable[[], Any], of_seconds: Callable[[float], Any], hazard: Hazard) -> Callable[..., Any]:
    def shim(_: Shim) -> Any:
        fiber = getcurrent()
        if type(fiber) is not Fiber:
            return real()
        guard = _guard_of_caller(fiber)
        if guard is None:
            return real()
        if guard.is_strict:
            return of_seconds(guard.seconds())
        guard.met(hazard, sys._getframe(1))  # noqa: SLF001 - CPython's own name for it
        return real()

    return shim


def _of_now(real: Callable[..., Any], name: str, position: int, hazard: Hazard) -> Callable[..., Any]:
    def shim(_: Shim, *args: Any) -> Any:
        fiber = getcurrent()
        if type(fiber) is not Fiber or (len(args) > position and args[position] is not None):
            return real(*args)
        guard = _guard_of_caller(fiber)
        if guard is None:
            return real(*args)
        if guard.is_strict:
            now: Any = guard.seconds()
            return real(*args[:position], _localtime(now) if name in {"asctime", "strftime"} else now)
        guard.met(hazard, sys._getframe(1))  # noqa: SLF001 - CPython's own name for it
        return real(*args)

    return shim


_localtime = time.localtime


def _draw(real: Callable[..., Any], name: str, hazard: Hazard) -> Callable[..., Any]:
    def shim(_: Shim, *args: Any, **kwargs: Any) -> Any:
        fiber = getcurrent()
        if type(fiber) is not Fiber:
            return real(*args, **kwargs)
        guard = _guard_of_caller(fiber)
        if guard is None:
            return real(*args, **kwargs)
        if guard.is_strict:
            return getattr(guard.chance(), name)(*args, **kwargs)
        guard.met(hazard, sys._getframe(1))  # noqa: SLF001 - CPython's own name for it
        return real(*args, **kwargs)

    return shim


_UUID4: Final = Hazard("uuid.uuid4()", f"{NO_UUID}, {IN_STRICT}")


def _entropy(real: Callable[[int], bytes]) -> Callable[..., Any]:
    """``uuid4`` draws from ``os.urandom``, also where its name was imported early; it alone is given draws that replay."""

    def shim(_: Shim, size: int) -> bytes:
        fiber = getcurrent()
        if type(fiber) is not Fiber:
            return real(size)
        guard = _guard_of_caller(fiber)
        if guard is None:
            return real(size)
        frame = sys._getframe(1)  # noqa: SLF001 - CPython's own name for it
        if frame.f_globals is not vars(uuid):
            guard.met(ENTROPY, frame)
        elif guard.is_strict:
            return guard.chance().randbytes(size)
        else:
            guard.met(_UUID4, frame)
        return real(size)

    return shim


def _hazardous(real: Callable[..., Any], hazard: Hazard) -> Callable[..., Any]:
    def shim(_: Shim, *args: Any, **kwargs: Any) -> Any:
        fiber = getcurrent()
        if type(fiber) is Fiber:
            guard = _guard_of_caller(fiber)
            if guard is not None:
                guard.met(hazard, sys._getframe(1))  # noqa: SLF001 - CPython's own name for it
        return real(*args, **kwargs)

    return shim


def _starting(real: Callable[[threading.Thread], None]) -> Callable[[threading.Thread], None]:
    """Before Python 3.12 no audit event tells of threads."""

    def start(self: threading.Thread) -> None:
        fiber = getcurrent()
        if type(fiber) is Fiber:
            guard = _guard_of_caller(fiber)
            if guard is not None:
                guard.met(THREAD, sys._getframe(1))  # noqa: SLF001 - CPython's own name for it
        real(self)

    start.__doc__ = real.__doc__
    return start


def _guard_of_caller(fiber: Fiber) -> Guard | None:
    """Return the guard if the caller of a shim is a run's own code."""
    guard = guard_in(fiber)
    return None if guard is None or is_exempt(sys._getframe(2)) else guard  # noqa: SLF001 - CPython's own name for it
