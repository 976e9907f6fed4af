"""When decision tasks are scheduled, who gets them, and what an answer may do."""

import pytest

from local_driver import Driver, activity
from pyflow.exceptions import ServiceFault
from pyflow.local import VirtualClock
from pyflow.swf import decisions
from pyflow.swf.events import attributes_of


def test_an_event_while_a_task_is_started_schedules_the_next_at_once(flow: Driver) -> None:
    run_id = flow.start()
    flow.decide(activity())
    flow.signal()
    task = flow.decision_task()
    work = flow.activity_task()
    flow.client.respond_activity_task_completed(taskToken=work["taskToken"])
    flow.respond(task)
    flow.decision_task()
    # As captured from AWS: the scheduled one stands before the completion of the started one.
    assert flow.history(run_id)[7:] == [
        "DecisionTaskStarted",
        "ActivityTaskStarted",
        "ActivityTaskCompleted",
        "DecisionTaskScheduled",
        "DecisionTaskCompleted",
        "DecisionTaskStarted",
    ]


def test_events_share_one_scheduled_task(flow: Driver) -> None:
    run_id = flow.start()
    flow.signal()
    flow.signal()
    assert flow.history(run_id).count("DecisionTaskScheduled") == 1


def test_a_scheduled_task_waits_until_the_started_one_is_answered(flow: Driver) -> None:
    flow.start()
    task = flow.decision_task()
    flow.signal()
    assert flow.no_decision_task()
    flow.respond(task)
    assert flow.decision_task()["previousStartedEventId"] == 3


def test_an_empty_answer_schedules_nothing(flow: Driver) -> None:
    run_id = flow.start()
    flow.decide()
    assert flow.no_decision_task()
    assert flow.describe(run_id)["openCounts"]["openDecisionTasks"] == 0


@pytest.mark.parametrize(
    ("close", "refusal"),
    [
        (decisions.complete_workflow_execution(), "CompleteWorkflowExecutionFailed"),
        (decisions.fail_workflow_execution(), "FailWorkflowExecutionFailed"),
        (decisions.cancel_workflow_execution(), "CancelWorkflowExecutionFailed"),
    ],
)
def test_a_close_fails_iff_something_new_has_happened(flow: Driver, close: dict, refusal: str) -> None:
    run_id = flow.start()
    task = flow.decision_task()
    flow.signal()
    flow.respond(task, decisions.start_timer("t", "5"), close)
    assert flow.history(run_id)[3:] == [
        "WorkflowExecutionSignaled",
        "DecisionTaskScheduled",
        "DecisionTaskCompleted",
        "TimerStarted",
        refusal,
    ]
    assert flow.last(run_id, refusal) == {"cause": "UNHANDLED_DECISION", "decisionTaskCompletedEventId": 6}
    flow.decide(close)
    assert flow.describe(run_id)["executionInfo"]["executionStatus"] == "CLOSED"


def test_open_items_and_a_started_activity_do_not_hinder_a_close(flow: Driver) -> None:
    run_id = flow.start()
    flow.decide(activity(), decisions.start_timer("t", "5"))
    flow.signal()
    task = flow.decision_task()
    work = flow.activity_task()
    flow.respond(task, decisions.complete_workflow_execution())
    assert flow.history(run_id)[-1] == "WorkflowExecutionCompleted"
    with pytest.raises(ServiceFault, match=r"Unknown execution: WorkflowExecution=\[workflowId=w, runId="):
        flow.client.respond_activity_task_completed(taskToken=work["taskToken"])


def test_failures_of_a_batch_share_one_task_behind_the_last_and_do_not_refuse_its_close(flow: Driver) -> None:
    run_id = flow.start()
    flow.decide(decisions.cancel_timer("x"), decisions.cancel_timer("y"), decisions.record_marker("m"))
    assert flow.history(run_id)[3:] == [
        "DecisionTaskCompleted",
        "CancelTimerFailed",
        "CancelTimerFailed",
        "MarkerRecorded",
        "DecisionTaskScheduled",
    ]
    flow.decide(decisions.cancel_timer("x"), decisions.complete_workflow_execution())
    assert flow.history(run_id)[-2:] == ["CancelTimerFailed", "WorkflowExecutionCompleted"]


def test_decisions_see_those_before_them(flow: Driver) -> None:
    run_id = flow.start()
    flow.decide(decisions.start_timer("t", "5"))
    flow.signal()
    flow.decide(decisions.cancel_timer("t"), decisions.start_timer("t", "6"), decisions.start_timer("t", "7"))
    assert flow.history(run_id)[-3:-1] == ["TimerStarted", "StartTimerFailed"]
    assert flow.last(run_id, "StartTimerFailed")["cause"] == "TIMER_ID_ALREADY_IN_USE"


def test_a_token_is_good_once(flow: Driver) -> None:
    flow.start()
    task = flow.decide()
    with pytest.raises(ServiceFault, match="Unknown decision task, scheduledEventId = 2") as caught:
        flow.respond(task)
    assert caught.value.code == "UnknownResourceFault"


def test_a_timed_out_task_is_scheduled_anew_at_the_deadline(flow: Driver, clock: VirtualClock) -> None:
    run_id = flow.start(taskStartToCloseTimeout="10")
    task = flow.decision_task()
    clock.advance(25)
    with pytest.raises(ServiceFault, match="Unknown decision task"):
        flow.respond(task)
    events = flow.events(run_id)
    assert [event["eventType"] for event in events[3:]] == ["DecisionTaskTimedOut", "DecisionTaskScheduled"]
    assert attributes_of(events[3]) == {"timeoutType": "START_TO_CLOSE", "scheduledEventId": 2, "startedEventId": 3}
    assert events[3]["eventTimestamp"].timestamp() == events[4]["eventTimestamp"].timestamp() == 1_000_010
    # A task that timed out was not processed by the decider.
    assert flow.decision_task()["previousStartedEventId"] == 0


