"""Types are registered in bulk; what exists is compared with what the code asks for."""

import logging
from collections import Counter
from typing import Any

import pytest

from pyflow.exceptions import ServiceFault
from pyflow.local import LocalSWF
from pyflow.local.mishaps import THROTTLE, Refuse
from pyflow.worker import registration
from pyflow.worker.registration import ACTIVITY_TYPES, WORKFLOW_TYPES, Difference, register_types

OPTIONS = {
    "defaultTaskList": {"name": "list"},
    "defaultTaskStartToCloseTimeout": "30",
    "defaultExecutionStartToCloseTimeout": "60",
    "defaultChildPolicy": "TERMINATE",
}


class Service:
    """A local service that counts what it is asked, and refuses what a test wants refused."""

    def __init__(self) -> None:
        self.swf = LocalSWF()
        self.client = self.swf.direct()
        self.client.register_domain(name="d", workflowExecutionRetentionPeriodInDays="1")
        self.asked: Counter[str] = Counter()
        self.refusals: dict[str, list[Refuse]] = {}
        self.swf.plan_mishaps(self._plan)

    def _plan(self, action: str, _request: dict[str, Any]) -> Refuse | None:
        self.asked[action] += 1
        refusals = self.refusals.get(action)
        return refusals.pop(0) if refusals else None

    def register(self, *names: str, **options: Any) -> registration.Registered:
        wanted = {(name, "1.0"): {**OPTIONS, **options} for name in names}
        return register_types(self.client, WORKFLOW_TYPES, "d", wanted)


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(registration, "BACKOFF_MAX_S", 0.001)
    made = Service()
    yield made
    made.swf.close()


def test_a_start_with_everything_registered_lists_and_registers_nothing(service: Service) -> None:
    assert service.register("a", "b").new == [("a", "1.0"), ("b", "1.0")]
    service.asked.clear()
    assert service.register("a", "b") == ([], [], [])
    assert service.asked == {"ListWorkflowTypes": 2, "DescribeWorkflowType": 2}


def test_only_what_is_missing_is_registered(service: Service) -> None:
    service.register("a")
    service.asked.clear()
    assert service.register("a", "b").new == [("b", "1.0")]
    assert service.asked["RegisterWorkflowType"] == 1


def test_types_on_further_pages_count_as_there(service: Service) -> None:
    service.register(*(f"t{number}" for number in range(1_001)))
    service.asked.clear()
    assert service.register("t1000").new == []
    assert service.asked["ListWorkflowTypes"] == 3
    assert service.asked["RegisterWorkflowType"] == 0


def test_what_differs_is_returned_and_said(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    service.register("a")
    differing = service.register("a", defaultTaskStartToCloseTimeout="600", defaultTaskPriority="3").differences
    assert differing == [
        Difference(("a", "1.0"), "defaultTaskStartToCloseTimeout", "30", "600"),
        Difference(("a", "1.0"), "defaultTaskPriority", None, "3"),
    ]
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert any(
        "workflow type a 1.0 is registered with defaultTaskStartToCloseTimeout '30'; the code asks for '600'" in warning
        for warning in warnings
    )


def test_another_task_list_is_a_difference(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    service.register("a")
    service.register("a", defaultTaskList={"name": "other"})
    assert "registered with defaultTaskList 'list'; the code asks for 'other'" in caplog.text


def test_a_deprecated_type_is_said_and_not_registered_again(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    service.register("a")
    service.client.deprecate_workflow_type(domain="d", workflowType={"name": "a", "version": "1.0"})
    service.asked.clear()
    assert service.register("a").deprecated == [("a", "1.0")]
    assert service.asked["RegisterWorkflowType"] == 0
    assert "workflow type a 1.0 is deprecated" in caplog.text


def test_throttled_calls_are_repeated(service: Service) -> None:
    service.refusals = {"ListWorkflowTypes": [THROTTLE] * 3, "RegisterWorkflowType": [THROTTLE] * 4}
    assert service.register("a").new == [("a", "1.0")]
    assert service.asked["RegisterWorkflowType"] == 5


def test_a_throttle_that_does_not_end_is_raised(service: Service) -> None:
    service.refusals = {"RegisterWorkflowType": [THROTTLE] * 100}
    with pytest.raises(ServiceFault, match="ThrottlingException"):
        service.register("a")
    assert service.asked["RegisterWorkflowType"] == registration.REGISTER_TRIES


def test_the_limit_of_types_is_not_waited_for(service: Service) -> None:
    service.refusals = {"RegisterWorkflowType": [Refuse("LimitExceededFault", "10,000 types", 400)] * 2}
    with pytest.raises(ServiceFault, match="LimitExceededFault"):
        service.register("a")
    assert service.asked["RegisterWorkflowType"] == 1


def test_a_worker_that_may_not_list_registers_each(service: Service) -> None:
    service.register("a")
    service.asked.clear()
    denied = Refuse("AccessDeniedException", "not authorized to perform swf:ListWorkflowTypes", 400)
    service.refusals = {"ListWorkflowTypes": [denied]}
    assert service.register("a", "b").new == [("b", "1.0")]
    assert service.asked["RegisterWorkflowType"] == 2


def test_a_type_that_cannot_be_described_does_not_hold_up_a_start(service: Service) -> None:
    service.register("a")
    service.refusals = {"DescribeWorkflowType": [THROTTLE] * 100}
    assert service.register("a", defaultTaskStartToCloseTimeout="600").differences == []
    assert service.asked["DescribeWorkflowType"] == registration.COMPARE_TRIES


def test_a_missing_domain_is_raised(service: Service) -> None:
    with pytest.raises(ServiceFault, match="UnknownResourceFault"):
        register_types(service.client, ACTIVITY_TYPES, "nowhere", {("a", "1.0"): {}})


def test_activity_types_go_the_same_way(service: Service) -> None:
    options = {"defaultTaskStartToCloseTimeout": "30", "defaultTaskList": {"name": "list"}}
    assert register_types(service.client, ACTIVITY_TYPES, "d", {("a", "1.0"): options}).new == [("a", "1.0")]
    changed = {("a", "1.0"): {**options, "defaultTaskHeartbeatTimeout": "5"}}
    assert register_types(service.client, ACTIVITY_TYPES, "d", changed).differences == [
        Difference(("a", "1.0"), "defaultTaskHeartbeatTimeout", None, "5")
    ]
