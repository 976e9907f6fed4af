"""Files ``*.history.json`` as tests; how a test writes them, and what is left of them when payloads are scrubbed."""

import json

import pytest

import pyflow
from inner_session import PLAIN
from pyflow.history.check import DriftException, check
from pyflow.history.files import History, load
from pyflow.history.scrub import scrub
from pyflow.testing import Flow

SHOP = """
import pyflow

@pyflow.activity(start_to_close=60)
def charge(customer):
    return f"{customer} paid"

class Parcel(pyflow.Workflow):
    NAME = "Parcel"

    def run(self, order):
        self.swf.sleep(self.swf.random.randint(1, 100))
        return "sent"

class Order(pyflow.Workflow):
    NAME = "Order"

    def run(self, customer):
        self.swf.set_status({"customer": customer})
        charge(customer)
        self.swf.sleep(60)
        return self.swf.child(Parcel, {"to": customer})
"""

TESTS = """
from shop import Order

def test_order(flow):
    assert flow.run(Order, "Ada Lovelace") == "sent"

def test_fails(flow):
    assert flow.run(Order, "Eve") == ""
"""


@pytest.fixture
def project(pytester):
    pytester.makepyfile(shop=SHOP, test_shop=TESTS)
    pytester.makeini("[pytest]\npythonpath = .\npyflow_workflows = shop\n")
    return pytester


def run(project, *options):
    return project.runpytest_inprocess(*PLAIN, *options)


def recorded(project):
    run(project, "--pyflow-record", "recorded").assert_outcomes(passed=1, failed=1)
    return sorted((project.path / "recorded").iterdir())


def test_tests_that_pass_record_each_execution_and_pytest_replays_the_files(project):
    paths = recorded(project)

    assert [path.name for path in paths] == [
        "test_shop.py_test_order-0.1.Order.history.json",
        "test_shop.py_test_order-0.2.Parcel.history.json",
    ]
    assert load(paths[0]).workflow_type == {"name": "Order", "version": "1.0"}
    run(project, "recorded", "-v").assert_outcomes(passed=2)


def test_changed_code_fails_and_both_sides_are_named_without_a_traceback(project):
    recorded(project)
    project.makepyfile(shop=SHOP.replace("        charge(customer)\n", ""))
    result = run(project, "recorded")

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*Order.history.json: *does not fit its history at event 5: *ActivityTaskScheduled activity1 (charge 1.0), the code asks for timer sleep1 (code: *shop.py:* in Order.run)*",
            "*history's side was recorded by code that went on to wait at *shop.py:* in Order.run*",
        ]
    )
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*check.py*")


def test_changed_duration_is_drift_and_fails(project):
    recorded(project)
    project.makepyfile(shop=SHOP.replace("sleep(60)", "sleep(61)"))
    result = run(project, "recorded")

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*'60'*'61'*"])


def test_history_without_a_class_says_how_to_name_one_and_a_hook_can(project):
    recorded(project)
    project.makeini("[pytest]\npythonpath = .\n")
    result = run(project, "recorded")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        ["*history is of workflow 'Order' 1.0, and no class is known for it (known: none)*pyflow_workflows*"]
    )

    project.makeconftest("def pytest_pyflow_workflows(config):\n    import shop\n    return [shop.Order, shop]\n")
    run(project, "recorded").assert_outcomes(passed=2)


def test_module_that_cannot_be_imported_and_file_that_is_none_are_named(project):
    recorded(project)
    (project.path / "recorded" / "x.history.json").write_text("{}")
    project.makeini("[pytest]\npyflow_workflows = shoop\n")
    result = run(project, "recorded")

    result.assert_outcomes(failed=3)
    result.stdout.fnmatch_lines(
        [
            "*pyflow_workflows names 'shoop', which cannot be imported: No module named 'shoop'.*pythonpath = .*",
            "*x.history.json is not a history file*",
        ]
    )


VALUES = """
import pyflow
encrypted = pyflow.DataConverter(codecs=[pyflow.EncryptionCodec({"k": b"k" * 32})])
"""


