import pytest

from local_driver import Driver
from pyflow import handle
from pyflow.exceptions import ServiceFault
from pyflow.local import LocalSWF, VirtualClock
from pyflow.local.mishaps import Drop, Lose, Refuse
from pyflow.swf import repeating
from pyflow.swf.repeating import repeat


@pytest.fixture(autouse=True)
def no_naps(monkeypatch):
    monkeypatch.setattr(repeating.time, "sleep", lambda _: None)


def failing(*faults):
    remaining = list(faults)
    sent = []

    def call(**request):
        sent.append(request)
        if remaining:
            raise remaining.pop(0)
        return "done"

    call.sent = sent
    return call


@pytest.mark.parametrize("operation", ["SignalWorkflowExecution", "RequestCancelWorkflowExecution"])
def test_a_call_that_was_pushed_back_is_sent_again_the_same(operation):
    call = failing(*[ServiceFault("ThrottlingException", "no", operation=operation)] * 4)

    assert repeat(call, operation, workflowId="w") == "done"
    assert call.sent == [{"workflowId": "w"}] * 5


def test_five_tries_are_all():
    operation = "SignalWorkflowExecution"
    call = failing(*[ServiceFault("ThrottlingException", "no", operation=operation)] * 9)

    with pytest.raises(ServiceFault, match="Throttling"):
        repeat(call, operation)
    assert len(call.sent) == 5


@pytest.mark.parametrize("status", [0, 500])
def test_a_signal_that_may_have_arrived_is_left_to_its_sender(status):
    operation = "SignalWorkflowExecution"
    call = failing(ServiceFault("Broken", "no", operation=operation, status=status))

    with pytest.raises(ServiceFault, match="Broken"):
        repeat(call, operation)
    assert len(call.sent) == 1


@pytest.mark.parametrize(("mishap", "arrived"), [(Lose(), 1), (Drop(), 0), (Refuse("InternalFailure", "no", 500), 0)])
def test_a_handle_sends_a_signal_of_unknown_outcome_once(mishap, arrived):
    with LocalSWF(clock=VirtualClock(), poll_wait_s=0.0, seed=0) as swf:
        driver = Driver(swf.direct())
        run_id = driver.start()
        plan = [mishap]
        swf.plan_mishaps(lambda action, _: plan.pop() if plan and action == "SignalWorkflowExecution" else None)
        with pytest.raises(ServiceFault):
            handle("w", run_id, domain="d", client=swf.direct()).signal("s")
        assert driver.history(run_id).count("WorkflowExecutionSignaled") == arrived
