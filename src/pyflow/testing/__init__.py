"""Workflows under test: a service of their own, time that skips, and every history replayed."""

from .flow import Execution, Flow

__all__ = ["Execution", "Flow"]
