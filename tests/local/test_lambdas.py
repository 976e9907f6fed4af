"""Lambda functions, run in this process."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

import decisions
from local_driver import Driver
from pyflow.exceptions import PyflowException
from pyflow.local import LocalSWF


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


class LambdaEndpoint(BaseHTTPRequestHandler):
    """What AWS Lambda answers for four functions."""

    def do_POST(self) -> None:
        name = self.path.split("/")[3]
        event = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen = {"path": self.path, "event": event, "key": self.headers["Authorization"]}
        status, extra, body = {
            "echo": (200, {}, event),
            "fails": (
                200,
                {"X-Amz-Function-Error": "Unhandled"},
                b'{"errorMessage": "no good", "errorType": "ValueError", "stackTrace": ["here"]}',
            ),
            "crashes": (200, {"X-Amz-Function-Error": "Unhandled"}, b"RequestId: x Error: exited"),
            "large": (200, {}, b'"' + b"x" * 40_000 + b'"'),
        }.get(name, (404, {"X-Amzn-Errortype": "ResourceNotFoundException"}, b'{"Message": "Function not found"}'))
        self.send_response(status)
        for header, value in {"Content-Length": str(len(body)), **extra}.items():
            self.send_header(header, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def endpoint():
    server = HTTPServer(("127.0.0.1", 0), LambdaEndpoint)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def outcome_elsewhere(url: str, name: str) -> tuple[str, dict]:
    with LocalSWF(poll_wait_s=5.0, lambdas={"here": lambda *_: "here"}, lambda_endpoint_url=url) as swf:
        flow = Driver(swf.direct())
        run_id = flow.start()
        flow.decide(decisions.schedule_lambda_function("l", name, input='{"a": 1}'))
        flow.decision_task()
        ended = flow.history(run_id)[6]
        found = flow.last(run_id, ended)
        swf._service.lambdas.elsewhere._client and swf._service.lambdas.elsewhere._client.close()
        return ended, found


@pytest.mark.parametrize(
    ("name", "event_type", "expected"),
    [
        ("here", "LambdaFunctionCompleted", '"here"'),
        ("echo", "LambdaFunctionCompleted", '{"a": 1}'),
        ("fails", "LambdaFunctionFailed", "ValueError"),
        ("crashes", "LambdaFunctionFailed", "Unhandled"),
        ("large", "LambdaFunctionFailed", "ResultTooLarge"),
        ("none", "LambdaFunctionFailed", "ResourceNotFoundException"),
    ],
)
def test_functions_that_are_not_here_are_asked_of_the_endpoint(
    endpoint, monkeypatch, name: str, event_type: str, expected: str
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "real")
    ended, found = outcome_elsewhere(f"http://127.0.0.1:{endpoint.server_port}", name)
    assert (ended, found.get("result", found.get("reason"))) == (event_type, expected)
    if name == "echo":
        assert endpoint.seen["event"] == b'{"a": 1}'
        assert "Credential=local/" in endpoint.seen["key"]
    if name == "fails":
        assert json.loads(found["details"])["errorMessage"] == "no good"


def test_an_endpoint_that_does_not_answer_fails_the_function() -> None:
    ended, found = outcome_elsewhere("http://127.0.0.1:1", "f")
    assert (ended, found["reason"]) == ("LambdaFunctionFailed", "EndpointConnectionError")
    assert "did not answer" in json.loads(found["details"])["errorMessage"]


@pytest.mark.parametrize("path", [":memory:", "flow.db"])
def test_an_endpoint_that_is_none_is_told_as_such_and_the_file_is_free_for_others(tmp_path, path) -> None:
    where = path if path == ":memory:" else tmp_path / path
    with pytest.raises(PyflowException, match=r"^not a Lambda endpoint: 'nonsense'; expected the form http"):
        LocalSWF(where, lambda_endpoint_url="nonsense")
    with pytest.raises(TypeError, match=r"^'int' object is not iterable"):
        LocalSWF(where, lambdas=5)
    LocalSWF(where).close()
