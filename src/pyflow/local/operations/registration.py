"""Domains and types."""

from typing import Any, Final

from pyflow.exceptions import ServiceFault
from pyflow.local import faults
from pyflow.local.calls import Context
from pyflow.local.pages import page_of
from pyflow.local.registry import DEPRECATED, DOMAINS_MAX, REGISTERED, TYPES_MAX, Domain, Type
from pyflow.local.rules.turn import given
from pyflow.local.service import Service

ACCOUNT: Final = "123456789012"
Request = dict[str, Any]
Reply = dict[str, Any]

DEFAULTS: Final = {
    "WorkflowType": (
        "defaultTaskStartToCloseTimeout",
        "defaultExecutionStartToCloseTimeout",
        "defaultTaskList",
        "defaultTaskPriority",
        "defaultChildPolicy",
        "defaultLambdaRole",
    ),
    "ActivityType": (
        "defaultTaskStartToCloseTimeout",
        "defaultTaskHeartbeatTimeout",
        "defaultTaskList",
        "defaultTaskPriority",
        "defaultTaskScheduleToStartTimeout",
        "defaultTaskScheduleToCloseTimeout",
    ),
}
MEMBER: Final = {"WorkflowType": "workflowType", "ActivityType": "activityType"}


def register_domain(service: Service, request: Request, _: Context) -> None:
    """Register a domain; a name is taken for ever."""
    name = request["name"]
    registry = service.registry
    if registry.find(name) is not None:
        raise ServiceFault("DomainAlreadyExistsFault", name)
    if len(registry) >= DOMAINS_MAX:
        raise faults.limit_exceeded(f"{DOMAINS_MAX} domains are registered already")
    tags = {tag["key"]: tag.get("value", "") for tag in request.get("tags") or ()}
    retention = request["workflowExecutionRetentionPeriodInDays"]
    registry.keep_domain(Domain(name, REGISTERED, request.get("description"), retention, tags))


def describe_domain(service: Service, request: Request, context: Context) -> Reply:
    """Describe a domain."""
    domain = service.registry.domain(request["name"])
    return {
        "domainInfo": _domain_info(domain, context),
        "configuration": {"workflowExecutionRetentionPeriodInDays": domain.retention},
    }


def list_domains(service: Service, request: Request, context: Context) -> Reply:
    """List domains of one status by name."""
    status = request["registrationStatus"]
    found = [domain for domain in service.registry.domains() if domain.status == status]
    page, token = page_of(service.tokens, "ListDomains", request, found)
    return {"domainInfos": [_domain_info(domain, context) for domain in page], **token}


def deprecate_domain(service: Service, request: Request, context: Context) -> None:
    """Deprecate a domain and all types in it; what runs goes on."""
    domain = service.registry.domain(request["name"])
    if domain.status == DEPRECATED:
        raise ServiceFault("DomainDeprecatedFault", domain.name)
    domain.status = DEPRECATED
    service.registry.keep_domain(domain)
    for found in domain.types.values():
        if found.status == REGISTERED:
            _set_status(service, domain, found, DEPRECATED, context.at)


def register_workflow_type(service: Service, request: Request, context: Context) -> None:
    """Register a workflow type."""
    _register_type(service, "WorkflowType", request, context)


def register_activity_type(service: Service, request: Request, context: Context) -> None:
    """Register an activity type."""
    _register_type(service, "ActivityType", request, context)


def describe_workflow_type(service: Service, request: Request, _: Context) -> Reply:
    """Describe a workflow type."""
    return _describe_type(service, "WorkflowType", request)


def describe_activity_type(service: Service, request: Request, _: Context) -> Reply:
    """Describe an activity type."""
    return _describe_type(service, "ActivityType", request)


def list_workflow_types(service: Service, request: Request, _: Context) -> Reply:
    """List workflow types of one status by name, then version."""
    return _list_types(service, "WorkflowType", request)


def list_activity_types(service: Service, request: Request, _: Context) -> Reply:
    """List activity types of one status by name, then version."""
    return _list_types(service, "ActivityType", request)


def deprecate_workflow_type(service: Service, request: Request, context: Context) -> None:
    """Deprecate a workflow type: no new executions of it."""
    _deprecate_type(service, "WorkflowType", request, context)


def deprecate_activity_type(service: Service, request: Request, context: Context) -> None:
    """Deprecate an activity type: no new tasks of it."""
    _deprecate_type(service, "ActivityType", request, context)


def _domain_info(domain: Domain, context: Context) -> Reply:
    return {
        "name": domain.name,
        "status": domain.status,
        **given({"description": domain.description}, "description"),
        "arn": f"arn:aws:swf:{context.region}:{ACCOUNT}:/domain/{domain.name}",
    }


def _register_type(service: Service, kind: str, request: Request, context: Context) -> None:
    domain = service.registry.writable_domain(request["domain"])
    name, version = request["name"], request["version"]
    if (kind, name, version) in domain.types:
        raise faults.type_fault("TypeAlreadyExistsFault", kind, name, version)
    if sum(key[0] == kind for key in domain.types) >= TYPES_MAX:
        raise faults.limit_exceeded(f"{TYPES_MAX} types are registered in domain {domain.name} already")
    defaults = given(request, *DEFAULTS[kind])
    service.registry.keep_type(
        domain, Type(kind, name, version, REGISTERED, request.get("description"), defaults, context.at)
    )


def _find_type(service: Service, kind: str, request: Request) -> tuple[Domain, Type]:
    domain = service.registry.domain(request["domain"])
    named = request[MEMBER[kind]]
    return domain, domain.type(kind, named["name"], named["version"])


def _set_status(service: Service, domain: Domain, found: Type, status: str, at: int) -> None:
    found.status = status
    found.deprecated_at = at if status == DEPRECATED else None
    service.registry.keep_type(domain, found)


def _deprecate_type(service: Service, kind: str, request: Request, context: Context) -> None:
    domain, found = _find_type(service, kind, request)
    if found.status == DEPRECATED:
        raise faults.type_fault("TypeDeprecatedFault", kind, found.name, found.version)
    _set_status(service, domain, found, DEPRECATED, context.at)


def _type_info(found: Type) -> Reply:
    info = {
        MEMBER[found.kind]: {"name": found.name, "version": found.version},
        "status": found.status,
        **given({"description": found.description}, "description"),
        "creationDate": found.created_at / 1000,
    }
    if found.deprecated_at is not None:
        info["deprecationDate"] = found.deprecated_at / 1000
    return info


def _describe_type(service: Service, kind: str, request: Request) -> Reply:
    _, found = _find_type(service, kind, request)
    return {"typeInfo": _type_info(found), "configuration": found.defaults}


def _list_types(service: Service, kind: str, request: Request) -> Reply:
    domain = service.registry.domain(request["domain"])
    name, status = request.get("name"), request["registrationStatus"]
    found = [
        domain.types[key]
        for key in sorted(domain.types)
        if key[0] == kind and domain.types[key].status == status and name in (None, key[1])
    ]
    page, token = page_of(service.tokens, f"List{kind}s", request, found)
    return {"typeInfos": [_type_info(each) for each in page], **token}
