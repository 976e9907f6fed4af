"""What follows from one execution's turn in others: children, signals, cancel requests, and the word back."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from .effects import (
    ApplyChildPolicy,
    DeliverCancelRequest,
    DeliverSignal,
    Effect,
    InvokeLambda,
    StartChild,
    TellParent,
)
from .lambdas import Outcome
from .rules import close, messages, start
from .rules.turn import Turn
from .state import Execution, Parent

if TYPE_CHECKING:
    from .service import Service


def carry_out(service: "Service", execution: Execution, at: int, effect: Effect) -> Iterator[Turn]:
    """Yield the turns that an effect of ``execution`` brings; each must be taken in before the next is asked for."""
    return CARRY[type(effect)](service, execution, at, effect)


def _start_child(service: "Service", parent: Execution, at: int, effect: StartChild) -> Iterator[Turn]:
    if effect.workflow_id in service.registry.domain(parent.domain).open_runs:
        asked = parent.children.get(effect.initiated_id)
        if asked is not None:
            turn = Turn(parent, at)
            messages.child_not_started(turn, asked)
            yield turn
        return
    execution = start.new_execution(
        service.next_run(),
        service.ids.run_id(),
        parent.domain,
        effect.workflow_id,
        effect.workflow_type,
        effect.settings,
        effect.tag_list,
        Parent(parent.run, parent.workflow_id, parent.run_id, effect.initiated_id),
        at,
    )
    service.add_execution(execution)
    turn = Turn(execution, at)
    start.start(turn, effect.settings, effect.input)
    yield turn
    asked = parent.children.get(effect.initiated_id)
    # A parent that closed in the same answer hears nothing; its child runs all the same.
    if asked is not None:
        turn = Turn(parent, at)
        messages.child_started(turn, asked, execution)
        yield turn


def _deliver(
    service: "Service", sender: Execution, at: int, effect: DeliverSignal | DeliverCancelRequest
) -> Iterator[Turn]:
    asked = effect.attributes
    signals = isinstance(effect, DeliverSignal)
    domain = service.registry.domain(sender.domain)
    target = service.find_open(domain, asked["workflowId"], asked.get("runId"))
    if target is not None:
        turn = Turn(target, at)
        if signals:
            messages.signal(turn, asked, sender, effect.initiated_id)
        else:
            messages.request_cancel(turn, sender, effect.initiated_id)
        yield turn
    if not sender.open:
        return
    turn = Turn(sender, at)
    if target is None:
        action = "SignalExternal" if signals else "RequestCancelExternal"
        messages.undelivered(turn, f"{action}WorkflowExecutionFailed", effect.initiated_id, asked)
    else:
        happened = "Signaled" if signals else "CancelRequested"
        messages.delivered(turn, f"ExternalWorkflowExecution{happened}", effect.initiated_id, target)
    yield turn


def _tell_parent(service: "Service", execution: Execution, at: int, effect: TellParent) -> Iterator[Turn]:
    parent = service.execution(effect.parent.run)
    child = parent.children.get(effect.parent.initiated_id)
    if child is not None:
        turn = Turn(parent, at)
        messages.child_closed(turn, child, execution, effect.event_type, effect.outcome)
        yield turn


def _apply_child_policy(service: "Service", parent: Execution, at: int, effect: ApplyChildPolicy) -> Iterator[Turn]:
    for run in effect.children:
        execution = service.execution(run)
        if not execution.open:
            continue
        turn = Turn(execution, at)
        if effect.policy == "TERMINATE":
            close.terminate(turn, "CHILD_POLICY_APPLIED", {})
        else:
            messages.request_cancel(turn, parent, by_policy=True)
        yield turn


def _invoke_lambda(service: "Service", execution: Execution, _: int, effect: InvokeLambda) -> Iterator[Turn]:
    if effect.scheduled_id in execution.lambdas:
        service.invoke(execution, effect.scheduled_id, effect.attributes)
    yield from ()


CARRY: Final[dict[type, Callable[["Service", Execution, int, Any], Iterator[Turn]]]] = {
    StartChild: _start_child,
    DeliverSignal: _deliver,
    DeliverCancelRequest: _deliver,
    TellParent: _tell_parent,
    ApplyChildPolicy: _apply_child_policy,
    InvokeLambda: _invoke_lambda,
}


def lost_lambda(name: str) -> Outcome:
    """Return the end of a function that ran when the service was killed: it is not run twice, and not waited for."""
    return Outcome(
        "LambdaFunctionFailed",
        {
            "reason": "ServiceRestarted",
            "details": f"the local service stopped while {name!r} ran; whether it ended its work is not known",
        },
    )
