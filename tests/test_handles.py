"""The starting side: start once, wait for the result, act on an execution from outside."""

import threading

import boto3
import pytest
from moto import mock_aws

import pyflow
from pyflow import executions, handles
from pyflow.handles import WorkflowHandle
from pyflow.local.mishaps import BROKEN, THROTTLE, UNAVAILABLE, Drop, Lose
from pyflow.swf import repeating


class Order(pyflow.Workflow):
    NAME = "Order"

    def run(self, order):
        if order == "fail":
            raise pyflow.WorkflowFailedException("SOLD_OUT", "no books")
        if isinstance(order, int):
            self.swf.continue_as_new(order - 1 if order else {"paid": True})
        if order == "wait":
            return self.swf.receive("paid")
        return order


class Refund(pyflow.Workflow):
    NAME = "Refund"

    def run(self, _):
        return None


@pytest.fixture
def start(flow):
    flow.use(Order, Refund)
    flow.advance(0)

    def start(input=None, **more):
        return pyflow.start_workflow(
            flow.domain, workflow=Order, task_list=flow.task_list, input=input, client=flow.client, **more
        )

    return start


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    monkeypatch.setattr(executions, "FIND_PAUSE_S", 0.0)


class TestResult:
    def test_is_what_run_returned(self, flow, start):
        handle = start({"id": 1}).handle
        flow.run_until_blocked()
        assert handle.result() == {"id": 1}

    def test_follows_runs_that_continue_as_new(self, flow, start):
        started = start(2)
        flow.run_until_blocked()
        assert started.handle.result() == {"paid": True}
        assert started.handle.run_id != started["runId"]

    def test_of_a_failed_execution_has_its_reason_and_details(self, flow, start):
        handle = start('"fail"').handle
        flow.run_until_blocked()
        with pytest.raises(pyflow.WorkflowFailedException) as raised:
            handle.result()
        assert (raised.value.reason, raised.value.details) == ("SOLD_OUT", "no books")

    def test_of_one_that_others_ended_says_how(self, flow, start):
        canceled, terminated, timed_out = (
            start('"wait"', workflow_id=name, execution_start_to_close_timeout=60).handle for name in "abc"
        )
        flow.run_until_blocked()
        canceled.cancel()
        terminated.terminate("by Ada")
        flow.run_until_blocked()
        flow.advance(60)
        with pytest.raises(pyflow.WorkflowCanceledException):
            canceled.result()
        with pytest.raises(pyflow.WorkflowTerminatedException, match="by Ada") as raised:
            terminated.result()
        assert raised.value.reason == "by Ada"
        with pytest.raises(pyflow.WorkflowTimedOutException) as raised:
            timed_out.result()
        assert raised.value.timeout_type == "START_TO_CLOSE"

    def test_waits_no_longer_than_it_may(self, flow, start):
        handle = start('"wait"', workflow_id="w").handle
        with pytest.raises(pyflow.WaitTimedOutException, match=r"w was not closed within 0\.06 seconds"):
            handle.result(timeout=0.06)

    def test_survives_a_look_that_is_not_answered(self, flow, start, monkeypatch):
        handle = start(1).handle
        flow.run_until_blocked()
        read = flow.client.get_workflow_execution_history
        trouble = [
            pyflow.ServiceFault("InternalFailure", "x", status=500),
            pyflow.ServiceFault("ThrottlingException", "x"),
        ]

        def troubled(**request):
            if trouble:
                raise trouble.pop()
            return read(**request)

        monkeypatch.setattr(flow.client, "get_workflow_execution_history", troubled, raising=False)
        assert handle.result() == {"paid": True}

    def test_of_an_unknown_execution_is_refused_at_once(self, flow):
        with pytest.raises(pyflow.ServiceFault, match="UnknownResourceFault"):
            pyflow.handle("w", "r", domain=flow.domain, client=flow.client).result()

    def test_that_is_not_json_is_refused_with_where_its_text_is(self):
        closed = {
            "eventType": "WorkflowExecutionCompleted",
            "workflowExecutionCompletedEventAttributes": {"result": "{"},
        }
        with pytest.raises(pyflow.SerializationException, match=r"status\(\)\.result is its text"):
            handles.outcome_of(closed)

    def test_comes_while_others_decide(self, flow, start):
        handle = start('"wait"').handle
        flow.run_until_blocked()
        results = []
        waiting = threading.Thread(target=lambda: results.append(handle.result(timeout=30)))
        waiting.start()
        handle.signal("paid", {"by": "Ada"})
        flow.run_until_blocked()
        waiting.join()
        assert results == [{"by": "Ada"}]


