"""What the pages in docs show is run here as it stands there, and they leave no public name out."""

import inspect
import re
import sys
from inspect import signature
from pathlib import Path
from types import ModuleType

import pytest

import pyflow
from pyflow import exceptions

DOCS = Path(__file__).parents[1] / "docs"
WORKFLOWS = (DOCS / "workflows.md").read_text()
RUNNABLE = ["workflows.md", "logging.md", "determinism.md"]
"""Pages of which each block of Python is a test."""

BLOCKS = [
    (f"{page}, {re.findall(r'^#+ (.*)$', text[: found.start()], re.MULTILINE)[-1]}", found[1])
    for page in RUNNABLE
    for text in [(DOCS / page).read_text()]
    for found in re.finditer(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
]


@pytest.mark.parametrize(("section", "code"), BLOCKS, ids=[section for section, _ in BLOCKS])
def test_each_block_is_a_test_that_passes(section, code, request, monkeypatch):
    module = ModuleType("block_of_docs")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(code, f"docs/{section}", "exec"), vars(module))
    (test,) = [value for name, value in vars(module).items() if name.startswith("test_")]
    test(*[request.getfixturevalue(name) for name in inspect.signature(test).parameters])


def named_in(text: str) -> set[str]:
    return {word for quoted in re.findall(r"`([^`\n]+)`", text) for word in re.findall(r"\w+", quoted)}


@pytest.mark.parametrize(
    ("what", "section"),
    [
        (pyflow.WorkflowInvocationHelper, "Everything on self.swf"),
        (exceptions.__all__, "Errors"),
        (set(pyflow.__all__) - set(exceptions.__all__), "Everything on pyflow"),
    ],
    ids=["self.swf", "errors", "pyflow"],
)
def test_each_public_name_is_in_its_list(what, section):
    names = [name for name in dir(what) if not name.startswith("_")] if isinstance(what, type) else what
    text = WORKFLOWS[WORKFLOWS.index(f"\n## {section}\n") + 4 :].split("\n## ")[0]
    assert sorted(set(names) - named_in(text)) == []


def test_each_parameter_of_a_retry_policy_is_in_its_table():
    assert set(pyflow.RetryPolicy.__dataclass_fields__) - named_in(WORKFLOWS) == set()


def test_each_setting_of_a_decider_is_in_its_table():
    settings = {name for name, each in signature(pyflow.Decider).parameters.items() if each.kind is each.KEYWORD_ONLY}
    assert settings - named_in((DOCS / "deciders.md").read_text()) == set()


def test_links_within_the_page_lead_somewhere():
    def anchor(heading: str) -> str:
        return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")

    headings = {anchor(heading) for heading in re.findall(r"^#+ (.*)$", WORKFLOWS, re.MULTILINE)}
    assert set(re.findall(r"\]\(#([^)]+)\)", WORKFLOWS)) - headings == set()


def test_each_page_and_each_example_is_in_the_index_and_the_index_in_the_readme():
    linked = set(re.findall(r"\]\(([^)#]+)\)", (DOCS / "README.md").read_text()))
    pages = {page.name for page in DOCS.glob("*.md")} - {"README.md"}
    examples = {f"../examples/{example.name}" for example in (DOCS.parent / "examples").glob("*.py")}
    assert sorted((pages | examples) - linked) == []
    assert [link for link in linked if not (DOCS / link).exists()] == []
    assert "](docs/README.md)" in (DOCS.parent / "README.md").read_text()
