"""Domains and types."""

import re
from typing import Any, Final

from pyflow.exceptions import ServiceFault
from pyflow.local import faults
from pyflow.local.calls import Context
from pyflow.local.engine import Engine
from pyflow.local.pages import page_of
from pyflow.local.registry import DEPRECATED, DOMAINS_MAX, REGISTERED, TYPES_MAX, Domain, Type
from pyflow.local.rules.turn import given

ACCOUNT: Final = "123456789012"
DOMAIN_ARN: Final = re.compile(r"arn:aws[a-z-]*:swf:[a-z0-9-]*:[0-9]*:/domain/(.+)", re.DOTALL)
TAGS_MAX: Final = 50
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


def register_domain(engine: Engine, request: Request, _: Context) -> None:
    """Register a domain; a name is taken for ever."""
    name = request["name"]
    registry = engine.registry
    if registry.find(name) is not None:
        raise ServiceFault("DomainAlreadyExistsFault", name)
    if len(registry) >= DOMAINS_MAX:
        raise faults.limit_exceeded(f"{DOMAINS_MAX} domains are registered already")
    tags = _tags(request)
    if len(tags) > TAGS_MAX:
        raise _too_many_tags()
    retention = request["workflowExecutionRetentionPeriodInDays"]
    registry.keep_domain(Domain(name, REGISTERED, request.get("description"), retention, tags))


def describe_domain(engine: Engine, request: Request, context: Context) -> Reply:
    """Describe a domain."""
    domain = engine.registry.domain(request["name"])
    return {
        "domainInfo": _domain_info(domain, context),
        "configuration": {"workflowExecutionRetentionPeriodInDays": domain.retention},
    }


def list_domains(engine: Engine, request: Request, context: Context) -> Reply:
    """List domains of one status by name."""
    status = request["registrationStatus"]
    found = [domain for domain in engine.registry.domains() if domain.status == status]
    page, token = page_of(engine.tokens, "ListDomains", context.at, request, found)
    return {"domainInfos": [_domain_info(domain, context) for domain in page], **token}


def deprecate_domain(engine: Engine, request: Request, context: Context) -> None:
    """Deprecate a domain and all types in it; what runs goes on."""
    domain = engine.registry.domain(request["name"])
    if domain.status == DEPRECATED:
        raise ServiceFault("DomainDeprecatedFault", domain.name)
    domain.status = DEPRECATED
    engine.registry.keep_domain(domain)
    for found in domain.types.values():
        if found.status == REGISTERED:
            _set_status(engine, domain, found, DEPRECATED, context.at)


def undeprecate_domain(engine: Engine, request: Request, _: Context) -> None:
    """Take a deprecation back; the types that it deprecated stay so."""
    domain = engine.registry.domain(request["name"])
    if domain.status == REGISTERED:
        raise ServiceFault("DomainAlreadyExistsFault", domain.name)
    domain.status = REGISTERED
    engine.registry.keep_domain(domain)


def tag_resource(engine: Engine, request: Request, _: Context) -> None:
    """Add tags to a domain; a key that is there gets the new value."""
    domain = _domain_of_arn(engine, request)
    tags = domain.tags | _tags(request)
    if len(tags) > TAGS_MAX:
        raise _too_many_tags()
    domain.tags = tags
    engine.registry.keep_domain(domain)


def untag_resource(engine: Engine, request: Request, _: Context) -> None:
    """Take tags from a domain; a key that is not there is no fault."""
    domain = _domain_of_arn(engine, request)
    domain.tags = {key: value for key, value in domain.tags.items() if key not in request["tagKeys"]}
    engine.registry.keep_domain(domain)


def list_tags_for_resource(engine: Engine, request: Request, _: Context) -> Reply:
    """List the tags of a domain."""
    domain = _domain_of_arn(engine, request)
    return {"tags": [{"key": key, **given({"value": value}, "value")} for key, value in domain.tags.items()]}


def register_workflow_type(engine: Engine, request: Request, context: Context) -> None:
    """Register a workflow type."""
    _register_type(engine, "WorkflowType", request, context)


def register_activity_type(engine: Engine, request: Request, context: Context) -> None:
    """Register an activity type."""
    _register_type(engine, "ActivityType", request, context)


def describe_workflow_type(engine: Engine, request: Request, _: Context) -> Reply:
    """Describe a workflow type."""
    return _describe_type(engine, "WorkflowType", request)


def describe_activity_type(engine: Engine, request: Request, _: Context) -> Reply:
    """Describe an activity type."""
    return _describe_type(engine, "ActivityType", request)


def list_workflow_types(engine: Engine, request: Request, context: Context) -> Reply:
    """List workflow types of one status by name, then version."""
    return _list_types(engine, "WorkflowType", request, context.at)


def list_activity_types(engine: Engine, request: Request, context: Context) -> Reply:
    """List activity types of one status by name, then version."""
    return _list_types(engine, "ActivityType", request, context.at)


