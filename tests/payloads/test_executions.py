"""Payloads through whole executions: decider, activity worker, local service; and every history replayed from each prefix."""

import json
import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pydantic
import pytest

import pyflow
from pyflow import DataConverter, EncryptionCodec, FileStore, PayloadException, PayloadStoreException, ZlibCodec
from pyflow.history.check import DriftException, check
from pyflow.swf.events import attributes_of
from pyflow.worker import responding
from pyflow.worker.polling import decision_poll, poll_decision_task

KEY = EncryptionCodec.new_key()
ALL = pytest.mark.parametrize("how", ["plain", "zlib", "encrypted", "everything"])


@dataclass
class Order:
    number: int
    price: Decimal
    placed: datetime


class Receipt(pydantic.BaseModel):
    order: Order
    took: timedelta


ORDER = Order(7, Decimal("1.10"), datetime(2026, 1, 31, tzinfo=UTC))


@pyflow.activity(start_to_close=60)
def charge(order: Order, times: int = 1) -> Receipt:
    assert type(order) is Order
    return Receipt(order=order, took=timedelta(seconds=times))


@pyflow.activity(start_to_close=60)
def total(orders: list[Order]) -> Decimal:
    return sum((order.price for order in orders), Decimal())


@pyflow.activity(start_to_close=60)
def text(size: int) -> str:
    return "".join(chr(97 + n * n % 26) for n in range(size))


@pyflow.activity(start_to_close=60)
def size_of(data: str) -> int:
    return len(data)


@pyflow.activity(start_to_close=60)
def later() -> Decimal:
    TOKENS.append(pyflow.activity.current().complete_later())
    return Decimal(0)


TOKENS: list[str] = []


def price_now() -> Decimal:
    return Decimal("9.99")


class Child(pyflow.Workflow):
    NAME = "Child"

    def run(self, order: Order) -> Receipt:
        return charge(order, 3)


class Shop(pyflow.Workflow):
    NAME = "Shop"
    total = pyflow.ActivityDescriptor("total", "1.0", returns=Decimal)
    child = pyflow.ChildWorkflowDescriptor("Child", "1.0", returns=Receipt)
    approved: Order | None = None

    @pyflow.signal
    def approve(self, order: Order, by: str) -> None:
        self.approved = order

    def run(self, order: Order) -> list[object]:
        assert type(order) is Order
        receipt = charge(order)
        assert type(receipt) is Receipt
        child: Receipt = self.swf.child(Child, order)
        assert self.child(order).result() == child
        assert self.total([order, order]).result() == Decimal("2.20")
        assert self.swf.invoke_once(price_now).result() == Decimal("9.99")
        self.swf.wait_until(lambda: self.approved is not None)
        assert self.approved == order
        paid = self.swf.receive("paid", returns=Decimal)
        assert type(paid) is Decimal
        later_one: Decimal = later()
        return [receipt.took.total_seconds(), child.took.total_seconds(), str(paid), str(later_one)]


class Big(pyflow.Workflow):
    """Every way in and out, with texts that SWF does not take."""

    NAME = "Big"

    def run(self, given: list) -> list:
        size, data = given
        if len(data) < size:
            data = text(size)
            assert len(self.swf.invoke_once(lambda: data).result()) == size
            assert self.swf.child(Echo, data) == data
            self.swf.external(self.swf.workflow_id).signal("data", data).result()
            assert self.swf.receive("data") == data
            self.swf.continue_as_new([size, data])
        return [size_of(data), data]


class Echo(pyflow.Workflow):
    NAME = "Echo"

    def run(self, data):
        return data


class Charge(pyflow.Workflow):
    NAME = "Charge"

    def run(self, order: Order) -> list:
        return [charge(order).took.total_seconds()]


class Fails(pyflow.Workflow):
    NAME = "Fails"
    LambdaName = pyflow.LambdaDescriptor("price", returns=Order)

    def run(self, _):
        try:
            self.LambdaName("x").result()
        except pyflow.InvocationFailedException as failure:
            return [failure.reason, failure.details]


def converter(how, path):
    codecs = {
        "plain": [],
        "zlib": [ZlibCodec(min_size=0)],
        "encrypted": [EncryptionCodec({"k1": KEY})],
        "everything": [ZlibCodec(), EncryptionCodec({"k1": KEY})],
    }
    return DataConverter(codecs=codecs[how], store=FileStore(path))


def events_of(execution, kind):
    return [attributes_of(event) for event in execution.history if event["eventType"] == kind]


