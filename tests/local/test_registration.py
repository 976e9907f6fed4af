"""Domains and types: their lives, their lists, their tags, their quotas."""

import pytest

import decisions
from local_driver import ACTIVITY, WORKFLOW, Driver, activity
from local_driver import fault_of as fault
from pyflow.local import LocalSWF, faults, registry

ARN = "arn:aws:swf:us-east-1:123456789012:/domain/d"
KINDS = {"workflow": WORKFLOW, "activity": ACTIVITY}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


def call(flow: Driver, verb: str, kind: str, named: dict | None = None):
    return getattr(flow.client, f"{verb}_{kind}_type")(domain="d", **{f"{kind}Type": named or KINDS[kind]})


def test_a_type_is_described_by_what_was_given(flow: Driver, kind: str) -> None:
    register = getattr(flow.client, f"register_{kind}_type")
    register(domain="d", name="n", version="v", description="", defaultTaskStartToCloseTimeout="NONE")
    described = call(flow, "describe", kind, {"name": "n", "version": "v"})
    assert described["configuration"] == {"defaultTaskStartToCloseTimeout": "NONE"}
    info = described["typeInfo"]
    assert info.pop("creationDate").timestamp() == 1_000_000
    assert info == {f"{kind}Type": {"name": "n", "version": "v"}, "status": "REGISTERED", "description": ""}
    spelled = f"{kind.capitalize()}Type=[name=n, version=v]"
    assert fault(register, domain="d", name="n", version="v") == ("TypeAlreadyExistsFault", spelled)


def test_a_type_is_deprecated_taken_back_deleted_and_made_again(flow: Driver, kind: str) -> None:
    spelled = f"{kind.capitalize()}Type=[name={KINDS[kind]['name']}, version=1]"
    assert fault(call, flow, "delete", kind) == ("TypeNotDeprecatedFault", spelled)
    assert fault(call, flow, "undeprecate", kind) == ("TypeAlreadyExistsFault", spelled)
    call(flow, "deprecate", kind)
    assert call(flow, "describe", kind)["typeInfo"]["deprecationDate"].timestamp() == 1_000_000
    assert fault(call, flow, "deprecate", kind) == ("TypeDeprecatedFault", spelled)
    call(flow, "undeprecate", kind)
    assert "deprecationDate" not in call(flow, "describe", kind)["typeInfo"]
    call(flow, "deprecate", kind)
    call(flow, "delete", kind)
    assert fault(call, flow, "describe", kind) == ("UnknownResourceFault", f"Unknown type: {spelled}")
    getattr(flow.client, f"register_{kind}_type")(domain="d", **KINDS[kind])


def test_what_runs_goes_on_without_its_types(flow: Driver) -> None:
    run_id = flow.start()
    flow.decide(activity(), activity("b"))
    for kind in KINDS:
        call(flow, "deprecate", kind)
        call(flow, "delete", kind)
    work = flow.activity_task()
    flow.client.respond_activity_task_completed(taskToken=work["taskToken"])
    flow.decide(decisions.complete_workflow_execution())
    assert flow.history(run_id)[-1] == "WorkflowExecutionCompleted"


def test_types_are_listed_by_name_then_version_in_pages(flow: Driver, kind: str) -> None:
    register = getattr(flow.client, f"register_{kind}_type")
    for name, version in (("b", "2"), ("b", "1"), ("c", "1"), ("old", "1")):
        register(domain="d", name=name, version=version)
    call(flow, "deprecate", kind, {"name": "old", "version": "1"})

    def listed(**asked) -> list[tuple[str, str]]:
        found, token = [], {}
        while token is not None:
            page = getattr(flow.client, f"list_{kind}_types")(domain="d", maximumPageSize=2, **asked, **token)
            found += [tuple(info[f"{kind}Type"].values()) for info in page["typeInfos"]]
            token = {"nextPageToken": page["nextPageToken"]} if "nextPageToken" in page else None
        return found

    first = KINDS[kind]["name"], "1"
    every = sorted([first, ("b", "1"), ("b", "2"), ("c", "1")])
    assert listed(registrationStatus="REGISTERED") == every
    assert listed(registrationStatus="REGISTERED", reverseOrder=True) == every[::-1]
    assert listed(registrationStatus="REGISTERED", name="b") == [("b", "1"), ("b", "2")]
    assert listed(registrationStatus="DEPRECATED") == [("old", "1")]


