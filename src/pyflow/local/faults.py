"""The faults that SWF answers with, one constructor each, in AWS's words."""

from typing import Final

from pyflow.exceptions import ServiceFault

OPEN_EXECUTIONS_MAX: Final = 100_000


def unknown_domain(name: str) -> ServiceFault:
    """Return the fault for a domain that was never registered."""
    return ServiceFault("UnknownResourceFault", f"Unknown domain: {name}")


def describe_type(kind: str, name: str, version: str) -> str:
    """Return a type as AWS writes it in messages; ``kind`` is ``WorkflowType`` or ``ActivityType``."""
    return f"{kind}=[name={name}, version={version}]"


def unknown_type(kind: str, name: str, version: str) -> ServiceFault:
    """Return the fault for a type that is not registered in its domain."""
    return ServiceFault("UnknownResourceFault", f"Unknown type: {describe_type(kind, name, version)}")


def type_fault(code: str, kind: str, name: str, version: str) -> ServiceFault:
    """Return one of ``TypeAlreadyExistsFault``, ``TypeDeprecatedFault``, ``TypeNotDeprecatedFault``."""
    return ServiceFault(code, describe_type(kind, name, version))


def unknown_execution(workflow_id: str, run_id: str | None) -> ServiceFault:
    """Return the fault for an execution that is not there, or not open where an open one is asked for."""
    if run_id:
        return ServiceFault(
            "UnknownResourceFault", f"Unknown execution: WorkflowExecution=[workflowId={workflow_id}, runId={run_id}]"
        )
    return ServiceFault("UnknownResourceFault", f"Unknown execution, workflowId = {workflow_id}")


def forgotten_execution() -> ServiceFault:
    """Return the fault for a token of an execution that is past its domain's retention."""
    return ServiceFault("UnknownResourceFault", "Unknown execution: it is past the retention period of its domain")


def unknown_decision_task(scheduled_id: int) -> ServiceFault:
    """Return the fault for the token of a decision task that was answered, timed out or superseded."""
    return ServiceFault("UnknownResourceFault", f"Unknown decision task, scheduledEventId = {scheduled_id}")


def unknown_activity(scheduled_id: int) -> ServiceFault:
    """Return the fault for the token of an activity task that is closed."""
    return ServiceFault("UnknownResourceFault", f"Unknown activity, scheduledEventId = {scheduled_id}")


def default_undefined(parameter: str) -> ServiceFault:
    """Return the fault for a setting that neither the request nor the type gives."""
    return ServiceFault("DefaultUndefinedFault", parameter)


def already_started() -> ServiceFault:
    """Return the fault for a workflow id that has an open run."""
    return ServiceFault("WorkflowExecutionAlreadyStartedFault", "Already Started")


def limit_exceeded(message: str) -> ServiceFault:
    """Return the fault for a quota of the account or domain."""
    return ServiceFault("LimitExceededFault", message)


def invalid(message: str) -> ServiceFault:
    """Return a validation error."""
    return ServiceFault("ValidationException", message)


def not_serializable(message: str) -> ServiceFault:
    """Return the error for a body that is not what the protocol asks for."""
    return ServiceFault("SerializationException", message)


def unknown_operation(action: str) -> ServiceFault:
    """Return the error for an action that SWF does not have."""
    return ServiceFault("UnknownOperationException", f"Amazon SWF has no action {action!r}")


def internal_failure() -> ServiceFault:
    """Return the error for a failure on our side; nothing was applied."""
    return ServiceFault("InternalFailure", "The service failed on this request and applied nothing of it", status=500)
