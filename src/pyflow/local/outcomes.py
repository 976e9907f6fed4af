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
    StartSuccessor,
    TellParent,
)
from .lambdas import Outcome
from .rules import close, messages, start, tasks
from .rules.turn import Turn
from .state import Execution, Parent

if TYPE_CHECKING:
    from .engine import Engine


def carry_out(engine: "Engine", execution: Execution, at: int, effect: Effect) -> Iterator[Turn]:
    """Yield the turns that an effect of ``execution`` brings; each must be taken in before the next is asked for."""
    return CARRY[type(effect)](engine, execution, at, effect)


def _start_child(engine: "Engine", parent: Execution, at: int, effect: StartChild) -> Iterator[Turn]:
    if effect.workflow_id in engine.registry.domain(parent.domain).open_runs:
        asked = parent.children.get(effect.initiated_id)
        if asked is not None:
            turn = Turn(parent, at)
            messages.child_not_started(turn, asked)
            yield turn
        return
    execution = start.new_execution(
        engine.next_run(),
        engine.ids.run_id(),
        parent.domain,
        effect.workflow_id,
        effect.workflow_type,
        effect.settings,
        effect.tag_list,
        Parent(parent.run, parent.workflow_id, parent.run_id, effect.initiated_id),
        at,
    )
    engine.add_execution(execution)
    turn = Turn(execution, at)
    start.start(turn, effect.settings, effect.input)
    yield turn
    asked = parent.children.get(effect.initiated_id)
    # A parent that closed in the same answer hears nothing; its child runs all the same.
    if asked is not None:
        turn = Turn(parent, at)
        messages.child_started(turn, asked, execution)
        yield turn


def _start_successor(engine: "Engine", execution: Execution, at: int, effect: StartSuccessor) -> Iterator[Turn]:
    successor = start.new_execution(
        engine.next_run(),
        effect.run_id,
        execution.domain,
        execution.workflow_id,
        effect.workflow_type,
        effect.settings,
        effect.tag_list,
        execution.parent,
        at,
    )
    engine.add_execution(successor)
    turn = Turn(successor, at)
    start.start(turn, effect.settings, effect.input, continued_from=execution.run_id)
    yield turn
    if execution.parent is not None:
        parent = engine.find(execution.parent.run)
        child = parent.children.get(execution.parent.initiated_id) if parent else None
        if parent is not None and child is not None:
            turn = Turn(parent, at)
            messages.child_continued(turn, child, successor)
            yield turn


def _deliver(
    engine: "Engine", sender: Execution, at: int, effect: DeliverSignal | DeliverCancelRequest
) -> Iterator[Turn]:
    asked = effect.attributes
    signals = isinstance(effect, DeliverSignal)
    domain = engine.registry.domain(sender.domain)
    target = engine.find_open(domain, asked["workflowId"], asked.get("runId"))
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


def _tell_parent(engine: "Engine", execution: Execution, at: int, effect: TellParent) -> Iterator[Turn]:
    parent = engine.find(effect.parent.run)
    child = parent.children.get(effect.parent.initiated_id) if parent else None
    if parent is not None and child is not None:
        turn = Turn(parent, at)
        messages.child_closed(turn, child, execution, effect.event_type, effect.outcome)
        yield turn


def _apply_child_policy(engine: "Engine", parent: Execution, at: int, effect: ApplyChildPolicy) -> Iterator[Turn]:
    for run in effect.children:
        execution = engine.execution(run)
        if not execution.open:
            continue
        turn = Turn(execution, at)
        if effect.policy == "TERMINATE":
            close.terminate(turn, "CHILD_POLICY_APPLIED", {})
        else:
            messages.request_cancel(turn, parent, by_policy=True)
        yield turn


def _invoke_lambda(engine: "Engine", execution: Execution, at: int, effect: InvokeLambda) -> Iterator[Turn]:
    task = execution.lambdas.get(effect.scheduled_id)
    if task is None:
        return
    if engine.require_lambda_role and not execution.lambda_role:
        turn = Turn(execution, at)
        tasks.refuse_lambda(turn, task, "the execution has no lambdaRole, and neither has its type")
        yield turn
    else:
        engine.invoke(execution, effect.scheduled_id, effect.attributes)


CARRY: Final[dict[type, Callable[["Engine", Execution, int, Any], Iterator[Turn]]]] = {
    StartChild: _start_child,
    StartSuccessor: _start_successor,
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
