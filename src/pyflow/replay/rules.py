"""The number of the replay rules, and where a response says it (contract 0)."""

from typing import Any, Final

from pyflow.exceptions import DeciderException

RULES: Final = 1
"""The number of the replay rules that this code writes."""

_PREFIX: Final = "pyflow rules "
_FIRST_LINE: Final = f"{_PREFIX}{RULES}"


def execution_context(text: str = "") -> str:
    """Return the execution context of a response: the rules number first, then what is for people."""
    return f"{_FIRST_LINE}\n{text}" if text else _FIRST_LINE


def names_rules(completed: dict[str, Any]) -> bool:
    """Tell from the attributes of a DecisionTaskCompleted whether its response named its rules; 2.0.0's did not."""
    context: str | None = completed.get("executionContext")
    return context is not None and context.startswith(_PREFIX)


def rules_of(completed: dict[str, Any]) -> int:
    """
    Return the number that a run's first DecisionTaskCompleted names; none is rules 1.

    Raises:
        DeciderException: this pyflow does not know it.
    """
    if not names_rules(completed):
        return RULES
    number = completed["executionContext"][len(_PREFIX) :].split("\n", 1)[0].strip()
    if number != str(RULES):
        raise DeciderException(
            f"this run is decided by replay rules {number}; this pyflow knows rules {RULES}. "
            f"Let a worker with the pyflow that started the run decide it."
        )
    return RULES
