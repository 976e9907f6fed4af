"""The page of what the service does, against the model and against the code."""

from pathlib import Path

from pyflow.local import catalogue
from pyflow.swf.model import DECISION_ATTRIBUTES, EVENT_ATTRIBUTES, OPERATIONS, SHAPES

PAGE = Path(__file__).parents[2] / "docs" / "local-service.md"


def test_every_item_of_the_model_is_told() -> None:
    assert set(catalogue.ACTIONS) == set(OPERATIONS)
    assert set(catalogue.FAULTS) == {fault for operation in OPERATIONS.values() for fault in operation["faults"]}
    assert set(catalogue.DECISIONS) == set(DECISION_ATTRIBUTES)
    assert set(catalogue.EVENTS) == set(EVENT_ATTRIBUTES)
    causes = {cause for name, shape in SHAPES.items() if name.endswith("Cause") for cause in shape["enum"]}
    assert set(catalogue.CAUSES) == causes


def test_each_item_says_what_it_does_and_how_sure_that_is() -> None:
    tables = (catalogue.ACTIONS, catalogue.FAULTS, catalogue.ERRORS, catalogue.DECISIONS, catalogue.CAUSES)
    assert [name for table in tables for name, (here, _, sure) in table.items() if not here or not sure] == []
    assert [name for name, (here, sure) in catalogue.EVENTS.items() if not here or not sure] == []
    assert not catalogue.ERRORS.keys() & SHAPES.keys()


def test_the_page_is_what_the_code_says() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert catalogue.written_into(page) == page, "write it: make docs"


def test_every_cause_and_fault_is_met_by_a_test() -> None:
    tests = "\n".join(file.read_text(encoding="utf-8") for file in PAGE.parents[1].glob("tests/local/test_*.py"))
    here = Path(__file__).read_text(encoding="utf-8")
    tests = tests.replace(here, "")
    planned = {cause for cause, how in catalogue.CAUSES.items() if how[0].startswith("never")}
    arise = (catalogue.CAUSES.keys() - planned) | (catalogue.FAULTS.keys() - {"OperationNotPermittedFault"})
    assert {name for name in arise if name not in tests} == set()
