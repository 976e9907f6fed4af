"""Who works at the engine: a caller that finds nobody there; what it cannot bring to its end, the service's own thread does over."""

import http.client
import json
import socket
import threading
import time

import pytest

from pyflow import ServiceFault
from pyflow.local import LocalSWF, VirtualClock, api
from pyflow.local import service as service_module
from pyflow.local.calls import AwaitedCall
from pyflow.local.rules.turn import Turn
from pyflow.local.tasklists import ListKey
from pyflow.swf.posts import Post

OWN = "pyflow-local-service"


@pytest.fixture
def swf(tmp_path):
    with LocalSWF(tmp_path / "db", clock=VirtualClock()) as made:
        made.direct().register_domain(name="d", workflowExecutionRetentionPeriodInDays="1")
        yield made


def who(_):
    """Work that tells where it is done."""
    return threading.current_thread().name


def in_thread(what):
    """Do something in a thread named ``caller``; return what it gave, or what it raised."""
    outcome = []

    def run():
        try:
            outcome.append(what())
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=run, name="caller")
    thread.start()
    thread.join(10)
    return outcome[0]


def test_a_caller_that_finds_nobody_at_work_does_it_itself(swf):
    assert in_thread(lambda: swf._service.run(who, "")) == "caller"


def test_the_main_thread_leaves_it_to_the_own_one_for_ctrl_c_must_not_cut_it_short(swf):
    assert swf._service.run(who, "") == OWN


def test_a_clock_that_leaps_is_the_own_thread_s():
    with LocalSWF(clock=VirtualClock(skip=True)) as swf:
        assert in_thread(lambda: swf._service.run(who, "")) == OWN


@pytest.mark.parametrize(("rounds", "by_leader", "by_own"), [(8, 4, 0), (1, 1, 3)])
def test_what_comes_while_a_caller_is_at_work_is_done_by_it_as_well_but_not_for_ever(
    swf, monkeypatch, rounds, by_leader, by_own
):
    monkeypatch.setattr(service_module, "ROUNDS_MAX", rounds)
    service, go_on, entered = swf._service, threading.Event(), threading.Event()

    def slow(_):
        entered.set()
        assert go_on.wait(10)
        return who(_)

    found = []
    leader = threading.Thread(target=lambda: found.append(service.run(slow, "")), name="leader")
    leader.start()
    assert entered.wait(10)
    others = [threading.Thread(target=lambda: found.append(service.run(who, ""))) for _ in range(3)]
    for other in others:
        other.start()
    while len(service._inbox._calls) < 3:
        time.sleep(0.001)
    go_on.set()
    for thread in (leader, *others):
        thread.join(10)

    assert (found.count("leader"), found.count(OWN)) == (by_leader, by_own)


@pytest.mark.parametrize("door", ["waiting", "posting"])
def test_what_comes_when_the_own_thread_is_about_to_sleep_is_seen(swf, monkeypatch, door):
    """It has looked into the inbox already, and is still at work: so whoever comes now does not lead, and rings no bell."""
    service, found, came = swf._service, [], []
    lead, idle_s = service._lead, service._idle_s

    def come():
        if door == "waiting":
            found.append(service.run(who, ""))
        else:
            swf.direct().post(Post("ListDomains", {"registrationStatus": "REGISTERED"}, found.append, lambda: True))

    def led():
        lead()
        tried.set()

    def about_to_sleep():
        if threading.current_thread().name == OWN and not came:
            came.append(True)
            threading.Thread(target=come, daemon=True).start()
            assert tried.wait(10)
        return idle_s()

    tried = threading.Event()
    monkeypatch.setattr(service, "_lead", led)
    monkeypatch.setattr(service, "_idle_s", about_to_sleep)
    service._inbox.ring()
    assert tried.wait(10)
    until_s = time.monotonic() + 30
    while not found and time.monotonic() < until_s:
        time.sleep(0.001)
    assert len(found) == 1


def signal_then(service, run, what):
    """Work that records a signal, and then does what no operation should do."""

    def work(context):
        turn = Turn(service.engine.execution(run), context.at)
        turn.record("WorkflowExecutionSignaled", {"signalName": "half"})
        service.engine.settle(turn)
        what()

    return work


