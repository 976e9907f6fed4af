"""Workflows under test: a service of their own, time that skips, and every history replayed."""

from .environment import ActivityEnvironment
from .execution import Execution, StuckException
from .exploration import Exploration, ScheduleFailedException
from .fakes import TIMES_OUT, Call, Fake, ScriptEndedException
from .flow import Flow
from .invariants import SignalLostException
from .scheduler import Move
from .schedules import WrongScheduleException
from .stage import raises, returns
from .watch import SpinningException
from .world import UnsupportedException

__all__ = [
    "TIMES_OUT",
    "ActivityEnvironment",
    "Call",
    "Execution",
    "Exploration",
    "Fake",
    "Flow",
    "Move",
    "ScheduleFailedException",
    "ScriptEndedException",
    "SignalLostException",
    "SpinningException",
    "StuckException",
    "UnsupportedException",
    "WrongScheduleException",
    "raises",
    "returns",
]
