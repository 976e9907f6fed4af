"""
What answers a task that cannot be decided, so that its run harms nobody and goes on by itself once it can be.
"""

from typing import Final, Literal, get_args

from pyflow.converter import REASON_MAX, cut
from pyflow.replay.parking import parking
from pyflow.replay.rules import execution_context
from pyflow.swf import decisions as swf

from .deciding import DecidedTask, Task

OnUndecidable = Literal["park", "fail", "leave"]
POLICIES: Final = get_args(OnUndecidable)

CONTEXT_MAX: Final = 1_000


def instead(task: Task, reason: str, policy: OnUndecidable, *, code_is_wrong: bool) -> DecidedTask | None:
    """
    Return what is answered instead of a decision; None: nothing, and SWF gives the task out again when it has timed out.

    Args:
        task: with its whole history, which was read sound.
        reason: why, for a person.
        policy: ``park``: a timer with growing pauses and a marker with the reason; ``fail``: the execution fails, but only
            where its code is wrong; ``leave``: nothing.
        code_is_wrong: the author's code does not fit the history; False: anything else, which is nobody's fault but ours.
    """
    if policy == "leave":
        return None
    if policy == "fail" and code_is_wrong:
        decisions = [swf.fail_workflow_execution(reason=cut("cannot be decided", REASON_MAX), details=cut(reason))]
    else:
        decisions = parking(task["events"], reason)
    return DecidedTask(task["taskToken"], decisions, execution_context(f"parked: {reason[:CONTEXT_MAX]}"))
