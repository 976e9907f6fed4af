"""Timers, the execution's own timeout, and many deadlines at once."""

import threading
import time

from local_driver import Driver, activity
from pyflow.local import LocalSWF, SystemClock, VirtualClock
from pyflow.swf import decisions


def test_a_timer_fires_at_its_time(flow: Driver, clock: VirtualClock) -> None:
    run_id = flow.start()
    flow.decide(decisions.start_timer("t", "5", control="c"))
    clock.advance(4.999)
    assert "TimerFired" not in flow.history(run_id)
    clock.advance(60)
    assert flow.last(run_id, "TimerFired") == {"timerId": "t", "startedEventId": 5}
    fired = flow.events(run_id)[-2:]
    assert [event["eventTimestamp"].timestamp() for event in fired] == [1_000_005, 1_000_005]


def test_a_timer_of_zero_seconds_fires_at_once(flow: Driver) -> None:
    run_id = flow.start()
    flow.decide(decisions.start_timer("t", "0"))
    assert flow.history(run_id)[-2:] == ["TimerFired", "DecisionTaskScheduled"]


def test_a_canceled_timer_never_fires_and_frees_its_id(flow: Driver, clock: VirtualClock) -> None:
    run_id = flow.start()
    flow.decide(decisions.start_timer("t", "5"))
    flow.signal()
    flow.decide(decisions.cancel_timer("t"))
    assert flow.last(run_id, "TimerCanceled") == {
        "timerId": "t",
        "startedEventId": 5,
        "decisionTaskCompletedEventId": 9,
    }
    clock.advance(10)
    assert flow.history(run_id)[-1] == "TimerCanceled"


def test_a_timer_that_is_not_there_cannot_be_canceled(flow: Driver) -> None:
    run_id = flow.start()
    flow.decide(decisions.cancel_timer("t"))
    assert flow.last(run_id, "CancelTimerFailed") == {
        "timerId": "t",
        "cause": "TIMER_ID_UNKNOWN",
        "decisionTaskCompletedEventId": 4,
    }


def test_overdue_deadlines_are_applied_in_their_order_and_the_executions_own_ends_them(
    flow: Driver, clock: VirtualClock
) -> None:
    run_id = flow.start(executionStartToCloseTimeout="30")
    flow.decide(
        decisions.start_timer("late", "40"),
        decisions.start_timer("second", "20"),
        activity(schedule_to_start_timeout="10"),
    )
    clock.advance(86_400)
    events = flow.events(run_id)[7:]
    assert [(event["eventType"], event["eventTimestamp"].timestamp() - 1_000_000) for event in events] == [
        ("ActivityTaskTimedOut", 10),
        ("DecisionTaskScheduled", 10),
        ("TimerFired", 20),
        ("WorkflowExecutionTimedOut", 30),
    ]


def test_a_thousand_timers_are_open_at_most(flow: Driver) -> None:
    run_id = flow.start()
    flow.decide(*(decisions.start_timer(str(n), "9") for n in range(1_001)))
    assert flow.last(run_id, "StartTimerFailed")["cause"] == "OPEN_TIMERS_LIMIT_EXCEEDED"
    assert flow.describe(run_id)["openCounts"]["openTimers"] == 1_000


def test_on_the_system_clock_a_timer_wakes_a_waiting_poll() -> None:
    with LocalSWF(poll_wait_s=60.0) as swf:
        flow = Driver(swf.direct())
        flow.start()
        flow.decide(decisions.start_timer("t", "0"))
        flow.decide(decisions.start_timer("t", "1"))
        assert flow.decision_task()["events"][-3]["eventType"] == "TimerFired"


def test_the_system_clock_does_not_follow_steps_of_the_wall_clock(monkeypatch) -> None:
    clock = SystemClock()
    before = clock.now_ms()
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert 0 <= clock.now_ms() - before < 60_000


def test_a_poll_waits_for_a_task_and_is_first_come_first_served() -> None:
    with LocalSWF(poll_wait_s=60.0) as swf:
        flow = Driver(swf.direct())
        got: list[str] = []

        def poll(name: str) -> None:
            flow.decision_task(identity=name)
            got.append(name)

        threads = [threading.Thread(target=poll, args=(name,)) for name in ("one", "two")]
        for thread in threads:
            thread.start()
            while len(swf._service._waiting) <= threads.index(thread):
                time.sleep(0.001)
        flow.start("a")
        threads[0].join(30)
        flow.start("b")
        threads[1].join(30)
        assert got == ["one", "two"]