def test_converter_of_the_ini_file_is_that_of_the_fixture_and_of_recorded_histories(project):
    project.makepyfile(values=VALUES)
    project.makeini("[pytest]\npythonpath = .\npyflow_workflows = shop\npyflow_converter = values:encrypted\n")
    paths = recorded(project)

    assert "aes-gcm" in paths[0].read_text()
    run(project, "recorded").assert_outcomes(passed=2)

    project.makeini("[pytest]\npythonpath = .\npyflow_workflows = shop\n")
    result = run(project, "recorded")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        ["*made with the codec 'aes-gcm', which this side does not have*", "*pyflow_converter*"]
    )


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("values", "*pyflow_converter is module:NAME, not 'values'*"),
        ("nothing:here", "*pyflow_converter names 'nothing', which cannot be imported*"),
        ("values:missing", "*pyflow_converter: module values has no missing*"),
        ("values:pyflow", "*pyflow_converter: values:pyflow is no pyflow.DataConverter*"),
    ],
)
def test_converter_that_is_none_is_named(project, named, said):
    project.makepyfile(values=VALUES)
    project.makeini(f"[pytest]\npythonpath = .\npyflow_converter = {named}\n")
    result = run(project, "test_shop.py")

    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines([said])


def test_output_of_the_aws_cli_is_replayed_as_far_as_it_says_the_run_id(project):
    paths = recorded(project)
    for path in paths:
        path.write_text(json.dumps({"events": json.loads(path.read_text())["events"]}))
    result = run(project, "recorded")

    result.assert_outcomes(failed=2)  # the child's id, and the draw that drifts
    result.stdout.fnmatch_lines(
        ["*The file does not say the run id, from which children's ids and random draws are made.*"]
    )


@pyflow.activity(start_to_close=60)
def find(customer):
    raise LookupError(f"no customer {customer['name']}\nat all")


@pyflow.activity(start_to_close=60)
def invite(customer):
    return {"invited": [customer["name"], 3, 2.5, True, None]}


class Party(pyflow.Workflow):
    NAME = "Party"

    def run(self, customer):
        self.swf.set_status(customer)
        self.swf.invoke_once(lambda: "secret of Ada").result()
        self.swf.patched("new")
        try:
            find(customer)
        except pyflow.InvocationFailedException:
            return invite(customer)


class Counting(pyflow.Workflow):
    NAME = "Counting"

    def run(self, guests):
        for _ in range(guests):
            self.swf.sleep(1)
        return f"{guests} came"


def history_of(workflow, value):
    with Flow() as flow:
        flow.start(workflow, value, tag_list=["Ada's"]).result()
        ((_, workflow_id, run_id, events),) = flow.recorded()
    type_ = {"name": workflow.NAME, "version": workflow.VERSION}
    return History(events, type_, "flow", workflow_id, run_id)


def replay(workflow, history):
    check(workflow, history.workflow_id, history.run_id, history.events, drift=not history.scrubbed)


def test_nothing_of_the_values_is_left_in_a_scrubbed_history_and_what_passes_them_on_replays():
    whole = history_of(Party, {"name": "Ada", "age": 4711})
    scrubbed = scrub(whole)
    text = json.dumps(scrubbed.events, default=str)

    assert "Ada" in json.dumps(whole.events, default=str)
    for value in ("Ada", "4711", "no customer", "at all", "secret"):
        assert value not in text.replace("test_golden", "")
    for kept in ("LookupError", "pyflow.patch.new", "activity1", "pyflow rules 1", "in Party.run"):
        assert kept in text
    assert '{\\"name\\": \\"xxx\\", \\"age\\": 0}' in text
    assert '{\\"invited\\": [\\"xxx\\", 0, 0, true, null]}' in text
    replay(Party, whole)
    replay(Party, scrubbed)


def test_scrubbed_history_of_code_that_acts_on_values_replays_no_longer():
    history = history_of(Counting, 2)
    replay(Counting, history)

    with pytest.raises(pyflow.NondeterminismException):
        replay(Counting, scrub(history))


def test_drift_is_found_in_a_whole_history_only():
    history = history_of(Counting, 1)
    for event in history.events:
        if event["eventType"] == "TimerStarted":
            event["timerStartedEventAttributes"]["startToFireTimeout"] = "7"

    with pytest.raises(DriftException):
        replay(Counting, history)


def test_prefixes_of_a_long_history_are_thinned_out_and_the_last_is_kept(monkeypatch):
    history = history_of(Counting, 30)
    cold = []
    advance = pyflow.history.check.Run.advance

    def counted(run, events, started_event_id):
        cold.append(len(events)) if started_event_id == len(events) else None
        advance(run, events, started_event_id)

    monkeypatch.setattr(pyflow.history.check.Run, "advance", counted)
    check(Counting, history.workflow_id, history.run_id, history.events, batches_max=100)

    assert 5 <= len(cold) <= 9
    assert cold[-1] == max(event["eventId"] for event in history.events if event["eventType"] == "DecisionTaskStarted")