class TestHandle:
    def test_without_a_run_id_finds_the_open_run_or_the_last(self, flow, start):
        first = start({"n": 1}, workflow_id="w")
        flow.run_until_blocked()
        flow.advance(10)
        second = start('"wait"', workflow_id="w")
        other = start('"wait"', workflow_id="w2")
        flow.run_until_blocked()
        assert pyflow.handle("w", domain=flow.domain, client=flow.client).run_id == second["runId"]
        second.handle.terminate()
        assert pyflow.handle("w", domain=flow.domain, client=flow.client).run_id == second["runId"]
        assert pyflow.handle("w", first["runId"], domain=flow.domain, client=flow.client).result() == {"n": 1}
        other.handle.terminate()

    def test_of_an_id_that_nobody_has_is_refused(self, flow):
        with pytest.raises(pyflow.PyflowException, match="no execution of domain 'flow' has the workflow id 'w'"):
            pyflow.handle("w", domain=flow.domain, client=flow.client)

    def test_signal_reaches_the_run_that_it_continued_as(self, flow):
        class Relay(pyflow.Workflow):
            NAME = "Relay"

            def run(self, again):
                if again:
                    self.swf.sleep(1)
                    self.swf.continue_as_new(False)
                return self.swf.receive("go")

        execution = flow.start(Relay, True)
        handle = WorkflowHandle(flow.client, flow.domain, execution.workflow_id, execution.run_id)
        flow.advance(1)
        handle.signal("go", 7)
        assert execution.result() == 7
        assert handle.run_id != execution.first_run_id

    def test_a_closed_execution_cannot_be_signaled(self, flow, start):
        handle = start({}).handle
        flow.run_until_blocked()
        with pytest.raises(pyflow.ServiceFault, match="UnknownResourceFault from SignalWorkflowExecution"):
            handle.signal("paid")

    def test_tells_status_description_history_and_where_it_waits(self, flow, start):
        handle = start('"wait"').handle
        flow.run_until_blocked()
        assert "in Order.run" in handle.waiting
        assert handle.status().execution_status == "OPEN"
        assert handle.describe()["openCounts"]["openTimers"] == 0
        assert handle.history()[0]["eventType"] == "WorkflowExecutionStarted"
        handle.signal("paid", 1)
        flow.run_until_blocked()
        assert (handle.status().close_status, handle.status().result, handle.waiting) == ("COMPLETED", "1", None)

    def test_status_is_that_of_the_last_run(self, flow, start):
        handle = start(1).handle
        flow.run_until_blocked()
        assert handle.status().close_status == "COMPLETED"

    def test_history_has_all_pages(self, flow, start):
        handle = start({}).handle
        flow.run_until_blocked()
        read = flow.client.get_workflow_execution_history
        flow.client.get_workflow_execution_history = lambda **request: read(**{"maximumPageSize": 2, **request})
        assert [event["eventId"] for event in handle.history()] == [1, 2, 3, 4, 5]


class TestStart:
    def test_gives_the_dict_of_2_0_0_with_a_handle(self, start):
        started = start({})
        assert sorted(started) == ["runId", "workflowId"]
        assert isinstance(started, dict)
        assert started == started.handle.execution

    def test_gives_what_clients_take_as_an_execution(self, flow, start):
        assert flow.client.describe_workflow_execution(domain=flow.domain, execution=start({}))["executionInfo"]

    def test_takes_a_class_and_tags(self, flow, start):
        info = start({}, tags=["a", "b"]).handle.describe()["executionInfo"]
        assert (info["workflowType"], info["tagList"]) == ({"name": "Order", "version": "1.0"}, ["a", "b"])

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({}, "needs the workflow's class, or its"),
            ({"workflow_name": "Order"}, "needs the workflow's class, or its"),
            ({"workflow": Order, "workflow_name": "Order"}, "not both"),
            ({"workflow": pyflow.Workflow}, "has no NAME"),
            ({"workflow": Order, "tags": ["a"], "tag_list": ["a"]}, "give one of them"),
        ],
    )
    def test_of_no_type_or_of_two_is_refused(self, arguments, message):
        with pytest.raises(TypeError, match=message):
            pyflow.start_workflow("d", client=object(), **arguments)

    def test_of_an_id_that_is_open_fails(self, start):
        start('"wait"', workflow_id="w")
        with pytest.raises(pyflow.ServiceFault, match="WorkflowExecutionAlreadyStartedFault"):
            start({}, workflow_id="w")

    def test_that_is_repeated_starts_once(self, start):
        first = start('"wait"', workflow_id="w", id_reuse="use_existing")
        second = start('"other"', workflow_id="w", id_reuse="use_existing")
        assert second == first
        assert (first.reused, second.reused) == (False, True)
        assert second.handle.history()[0]["workflowExecutionStartedEventAttributes"]["input"] == '"wait"'

    def test_that_is_repeated_after_the_end_starts_again(self, flow, start):
        first = start({}, workflow_id="w", id_reuse="use_existing")
        flow.run_until_blocked()
        assert start({}, workflow_id="w", id_reuse="use_existing")["runId"] != first["runId"]

    def test_never_gives_an_execution_of_another_type(self, flow, start):
        start('"wait"', workflow_id="w")
        with pytest.raises(pyflow.ServiceFault, match="WorkflowExecutionAlreadyStartedFault"):
            pyflow.start_workflow(
                flow.domain,
                workflow=Refund,
                task_list="l",
                workflow_id="w",
                id_reuse="use_existing",
                client=flow.client,
            )

    def test_looks_again_while_swf_does_not_list_the_open_one_yet(self, flow, start, monkeypatch):
        first = start('"wait"', workflow_id="w")
        listed = flow.client.list_open_workflow_executions
        late = [True, True]
        monkeypatch.setattr(
            flow.client,
            "list_open_workflow_executions",
            lambda **request: {"executionInfos": []} if late and late.pop() else listed(**request),
            raising=False,
        )
        assert start({}, workflow_id="w", id_reuse="use_existing") == first

    def test_gives_up_where_swf_never_lists_it(self, flow, start, monkeypatch):
        start('"wait"', workflow_id="w")
        monkeypatch.setattr(
            flow.client, "list_open_workflow_executions", lambda **_: {"executionInfos": []}, raising=False
        )
        with pytest.raises(pyflow.ServiceFault, match="WorkflowExecutionAlreadyStartedFault"):
            start({}, workflow_id="w", id_reuse="use_existing")

    @pytest.mark.parametrize("more", [{"id_reuse": "use_existing"}, {"id_reuse": "other", "workflow_id": "w"}])
    def test_id_reuse_that_cannot_be_meant_is_refused(self, start, more):
        with pytest.raises(ValueError, match="id_reuse is 'fail', or 'use_existing' with a workflow_id"):
            start({}, **more)


