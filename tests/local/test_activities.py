"""Activity tasks: their life, their five ways to end, their timeouts."""

import pytest

import decisions
from local_driver import ACTIVITY, Driver, activity
from pyflow.exceptions import ServiceFault
from pyflow.local import VirtualClock
from pyflow.swf.events import attributes_of


def test_the_effective_settings_are_in_the_event(flow: Driver) -> None:
    run_id = flow.start()
    flow.decide(activity(control="c", heartbeat_timeout="9", task_priority="3"))
    assert flow.last(run_id, "ActivityTaskScheduled") == {
        "activityId": "a",
        "activityType": ACTIVITY,
        "control": "c",
        "taskList": {"name": "tl"},
        "scheduleToStartTimeout": "NONE",
        "scheduleToCloseTimeout": "NONE",
        "startToCloseTimeout": "NONE",
        "heartbeatTimeout": "9",
        "taskPriority": "3",
        "decisionTaskCompletedEventId": 4,
    }


@pytest.mark.parametrize(
    ("answer", "more", "event"),
    [
        ("completed", {"result": "r"}, {"result": "r"}),
        ("failed", {"reason": "r", "details": ""}, {"reason": "r", "details": ""}),
        ("canceled", {"details": "d"}, {"details": "d"}),
    ],
)
def test_an_answer_closes_the_task_and_calls_the_decider(flow: Driver, answer: str, more: dict, event: dict) -> None:
    run_id = flow.start()
    flow.decide(activity())
    work = flow.activity_task()
    respond = getattr(flow.client, f"respond_activity_task_{answer}")
    respond(taskToken=work["taskToken"], **more)
    assert flow.history(run_id)[-2:] == [f"ActivityTask{answer.capitalize()}", "DecisionTaskScheduled"]
    attributes = flow.last(run_id, f"ActivityTask{answer.capitalize()}")
    assert attributes == {"scheduledEventId": 5, "startedEventId": 6, **event}
    with pytest.raises(ServiceFault, match="Unknown activity, scheduledEventId = 5"):
        respond(taskToken=work["taskToken"])


@pytest.mark.parametrize(
    ("timeouts", "start", "kind", "at_s"),
    [
        ({"schedule_to_start_timeout": "5"}, False, "SCHEDULE_TO_START", 5),
        ({"schedule_to_close_timeout": "5"}, False, "SCHEDULE_TO_CLOSE", 5),
        ({"schedule_to_start_timeout": "5", "schedule_to_close_timeout": "5"}, False, "SCHEDULE_TO_START", 5),
        ({"schedule_to_close_timeout": "5", "schedule_to_start_timeout": "9"}, True, "SCHEDULE_TO_CLOSE", 5),
        ({"start_to_close_timeout": "5"}, True, "START_TO_CLOSE", 6),
        ({"heartbeat_timeout": "5"}, True, "HEARTBEAT", 6),
        ({"heartbeat_timeout": "5", "start_to_close_timeout": "5"}, True, "START_TO_CLOSE", 6),
        ({"start_to_close_timeout": "0"}, True, "START_TO_CLOSE", 1),
    ],
)
def test_the_earliest_deadline_ends_the_task_at_its_own_time(
    flow: Driver, clock: VirtualClock, timeouts: dict, start: bool, kind: str, at_s: int
) -> None:
    run_id = flow.start()
    flow.decide(activity(**timeouts))
    clock.advance(1)
    if start:
        flow.activity_task()
    clock.advance(100)
    event = next(event for event in flow.events(run_id) if event["eventType"] == "ActivityTaskTimedOut")
    assert attributes_of(event) == {"timeoutType": kind, "scheduledEventId": 5, "startedEventId": 6 if start else 0}
    assert event["eventTimestamp"].timestamp() == 1_000_000 + at_s


def test_heartbeats_move_their_own_deadline_only_and_leave_their_details(flow: Driver, clock: VirtualClock) -> None:
    run_id = flow.start()
    flow.decide(activity(heartbeat_timeout="5", start_to_close_timeout="9"))
    work = flow.activity_task()
    clock.advance(4)
    flow.client.record_activity_task_heartbeat(taskToken=work["taskToken"], details="half")
    clock.advance(4)
    flow.client.record_activity_task_heartbeat(taskToken=work["taskToken"])
    clock.advance(4)
    assert flow.last(run_id, "ActivityTaskTimedOut") == {
        "timeoutType": "START_TO_CLOSE",
        "scheduledEventId": 5,
        "startedEventId": 6,
        "details": "half",
    }
    with pytest.raises(ServiceFault, match="Unknown activity"):
        flow.client.record_activity_task_heartbeat(taskToken=work["taskToken"])