def test_a_deprecated_domain_begins_nothing_and_lets_what_runs_go_on(flow: Driver) -> None:
    flow.start("running")
    flow.client.deprecate_domain(name="d")
    assert fault(flow.client.deprecate_domain, name="d") == ("DomainDeprecatedFault", "d")
    assert fault(flow.start) == ("DomainDeprecatedFault", "d")
    new = {"domain": "d", "name": "n", "version": "1"}
    assert fault(flow.client.register_activity_type, **new) == ("DomainDeprecatedFault", "d")
    assert [each["name"] for each in flow.client.list_domains(registrationStatus="DEPRECATED")["domainInfos"]] == ["d"]
    assert flow.client.list_domains(registrationStatus="REGISTERED")["domainInfos"] == []
    flow.decide(activity())
    flow.client.undeprecate_domain(name="d")
    assert fault(flow.client.undeprecate_domain, name="d") == ("DomainAlreadyExistsFault", "d")
    # Its types stay as the deprecation left them.
    assert fault(flow.start)[0] == "TypeDeprecatedFault"
    call(flow, "undeprecate", "workflow")
    flow.start()


def test_a_domains_name_is_taken_for_ever(flow: Driver) -> None:
    flow.client.deprecate_domain(name="d")
    asked = {"name": "d", "workflowExecutionRetentionPeriodInDays": "1"}
    assert fault(flow.client.register_domain, **asked) == ("DomainAlreadyExistsFault", "d")


def test_tags_of_a_domain(flow: Driver) -> None:
    client = flow.client
    client.register_domain(name="e", workflowExecutionRetentionPeriodInDays="1", tags=[{"key": "a", "value": "1"}])
    arn = client.describe_domain(name="e")["domainInfo"]["arn"]
    client.tag_resource(resourceArn=arn, tags=[{"key": "a", "value": "2"}, {"key": "b"}])
    client.untag_resource(resourceArn=arn, tagKeys=["nothing"])
    assert client.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "a", "value": "2"}, {"key": "b"}]
    client.untag_resource(resourceArn=arn, tagKeys=["a"])
    assert client.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "b"}]
    many = [{"key": str(n)} for n in range(50)]
    assert fault(client.tag_resource, resourceArn=arn, tags=many)[0] == "TooManyTagsFault"
    more = {"name": "f", "workflowExecutionRetentionPeriodInDays": "1", "tags": [*many, {"key": "x"}]}
    assert fault(client.register_domain, **more)[0] == "TooManyTagsFault"
    assert fault(client.list_tags_for_resource, resourceArn=ARN.replace("/d", "/none", 2))[0] == "UnknownResourceFault"
    assert fault(client.list_tags_for_resource, resourceArn="arn:aws:s3:::d")[0] == "UnknownResourceFault"


def test_quotas_of_domains_types_and_open_executions(flow: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyflow.local.operations.registration.DOMAINS_MAX", 1)
    monkeypatch.setattr("pyflow.local.operations.registration.TYPES_MAX", 1)
    monkeypatch.setattr(faults, "OPEN_EXECUTIONS_MAX", 2)
    domain = {"name": "e", "workflowExecutionRetentionPeriodInDays": "1"}
    assert fault(flow.client.register_domain, **domain)[0] == "LimitExceededFault"
    for kind in KINDS:
        register = getattr(flow.client, f"register_{kind}_type")
        assert fault(register, domain="d", name="n", version="1")[0] == "LimitExceededFault"
    run_id = flow.start()
    children = [decisions.start_child_workflow_execution(str(n), "flow", "1") for n in range(2)]
    flow.decide(*children)
    refused = flow.last(run_id, "StartChildWorkflowExecutionFailed")
    assert (refused["cause"], refused["initiatedEventId"]) == ("OPEN_WORKFLOWS_LIMIT_EXCEEDED", 0)
    assert fault(flow.start, "w2")[0] == "LimitExceededFault"
    assert registry.DOMAINS_MAX == 100


def test_registrations_outlive_the_process(tmp_path) -> None:
    path = tmp_path / "flow.sqlite"
    with LocalSWF(path) as swf:
        flow = Driver(swf.direct())
        flow.client.tag_resource(resourceArn=ARN, tags=[{"key": "k"}])
        call(flow, "deprecate", "activity")
        before = [call(flow, "describe", kind) for kind in KINDS], flow.client.describe_domain(name="d")
    with LocalSWF(path) as swf:
        flow.client = swf.direct()
        assert ([call(flow, "describe", kind) for kind in KINDS], flow.client.describe_domain(name="d")) == before
        assert flow.client.list_tags_for_resource(resourceArn=ARN)["tags"] == [{"key": "k"}]
        call(flow, "delete", "activity")
    with LocalSWF(path) as swf:
        flow.client = swf.direct()
        assert fault(call, flow, "describe", "activity")[0] == "UnknownResourceFault"