class TestStartWhoseAnswerIsLost:
    """The service has started it, or has not; whoever calls hears nothing, and starts once."""

    @pytest.fixture
    def after(self, flow, start, monkeypatch):
        monkeypatch.setattr(repeating, "backoff_s", lambda *_: 0.0)

        def after(*mishaps, input='"wait"', **more):
            plan = list(mishaps)
            flow.service.plan_mishaps(
                lambda action, _: plan.pop(0) if plan and action == "StartWorkflowExecution" else None
            )
            return start(input, **more)

        return after

    @pytest.mark.parametrize(
        "mishaps", [[Lose()], [Drop()], [Lose(), THROTTLE, Drop()], [UNAVAILABLE, Lose()]], ids=str
    )
    @pytest.mark.parametrize(
        "more", [{}, {"workflow_id": "w"}, {"workflow_id": "w", "id_reuse": "use_existing"}], ids=str
    )
    def test_gives_the_one_that_was_started(self, flow, after, mishaps, more):
        started = after(*mishaps, tags=["web"], **more)
        infos = flow.client.list_open_workflow_executions(domain=flow.domain, startTimeFilter={"oldestDate": 0})
        assert [info["execution"] for info in infos["executionInfos"]] == [started]
        assert not started.reused

    def test_finds_the_first_run_of_one_that_has_continued_meanwhile(self, flow, after, monkeypatch):
        class Renewing(pyflow.Workflow):
            NAME = "Renewing"

            def run(self, renewals):
                if renewals:
                    self.swf.continue_as_new(renewals - 1)
                return self.swf.receive("paid")

        def start_and_lose(**request):
            started.append(flow.service.direct().start_workflow_execution(**request))
            flow.run_until_blocked()
            raise pyflow.ServiceFault("ReadTimeoutError", "no answer", status=0)

        started = []
        flow.use(Renewing)
        flow.advance(0)
        monkeypatch.setattr(flow.client, "start_workflow_execution", start_and_lose, raising=False)
        lost = pyflow.start_workflow(
            flow.domain, workflow=Renewing, task_list=flow.task_list, input=3, workflow_id="w", client=flow.client
        )
        assert [lost["runId"]] == [one["runId"] for one in started]
        lost.handle.signal("paid", 1)
        flow.run_until_blocked()
        assert lost.handle.result() == 1

    @pytest.mark.parametrize("theirs", [{"input": '"other"'}, {"tags": ["theirs"]}], ids=str)
    def test_never_gives_what_somebody_else_has_started(self, flow, start, after, theirs):
        start(**{"input": '"wait"', "workflow_id": "w", **theirs})
        with pytest.raises(pyflow.ServiceFault, match="was started otherwise") as fault:
            after(BROKEN, workflow_id="w")
        assert fault.value.code == "WorkflowExecutionAlreadyStartedFault"

    def test_gives_up_after_five_tries(self, after):
        with pytest.raises(pyflow.ServiceFault, match="ThrottlingException"):
            after(*[THROTTLE] * 5)


@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")
def test_against_moto_too(monkeypatch):
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
        monkeypatch.setenv(f"AWS_{name}", "testing")
    with mock_aws():
        client = boto3.client("swf", region_name="us-east-1")
        client.register_domain(name="d", workflowExecutionRetentionPeriodInDays="1")
        decider = pyflow.Decider([Order], "d", "list", "me", client=client)
        decider.ensure_workflows_registered()
        options = {"workflow": Order, "task_list": "list", "client": client, "child_policy": "TERMINATE"}
        started = pyflow.start_workflow("d", input='"wait"', workflow_id="w", id_reuse="use_existing", **options)
        again = pyflow.start_workflow("d", input='"wait"', workflow_id="w", id_reuse="use_existing", **options)
        found = pyflow.handle("w", domain="d", client=client)
        assert again == started == found.execution
        found.terminate("by Ada")
        with pytest.raises(pyflow.WorkflowTerminatedException, match="by Ada"):
            started.handle.result()
