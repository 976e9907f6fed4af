"""Requests at random, made from SWF's own shapes: never an error of ours, and histories stay sound whatever is asked."""

import json
import random
from typing import Any

import pytest

from local_driver import Driver
from pyflow.exceptions import ServiceFault
from pyflow.local import LocalSWF, VirtualClock, api, wire
from pyflow.swf.decisions import CLOSING
from pyflow.swf.events import CLOSE_EVENTS
from pyflow.swf.model import DECISION_ATTRIBUTES, EVENT_ATTRIBUTES, OPERATIONS, SHAPES
from swf_requests import ACTIONS

STRANGE = [
    "",
    "x" * 300,
    "x" * 33_000,
    "a:b",
    "\x00",
    "ü\u2028",
    "\ud800",
    "arn",
    "NONE",
    "-1",
    "9" * 400,
    " 1",
    "1e3",
    "٣",
]
WRONG: list[Any] = [None, True, 0, -1, 10**30, 1.5, [], {}, [[]], {"name": {}}, "x"]
USUAL: dict[str, dict[str, Any]] = {
    "WorkflowType": {"name": "flow", "version": "1"},
    "ActivityType": {"name": "act", "version": "1"},
    "TaskList": {"name": "tl"},
}
PLAIN_TYPE = {"string": str, "integer": int, "long": int, "boolean": bool, "list": list, "structure": dict}


class Fuzzer:
    """Draws requests; names, ids and tokens that the service has given are drawn again, so that requests reach deep."""

    def __init__(self, seed: int, *, lambdas: bool = True) -> None:
        self.random = random.Random(seed)
        self.kinds = [kind for kind in DECISION_ATTRIBUTES if lambdas or kind != "ScheduleLambdaFunction"]
        self.known: dict[str, list[Any]] = {
            "domain": ["d"],
            "defaultTaskList": ["tl"],
            "workflowId": [*"abcdefgh"],
            "runId": [],
            "decision": [],
            "activity": [],
            "nextPageToken": [],
            "name": ["flow", "act", "tl", "d"],
            "version": ["1"],
            "activityId": ["a", "b"],
            "timerId": ["t", "u"],
            "id": ["l", "m"],
            "signalName": ["s"],
            "tag": ["t"],
            "resourceArn": ["arn:aws:swf:us-east-1:123456789012:/domain/d"],
        }

    def request(self, action: str) -> dict[str, Any]:
        self.spoil = self.random.random() < 0.2
        self.tokens = "decision" if "Decision" in action else "activity"
        made = self.value(OPERATIONS[action]["input"], "")
        if isinstance(made, dict) and self.random.random() < 0.8:
            if action.startswith("Poll"):
                made.pop("nextPageToken", None)
            if "ClosedWorkflow" in action:
                made = {"domain": "d", "startTimeFilter": {"oldestDate": 0}}
        return made

    def value(self, shape_name: str, member: str) -> Any:
        chance = self.random.random
        if self.spoil and chance() < 0.03:
            return self.random.choice(WRONG)
        shape = SHAPES[shape_name]
        kind = shape["type"]
        if shape_name in USUAL and chance() < 0.9:
            return dict(USUAL[shape_name])
        if kind == "structure":
            if shape_name == "Decision":
                return self.decision()
            return {
                name: self.value(each, name)
                for name, each in shape["members"].items()
                if (name in shape["required"] and not (self.spoil and chance() < 0.03))
                or name == "decisions"
                or chance() < 0.25
            }
        if shape_name == "DecisionList":
            return [self.decision() for _ in range(6)] + [self.decision(closing=chance() < 0.15)]
        if kind == "list":
            return [self.value(shape["member"], member) for _ in range(self.random.choice([0, 1, 1, 2, 5]))]
        if kind == "string":
            return self.string(shape_name, shape, member)
        if kind == "timestamp":
            return self.random.choice([0, 1e6, 1.0e6 + 0.001, 2e9])
        return chance() < 0.5 if kind == "boolean" else self.random.choice([0, 1, 2, 1000])

    def string(self, shape_name: str, shape: dict[str, Any], member: str) -> str:
        if self.spoil and self.random.random() < 0.05:
            return self.random.choice(STRANGE)
        if "enum" in shape:
            return self.random.choice(shape["enum"])
        if shape_name.startswith("Duration") or shape_name == "TaskPriority":
            return self.random.choice(["1", "5", "60", "600"])
        if member == "taskToken":
            return (self.known[self.tokens] or ["nonsense"])[-1]
        return self.random.choice(self.known.get(member) or ["v", "", "1"])

    def decision(self, *, closing: bool = False) -> dict[str, Any]:
        kind = self.random.choice([kind for kind in self.kinds if (kind in CLOSING) == closing])
        member = DECISION_ATTRIBUTES[kind]
        return {"decisionType": kind, member: self.value(SHAPES["Decision"]["members"][member], member)}

    def learn(self, value: Any, member: str = "") -> None:
        if isinstance(value, dict):
            if "taskToken" in value:
                self.known["activity" if "activityId" in value else "decision"].append(value["taskToken"])
            for name, each in value.items():
                self.learn(each, name)
        elif isinstance(value, list):
            for each in value[-3:]:
                self.learn(each, member)
        elif isinstance(value, str) and member in ("runId", "nextPageToken", "workflowId"):
            self.known[member] = [*self.known[member][-20:], value]