@ALL
def test_rich_values_go_everywhere(flow, tmp_path, how):
    TOKENS.clear()
    flow.converter = converter(how, tmp_path)
    execution = flow.start(Shop, ORDER)
    flow.run_until_blocked()
    execution.signal("approve", {"order": ORDER, "by": "Ada"})
    execution.signal("paid", Decimal("1.00"))
    flow.run_until_blocked()
    pyflow.complete_activity(TOKENS[0], Decimal("0.50"), flow.client, converter=flow.converter)

    assert execution.result() == [1.0, 3.0, "1.00", "0.50"]
    assert "pyflow.payload" not in execution.story()
    if how == "encrypted":
        assert "1.10" not in json.dumps(execution.history, default=str)


@pytest.mark.parametrize(
    ("how", "size"),
    [("plain", 40_000), ("zlib", 40_000), ("encrypted", 40_000), ("plain", 5_000_000), ("everything", 5_000_000)],
)
def test_what_swf_does_not_take_goes_everywhere(flow, tmp_path, how, size):
    flow.converter = converter(how, tmp_path)
    execution = flow.start(Big, [size, ""])

    count, data = execution.result()

    assert (count, len(data)) == (size, size)
    assert json.loads(execution.status().result if hasattr(execution, "status") else json.dumps([size, data])) == [
        size,
        data,
    ]


def test_a_result_that_is_too_long_fails_its_activity_and_names_it(flow):
    class TooLong(pyflow.Workflow):
        NAME = "TooLong"

        def run(self, _):
            text(40_000)

    with pytest.raises(
        pyflow.WorkflowFailedException, match=r"the result of activity .*'text.*' is 40,002 characters of JSON"
    ):
        flow.run(TooLong)


def test_replay_stores_and_fetches_nothing_that_it_does_not_need(flow, tmp_path):
    class Counted(FileStore):
        puts = gets = 0

        def put(self, key, data):
            Counted.puts += 1
            super().put(key, data)

        def get(self, key):
            Counted.gets += 1
            return super().get(key)

    flow.converter = DataConverter(store=Counted(tmp_path))
    execution = flow.start(Big, [40_000, ""])
    execution.result()
    puts = Counted.puts
    flow.converter = DataConverter(store=Counted(tmp_path))  # a new process: nothing in memory

    flow.check()

    assert Counted.puts == puts
    assert Counted.gets <= puts


def test_drift_is_compared_as_json_before_codecs(flow, tmp_path):
    class Other(Charge):
        def run(self, order):
            order["number"] += 1
            return [charge(Order(**order)).took.total_seconds()]

    flow.converter = converter("encrypted", tmp_path)
    execution = flow.start(Charge, ORDER)
    execution.result()

    check(Charge, execution.workflow_id, execution.run_id, execution.history, converter=flow.converter)
    with pytest.raises(DriftException) as caught:
        check(Other, execution.workflow_id, execution.run_id, execution.history, converter=flow.converter)

    assert caught.value.drift.what == "input"


def test_a_result_that_does_not_fit_fails_its_future(flow):
    flow.lambda_function("price", lambda event, context: {"number": "seven"})

    reason, details = flow.run(Fails)

    assert reason == "Decoding result failed"
    assert "the result does not fit Order: Expected `int`, got `str` - at `$.number`" in details


def test_an_input_that_does_not_fit_fails_the_execution_and_says_why(flow):
    with pytest.raises(pyflow.WorkflowFailedException) as caught:
        flow.run(Charge, {"number": 1, "price": []})

    assert caught.value.reason == "Invalid input to workflow"
    assert caught.value.details.startswith(
        "argument 'order' of Charge.run does not fit Order: Expected `decimal`, got `array` - at `$.price`"
    )


# -- what is missing never fails an execution


def decider_with(flow, converter):
    return pyflow.Decider(
        [Charge, Child], flow.domain, flow.task_list, "other", client=flow.client, converter=converter
    )


def decide_once(decider):
    """Let it decide what is there, and go."""
    decider.poll_for_decision_tasks(max_time=0.01)


def test_decider_without_the_key_parks_and_the_run_goes_on_with_it(flow, tmp_path, caplog):
    flow.converter = converter("encrypted", tmp_path)
    execution = flow.start(Charge, ORDER)

    with caplog.at_level(logging.ERROR):
        decide_once(decider_with(flow, DataConverter(codecs=[EncryptionCodec({"other": KEY})])))

    (marker,) = events_of(execution, "MarkerRecorded")
    assert marker["markerName"] == "pyflow.park.1"
    assert "key 'k1', which this side does not have" in marker["details"]
    assert "key 'k1'" in caplog.text
    assert "Traceback" not in caplog.text  # nothing is wrong with our code
    assert execution.result() == [1.0]  # after the parking timer


def test_missing_key_is_found_in_a_result_too(flow, tmp_path):
    execution = flow.start(Charge, ORDER)
    flow.converter = execution.converter = converter("encrypted", tmp_path)
    flow._scheduler.step()
    flow._scheduler.step()  # the activity is done, its result is there
    decide_once(decider_with(flow, DataConverter()))

    assert "codec 'aes-gcm'" in events_of(execution, "MarkerRecorded")[0]["details"]
    assert execution.result() == [1.0]


