import json
import re
import signal
from pathlib import Path

import pytest

from command import pyflow, serving

SHOP = """
import time
import pyflow

@pyflow.activity(start_to_close=60)
def price(item):
    if item == 'yacht':
        raise LookupError('no yachts')
    return len(item)

@pyflow.activity(start_to_close=60)
def dawdle():
    time.sleep(60)

class Shop(pyflow.Workflow):
    NAME = 'Shop'
    def run(self, items):
        return sum(price(item) for item in items or [])

class Late(pyflow.Workflow):
    NAME = 'Late'
    def run(self, _):
        dawdle.submit()
        self.swf.sleep(0)
        return 'gone'

class Waits(pyflow.Workflow):
    NAME = 'Waits'
    def run(self, _):
        dawdle()

class Big(pyflow.Workflow):
    NAME = 'Big'
    def run(self, length):
        return 'x' * length

class Odd(pyflow.Workflow):
    NAME = 'Odd'
    def run(self, _):
        return 1j

class Asks(pyflow.Workflow):
    NAME = 'Asks'
    ask = pyflow.LambdaDescriptor('answer')
    def run(self, question):
        return self.ask(question).result()

def answer(event, context):
    return event * 2

class Refused(pyflow.Workflow):
    NAME = 'Refused'
    def run(self, _):
        return self.swf.invoke_lambda('x' * 300, 1).result()
"""


@pytest.fixture
def shop(tmp_path) -> Path:
    (tmp_path / "shop.py").write_text(SHOP)
    return tmp_path


def test_the_result_is_all_that_stdout_holds_and_the_trace_goes_to_stderr(shop):
    done = pyflow("run", "shop.py:Shop", "--input", '["book", "tea"]', cwd=shop)

    assert (done.returncode, done.stdout) == (0, "7\n")
    told = [" ".join(line.split()) for line in done.stderr.splitlines()]
    assert [line.split(" s ", 1)[1] for line in told] == [
        'workflow started Shop 1.0 ["book", "tea"]',
        'activity asked for activity1 price 1.0 "book"',
        "activity completed activity1 price 1.0 4",
        'activity asked for activity2 price 1.0 "tea"',
        "activity completed activity2 price 1.0 3",
        "workflow completed 7",
    ]


def test_no_input_is_none(shop):
    assert pyflow("run", "shop.py:Shop", cwd=shop).stdout == "0\n"


def test_a_failure_ends_1_with_reason_and_details(shop):
    done = pyflow("run", "shop.py:Shop", "--input", '["yacht"]', cwd=shop)

    assert (done.returncode, done.stdout) == (1, "")
    assert "Caught exception while executing workflow ('Shop', '1.0')" in done.stderr
    assert "no yachts" in done.stderr
    assert done.stderr.count("in run\n") == 1


def test_functions_stand_for_lambda_functions(shop):
    done = pyflow("run", "shop.py:Asks", "--input", "21", "--lambda", "answer=shop.py:answer", cwd=shop)

    assert done.stdout == "42\n"


def test_a_lambda_function_that_is_not_registered_is_named_with_the_remedy(shop):
    done = pyflow("run", "shop.py:Asks", "--input", "21", cwd=shop)

    assert done.returncode == 1
    assert "--lambda answer=FILE.py:FUNCTION" in done.stderr


def test_a_result_over_swfs_length_fails_with_its_size(shop):
    done = pyflow("run", "shop.py:Big", "--input", "32767", cwd=shop)

    assert done.returncode == 1
    assert "32,769 characters" in done.stderr


def test_a_result_that_is_not_json_fails_with_its_type(shop):
    done = pyflow("run", "shop.py:Odd", cwd=shop)

    assert done.returncode == 1
    assert "complex" in done.stderr


def test_a_body_that_nobody_waits_for_does_not_keep_the_command(shop):
    assert pyflow("run", "shop.py:Late", cwd=shop).stdout == '"gone"\n'


def test_an_interrupt_ends_it_also_while_a_body_is_under_way(shop):
    with serving(shop, "run", "shop.py:Waits") as command:
        command.line("activity asked for")

        assert command.end(signal.SIGINT) == 130


