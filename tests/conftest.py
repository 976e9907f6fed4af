"""What every test may lean on."""

import pytest

from pyflow import Decider
from pyflow.workflow import Workflow

pytest_plugins = ["pytester"]


class Deciders:
    """
    Decides tasks of one workflow class twice: cold, and with the run kept. The two must agree.

    ``decide`` gives the decisions; both ways saw every task it was given, in order.
    """

    def __init__(self, workflow_class: type[Workflow], **options) -> None:
        self.workflow_class = workflow_class
        self.cold = Decider([workflow_class], "domain", "list", "test", client=object(), runs_kept=0, **options)
        self.kept = Decider([workflow_class], "domain", "list", "test", client=object(), runs_kept=10, **options)

    def decide(self, task):
        cold = self.cold.process_decision_task(task)
        kept = self.kept.process_decision_task(task)
        assert kept == cold
        return cold.decisions


@pytest.fixture
def deciders():
    """Make ``Deciders`` of a workflow class."""
    return Deciders