class TestCutShort:
    @pytest.fixture
    def run_id(self, swf):
        client = swf.direct()
        client.register_workflow_type(domain="d", name="w", version="1")
        return client.start_workflow_execution(
            domain="d",
            workflowId="id",
            workflowType={"name": "w", "version": "1"},
            taskList={"name": "l"},
            executionStartToCloseTimeout="3600",
            taskStartToCloseTimeout="60",
            childPolicy="TERMINATE",
        )["runId"]

    def types(self, swf, run_id):
        events = swf.direct().get_workflow_execution_history(
            domain="d", execution={"workflowId": "id", "runId": run_id}
        )
        return [event["eventType"] for event in events["events"]]

    def test_an_error_of_the_caller_s_thread_is_not_the_call_s(self, swf, run_id):
        def recursion():
            if threading.current_thread().name != OWN:
                raise RecursionError

        service = swf._service
        assert in_thread(lambda: service.run(signal_then(service, 1, recursion), "")) is None
        assert self.types(swf, run_id).count("WorkflowExecutionSignaled") == 1

    def test_an_error_of_the_call_s_is_told_and_nothing_of_it_stays(self, swf, run_id, caplog):
        def fail():
            raise ZeroDivisionError

        service = swf._service
        fault = in_thread(lambda: service.run(signal_then(service, 1, fail), ""))
        assert isinstance(fault, ServiceFault) and fault.code == "InternalFailure"
        assert "WorkflowExecutionSignaled" not in self.types(swf, run_id)

    def test_what_is_raised_in_a_caller_rolls_back_and_the_calls_beside_it_are_done(self, swf, run_id):
        def interrupt():
            raise SystemExit

        service = swf._service
        beside = [AwaitedCall(signal_then(service, 1, lambda: None), "") for _ in range(2)]
        for call in beside:
            service._inbox.put(call)
        assert isinstance(in_thread(lambda: service.run(signal_then(service, 1, interrupt), "")), SystemExit)
        for call in beside:
            assert call.result() is None
        assert self.types(swf, run_id).count("WorkflowExecutionSignaled") == 2

    def test_a_poll_that_began_to_wait_in_a_group_that_failed_stands_in_line_once(self, swf, run_id, caplog):
        def fail():
            raise ZeroDivisionError

        service, engine = swf._service, swf._service.engine
        request = {"domain": "d", "taskList": {"name": "other"}}
        poll = AwaitedCall(api.prepare(engine, "PollForDecisionTask", request), "")
        service._inbox.put(poll)
        assert isinstance(in_thread(lambda: service.run(signal_then(service, 1, fail), "")), ServiceFault)

        assert list(engine.task_lists.polls(ListKey("decision", "d", "other"))) == [poll]


class TestWaking:
    def rings(self, swf, monkeypatch, what):
        """How often the own thread is woken by a call."""
        rung = []
        with swf._service._at_work:  # it sleeps
            monkeypatch.setattr(swf._service._inbox, "ring", lambda: rung.append(1))
        in_thread(what)
        return len(rung)

    def test_the_own_thread_sleeps_on_where_no_deadline_comes_sooner(self, swf, monkeypatch):
        assert self.rings(swf, monkeypatch, lambda: swf._service.run(who, "")) == 0

    def test_it_is_woken_for_a_deadline_that_comes_before_it_would_wake(self, tmp_path, monkeypatch):
        with LocalSWF(tmp_path / "own") as swf:
            arm = lambda _: swf._service.engine.deadlines.arm(1, 5, swf._service._clock.now_ms() + 3_600_000)
            assert self.rings(swf, monkeypatch, lambda: swf._service.run(arm, "")) == 1
            monkeypatch.undo()
            swf._service.engine.deadlines.disarm(1, 5)


class TestOverHttp:
    def worked(self, swf, server, monkeypatch):
        """Which threads worked at the engine for one request."""
        service, names = swf._service, []
        attempt = service._attempt
        monkeypatch.setattr(
            service,
            "_attempt",
            lambda group: (names.append(threading.current_thread().name) if group else None, attempt(group)),
        )
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        target = {"X-Amz-Target": "SimpleWorkflowService.ListDomains"}
        connection.request("POST", "/", '{"registrationStatus": "REGISTERED"}', target)
        response = connection.getresponse()
        assert (response.status, json.loads(response.read())["domainInfos"][0]["name"]) == (200, "d")
        connection.close()
        monkeypatch.undo()
        return names

    def test_the_only_request_is_carried_out_where_it_came_and_none_beside_another(self, swf, monkeypatch):
        with swf.serve() as server:
            assert self.worked(swf, server, monkeypatch) == ["pyflow-local-http"]
            with swf._service.busy():
                assert self.worked(swf, server, monkeypatch) == [OWN]

    def test_requests_that_come_together_share_a_sync_of_the_disk(self, swf, monkeypatch):
        service, groups = swf._service, []
        attempt = service._attempt
        with swf.serve() as server:
            request = (
                f"POST / HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nContent-Length: 36\r\n"
                'X-Amz-Target: SimpleWorkflowService.ListDomains\r\n\r\n{"registrationStatus": "REGISTERED"}'
            ).encode()
            clients = [socket.create_connection(("127.0.0.1", server.port), timeout=10) for _ in range(16)]
            monkeypatch.setattr(
                service, "_attempt", lambda group: (groups.append(len(group)) if group else None, attempt(group))
            )
            looks = threading.Event()
            server._listener.loop.call_soon_threadsafe(looks.wait)
            for client in clients:
                client.sendall(request)
            looks.set()
            for client in clients:
                assert client.recv(65536).startswith(b"HTTP/1.1 200 ")
                client.close()
            monkeypatch.undo()
        assert sum(groups) == 16
        assert len(groups) < 8
