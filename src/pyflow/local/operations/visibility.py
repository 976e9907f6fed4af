"""Which executions there are: lists and counts of open and closed ones."""

from datetime import datetime
from typing import Any, Final
from zlib import crc32

from pyflow.local import faults
from pyflow.local.calls import Context
from pyflow.local.engine import Engine
from pyflow.local.pages import page_size, seal_page, unseal_page
from pyflow.local.queries import Query

from .executions import execution_info

Request = dict[str, Any]
Reply = dict[str, Any]

EXCLUSIVE: Final = ("executionFilter", "typeFilter", "tagFilter", "closeStatusFilter")


def list_open_workflow_executions(engine: Engine, request: Request, context: Context) -> Reply:
    """List open executions, the latest started first."""
    return _list(engine, "open", request, context)


def list_closed_workflow_executions(engine: Engine, request: Request, context: Context) -> Reply:
    """List closed executions, the latest started first, or the latest closed where the time filter is on closing."""
    return _list(engine, "closed", request, context)


def count_open_workflow_executions(engine: Engine, request: Request, context: Context) -> Reply:
    """Count open executions."""
    return _count(engine, "open", request, context)


def count_closed_workflow_executions(engine: Engine, request: Request, context: Context) -> Reply:
    """Count closed executions."""
    return _count(engine, "closed", request, context)


def _list(engine: Engine, status: str, request: Request, context: Context) -> Reply:
    query = _query(engine, status, request, context)
    size = page_size(request)
    backwards = bool(request.get("reverseOrder"))
    token = request.get("nextPageToken")
    purpose = f"{status} executions"
    domain = crc32(query.domain.encode())
    after = None
    if token:
        its_domain, *after = unseal_page(engine.tokens, token, purpose, context.at)
        if its_domain != domain:
            raise faults.invalid("Invalid token")
    found = engine.store.list_executions(query, after, size + 1, ascending=backwards)
    reply: Reply = {"executionInfos": [execution_info(execution) for execution in found[:size]]}
    if len(found) > size:
        last = found[size - 1]
        at = last.closed_at if query.by_close and last.closed_at is not None else last.opened_at
        reply["nextPageToken"] = seal_page(engine.tokens, purpose, context.at, domain, at, last.run)
    return reply


def _count(engine: Engine, status: str, request: Request, context: Context) -> Reply:
    query = _query(engine, status, request, context)
    return {"count": engine.store.count_executions(query), "truncated": False}


def _query(engine: Engine, status: str, request: Request, context: Context) -> Query:
    domain = engine.registry.domain(request["domain"])
    starts, closes = request.get("startTimeFilter"), request.get("closeTimeFilter")
    if starts and closes:
        raise _too_many_filters(["startTimeFilter", "closeTimeFilter"])
    times = starts or closes
    if times is None:
        raise faults.invalid("Must specify time filter")
    exclusive = [name for name in EXCLUSIVE if request.get(name) is not None]
    if len(exclusive) > 1:
        raise _too_many_filters(exclusive)
    named_type = request.get("typeFilter") or {}
    latest = times.get("latestDate")
    return Query(
        domain=domain.name,
        open=status == "open",
        by_close=closes is not None,
        oldest=_milliseconds(times["oldestDate"]),
        latest=None if latest is None else _milliseconds(latest),
        kept_since=None if status == "open" else context.at - domain.retention_ms,
        workflow_id=(request.get("executionFilter") or {}).get("workflowId"),
        type_name=named_type.get("name"),
        type_version=named_type.get("version") or None,
        tag=(request.get("tagFilter") or {}).get("tag"),
        close_status=(request.get("closeStatusFilter") or {}).get("status"),
    )


def _too_many_filters(names: list[str]) -> Exception:
    shown = ", ".join(names)
    return faults.invalid(f"Cannot specify more than one exclusive filters in the same query: [{shown}]")


def _milliseconds(moment: float | datetime) -> int:
    seconds = moment.timestamp() if isinstance(moment, datetime) else moment
    return round(seconds * 1000)
