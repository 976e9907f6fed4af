import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyflow.cli.loading import activities_in, functions_at, load, workflow_at, workflows_in
from pyflow.cli.output import Refusal

ORDER = """
import pyflow

@pyflow.activity(start_to_close=60)
def charge(order): return order

class Order(pyflow.Workflow):
    NAME = 'Order'

class Base(pyflow.Workflow):
    pass

def price(event, context): return 3
"""


@pytest.fixture(autouse=True)
def imports(monkeypatch) -> Iterator[None]:
    """What a test imports is gone after it."""
    before = set(sys.modules)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
def write(tmp_path):
    def write(name: str, text: str) -> str:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text)
        return str(path)

    return write


class TestLoad:
    def test_a_module_beside_the_file_can_be_imported(self, write):
        write("prices.py", "BOOK = 12")

        assert load(write("shop.py", "from prices import BOOK")).BOOK == 12

    def test_the_current_folder_is_not_searched(self, write, tmp_path, monkeypatch):
        write("prices.py", "BOOK = 12")
        monkeypatch.chdir(tmp_path)
        before = list(sys.path)

        with pytest.raises(Refusal):
            load(write("deep/shop.py", "import prices"))

        assert str(tmp_path) not in set(sys.path) - set(before)

    def test_a_file_in_a_package_may_import_relatively(self, write):
        write("shop/__init__.py", "")
        write("shop/prices.py", "BOOK = 12")

        module = load(write("shop/orders.py", "from .prices import BOOK"))

        assert (module.BOOK, module.__name__) == (12, "shop.orders")

    def test_a_file_that_another_imports_is_the_same_module(self, write):
        steps = write("steps.py", ORDER)
        flows = load(write("flows.py", "from steps import charge"))

        assert load(steps).charge is flows.charge

    def test_a_file_is_loaded_once(self, write):
        path = write("shop.py", "x = object()")

        assert load(path).x is load(path).x

    @pytest.mark.parametrize("name", ["json.py", "my-shop.py", "2nd.py"])
    def test_any_file_name_will_do(self, write, name):
        import json

        assert load(write(name, "x = 1")).x == 1
        assert sys.modules["json"] is json

    def test_a_dataclass_in_a_file_finds_its_module(self, write):
        text = "from __future__ import annotations\nfrom dataclasses import dataclass\n@dataclass\nclass A:\n  x: int\n"

        assert load(write("shop.py", text)).A(1).x == 1

    def test_a_missing_file_is_named(self):
        with pytest.raises(Refusal, match=r"no such file: nowhere\.py"):
            load("nowhere.py")

    def test_an_error_shows_the_authors_traceback_only(self, write, capsys):
        write("prices.py", "def price():\n    return 1 / 0")

        with pytest.raises(Refusal, match="cannot be imported"):
            load(write("shop.py", "import prices\nprices.price()"))

        printed = capsys.readouterr().err
        assert "ZeroDivisionError" in printed
        assert "prices.py" in printed
        assert "loading.py" not in printed
        assert "importlib" not in printed

    def test_a_syntax_error_shows_the_line(self, write, capsys):
        with pytest.raises(Refusal):
            load(write("shop.py", "def f(:\n  pass"))

        printed = capsys.readouterr().err
        assert "shop.py" in printed
        assert "def f(:" in printed
        assert "loading.py" not in printed

    def test_a_file_that_exits_is_refused(self, write):
        with pytest.raises(Refusal):
            load(write("shop.py", "import sys; sys.exit(0)"))

    def test_a_file_that_failed_can_be_mended_and_loaded(self, write):
        path = write("shop.py", "1 / 0")
        with pytest.raises(Refusal):
            load(path)

        write("shop.py", "x = 17 + 4")

        assert load(path).x == 21


class TestFind:
    def test_workflows_are_those_defined_with_a_name(self, write):
        assert [each.__name__ for each in workflows_in(load(write("shop.py", ORDER)))] == ["Order"]

    def test_imported_workflows_count_only_when_asked_for(self, write):
        write("shop.py", ORDER)
        module = load(write("more.py", "from shop import Order\nimport pyflow"))

        assert workflows_in(module) == []
        assert workflows_in(module, imported=True) == [module.Order]

    def test_activities_are_defined_or_imported_and_each_is_found_once(self, write):
        write("shop.py", ORDER)
        module = load(write("more.py", "from shop import charge\nalias = charge"))

        assert activities_in(module) == [module.charge]

    def test_a_workflow_is_found_by_its_class(self, write):
        module, workflow = workflow_at(write("shop.py", ORDER) + ":Order")

        assert workflow is module.Order

    @pytest.mark.parametrize("name", ["Nobody", "Base", "charge"])
    def test_another_name_is_refused_with_those_that_there_are(self, write, name):
        with pytest.raises(Refusal, match="workflow classes in it: Order"):
            workflow_at(write("shop.py", ORDER) + ":" + name)

    @pytest.mark.parametrize("target", ["shop.py", "shop.py:", ":Order"])
    def test_a_target_of_another_form_is_refused(self, target):
        with pytest.raises(Refusal, match=r"FILE\.py:Workflow"):
            workflow_at(target)


class TestFunctions:
    def test_functions_are_known_by_the_name_given(self, write):
        path = write("shop.py", ORDER)

        functions = functions_at([f"price_of={path}:price"])

        assert list(functions) == ["price_of"]
        assert functions["price_of"]({}, None) == 3

    @pytest.mark.parametrize("option", ["price", "=x.py:price", "price=", "price=x.py", "price=:f"])
    def test_an_option_of_another_form_is_refused(self, option):
        with pytest.raises(Refusal, match=r"NAME=FILE\.py:FUNCTION"):
            functions_at([option])

    def test_a_function_that_is_not_there_is_named(self, write):
        path = write("shop.py", ORDER)

        with pytest.raises(Refusal, match="has no function cost"):
            functions_at([f"price_of={path}:cost"])

    def test_a_name_given_twice_is_refused(self, write):
        option = f"price={write('shop.py', ORDER)}:price"

        with pytest.raises(Refusal, match="'price' twice"):
            functions_at([option, option])


def test_what_is_loaded_is_known_by_its_whole_path(write, monkeypatch, tmp_path):
    path = write("shop.py", ORDER)
    monkeypatch.chdir(tmp_path)

    assert Path(load("shop.py").__file__) == Path(path)
