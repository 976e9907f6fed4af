"""What a body may do with its task, and what others may do with one that it leaves open."""

import threading

import boto3
import pytest

import pyflow
from moto_in_turn import moto_in_turn
from pyflow import RetryPolicy, activity
from pyflow.local import LocalSWF
from pyflow.tasks import ActivityTask

NOTES = []
TOKENS = []
FREQUENT = RetryPolicy(initial=1, jitter=0, max_attempts=3)


@pyflow.activity(start_to_close=600, heartbeat=30)
def who():
    task = activity.current()
    return [task.activity_id, task.attempt, task.workflow_id, task.run_id, task.last_details, task.cancel_requested]


@pyflow.activity(start_to_close=600, heartbeat=30, retry=FREQUENT)
def stalls(beats):
    """Beat as often as told for each attempt, then leave the task to its timeout; the last attempt tells what it found."""
    task = activity.current()
    NOTES.append(task.last_details)
    if task.attempt == 3:
        return NOTES
    for beat in beats[task.attempt - 1]:
        task.heartbeat(beat)
    task.complete_later()


@pyflow.activity(start_to_close=600)
def later():
    TOKENS.append(activity.current().complete_later())
    return object()  # dropped, though no JSON


@pyflow.activity(start_to_close=600)
def leaves_and_raises():
    activity.current().complete_later()
    raise KeyError("gone")


