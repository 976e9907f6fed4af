"""Where code is blocked, as people read it in the execution context."""

from pathlib import Path

import pytest

import pyflow
from histories import RUN_ID, history
from pyflow import _fiber
from pyflow.run import Run

STARTED = """
    1 WorkflowExecutionStarted
    2 DecisionTaskScheduled
    3 DecisionTaskStarted scheduledEventId=2
"""
FIRED = (
    STARTED
    + """
    4 DecisionTaskCompleted scheduledEventId=2 startedEventId=3
    5 TimerStarted timerId=sleep1 startToFireTimeout=1
    6 TimerStarted timerId=f1.sleep1 startToFireTimeout=500
    7 TimerFired timerId=sleep1 startedEventId=5
    8 DecisionTaskScheduled
    9 DecisionTaskStarted scheduledEventId=8
"""
)


class Pausing(pyflow.Workflow):
    NAME = "Pausing"

    def run(self, _):
        self.swf.spawn(self.swf.sleep, 500)
        self.pause(1)
        self.pause(2)

    def pause(self, seconds):
        self.swf.sleep(seconds)


class Showing(Pausing):
    SHOW_LOCALS = True


def line_of(code: str) -> str:
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    return f"{__file__}:{1 + next(index for index, line in enumerate(lines) if line.strip() == code)}"


IN_PAUSE = f"{line_of('self.swf.sleep(seconds)')} in Pausing.pause"
CONTEXTS = [
    f"""pyflow rules 1
waiting at {IN_PAUSE}
  for timer sleep1
  called at {line_of("self.pause(1)")} in Pausing.run
f1 waiting at pyflow
  for timer f1.sleep1""",
    f"""pyflow rules 1
waiting at {IN_PAUSE}
  for timer sleep2
  called at {line_of("self.pause(2)")} in Pausing.run
f1 waiting at pyflow
  for timer f1.sleep1""",
]


@pytest.fixture
def stand():
    """Give what a run says after each of its decision tasks."""
    runs = []

    def contexts(
        workflow_class: type[pyflow.Workflow], guard: str = "off", until: tuple[int, ...] = (3, 9)
    ) -> list[str]:
        run = Run(workflow_class, "order-1", RUN_ID, guard=guard)
        runs.append(run)
        told = []
        for started in until:
            run.advance(history(FIRED), started)
            told.append(run.execution_context())
        return told

    yield contexts
    for run in runs:
        run.close()


@pytest.mark.parametrize("guard", ["off", "strict"])
def test_each_fiber_tells_where_it_waits_for_what_and_who_called(stand, guard):
    assert stand(Pausing, guard) == CONTEXTS


def test_what_was_found_out_about_a_place_is_bounded(stand, monkeypatch):
    monkeypatch.setattr(_fiber, "SPOTS_MAX", 1)
    _fiber._spots.clear()
    assert stand(Pausing) == CONTEXTS
    assert len(_fiber._spots) <= 1


def test_code_that_was_loaded_again_tells_its_new_lines(stand):
    source = 'class Again(pyflow.Workflow):\n    NAME = "Again"\n    def run(self, _):\n{}        self.swf.sleep(1)\n        self.swf.receive("never")\n'
    lines = []
    for blank in ("", "\n"):
        names = {"pyflow": pyflow, "__name__": "again"}
        exec(compile(source.format(blank), "again.py", "exec"), names)
        lines.append(stand(names["Again"], until=(3,))[0].splitlines()[1])
    assert lines == ["waiting at again.py:4 in Again.run", "waiting at again.py:5 in Again.run"]


def test_local_variables_stand_below_their_place(stand):
    context = stand(Showing)[0].splitlines()
    assert context[1:6] == [
        f"waiting at {IN_PAUSE}",
        "  for timer sleep1",
        "    seconds = 1",
        f"  called at {line_of('self.pause(1)')} in Pausing.run",
        "    _ = None",
    ]