def deprecate_workflow_type(engine: Engine, request: Request, context: Context) -> None:
    """Deprecate a workflow type: no new executions of it."""
    _deprecate_type(engine, "WorkflowType", request, context)


def deprecate_activity_type(engine: Engine, request: Request, context: Context) -> None:
    """Deprecate an activity type: no new tasks of it."""
    _deprecate_type(engine, "ActivityType", request, context)


def undeprecate_workflow_type(engine: Engine, request: Request, context: Context) -> None:
    """Take a workflow type's deprecation back."""
    _undeprecate_type(engine, "WorkflowType", request, context)


def undeprecate_activity_type(engine: Engine, request: Request, context: Context) -> None:
    """Take an activity type's deprecation back."""
    _undeprecate_type(engine, "ActivityType", request, context)


def delete_workflow_type(engine: Engine, request: Request, _: Context) -> None:
    """Delete a deprecated workflow type."""
    _delete_type(engine, "WorkflowType", request)


def delete_activity_type(engine: Engine, request: Request, _: Context) -> None:
    """Delete a deprecated activity type."""
    _delete_type(engine, "ActivityType", request)


def _tags(request: Request) -> dict[str, str | None]:
    return {tag["key"]: tag.get("value") for tag in request.get("tags") or ()}


def _too_many_tags() -> ServiceFault:
    return ServiceFault("TooManyTagsFault", f"a domain has at most {TAGS_MAX} tags")


def _domain_of_arn(engine: Engine, request: Request) -> Domain:
    arn = request["resourceArn"]
    found = DOMAIN_ARN.fullmatch(arn)
    if found is None:
        raise ServiceFault("UnknownResourceFault", f"Unknown resource: {arn}")
    return engine.registry.domain(found[1])


def _domain_info(domain: Domain, context: Context) -> Reply:
    return {
        "name": domain.name,
        "status": domain.status,
        **given({"description": domain.description}, "description"),
        "arn": f"arn:aws:swf:{context.region}:{ACCOUNT}:/domain/{domain.name}",
    }


def _register_type(engine: Engine, kind: str, request: Request, context: Context) -> None:
    domain = engine.registry.writable_domain(request["domain"])
    name, version = request["name"], request["version"]
    if (kind, name, version) in domain.types:
        raise faults.type_fault("TypeAlreadyExistsFault", kind, name, version)
    if sum(key[0] == kind for key in domain.types) >= TYPES_MAX:
        raise faults.limit_exceeded(f"{TYPES_MAX} types are registered in domain {domain.name} already")
    defaults = given(request, *DEFAULTS[kind])
    engine.registry.keep_type(
        domain, Type(kind, name, version, REGISTERED, request.get("description"), defaults, context.at)
    )


def _find_type(engine: Engine, kind: str, request: Request) -> tuple[Domain, Type]:
    domain = engine.registry.domain(request["domain"])
    named = request[MEMBER[kind]]
    return domain, domain.type(kind, named["name"], named["version"])


def _set_status(engine: Engine, domain: Domain, found: Type, status: str, at: int) -> None:
    found.status = status
    found.deprecated_at = at if status == DEPRECATED else None
    engine.registry.keep_type(domain, found)


def _deprecate_type(engine: Engine, kind: str, request: Request, context: Context) -> None:
    domain, found = _find_type(engine, kind, request)
    if found.status == DEPRECATED:
        raise faults.type_fault("TypeDeprecatedFault", kind, found.name, found.version)
    _set_status(engine, domain, found, DEPRECATED, context.at)


def _undeprecate_type(engine: Engine, kind: str, request: Request, context: Context) -> None:
    domain, found = _find_type(engine, kind, request)
    if found.status == REGISTERED:
        raise faults.type_fault("TypeAlreadyExistsFault", kind, found.name, found.version)
    _set_status(engine, domain, found, REGISTERED, context.at)


def _delete_type(engine: Engine, kind: str, request: Request) -> None:
    domain, found = _find_type(engine, kind, request)
    if found.status == REGISTERED:
        raise faults.type_fault("TypeNotDeprecatedFault", kind, found.name, found.version)
    engine.registry.remove_type(domain, found)


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


def _describe_type(engine: Engine, kind: str, request: Request) -> Reply:
    _, found = _find_type(engine, kind, request)
    return {"typeInfo": _type_info(found), "configuration": found.defaults}


def _list_types(engine: Engine, kind: str, request: Request, at: int) -> Reply:
    domain = engine.registry.domain(request["domain"])
    name, status = request.get("name"), request["registrationStatus"]
    found = [
        domain.types[key]
        for key in sorted(domain.types)
        if key[0] == kind and domain.types[key].status == status and name in (None, key[1])
    ]
    page, token = page_of(engine.tokens, f"List{kind}s", at, request, found)
    return {"typeInfos": [_type_info(each) for each in page], **token}
