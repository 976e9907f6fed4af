"""Log lines of workflows and activities: heard once, from any logger, with the place and the ids of who says it."""

import logging
import threading

import pytest

import pyflow
from pyflow import logs

early = logging.getLogger("orders.early")  # made before any decider is


class Loud(logging.Logger):
    """A class of somebody else's, as libraries have them."""

    def makeRecord(self, *args, **kwargs):
        record = super().makeRecord(*args, **kwargs)
        record.loud = True
        return record


loud = Loud("loud")
loud.parent = logging.getLogger()


@pyflow.activity(start_to_close=60, retry=pyflow.RetryPolicy(initial=1, jitter=0, max_attempts=2))
def pack(item):
    logging.getLogger("warehouse").info("packing %s", item)
    if pyflow.activity.current().attempt == 1:
        raise OSError("dropped it")
    return item


def say(message):
    early.info(message, stacklevel=2)


class Order(pyflow.Workflow):
    NAME = "Order"
    VERSION = "2.1"

    def run(self, item):
        early.info("begun")
        early.getChild("child").warning("from a child")
        loud.error("from a class of its own")
        logging.info("from the root")  # noqa: LOG015 - as scripts do
        logging.LoggerAdapter(early, {}).info("from an adapter")
        self.swf.logger.info("from self.swf")
        say("from who called")
        early.info("mine", extra={"workflow_id": "the author's"})
        self.swf.sleep(10)
        early.info("woken")
        self.swf.invoke_once(early.info, "recorded").result()
        self.swf.sleep(10)
        early.info("done")


SAID = [
    "begun",
    "from a child",
    "from a class of its own",
    "from the root",
    "from an adapter",
    "from self.swf",
    "from who called",
    "mine",
    "woken",
    "recorded",
    "done",
]


@pytest.fixture(autouse=True)
def all_levels(caplog):
    caplog.set_level(logging.INFO)


def said(caplog):
    return [
        record.getMessage()
        for record in caplog.records
        if record.name.split(".")[0] in {"root", "orders", "loud"} or record.name.startswith("pyflow.workflow")
    ]


def test_lines_are_heard_once_though_the_code_is_replayed(flow, caplog):
    order = flow.start(Order, "book")
    for _ in range(4):
        flow.deploy(Order)  # forgets what it kept: the next task is replayed from the history
        flow.advance(5)
    flow.deploy(Order)
    order.result()
    flow.check()

    assert said(caplog) == SAID


def test_each_record_has_the_ids_of_its_run_and_the_place_in_the_code(flow, caplog):
    order = flow.start(Order, "book", workflow_id="order 7")
    order.result()

    records = {record.getMessage(): record for record in caplog.records}
    for message in SAID:
        record = records[message]
        assert record.run_id == order.first_run_id
        assert record.workflow_id == ("the author's" if message == "mine" else "order 7")
        assert (record.workflow_type, record.workflow_version) == ("Order", "2.1")
        assert record.pathname == __file__ or message == "recorded"
    assert records["begun"].funcName == records["from who called"].funcName == "run"
    assert records["from who called"].lineno == records["begun"].lineno + 6
    assert records["from a class of its own"].loud


def test_bodies_of_activities_have_theirs(flow, caplog):
    class Packing(pyflow.Workflow):
        NAME = "Packing"

        def run(self, item):
            return pack(item)

    flow.use(pack)
    assert flow.run(Packing, "book", workflow_id="p") == "book"

    packing = [record for record in caplog.records if record.name == "warehouse"]
    assert [(record.activity_id, record.attempt, record.workflow_id) for record in packing] == [
        ("activity1", 1, "p"),
        ("activity1.2", 2, "p"),
    ]
    assert len({record.run_id for record in packing}) == 1
    assert not hasattr(packing[0], "workflow_type")
    assert logging.Formatter("%(workflow_type)s", defaults={"workflow_type": "-"}).format(packing[0]) == "-"


def test_replays_are_heard_if_asked_for(flow, caplog):
    order = flow.start(Order, "book")
    flow.run_until_blocked()
    flow.advance(9)
    task = None
    flow.clock.advance(2)
    task = flow.client.poll_for_decision_task(domain=flow.domain, taskList={"name": flow.task_list})
    caplog.clear()

    pyflow.Decider([Order], "d", "l", "i", client=object(), log_replays=True).process_decision_task(task)
    assert said(caplog) == SAID[:10]

    caplog.clear()
    pyflow.Decider([Order], "d", "l", "i", client=object()).process_decision_task(task)
    assert said(caplog) == SAID[8:10]
    flow.forget(order)


def test_code_that_is_closed_is_not_heard(flow, caplog):
    class Tidy(pyflow.Workflow):
        NAME = "Tidy"

        def run(self, _):
            try:
                self.swf.sleep(100)
            finally:
                early.error("tidied")

    tidy = flow.start(Tidy)
    flow.run_until_blocked()
    flow.deploy(Tidy)
    assert said(caplog) == []

    tidy.result()
    assert said(caplog) == ["tidied"]


def test_other_threads_are_heard_while_a_run_replays(flow, caplog):
    def speak():
        early.info("from a thread")

    class Threaded(pyflow.Workflow):
        NAME = "Threaded"

        def run(self, _):
            thread = threading.Thread(target=speak)
            thread.start()
            thread.join()
            self.swf.sleep(1)

    flow.start(Threaded)
    flow.run_until_blocked()
    flow.deploy(Threaded)
    flow.advance(2)

    assert said(caplog) == ["from a thread"] * 2
    assert not hasattr(caplog.records[-1], "run_id")


def test_handlers_speak_for_themselves(flow, caplog):
    class Chatty(logging.Handler):
        def emit(self, record):
            if record.name == "orders.early":
                logging.getLogger("orders.audit").info("seen: %s", record.getMessage())

    chatty = Chatty()
    early.addHandler(chatty)
    try:
        order = flow.start(Order, "book")
        flow.run_until_blocked()
        flow.deploy(Order)
        order.result()
    finally:
        early.removeHandler(chatty)

    assert [line for line in said(caplog) if line.startswith("seen")] == [
        f"seen: {line}" for line in ("begun", "from an adapter", "from who called", "mine", "woken", "recorded", "done")
    ]


def test_it_is_installed_once_and_taken_out_whole():
    logs.install()
    ours = logging.Logger.handle
    logs.install()
    assert logging.Logger.handle is ours
    try:
        logging.Logger.handle = lambda self, record: ours(self, record)
        theirs = logging.Logger.handle
        logs.install()
        logs.uninstall()
        assert logging.Logger.handle is theirs
    finally:
        logging.Logger.handle = ours
    logs.uninstall()
    assert logging.Logger.handle is not ours
    logs.install()
    assert logging.Logger.handle is ours
