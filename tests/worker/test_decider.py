"""The decider's loop against a service that does not exist: what is answered, parked, sent again or left alone."""

import logging

import pytest

import pyflow
from histories import task
from pyflow import Decider, ServiceFault
from pyflow.swf import repeating
from pyflow.worker import polling, responding

FIRST = """
    1 WorkflowExecutionStarted input=5
    2 DecisionTaskScheduled startToCloseTimeout=30
    3 DecisionTaskStarted scheduledEventId=2
"""
SECOND = (
    FIRST
    + """
    4 DecisionTaskCompleted scheduledEventId=2 startedEventId=3
    5 LambdaFunctionScheduled id=lambda1 name=a
    6 LambdaFunctionStarted scheduledEventId=5
    7 LambdaFunctionCompleted scheduledEventId=5 startedEventId=6 result=7
    8 DecisionTaskScheduled
    9 DecisionTaskStarted scheduledEventId=8
"""
)


class Echo(pyflow.Workflow):
    NAME = "W"

    def run(self, value):
        return self.swf.invoke_lambda("a", None).result()


class Service:
    """Hands out tasks in turn, then stops its decider; answers responses with the faults it is given, in turn."""

    def __init__(self, *tasks, faults=()):
        self.tasks = list(tasks)
        self.faults = list(faults)
        self.responses = []
        self.registered = []
        self.decider = None

    def list_workflow_types(self, **_):
        return {"typeInfos": []}

    def register_workflow_type(self, **request):
        self.registered.append(request)

    def poll_for_decision_task(self, **request):
        if not self.tasks:
            self.decider.stop()
            return {"startedEventId": 0, "previousStartedEventId": 0}
        one = self.tasks.pop(0)
        if isinstance(one, Exception):
            raise one
        return one

    def respond_decision_task_completed(self, **response):
        self.responses.append(response)
        if self.faults:
            fault = self.faults.pop(0)
            if fault is not None:
                raise fault


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(repeating, "BACKOFF_FIRST_S", 0.0)
    monkeypatch.setattr(polling, "REPAIR_MIN_S", 0.0)
    monkeypatch.setattr(polling, "EMPTY_POLL_S", 0.0)
    monkeypatch.setattr(responding, "backoff_s", lambda *_: 0.0)


def run(service, *classes, **options):
    service.decider = Decider(classes or [Echo], "domain", "list", "me", client=service, **{"pollers": 1} | options)
    service.decider.poll_for_decision_tasks()
    return service.responses


def kinds(response):
    return [decision["decisionType"] for decision in response["decisions"]]


def fault(code, status=400):
    return ServiceFault(code, "because", operation="RespondDecisionTaskCompleted", status=status)


def test_task_is_answered_with_its_token_decisions_and_context():
    (response,) = run(Service(task(FIRST)))

    assert response["taskToken"] == "token-3"
    assert kinds(response) == ["ScheduleLambdaFunction"]
    assert response["executionContext"].startswith("pyflow rules 1\nwaiting at ")


def test_unknown_type_is_logged_and_not_answered(caplog):
    class Other(pyflow.Workflow):
        NAME = "Other"

    assert run(Service(task(FIRST)), Other) == []
    assert "unknown workflow type: ('W', '1.0')" in caplog.text
    assert "This decider knows: Other 1.0" in caplog.text


def test_unsound_history_is_logged_and_not_answered(caplog):
    bad = task(SECOND)
    del bad["events"][4]

    assert run(Service(bad)) == []
    assert "event 5 was expected next" in caplog.text


def test_nondeterminism_is_parked_and_logged_with_both_sides(caplog):
    class Changed(pyflow.Workflow):
        NAME = "W"

        def run(self, _):
            self.swf.sleep(1)

    (response,) = run(Service(task(SECOND)), Changed)

    assert kinds(response) == ["StartTimer", "RecordMarker"]
    marker = response["decisions"][1]["recordMarkerDecisionAttributes"]
    assert marker["markerName"] == "pyflow.park.1"
    for text in (marker["details"], caplog.text, response["executionContext"]):
        assert "LambdaFunctionScheduled lambda1 (a)" in text
        assert "timer sleep1" in text
    assert response["executionContext"].startswith("pyflow rules 1\nparked: ")


def test_parking_in_a_row_waits_longer_and_stays_silent_while_its_timer_is_open():
    class Changed(pyflow.Workflow):
        NAME = "W"

        def run(self, _):
            self.swf.sleep(1)

    parked_once = SECOND + (
        """
        10 DecisionTaskCompleted scheduledEventId=8 startedEventId=9
        11 TimerStarted timerId=pyflow.park.1 startToFireTimeout=1
        12 MarkerRecorded markerName=pyflow.park.1
        13 WorkflowExecutionSignaled signalName=x
        14 DecisionTaskScheduled
        15 DecisionTaskStarted scheduledEventId=14
        16 DecisionTaskCompleted scheduledEventId=14 startedEventId=15
        17 TimerFired timerId=pyflow.park.1 startedEventId=11
        18 DecisionTaskScheduled
        19 DecisionTaskStarted scheduledEventId=18
        """
    )
    silent, again = run(Service(task(parked_once, until=15), task(parked_once)), Changed)

    assert silent["decisions"] == []
    assert again["decisions"][0]["startTimerDecisionAttributes"] == {
        "timerId": "pyflow.park.2",
        "startToFireTimeout": "2",
    }
    (mended,) = run(Service(task(parked_once)), Echo)
    assert kinds(mended) == ["CompleteWorkflowExecution"]