class Client:
    """A service whose heartbeats are answered as told: a bool, or a fault to raise."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.beats = []

    def record_activity_task_heartbeat(self, **request):
        self.beats.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return {"cancelRequested": answer}


def task_of(client, activity_id="activity1"):
    return ActivityTask(
        client,
        "d",
        {
            "taskToken": "t",
            "activityId": activity_id,
            "activityType": {"name": "charge", "version": "1.0"},
            "workflowExecution": {"workflowId": "w", "runId": "r"},
            "startedEventId": 6,
        },
    )


def workflow(run, **members):
    return type("W", (pyflow.Workflow,), {"NAME": "W", "run": run, "__module__": __name__, **members})


def attributes(execution, event_type):
    key = event_type[0].lower() + event_type[1:] + "EventAttributes"
    return [event[key] for event in execution.history if event["eventType"] == event_type]


@pytest.fixture(autouse=True)
def fresh():
    NOTES.clear()
    TOKENS.clear()


class TestCurrent:
    def test_tells_the_body_which_task_it_works_on(self, flow):
        execution = flow.start(workflow(lambda self, _: who()))
        assert execution.result() == ["activity1", 1, execution.workflow_id, execution.run_id, None, False]

    @pytest.mark.parametrize(
        ("activity_id", "attempt"), [("activity3", 1), ("activity3.2", 2), ("f1.activity3", 1), ("f1.activity3.12", 12)]
    )
    def test_attempt_is_read_from_the_activity_id(self, activity_id, attempt):
        assert task_of(Client(), activity_id).attempt == attempt

    def test_is_refused_outside_a_body_with_what_to_do(self):
        with pytest.raises(pyflow.NotInActivityException, match="called as a plain function has no task"):
            who()

    def test_is_refused_in_a_workflow(self, flow):
        def run(self, _):
            with pytest.raises(pyflow.NotInActivityException):
                activity.current()
            return "refused"

        assert flow.run(workflow(run)) == "refused"

    def test_is_gone_once_the_body_has_ended(self, flow):
        flow.run(workflow(lambda self, _: who()))
        with pytest.raises(pyflow.NotInActivityException):
            activity.current()


class TestHeartbeat:
    def test_sends_details_as_json_and_keeps_them_until_others_come(self):
        client = Client(False, False, False, False)
        task = task_of(client)
        task.heartbeat()
        task.heartbeat({"done": 3})
        task.heartbeat()
        assert not task.cancel_requested
        assert client.beats == [{"taskToken": "t"}, *[{"taskToken": "t", "details": '{"done": 3}'}] * 3]

    def test_raises_once_a_cancel_was_requested(self):
        task = task_of(Client(False, True))
        task.heartbeat(1)
        with pytest.raises(pyflow.ActivityCanceledException, match="activity1 was requested"):
            task.heartbeat(2)
        assert task.cancel_requested  # known, and not asked again

    def test_a_lost_task_stops_the_body_in_the_same_way(self):
        task = task_of(Client(pyflow.ServiceFault("UnknownResourceFault", "gone")))
        with pytest.raises(pyflow.ActivityCanceledException, match="does not wait for activity1"):
            task.heartbeat()
        assert task.lost
        assert task.cancel_requested

    @pytest.mark.parametrize(
        ("code", "status"), [("ConnectTimeoutError", 0), ("InternalFailure", 500), ("ThrottlingException", 400)]
    )
    def test_one_that_does_not_arrive_does_not_stop_the_body(self, code, status, caplog):
        task_of(Client(pyflow.ServiceFault(code, "no", status=status))).heartbeat()
        assert "did not arrive" in caplog.text

    def test_one_that_is_refused_is_raised(self):
        with pytest.raises(pyflow.ServiceFault, match="OperationNotPermitted"):
            task_of(Client(pyflow.ServiceFault("OperationNotPermittedFault", "no"))).heartbeat()

    def test_details_over_swfs_length_are_refused_before_they_are_sent(self):
        client = Client()
        with pytest.raises(pyflow.SerializationException, match=r"2,049 characters.*2,048"):
            task_of(client).heartbeat("x" * 2_047)
        assert client.beats == []


class TestLastDetails:
    def test_are_those_of_the_attempt_that_timed_out(self, flow):
        assert flow.run(workflow(lambda self, _: stalls([[10, 20], [30]]))) == [None, 20, 30]

    def test_are_those_of_an_earlier_attempt_where_the_last_had_none(self, flow):
        assert flow.run(workflow(lambda self, _: stalls([[{"at": 7}], []]))) == [None, {"at": 7}, {"at": 7}]

    def test_are_not_those_of_another_activity(self, flow):
        def run(self, _):
            first = stalls.options(retry=RetryPolicy(max_attempts=1)).submit([["other"]])
            self.swf.wait_for_all(first)
            NOTES.clear()
            return stalls([[], []])

        assert flow.run(workflow(run)) == [None, None, None]

    def test_are_found_on_a_further_page(self, flow):
        read = flow.client.get_workflow_execution_history
        flow.client.get_workflow_execution_history = lambda **request: read(**{"maximumPageSize": 2, **request})
        assert flow.run(workflow(lambda self, _: stalls([[10], [20]]))) == [None, 10, 20]

    def test_of_another_program_are_given_as_text(self):
        class History:
            def get_workflow_execution_history(self, **_):
                return {
                    "events": [
                        {
                            "eventId": 9,
                            "eventType": "ActivityTaskTimedOut",
                            "activityTaskTimedOutEventAttributes": {"scheduledEventId": 5, "details": "half done"},
                        },
                        {
                            "eventId": 5,
                            "eventType": "ActivityTaskScheduled",
                            "activityTaskScheduledEventAttributes": {"activityId": "activity1"},
                        },
                    ]
                }

        assert task_of(History(), "activity1.2").last_details == "half done"


class TestCancellation:
    def test_a_body_that_heartbeats_is_told_and_its_answer_settles_the_future(self, flow):
        def run(self, _):
            future = later.submit()
            self.swf.sleep(1)
            future.cancel(wait=True)
            return [type(future.exception).__name__, future.exception.details]

        execution = flow.start(workflow(run))
        flow.advance(1)
        (token,) = TOKENS
        assert pyflow.heartbeat_activity(token, {"at": 1}, client=flow.client) is True
        pyflow.cancel_activity(token, "as asked", client=flow.client)
        assert execution.result() == ["InvocationCanceledException", "as asked"]

    def test_a_body_that_raises_it_answers_canceled(self, flow):
        @pyflow.activity(start_to_close=60)
        def stops():
            raise pyflow.ActivityCanceledException("cleaned up")

        flow.use(stops)

        def run(self, _):
            with pytest.raises(pyflow.InvocationCanceledException):
                stops()

        execution = flow.start(workflow(run))
        execution.result()
        assert [answer["details"] for answer in attributes(execution, "ActivityTaskCanceled")] == ["cleaned up"]

    def test_a_lost_task_is_not_answered(self, flow, caplog):
        @pyflow.activity(start_to_close=60)
        def overtaken():
            flow.clock.advance(100)
            activity.current().heartbeat()

        flow.use(overtaken)

        def run(self, _):
            with pytest.raises(pyflow.InvocationTimedOutException):
                overtaken()
            return "timed out"

        assert flow.run(workflow(run)) == "timed out"
        assert "did not wait for it any more" in caplog.text


class TestCompleteLater:
    def test_somebody_else_completes_it(self, flow):
        execution = flow.start(workflow(lambda self, _: later()))
        flow.run_until_blocked()
        assert execution.closed is None
        pyflow.complete_activity(TOKENS[0], {"approved": True}, client=flow.client)
        assert execution.result() == {"approved": True}

    def test_somebody_else_fails_it(self, flow):
        def run(self, _):
            try:
                later()
            except pyflow.InvocationFailedException as failure:
                return [failure.reason, failure.details]

        execution = flow.start(workflow(run))
        flow.run_until_blocked()
        pyflow.fail_activity(TOKENS[0], "r" * 300, "no \ud800 signature", client=flow.client)
        reason, details = execution.result()
        assert len(reason) == 256
        assert details == "no ? signature"

    def test_a_second_answer_is_refused_by_name(self, flow):
        flow.start(workflow(lambda self, _: later()))
        flow.run_until_blocked()
        pyflow.complete_activity(TOKENS[0], client=flow.client)
        with pytest.raises(pyflow.ServiceFault, match="UnknownResourceFault from RespondActivityTaskCompleted"):
            pyflow.complete_activity(TOKENS[0], client=flow.client)

    def test_a_body_that_raises_fails_it_all_the_same(self, flow):
        def run(self, _):
            with pytest.raises(pyflow.InvocationFailedException, match="KeyError"):
                leaves_and_raises()
            return "failed"

        assert flow.run(workflow(run)) == "failed"


class Doing(pyflow.Workflow):
    NAME = "Doing"

    def run(self, _):
        return who()[:2]


def test_bodies_in_threads_each_have_their_own_task():
    seen = {}
    both = threading.Barrier(2)

    @pyflow.activity(start_to_close=60)
    def meet(name):
        both.wait(10)
        seen[name] = activity.current().activity_id
        return name

    class Meeting(pyflow.Workflow):
        NAME = "Meeting"

        def run(self, _):
            return [future.result() for future in [meet.submit("a"), meet.submit("b")]]

    with LocalSWF(poll_wait_s=0.1) as service:
        assert finished(service.direct(), Meeting, meet) == '["a", "b"]'
    assert seen == {"a": "activity1", "b": "activity2"}


@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")
def test_a_body_heartbeats_against_moto_too(monkeypatch):
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
        monkeypatch.setenv(f"AWS_{name}", "testing")
    with moto_in_turn():
        assert finished(boto3.client("swf", region_name="us-east-1"), Doing, who) == '["activity1", 1]'


def finished(client, workflow_class, *activities):
    """Run an execution with a decider and a worker in threads, and give the JSON text of its result."""
    client.register_domain(name="d", workflowExecutionRetentionPeriodInDays="1")
    decider = pyflow.Decider([workflow_class], "d", "list", "me", client=client)
    worker = pyflow.ActivityWorker(activities, "d", "list", "me", client=client, concurrency=2)
    decider.ensure_workflows_registered()
    worker.ensure_activities_registered()
    started = pyflow.start_workflow("d", workflow_class.NAME, "1.0", "list", client=client, child_policy="TERMINATE")
    threads = [threading.Thread(target=target) for target in (worker.run, decider.poll_for_decision_tasks)]
    for thread in threads:
        thread.start()
    for _ in range(300):
        status = pyflow.get_workflow_status("d", started["workflowId"], started["runId"], client=client)
        if status.execution_status == "CLOSED":
            break
        threading.Event().wait(0.05)
    decider.stop()
    worker.stop()
    for thread in threads:
        thread.join()
    return status.result