def test_a_cancel_of_a_started_task_is_told_by_its_heartbeat(flow: Driver) -> None:
    run_id = flow.start()
    flow.decide(activity())
    work = flow.activity_task()
    flow.signal()
    flow.decide(decisions.request_cancel_activity_task("a"), decisions.request_cancel_activity_task("a"))
    assert flow.client.record_activity_task_heartbeat(taskToken=work["taskToken"])["cancelRequested"] is True
    assert flow.no_decision_task()
    flow.client.respond_activity_task_canceled(taskToken=work["taskToken"])
    canceled = flow.last(run_id, "ActivityTaskCanceled")
    assert canceled == {"scheduledEventId": 5, "startedEventId": 6, "latestCancelRequestedEventId": 12}


def test_a_cancel_of_a_waiting_task_ends_it_at_once(flow: Driver) -> None:
    run_id = flow.start()
    flow.decide(activity(), decisions.request_cancel_activity_task("a"), decisions.request_cancel_activity_task("a"))
    assert flow.history(run_id)[4:] == [
        "ActivityTaskScheduled",
        "ActivityTaskCancelRequested",
        "ActivityTaskCanceled",
        "RequestCancelActivityTaskFailed",
        "DecisionTaskScheduled",
    ]
    canceled = flow.last(run_id, "ActivityTaskCanceled")
    assert canceled == {"scheduledEventId": 5, "startedEventId": 0, "latestCancelRequestedEventId": 6}
    assert flow.last(run_id, "RequestCancelActivityTaskFailed")["cause"] == "ACTIVITY_ID_UNKNOWN"
    assert "taskToken" not in flow.client.poll_for_activity_task(domain="d", taskList={"name": "tl"})


def test_the_id_of_a_closed_activity_is_free_again(flow: Driver) -> None:
    run_id = flow.start()
    flow.decide(activity(), activity())
    assert flow.last(run_id, "ScheduleActivityTaskFailed")["cause"] == "ACTIVITY_ID_ALREADY_IN_USE"
    work = flow.activity_task()
    flow.client.respond_activity_task_completed(taskToken=work["taskToken"])
    flow.decide(activity())
    assert flow.history(run_id)[-1] == "ActivityTaskScheduled"


def test_causes_of_a_refused_activity(flow: Driver) -> None:
    bare = {"name": "bare", "version": "1"}
    old = {"name": "old", "version": "1"}
    flow.client.register_activity_type(domain="d", **bare)
    flow.client.register_activity_type(domain="d", **old)
    flow.client.deprecate_activity_type(domain="d", activityType=old)
    timeouts = {
        "schedule_to_start_timeout": "1",
        "schedule_to_close_timeout": "1",
        "start_to_close_timeout": "1",
    }
    asked = [
        (decisions.schedule_activity_task("x", "none", "1"), "ACTIVITY_TYPE_DOES_NOT_EXIST"),
        (decisions.schedule_activity_task("x", "old", "1"), "ACTIVITY_TYPE_DEPRECATED"),
        (decisions.schedule_activity_task("x", "bare", "1"), "DEFAULT_TASK_LIST_UNDEFINED"),
    ]
    for known, cause in enumerate(
        (
            "DEFAULT_SCHEDULE_TO_START_TIMEOUT_UNDEFINED",
            "DEFAULT_SCHEDULE_TO_CLOSE_TIMEOUT_UNDEFINED",
            "DEFAULT_START_TO_CLOSE_TIMEOUT_UNDEFINED",
            "DEFAULT_HEARTBEAT_TIMEOUT_UNDEFINED",
        )
    ):
        given = dict(list(timeouts.items())[:known])
        asked.append((decisions.schedule_activity_task("x", "bare", "1", task_list="tl", **given), cause))
    run_id = flow.start()
    flow.decide(*(decision for decision, _ in asked))
    refused = [event for event in flow.events(run_id) if event["eventType"] == "ScheduleActivityTaskFailed"]
    assert [attributes_of(event)["cause"] for event in refused] == [cause for _, cause in asked]


def test_a_thousand_activities_are_open_at_most(flow: Driver) -> None:
    run_id = flow.start()
    flow.decide(*(activity(str(n)) for n in range(1_001)))
    assert flow.history(run_id).count("ActivityTaskScheduled") == 1_000
    assert flow.last(run_id, "ScheduleActivityTaskFailed")["cause"] == "OPEN_ACTIVITIES_LIMIT_EXCEEDED"
