"""The direct client's own call: wait until a run has closed."""

import threading

import pytest

from local_driver import Driver
from pyflow.exceptions import PyflowException, ServiceFault
from pyflow.local import LocalSWF
from pyflow.local.watching import Watch
from pyflow.swf import decisions

LONG_S = 60.0


@pytest.fixture
def flow():
    with LocalSWF() as swf:
        driver = Driver(swf.direct())
        driver.swf = swf
        driver.told = []
        yield driver


def waiter(flow: Driver, run_id: str) -> threading.Thread:
    """A thread that waits, and is known to the service as waiting; ``flow.told`` is what it is told."""
    thread = threading.Thread(
        target=lambda: flow.told.append(flow.client.wait_for_close("d", execution(run_id), LONG_S))
    )
    thread.start()
    while not flow.swf._service._watchers:
        pass
    return thread


def execution(run_id: str) -> dict[str, str]:
    return {"workflowId": "w", "runId": run_id}


def test_it_returns_when_the_run_closes(flow):
    run_id = flow.start()
    thread = waiter(flow, run_id)

    flow.decide(decisions.complete_workflow_execution(result="1"))

    thread.join(LONG_S / 2)
    assert flow.told == flow.events(run_id)[-1:]
    assert not flow.swf._service._watchers


def test_it_returns_at_once_where_the_run_is_closed(flow):
    run_id = flow.start()
    flow.decide(decisions.complete_workflow_execution(result="1"))

    closed = flow.client.wait_for_close("d", execution(run_id), LONG_S)

    assert closed == flow.events(run_id)[-1]
    assert closed["eventType"] == "WorkflowExecutionCompleted"


def test_it_returns_when_its_time_is_over_and_leaves_nothing_behind(flow):
    run_id = flow.start()

    assert flow.client.wait_for_close("d", execution(run_id), 0.0) is None

    flow.describe(run_id)  # comes after the note that nobody waits any more
    assert not flow.swf._service._watchers


def test_it_says_how_a_closed_run_has_closed_in_no_time_at_all(flow):
    run_id = flow.start()
    flow.decide(decisions.complete_workflow_execution(result="1"))

    assert flow.client.wait_for_close("d", execution(run_id), 0.0) == flow.events(run_id)[-1]


def test_whoever_is_interrupted_waits_no_longer(flow, monkeypatch):
    def interrupted(_self, _seconds):
        while not flow.swf._service._watchers:
            pass
        raise KeyboardInterrupt

    monkeypatch.setattr(Watch, "wait", interrupted)
    run_id = flow.start()
    with pytest.raises(KeyboardInterrupt):
        flow.client.wait_for_close("d", execution(run_id), LONG_S)

    flow.describe(run_id)  # comes after the note that nobody waits any more
    assert not flow.swf._service._watchers


def test_many_wait_for_one_run_and_each_is_told(flow):
    run_id = flow.start()
    threads = [waiter(flow, run_id) for _ in range(3)]
    while len(flow.swf._service._watchers) < 3:
        pass
    assert flow.client.wait_for_close("d", execution(run_id), 0.0) is None
    assert len(flow.swf._service._watchers) == 3

    flow.decide(decisions.complete_workflow_execution(result="1"))

    for thread in threads:
        thread.join(LONG_S / 2)
    assert flow.told == flow.events(run_id)[-1:] * 3


def test_it_returns_when_the_service_closes(flow):
    thread = waiter(flow, flow.start())

    flow.swf.close()

    thread.join(LONG_S / 2)
    assert flow.told == [None]
    with pytest.raises(PyflowException, match="closed"):
        flow.client.wait_for_close("d", execution("r"), LONG_S)


def test_a_run_that_is_not_there_is_unknown(flow):
    with pytest.raises(ServiceFault, match="UnknownResourceFault"):
        flow.client.wait_for_close("d", execution("nobody"), LONG_S)


def test_a_closed_run_keeps_its_last_event_in_memory_and_the_others_in_the_file_alone(flow):
    run_id = flow.start()
    flow.decide(decisions.record_marker("m"), decisions.complete_workflow_execution(result="1"))

    (run,) = flow.swf._service.engine._cache.values()

    assert [event.type for event in run.recent] == ["WorkflowExecutionCompleted"]
    assert flow.history(run_id)[-2:] == ["MarkerRecorded", "WorkflowExecutionCompleted"]


def test_who_waits_for_an_execution_that_is_forgotten_is_not_told_of_another(flow):
    """The next one has the same number."""
    thread = waiter(flow, flow.start())
    flow.swf.forget_executions()
    flow.start()
    flow.decide(decisions.complete_workflow_execution(result="another's"))
    thread.join(10)
    assert flow.told == [None]
