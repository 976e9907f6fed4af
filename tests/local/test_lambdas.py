"""Lambda functions, run in this process."""

import json
import threading

import pytest

from local_driver import Driver
from pyflow.local import LocalSWF
from pyflow.swf import decisions


def outcome(function=None, name: str = "f", **asked) -> tuple[list[str], dict]:
    with LocalSWF(poll_wait_s=5.0, lambdas={"f": function} if function else None) as swf:
        flow = Driver(swf.direct())
        run_id = flow.start()
        flow.decide(decisions.schedule_lambda_function("l", name, **asked))
        flow.decision_task()
        history = flow.history(run_id)
        return history[4:], flow.last(run_id, history[6])


def test_a_functions_result_is_recorded_as_json() -> None:
    events, completed = outcome(lambda event, context: {"twice": event * 2}, input="21", control="c")
    assert events[:4] == [
        "LambdaFunctionScheduled",
        "LambdaFunctionStarted",
        "LambdaFunctionCompleted",
        "DecisionTaskScheduled",
    ]
    assert completed == {"scheduledEventId": 5, "startedEventId": 6, "result": '{"twice": 42}'}


def test_a_function_without_input_gets_an_empty_event() -> None:
    assert outcome(lambda event, context: event)[1]["result"] == "{}"


def test_a_context_knows_the_function_and_its_time() -> None:
    _, completed = outcome(
        lambda event, context: [context.function_name, context.get_remaining_time_in_millis() <= 60_000],
        start_to_close_timeout="60",
    )
    assert json.loads(completed["result"]) == ["f", True]


def raises(event, context):
    raise ValueError("no good")


def exits(event, context):
    raise SystemExit(3)


@pytest.mark.parametrize(
    ("function", "asked", "reason", "message"),
    [
        (raises, {}, "ValueError", "no good"),
        (exits, {}, "SystemExit", "3"),
        (lambda event, context: {1, 2}, {}, "Runtime.MarshalError", "not JSON"),
        (lambda event, context: "x" * 40_000, {}, "ResultTooLarge", "40002 characters"),
        (raises, {"input": "{"}, "InvalidRequestContentException", "not JSON"),
        (raises, {"name": "g"}, "ResourceNotFoundException", "--lambda g=FILE.py:FUNCTION"),
    ],
)
def test_what_goes_wrong_is_recorded_with_its_error_document(function, asked: dict, reason: str, message: str) -> None:
    events, failed = outcome(function, **asked)
    assert events[2] == "LambdaFunctionFailed"
    assert failed["reason"] == reason
    document = json.loads(failed["details"])
    assert document["errorType"] == reason
    assert message in document["errorMessage"]


def test_a_function_registered_later_is_found() -> None:
    with LocalSWF(poll_wait_s=5.0) as swf:
        swf.register_lambda("late", lambda event, context: 1)
        with pytest.raises(TypeError, match="cannot be called"):
            swf.register_lambda("bad", 3)
        flow = Driver(swf.direct())
        run_id = flow.start()
        flow.decide(decisions.schedule_lambda_function("l", "late"))
        flow.decision_task()
        assert flow.last(run_id, "LambdaFunctionCompleted")["result"] == "1"


def test_a_function_over_its_time_is_timed_out_and_its_late_result_dropped(clock) -> None:
    go = threading.Event()
    with LocalSWF(clock=clock, poll_wait_s=5.0, lambdas={"f": lambda event, context: go.wait(5)}) as swf:
        flow = Driver(swf.direct())
        run_id = flow.start()
        flow.decide(decisions.schedule_lambda_function("l", "f", start_to_close_timeout="3"))
        while flow.history(run_id)[-1] != "LambdaFunctionStarted":
            pass
        clock.advance(3)
        flow.decide()
        assert flow.last(run_id, "LambdaFunctionTimedOut") == {
            "scheduledEventId": 5,
            "startedEventId": 6,
            "timeoutType": "START_TO_CLOSE",
        }
        length = len(flow.history(run_id))
        go.set()
        while swf._service.lambdas.busy:
            pass
        assert len(flow.history(run_id)) == length


def test_the_id_of_an_open_function_is_taken(clock) -> None:
    with LocalSWF(clock=clock, poll_wait_s=0.0) as swf:
        flow = Driver(swf.direct())
        run_id = flow.start()
        flow.decide(decisions.schedule_lambda_function("l", "f"), decisions.schedule_lambda_function("l", "f"))
        assert flow.last(run_id, "ScheduleLambdaFunctionFailed")["cause"] == "ID_ALREADY_IN_USE"
