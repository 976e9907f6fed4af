"""
The pytest plugin: there once pyflow is installed. It imports nothing of pyflow before a test asks for ``flow``.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pyflow.testing import Flow


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the settings."""
    parser.addini("pyflow_guard", "the guard for determinism of the fixture flow: off, warn or strict", default="warn")


@pytest.fixture
def flow(request: pytest.FixtureRequest) -> "Iterator[Flow]":
    """
    A service, a decider and an activity worker of the test's own, with time that skips.

    ``flow.run(OrderWorkflow, {...})`` runs an execution to its end. When the test is over, the history of each of its
    executions has been replayed from every prefix; a difference fails the test.
    """
    from pyflow.testing import Flow  # noqa: PLC0415 - a session that uses no workflow pays nothing

    flow = Flow(guard=request.config.getini("pyflow_guard"))
    try:
        yield flow
        flow.check()
    finally:
        flow.close()
