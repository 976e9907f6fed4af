import inspect
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from pyflow import executions
from pyflow.exceptions import SerializationException, ServiceFault
from pyflow.executions import start_workflow
from pyflow.handles import WorkflowStatus, get_workflow_status


class Service:
    """A client that keeps what it is asked and answers from attributes."""

    def __init__(self, description: dict[str, Any] | None = None, last_event: dict[str, Any] | None = None) -> None:
        self.started: list[dict[str, Any]] = []
        self.description = description
        self.last_event = last_event
        self.history_requests: list[dict[str, Any]] = []

    def start_workflow_execution(self, **request: Any) -> dict[str, Any]:
        self.started.append(request)
        return {"runId": "r1"}

    def describe_workflow_execution(self, **_: Any) -> dict[str, Any]:
        if self.description is None:
            raise ServiceFault("UnknownResourceFault", "Unknown execution")
        return self.description

    def get_workflow_execution_history(self, **request: Any) -> dict[str, Any]:
        self.history_requests.append(request)
        return {"events": [self.last_event]}


def start(**more: Any) -> dict[str, Any]:
    service = Service()
    start_workflow("d", "Order", "1.0", "list", client=service, **more)
    return service.started[0]


class TestStart:
    def test_the_positions_of_2_0_0_stay(self):
        positions = [
            name
            for name, parameter in inspect.signature(start_workflow).parameters.items()
            if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        ]

        assert positions == [
            "domain",
            "workflow_name",
            "workflow_version",
            "task_list",
            "lambda_role",
            "input",
            "client",
            "task_start_to_close_timeout",
            "execution_start_to_close_timeout",
            "task_priority",
            "tag_list",
            "child_policy",
        ]

    def test_it_gives_both_ids_and_makes_the_workflow_id_from_the_name(self):
        service = Service()

        started = start_workflow("d", "Order", "1.0", "list", "role", '"Hello"', service)

        name, uuid = started["workflowId"].split("@")
        assert (name, UUID(uuid).version, started["runId"]) == ("Order", 4, "r1")
        assert service.started == [
            {
                "domain": "d",
                "workflowId": started["workflowId"],
                "workflowType": {"name": "Order", "version": "1.0"},
                "taskList": {"name": "list"},
                "lambdaRole": "role",
                "input": '"Hello"',
            }
        ]

    def test_input_and_lambda_role_may_be_left_out(self):
        request = start()

        assert not {"input", "lambdaRole"} & set(request)

    def test_a_workflow_id_of_ones_own(self):
        assert start(workflow_id="order-1")["workflowId"] == "order-1"

    @pytest.mark.parametrize(
        ("value", "text"), [({"a": [1]}, '{"a": [1]}'), (3, "3"), (False, "false"), ([], "[]"), ('{"a":1}', '{"a":1}')]
    )
    def test_input_is_any_json_value_or_json_text(self, value, text):
        assert start(input=value)["input"] == text

    @pytest.mark.parametrize("value", ["Hello", "", "{'a': 1}", "NaN", "[" * 100_000])
    def test_a_text_that_is_not_json_is_refused_with_the_remedy(self, value):
        with pytest.raises(SerializationException, match=r"not JSON text.*json\.dumps"):
            start(input=value)

    @pytest.mark.parametrize("value", [{1j}, float("nan"), object()])
    def test_a_value_that_json_does_not_have_is_refused(self, value):
        with pytest.raises(SerializationException):
            start(input=value)

    @pytest.mark.parametrize("value", ['"' + "x" * 32_767 + '"', "x" * 32_767 + "é"])
    def test_an_input_over_swfs_length_is_refused(self, value):
        with pytest.raises(SerializationException):
            start(input=value if value[0] == '"' else [value])

    def test_numbers_become_swfs_texts(self):
        request = start(
            task_start_to_close_timeout=30,
            execution_start_to_close_timeout=timedelta(minutes=1.5),
            task_priority=-2,
            tag_list=("a", "b"),
            child_policy="ABANDON",
        )

        assert request["taskStartToCloseTimeout"] == "30"
        assert request["executionStartToCloseTimeout"] == "90"
        assert request["taskPriority"] == "-2"
        assert request["tagList"] == ["a", "b"]
        assert request["childPolicy"] == "ABANDON"

    def test_fractions_of_seconds_are_rounded_up(self):
        assert start(task_start_to_close_timeout=1.2)["taskStartToCloseTimeout"] == "2"

    def test_swfs_own_texts_pass(self):
        assert start(task_start_to_close_timeout="NONE")["taskStartToCloseTimeout"] == "NONE"

    def test_without_a_client_one_is_made(self, monkeypatch):
        service = Service()
        monkeypatch.setattr(executions, "create_client", lambda: service)

        start_workflow("d", "Order", "1.0", "list")

        assert len(service.started) == 1


def describe(status: str, **info: Any) -> dict[str, Any]:
    return {"executionInfo": {"executionStatus": status, **info}, "latestActivityTaskTimestamp": 7.0}


class TestStatus:
    def test_an_open_execution(self):
        description = describe("OPEN")
        service = Service(description)

        status = get_workflow_status("d", "w", "r", service)

        assert status == WorkflowStatus("OPEN", description, latest_activity_timestamp=7.0)
        assert service.history_requests == []

    def test_a_completed_execution_has_its_result_as_json_text(self):
        event = {
            "eventType": "WorkflowExecutionCompleted",
            "workflowExecutionCompletedEventAttributes": {"result": "3"},
        }

        status = get_workflow_status("d", "w", "r", Service(describe("CLOSED", closeStatus="COMPLETED"), event))

        assert (status.close_status, status.result, status.exit_event) == ("COMPLETED", "3", event)
        assert (status.failure_reason, status.failure_details) == (None, None)

    def test_a_failed_execution_has_reason_and_details(self):
        event = {
            "eventType": "WorkflowExecutionFailed",
            "workflowExecutionFailedEventAttributes": {"reason": "BAD_INPUT", "details": "why"},
        }

        status = get_workflow_status("d", "w", "r", Service(describe("CLOSED", closeStatus="FAILED"), event))

        assert (status.close_status, status.failure_reason, status.failure_details) == ("FAILED", "BAD_INPUT", "why")

    def test_a_terminated_execution_has_its_exit_event(self):
        event = {"eventType": "WorkflowExecutionTerminated", "workflowExecutionTerminatedEventAttributes": {}}

        status = get_workflow_status("d", "w", "r", Service(describe("CLOSED", closeStatus="TERMINATED"), event))

        assert (status.result, status.exit_event) == (None, event)

    def test_an_unknown_execution_is_none(self):
        assert get_workflow_status("d", "w", "r", Service()) is None

    def test_other_faults_are_raised(self, monkeypatch):
        service = Service()
        monkeypatch.setattr(
            service,
            "describe_workflow_execution",
            lambda **_: (_ for _ in ()).throw(ServiceFault("OperationNotPermittedFault", "no")),
        )

        with pytest.raises(ServiceFault, match="OperationNotPermittedFault"):
            get_workflow_status("d", "w", "r", service)

    def test_the_fields_of_2_0_0_stay_in_order(self):
        assert list(inspect.signature(WorkflowStatus).parameters) == [
            "execution_status",
            "workflow_description",
            "close_status",
            "latest_activity_timestamp",
            "result",
            "failure_reason",
            "failure_details",
            "exit_event",
        ]