def test_error_of_ours_is_parked_and_never_fails_the_execution(caplog, monkeypatch):
    monkeypatch.setattr("pyflow.replay.replayer.Replayer.decisions", lambda self, seal: 1 / 0)

    (response,) = run(Service(task(FIRST)))

    assert kinds(response) == ["StartTimer", "RecordMarker"]
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("code", ["ThrottlingException", "InternalFailure", "RequestTimeout"])
def test_response_pushed_back_is_sent_again_with_the_same_bytes(code):
    first, second, third = run(Service(task(FIRST), faults=[fault(code, 500), fault(code, 500)]))

    assert first == second == third


def test_response_of_a_lost_task_is_dropped_and_the_run_forgotten(caplog):
    ran = []

    class Counted(Echo):
        def __init__(self, swf):
            ran.append(1)
            super().__init__(swf)

    responses = run(Service(task(FIRST), task(SECOND), faults=[fault("UnknownResourceFault")]), Counted)

    assert [kinds(response) for response in responses] == [["ScheduleLambdaFunction"], ["CompleteWorkflowExecution"]]
    assert len(ran) == 2
    assert "did not arrive" in caplog.text


def test_refused_response_is_parked_and_names_the_fault():
    refused, parked = run(Service(task(FIRST), faults=[fault("ValidationException")]))

    assert kinds(refused) == ["ScheduleLambdaFunction"]
    assert kinds(parked) == ["StartTimer", "RecordMarker"]
    assert "ValidationException" in parked["decisions"][1]["recordMarkerDecisionAttributes"]["details"]


def test_failed_polls_are_survived():
    poll_fault = ServiceFault("ThrottlingException", "Rate exceeded", operation="PollForDecisionTask")

    assert len(run(Service(poll_fault, poll_fault, task(FIRST)))) == 1


def test_max_time_ends_the_polling_between_polls():
    polls = []
    service = Service()
    service.poll_for_decision_task = lambda **_: polls.append(1) or {"startedEventId": 0}
    decider = Decider([Echo], "domain", "list", "me", client=service)

    decider.poll_for_decision_tasks(max_time=0)
    assert polls == []
    decider.poll_for_decision_tasks(max_time=0.02)
    assert polls


class TestRegistration:
    def test_options_are_texts_and_the_task_list_is_the_decider_s(self):
        service = Service()
        run(service)

        assert service.registered == [
            {
                "domain": "domain",
                "name": "W",
                "version": "1.0",
                "defaultChildPolicy": "TERMINATE",
                "defaultTaskStartToCloseTimeout": "30",
                "defaultExecutionStartToCloseTimeout": "31536000",
                "defaultTaskList": {"name": "list"},
            }
        ]

    @pytest.mark.parametrize("own", ["mine", {"name": "mine"}])
    def test_own_task_list_wins(self, own):
        class Listed(Echo):
            OPTIONS = {"defaultTaskList": own}

        service = Service()
        run(service, Listed)
        assert service.registered[0]["defaultTaskList"] == {"name": "mine"}

    def test_class_is_not_initialised_for_it(self):
        class Eager(Echo):
            def __init__(self, swf):
                super().__init__(swf)
                swf.workflow_time()

        service = Service()
        run(service, Eager)
        assert len(service.registered) == 1

    def test_type_that_exists_is_fine_and_another_fault_is_not(self):
        service = Service()
        service.register_workflow_type = lambda **_: (_ for _ in ()).throw(fault("TypeAlreadyExistsFault"))
        service.describe_workflow_type = lambda **_: (_ for _ in ()).throw(fault("OperationNotPermittedFault"))
        run(service)

        service = Service()
        service.register_workflow_type = lambda **_: (_ for _ in ()).throw(fault("OperationNotPermittedFault"))
        with pytest.raises(ServiceFault, match="OperationNotPermitted"):
            run(service)

    def test_lambda_role_under_its_old_name_is_refused_and_says_the_right_one(self):
        class Roled(Echo):
            OPTIONS = {"lambdaRole": "arn:aws:iam::123456789012:role/swf"}

        with pytest.raises(pyflow.PyflowException, match="defaultLambdaRole"):
            run(Service(), Roled)

    def test_two_classes_of_one_type_are_refused(self):
        class Twin(Echo):
            pass

        with pytest.raises(pyflow.PyflowException, match="a type has one class"):
            Decider([Echo, Twin], "domain", "list", "me", client=Service())

    def test_class_without_a_name_is_refused(self):
        class Nameless(pyflow.Workflow):
            pass

        with pytest.raises(pyflow.PyflowException, match="must set NAME and VERSION"):
            Decider([Nameless], "domain", "list", "me", client=Service())


def test_nothing_of_an_input_is_logged(caplog):
    caplog.set_level(logging.DEBUG)
    run(Service(task(FIRST.replace("input=5", 'input="canary-7f3a"'))))

    assert "canary-7f3a" not in caplog.text


def test_a_client_of_its_own_is_made_anew_where_its_credentials_are_stale(monkeypatch):
    from pyflow.worker import decider as module

    made = []
    monkeypatch.setattr(module, "create_client", lambda **_: made.append(object()) or made[-1])
    own = Decider([Echo], "domain", "list", "me")
    assert own._client is made[0]
    own._renew_client()
    assert own._client is made[0], "a minute apart at least"
    monkeypatch.setattr(module, "RENEW_S", -1.0)
    own._renew_client()
    assert own._client is made[1]

    given = Decider([Echo], "domain", "list", "me", client=Service())
    given._renew_client()
    assert len(made) == 2