def test_a_run_that_cannot_be_decided_ends_1_and_says_why(shop):
    done = pyflow("run", "shop.py:Refused", cwd=shop)

    assert (done.returncode, done.stdout) == (1, "")
    (told,) = re.findall("^pyflow: the workflow cannot be decided: (.*)", done.stderr, re.MULTILINE)
    assert "ValidationException" in told


@pytest.mark.parametrize("text", ["Hello", "", "{'a': 1}"])
def test_input_that_is_not_json_ends_2_with_the_remedy(shop, text):
    done = pyflow("run", "shop.py:Shop", "--input", text, cwd=shop)

    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("pyflow: --input is not JSON")
    assert """--input '"Hello"'""" in line


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("nowhere.py:Shop", "no such file: nowhere.py"),
        ("shop.py:Nobody", "shop.py has no workflow class Nobody with a NAME; workflow classes in it: Shop, Late"),
        ("shop.py", "'shop.py' is not of the form FILE.py:Workflow"),
    ],
)
def test_a_target_that_is_not_there_ends_2_in_one_line(shop, target, told):
    done = pyflow("run", target, cwd=shop)

    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"pyflow: {told}")


def test_an_input_over_swfs_length_ends_2(shop):
    done = pyflow("run", "shop.py:Shop", "--input", json.dumps(["x" * 40_000]), cwd=shop)

    assert done.returncode == 2
    assert "40,004 characters" in done.stderr


def test_two_classes_of_one_type_end_2(shop):
    (shop / "twice.py").write_text(SHOP + "\nclass Shop2(pyflow.Workflow):\n    NAME = 'Shop'\n")

    done = pyflow("run", "twice.py:Shop", cwd=shop)

    assert done.returncode == 2
    assert "Shop2" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_current_folder_is_not_on_the_path(shop):
    (shop / "deep").mkdir()
    (shop / "deep" / "flow.py").write_text("import shop")

    assert "No module named 'shop'" in pyflow("run", "deep/flow.py:Shop", cwd=shop).stderr


SECRET = """
import datetime, pyflow, time
encrypted = pyflow.DataConverter(codecs=[pyflow.EncryptionCodec({"k": b"k" * 32})])

@pyflow.activity(start_to_close=60)
def double(text):
    return text * 2

class Doubles(pyflow.Workflow):
    NAME = 'Doubles'
    def run(self, text):
        return double(text)

class Clock(pyflow.Workflow):
    NAME = 'Clock'
    def run(self, _):
        time.sleep(0)
        return 'told'
"""


def test_what_its_converter_seals_is_shown_open(tmp_path):
    (tmp_path / "secret.py").write_text(SECRET)
    done = pyflow("run", "secret.py:Doubles", "--input", '"a"', "--converter", "secret.py:encrypted", cwd=tmp_path)

    assert (done.returncode, done.stdout) == (0, '"aa"\n')
    assert "pyflow.payload" not in done.stderr
    assert '"aa"' in done.stderr


def test_its_converter_is_what_starter_worker_and_decider_have(tmp_path):
    (tmp_path / "values.py").write_text(
        "import pyflow\nclass Shouts(pyflow.DataConverter):\n    def to_plain(self, value): return 'THING'\nshouts = Shouts()"
    )
    (tmp_path / "secret.py").write_text(SECRET.replace("text * 2", "object()"))
    options = ("--input", '"a"', "--converter", "values.py:shouts")

    assert pyflow("run", "secret.py:Doubles", *options, cwd=tmp_path).stdout == '"THING"\n'


def test_a_converter_that_is_none_ends_2(shop):
    done = pyflow("run", "shop.py:Shop", "--converter", "shop.py:Shop", cwd=shop)

    assert (done.returncode, done.stdout) == (2, "")
    assert "is no pyflow.DataConverter" in done.stderr


def test_its_guard_is_a_line_of_the_log_an_exception_or_nothing(tmp_path):
    (tmp_path / "secret.py").write_text(SECRET)
    done = {mode: pyflow("run", "secret.py:Clock", "--guard", mode, cwd=tmp_path) for mode in ("off", "warn", "strict")}

    assert [done[mode].returncode for mode in done] == [0, 0, 1]
    said = re.compile(r"secret.py:\d+ in Clock.run: time.sleep\(\) does not belong in a workflow; ")
    assert [len(said.findall(done[mode].stderr)) for mode in ("off", "warn")] == [0, 1]
    assert said.search(done["strict"].stderr)