class Broken:
    def __init__(self, inner):
        self.inner, self.works = inner, False

    def __getattr__(self, name):
        if not self.works:
            raise OSError("no route to the store")
        return getattr(self.inner, name)


def test_decider_whose_store_does_not_answer_leaves_the_task(flow, tmp_path, caplog):
    flow.converter = converter("plain", tmp_path)
    execution = flow.start(Echo, "x" * 40_000)
    flow.use(Charge, Child)
    decider = pyflow.Decider(
        [Echo], flow.domain, flow.task_list, "other", client=flow.client, converter=DataConverter(store=Broken(None))
    )

    decide_once(decider)

    assert "no route to the store" in caplog.text
    assert [event["eventType"] for event in execution.history][-1] == "DecisionTaskStarted"
    assert len(execution.result()) == 40_000  # once the task has timed out


def test_decider_whose_store_takes_nothing_leaves_the_task(flow, tmp_path):
    store = Broken(FileStore(tmp_path))
    flow.converter = DataConverter(store=store)
    store.works = True
    execution = flow.start(Echo, "x" * 40_000)
    store.works = False
    task = poll_decision_task(flow.client, decision_poll(flow.domain, flow.task_list, "other"))
    decider = pyflow.Decider(
        [Echo], flow.domain, flow.task_list, "other", client=flow.client, converter=DataConverter(store=store)
    )
    with pytest.raises(PayloadStoreException):
        decider.process_decision_task(task)
    decider.forget()
    store.works = True
    assert len(execution.result()) == 40_000


def test_activity_worker_without_the_key_gives_the_task_back_with_its_name(flow, tmp_path):
    """A worker that was deployed without it must not fail an execution whose activity has no retry policy."""
    flow.converter = converter("encrypted", tmp_path)
    execution = flow.start(Charge, ORDER)
    decide_once(decider_with(flow, flow.converter))
    worker = pyflow.ActivityWorker(
        [charge], flow.domain, flow.task_list, "other", flow.client, converter=DataConverter()
    )

    assert worker.work_once()

    (failed,) = events_of(execution, "ActivityTaskFailed")
    assert failed["reason"] == "pyflow.unopened"
    assert "codec 'aes-gcm'" in failed["details"]
    execution.result()
    assert [each["activityId"] for each in events_of(execution, "ActivityTaskScheduled")] == [
        "activity1",
        "activity1.2",
    ]


def test_activity_worker_tries_a_store_again(flow, tmp_path, monkeypatch, caplog):
    pauses = []
    store = Broken(FileStore(tmp_path))

    def pause(seconds):
        pauses.append(seconds)
        store.works = True

    monkeypatch.setattr(responding.time, "sleep", pause)
    assert responding.with_store(DataConverter(store=store).seal, "x" * 40_000, responding.Event()).startswith(
        "pyflow.payload/"
    )
    assert len(pauses) == 1
    assert "no route to the store" in caplog.text


def test_handle_says_what_it_lacks(flow, tmp_path):
    flow.converter = converter("encrypted", tmp_path)
    execution = flow.start(Echo, "secret")
    execution.result()
    bare = pyflow.handle(execution.workflow_id, execution.run_id, domain=flow.domain, client=flow.client)
    with pytest.raises(PayloadException, match="codec 'aes-gcm'"):
        bare.result()
    full = pyflow.handle(
        execution.workflow_id, execution.run_id, domain=flow.domain, client=flow.client, converter=flow.converter
    )
    assert full.result() == "secret"
    assert full.status().result == '"secret"'


def test_class_says_what_a_handles_result_is(flow):
    started = flow.start(Child, ORDER)
    started.result()
    known = pyflow.handle(started.workflow_id, domain=flow.domain, client=flow.client, workflow=Child)
    unknown = pyflow.handle(started.workflow_id, domain=flow.domain, client=flow.client)
    assert known.result() == Receipt(order=ORDER, took=timedelta(seconds=3))
    assert unknown.result()["took"] == "PT3S"


def test_heartbeats_details_are_sealed_and_read_again(flow, tmp_path):
    seen = []

    @pyflow.activity(start_to_close=60, heartbeat=10, retry=pyflow.RetryPolicy(max_attempts=2))
    def copy() -> str:
        task = pyflow.activity.current()
        if task.attempt == 1:
            task.heartbeat(["x" * 5_000])
            task.complete_later()
        else:
            seen.append(task.last_details)
        return "done"

    class Copies(pyflow.Workflow):
        NAME = "Copies"

        def run(self, _):
            return copy()

    flow.converter = DataConverter(codecs=[EncryptionCodec({"k1": KEY})], store=FileStore(tmp_path))
    flow.use(copy)
    assert flow.run(Copies) == "done"
    assert seen == [["x" * 5_000]]
