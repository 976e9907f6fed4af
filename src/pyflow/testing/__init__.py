"""Workflows under test: a service of their own, time that skips, and every history replayed."""

from .environment import ActivityEnvironment
from .execution import Execution, StuckException
from .fakes import TIMES_OUT, Call, Fake, ScriptEndedException
from .flow import Flow, Move, SpinningException

__all__ = [
    "TIMES_OUT",
    "ActivityEnvironment",
    "Call",
    "Execution",
    "Fake",
    "Flow",
    "Move",
    "ScriptEndedException",
    "SpinningException",
    "StuckException",
]