def conforms(value: Any, shape_name: str, path: str = "") -> None:
    """A reply is what the model says: its types, its required members, no others."""
    shape = SHAPES[shape_name]
    kind = shape["type"]
    if kind == "timestamp":
        assert type(value) in (int, float), path
        return
    assert type(value) is PLAIN_TYPE[kind], (path, value)
    if kind == "structure":
        empty_poll = shape_name in ("DecisionTask", "ActivityTask") and "taskToken" not in value
        assert empty_poll or set(shape["required"]) <= set(value), (path, value)
        for name, each in value.items():
            conforms(each, shape["members"][name], f"{path}.{name}")
    elif kind == "list":
        for each in value:
            conforms(each, shape["member"], path)
    elif "enum" in shape:
        assert value in shape["enum"], path


def ask(swf: LocalSWF, action: str, request: Any) -> tuple[int, Any]:
    """One request as bytes in, status and parsed bytes out."""
    body = json.dumps(request).encode()
    try:
        reply = swf._service.ask(
            wire.action_of(f"SimpleWorkflowService.{action}"), wire.parse(body), api.DEFAULT_REGION
        )
        text = wire.render(reply)
        return 200, json.loads(text) if text else None
    except ServiceFault as fault:
        return fault.status, json.loads(wire.render_fault(fault))


def sound(events: list[dict[str, Any]]) -> None:
    """What must hold of any history: dense ids, times that never go back, references that stand, one close at the end."""
    ids = [event["eventId"] for event in events]
    assert ids == list(range(1, len(events) + 1))
    times = [event["eventTimestamp"] for event in events]
    assert times == sorted(times)
    open_decisions: set[int] = set()
    started = 0
    ended: set[tuple[str, int]] = set()
    for event in events:
        kind, attributes = event["eventType"], event[EVENT_ATTRIBUTES[event["eventType"]]]
        for name, value in attributes.items():
            if name.endswith("EventId") and isinstance(value, int) and not name.startswith(("parent", "external")):
                assert 0 <= value < event["eventId"], event
        if kind == "DecisionTaskScheduled":
            assert not open_decisions, "two decision tasks scheduled"
            open_decisions.add(event["eventId"])
        elif kind == "DecisionTaskStarted":
            assert not started
            open_decisions.remove(attributes["scheduledEventId"])
            started = event["eventId"]
        elif kind == "DecisionTaskCompleted" or (kind == "DecisionTaskTimedOut" and attributes["startedEventId"]):
            assert attributes["startedEventId"] == started
            started = 0
        elif kind == "DecisionTaskTimedOut":
            open_decisions.remove(attributes["scheduledEventId"])
        elif kind.startswith(("ActivityTask", "LambdaFunction")) and kind.endswith(
            ("Completed", "Failed", "TimedOut", "Canceled")
        ):
            key = (kind[:8], attributes["scheduledEventId"])
            assert key not in ended
            ended.add(key)
        assert kind not in CLOSE_EVENTS or event is events[-1], "events after the close"


