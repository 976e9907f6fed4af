"""How an execution closes: what ``run`` gave or raised, as the one decision that says so."""

import inspect
import logging
from collections.abc import Callable
from typing import Any

from ._fiber import FiberClosed
from .converter import DATA_MAX, REASON_MAX, DataConverter, cut
from .exceptions import GuardException, SerializationException, WorkflowCanceledException, WorkflowFailedException
from .failures import write
from .payloads.hints import hints_of
from .swf import decisions as swf
from .swf.decisions import Decision

logger = logging.getLogger("pyflow")


class ContinueAsNew(BaseException):
    """
    Leaves ``run`` to continue as new. Not an error: let it pass.

    If you see this in your own ``except`` clause: it is caught by ``except BaseException`` or a bare ``except``; write
    ``except Exception`` instead, or raise it again.
    """

    def __init__(self, decision: Decision) -> None:
        self.decision = decision
        super().__init__("this run continues as new")


def closing_decision(  # noqa: PLR0911 - one return for each way to end
    code: Callable[[Any], Any],
    workflow_type: tuple[str | None, str],
    input_text: str | None,
    converter: DataConverter,
    method: Callable[..., Any],
    *,
    is_replaying: Callable[[], bool],
) -> Decision:
    """
    Run the author's code and return the decision that its end makes.

    Args:
        code: called with the decoded input.
        workflow_type: for messages.
        input_text: the execution's input.
        converter: reads the input and writes the result.
        method: the author's ``run``; its type hints say what the input is.
        is_replaying: asked when it ends; then nothing is logged of a failure, for it was logged when it happened.

    Raises:
        KeyboardInterrupt, MemoryError, FiberClosed, GuardException: not the workflow's end, but the process's or the task's.
        PayloadException: the input cannot be opened here; somebody else may.
    """
    try:
        workflow_input = _input(converter, input_text, method)
    except ValueError as error:
        problem = error if isinstance(error, SerializationException) else f"The input is not JSON: {error}"
        return swf.fail_workflow_execution(reason="Invalid input to workflow", details=cut(str(problem)))
    try:
        result = code(workflow_input)
    except ContinueAsNew as following:
        return following.decision
    except WorkflowFailedException as failure:
        if not is_replaying():
            logger.info("workflow %r failed itself: %s", workflow_type, failure.reason)
        return swf.fail_workflow_execution(
            reason=_prose(failure.reason, REASON_MAX), details=_prose(failure.details, DATA_MAX)
        )
    except WorkflowCanceledException as cancel:
        return swf.cancel_workflow_execution(details=_prose(cancel.details, DATA_MAX))
    except (KeyboardInterrupt, MemoryError, FiberClosed, GuardException):
        raise
    except BaseException as error:
        reason = f"Caught exception while executing workflow {workflow_type!r}"
        if not is_replaying():
            logger.exception(reason)
        return swf.fail_workflow_execution(reason=cut(reason, REASON_MAX), details=write(error))
    try:
        return swf.complete_workflow_execution(result=converter.encode(result, "the result of the workflow"))
    except SerializationException as error:
        logger.error("workflow %r cannot close with its result: %s", workflow_type, error)  # noqa: TRY400 - said in full
        return swf.fail_workflow_execution(reason=cut(str(error), REASON_MAX), details=cut(str(error)))


def _input(converter: DataConverter, text: str | None, method: Callable[..., Any]) -> Any:
    hints = hints_of(method).parameters
    if not hints or text is None:
        return converter.decode(text)
    name = list(inspect.signature(method).parameters)[1]
    return converter.rebuild_argument(hints, f"{method.__qualname__}", name, converter.decode(text))


def _prose(text: Any, length: int) -> str | None:
    """Return a reason or details as SWF takes them: whatever an author gave, as text, cut to the length."""
    return None if text is None else cut(text if isinstance(text, str) else repr(text), length)