def test_a_validation_error_applies_nothing_and_leaves_the_token_good(flow: Driver) -> None:
    run_id = flow.start()
    task = flow.decision_task()
    with pytest.raises(ServiceFault) as caught:
        flow.respond(task, decisions.record_marker("m"), {"decisionType": "StartTimer"}, {"decisionType": "Nap"})
    assert caught.value.message.startswith(
        "3 validation errors detected: Value 'Nap' at 'decisions.3.member.decisionType' failed to satisfy constraint: "
        "Member must satisfy enum value set: [ScheduleActivityTask, "
    )
    assert "Value null at 'decisions.2.member.startTimerDecisionAttributes.timerId'" in caught.value.message
    with pytest.raises(ServiceFault, match="Close must be last decision in list"):
        flow.respond(task, decisions.complete_workflow_execution(), decisions.record_marker("m"))
    assert len(flow.history(run_id)) == 3
    flow.respond(task)


def test_pages_of_a_task_hold_its_history_once_and_start_nothing(flow: Driver) -> None:
    run_id = flow.start()
    flow.decide(*(decisions.record_marker(str(n)) for n in range(8)))
    flow.signal()
    task = flow.decision_task(maximumPageSize=5)
    pages = [task]
    while token := pages[-1].get("nextPageToken"):
        pages.append(flow.decision_task(maximumPageSize=5, nextPageToken=token))
    assert [event["eventId"] for page in pages for event in page["events"]] == list(range(1, 16))
    assert {page["taskToken"] for page in pages} == {task["taskToken"]}
    assert pages[-1]["events"][-1]["eventType"] == "DecisionTaskStarted"
    flow.signal()
    flow.respond(task)
    with pytest.raises(ServiceFault, match="Unknown decision task"):
        flow.decision_task(nextPageToken=task["nextPageToken"])
    assert flow.history(run_id)[-1] == "DecisionTaskCompleted"


def test_reverse_order_gives_the_newest_first(flow: Driver) -> None:
    flow.start()
    flow.decide(decisions.record_marker("m"))
    flow.signal()
    task = flow.decision_task(reverseOrder=True, maximumPageSize=3)
    more = flow.decision_task(reverseOrder=True, nextPageToken=task["nextPageToken"])
    assert [event["eventId"] for event in task["events"] + more["events"]] == [8, 7, 6, 5, 4, 3, 2, 1]


def test_a_poll_may_begin_at_the_previous_start(flow: Driver, clock: VirtualClock) -> None:
    flow.start()
    first = flow.decision_task(startAtPreviousStartedEvent=True)
    assert first["events"][0]["eventId"] == 1
    clock.advance(1)
    flow.respond(first, decisions.start_timer("t", "1"))
    clock.advance(1)
    second = flow.decision_task(startAtPreviousStartedEvent=True)
    clock.advance(1)
    flow.respond(second, decisions.start_timer("t", "1"))
    clock.advance(1)
    third = flow.decision_task(startAtPreviousStartedEvent=True)
    # From the start of the task before, which is event 8; by time, so events of the same moment before it are there as well.
    assert [event["eventId"] for event in third["events"]] == [6, 7, 8, 9, 10, 11, 12, 13]
    assert third["previousStartedEventId"] == 8


def test_higher_priority_goes_first_then_the_longer_wait(flow: Driver, clock: VirtualClock) -> None:
    for workflow_id, priority in (("low", "-5"), ("first", "0"), ("second", "0"), ("high", "7")):
        flow.start(workflow_id, taskPriority=priority)
        clock.advance(1)
    order = [flow.decision_task()["workflowExecution"]["workflowId"] for _ in range(4)]
    assert order == ["high", "first", "second", "low"]


def test_a_task_list_for_good(flow: Driver) -> None:
    run_id = flow.start()
    flow.decide(taskList={"name": "other"})
    flow.signal()
    assert flow.no_decision_task()
    flow.respond(flow.decision_task("other"))
    flow.signal()
    assert flow.decision_task("other")
    assert flow.describe(run_id)["executionConfiguration"]["taskList"] == {"name": "other"}


@pytest.mark.parametrize("started", [False, True])
def test_a_sticky_list_is_left_when_its_decider_does_not_answer(
    flow: Driver, clock: VirtualClock, started: bool
) -> None:
    run_id = flow.start(taskStartToCloseTimeout="3")
    flow.decide(taskList={"name": "sticky"}, taskListScheduleToStartTimeout="5")
    completed = flow.last(run_id, "DecisionTaskCompleted")
    assert (completed["taskList"], completed["taskListScheduleToStartTimeout"]) == ({"name": "sticky"}, "5")
    flow.signal()
    assert flow.last(run_id, "DecisionTaskScheduled")["scheduleToStartTimeout"] == "5"
    if started:
        flow.decision_task("sticky")
    clock.advance(5)
    assert flow.decision_task("tl")
    timed_out = flow.last(run_id, "DecisionTaskTimedOut")
    assert timed_out["timeoutType"] == ("START_TO_CLOSE" if started else "SCHEDULE_TO_START")
    assert timed_out["startedEventId"] == (7 if started else 0)


def test_a_sticky_list_holds_only_as_long_as_it_is_renewed(flow: Driver) -> None:
    flow.start()
    flow.decide(taskList={"name": "sticky"}, taskListScheduleToStartTimeout="5")
    flow.signal()
    flow.respond(flow.decision_task("sticky"))
    flow.signal()
    assert flow.decision_task("tl")