def fuzz(seed: int, requests: int, caplog: pytest.LogCaptureFixture) -> None:
    clock = VirtualClock(start_s=1_000_000)
    with LocalSWF(clock=clock, poll_wait_s=0.0, seed=seed) as swf:
        Driver(swf.direct())
        fuzzer = Fuzzer(seed)
        often = ["PollForDecisionTask", "RespondDecisionTaskCompleted", "PollForActivityTask", "StartWorkflowExecution"]
        rare = ("DeprecateDomain", "DeprecateWorkflowType", "DeprecateActivityType", "TerminateWorkflowExecution")
        restore = [
            ("UndeprecateDomain", {"name": "d"}),
            ("UndeprecateWorkflowType", {"domain": "d", "workflowType": USUAL["WorkflowType"]}),
            ("UndeprecateActivityType", {"domain": "d", "activityType": USUAL["ActivityType"]}),
            ("RegisterWorkflowType", {"domain": "d", **USUAL["WorkflowType"]}),
            ("RegisterActivityType", {"domain": "d", **USUAL["ActivityType"]}),
        ]
        answered = 0
        following: list[str] = []
        for _ in range(requests):
            action = fuzzer.random.choice(often if fuzzer.random.random() < 0.5 else ACTIONS)
            if following and fuzzer.random.random() < 0.8:
                action = following.pop()
            if action in rare and fuzzer.random.random() < 0.8:
                continue
            request = fuzzer.request(action)
            status, reply = ask(swf, action, request)
            assert status in (200, 400), (action, request, reply)
            if status == 200 and OPERATIONS[action]["output"]:
                conforms(reply, OPERATIONS[action]["output"])
                fuzzer.learn(reply)
                answered += 1
                if "taskToken" in reply and "activityId" in reply:
                    following = [f"RespondActivityTask{fuzzer.random.choice(['Completed', 'Failed', 'Canceled'])}"]
                    following += ["RecordActivityTaskHeartbeat"] * fuzzer.random.randrange(2)
                elif "taskToken" in reply:
                    following = ["RespondDecisionTaskCompleted"]
            elif status == 400:
                assert set(reply) == {"__type", "message"}
            if action in rare or action.startswith("Delete"):
                for undo, what in restore:
                    ask(swf, undo, what)
            if fuzzer.random.random() < 0.01:
                clock.advance(fuzzer.random.choice([0.5, 5, 5, 100, 600]))
        assert answered > requests // 10
        assert "Traceback" not in caplog.text
        runs = swf._service._store._connection.execute("SELECT workflow_id, run_id, domain FROM executions").fetchall()
        for workflow_id, run_id, domain in runs:
            events: list[dict[str, Any]] = []
            more: dict[str, Any] = {}
            while True:
                execution = {"workflowId": workflow_id, "runId": run_id}
                status, page = ask(
                    swf, "GetWorkflowExecutionHistory", {"domain": domain, "execution": execution, **more}
                )
                if status != 200:
                    break
                events += page["events"]
                if "nextPageToken" not in page:
                    break
                more = {"nextPageToken": page["nextPageToken"]}
            sound(events)


@pytest.mark.parametrize("seed", range(4))
def test_no_request_is_too_strange(seed: int, caplog: pytest.LogCaptureFixture) -> None:
    fuzz(seed, 1_000, caplog)


@pytest.mark.proof
@pytest.mark.parametrize("seed", range(100, 130))
def test_no_request_of_very_many_is_too_strange(seed: int, caplog: pytest.LogCaptureFixture) -> None:
    fuzz(seed, 10_000, caplog)


def test_a_seed_gives_the_same_history_again() -> None:
    def told(seed: int) -> list[Any]:
        with LocalSWF(clock=VirtualClock(), poll_wait_s=0.0, seed=seed) as swf:
            Driver(swf.direct())
            # Functions run in threads of their own, and when they end is up to the machine.
            fuzzer = Fuzzer(5, lambdas=False)
            answers = []
            for n in range(400):
                often = ("StartWorkflowExecution", "PollForDecisionTask", "RespondDecisionTaskCompleted")
                action = often[n // 2 % 3] if n % 2 else fuzzer.random.choice(ACTIONS)
                answers.append(ask(swf, action, fuzzer.request(action)))
                fuzzer.learn(answers[-1][1])
            return answers

    assert told(1) == told(1) != told(2)


def test_bytes_at_random_are_no_request() -> None:
    chance = random.Random(1)
    for _ in range(500):
        body = bytes(chance.randrange(256) for _ in range(chance.randrange(60)))
        try:
            wire.parse(body)
        except ServiceFault as fault:
            assert fault.code == "SerializationException"
