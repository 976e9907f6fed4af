"""Interceptors surround calls, decisions and bodies, in order, and cost nothing where none is wanted."""

from typing import Any

import pytest

import pyflow
from pyflow.exceptions import ServiceFault
from pyflow.interceptors import Interceptor, chain, intercept
from pyflow.local import LocalSWF


class Noting(Interceptor):
    def __init__(self, name: str, notes: list[str]) -> None:
        self.name = name
        self.notes = notes

    def call(self, operation: str, request: dict[str, Any], proceed: Any) -> Any:
        self.notes.append(f"{self.name} {operation} {request.get('domain', request.get('name'))}")
        reply = proceed()
        self.notes.append(f"{self.name} done")
        return reply


def test_the_first_is_the_outermost() -> None:
    notes: list[str] = []
    send = chain([Noting("a", notes), Noting("b", notes)], "call", lambda operation, request: notes.append("sent"))
    send("ListDomains", {"domain": "d"})
    assert notes == ["a ListDomains d", "b ListDomains d", "sent", "b done", "a done"]


def test_a_hook_that_nobody_overrides_costs_nothing() -> None:
    def innermost() -> None:
        pass

    assert chain([Noting("a", []), Interceptor()], "decide", innermost) is innermost
    client = object()
    assert intercept(client, [Interceptor()]) is client


def test_a_client_s_calls_go_through_and_what_is_no_call_is_the_client_s() -> None:
    notes: list[str] = []
    with LocalSWF() as swf:
        client = intercept(swf.client(), [Noting("a", notes)])
        client.register_domain(name="d", workflowExecutionRetentionPeriodInDays="1")
        assert client.meta.region_name == swf.client().meta.region_name
    assert notes == ["a RegisterDomain d", "a done"]


def test_a_request_may_be_changed_on_the_way() -> None:
    class Tagging(Interceptor):
        def call(self, operation: str, request: dict[str, Any], proceed: Any) -> Any:
            if operation == "StartWorkflowExecution":
                request["tagList"] = ["by the interceptor"]
            return proceed()

    with LocalSWF() as swf:
        swf.direct().register_domain(name="d", workflowExecutionRetentionPeriodInDays="1")
        options = {"childPolicy": "TERMINATE", "taskStartToCloseTimeout": "9", "executionStartToCloseTimeout": "9"}
        swf.direct().register_workflow_type(
            domain="d",
            name="W",
            version="1",
            **{f"default{key[0].upper()}{key[1:]}": value for key, value in options.items()},
        )
        client = intercept(swf.direct(), [Tagging()])
        started = pyflow.start_workflow("d", "W", "1", "list", client=client)
        run = {"workflowId": started["workflowId"], "runId": started["runId"]}
        info = swf.direct().describe_workflow_execution(domain="d", execution=run)["executionInfo"]
        assert info["tagList"] == ["by the interceptor"]


def test_faults_pass_through() -> None:
    with LocalSWF() as swf:
        client = intercept(swf.direct(), [Noting("a", [])])
        with pytest.raises(ServiceFault, match="UnknownResourceFault"):
            client.describe_domain(name="nowhere")
