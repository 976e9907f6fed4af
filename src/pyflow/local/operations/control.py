"""What the local service can do beside SWF: move its clock. Called as ``X-Amz-Target: PyflowLocal.AdvanceClock``."""

from typing import Any

from pyflow.local import faults
from pyflow.local.calls import Context
from pyflow.local.clock import VirtualClock
from pyflow.local.engine import Engine


def advance_clock(engine: Engine, request: dict[str, Any], _: Context) -> dict[str, Any]:
    """
    Let ``seconds`` pass (none, to ask for the time); what is due then is done when this answers.

    Returns:
        ``now``, in seconds since the epoch.
    """
    seconds = request.get("seconds", 0)
    if type(seconds) not in (int, float) or not 0 <= seconds < 1e11:
        raise faults.invalid("seconds must be a number, not negative")
    clock = engine.clock
    if isinstance(clock, VirtualClock):
        clock.advance(seconds)
    elif seconds:
        raise faults.invalid("this service keeps the system's time; start it with a virtual clock to move it")
    return {"now": clock.now_ms() / 1000}
