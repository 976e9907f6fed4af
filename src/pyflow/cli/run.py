"""``pyflow run``: one execution, to its end, in one process."""

import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from logging.handlers import QueueHandler
from queue import SimpleQueue
from threading import Thread
from typing import Any, Final

import click

from pyflow.activities import Activity
from pyflow.converter import DataConverter
from pyflow.exceptions import PayloadException, PyflowException
from pyflow.executions import start_workflow
from pyflow.failures import read
from pyflow.guard import Mode
from pyflow.history.trace import Trace, printable
from pyflow.local import LocalSWF
from pyflow.replay.reserved import PARK
from pyflow.swf.client import Client
from pyflow.swf.events import attributes_of
from pyflow.worker.activities import ActivityWorker
from pyflow.worker.decider import Decider
from pyflow.workflow import Workflow

from .loading import activities_in, converter_at, functions_at, workflow_at, workflows_in
from .options import converter_option, guard_option, lambda_option
from .output import Refusal, Unfinished, refuse, render, say, stderr
from .stopping import leave

DOMAIN: Final = "pyflow-run"
TASK_LIST: Final = "pyflow-run"
WATCH_S: Final = 0.02
STOPPING_S: Final = 1.0
INTERRUPTED: Final = 130


@click.command()
@click.argument("target", metavar="FILE.py:Workflow")
@click.option("--input", "input_text", metavar="JSON", help="What run is given; left out: None.")
@lambda_option
@converter_option
@guard_option
def run(target: str, input_text: str | None, lambdas: tuple[str, ...], converter: str | None, guard: Mode) -> None:
    """
    Run one execution to its end, with nothing else running.

    The service, the decider, and the activities that FILE.py defines or imports all live in this process, and nothing is
    kept. What happens goes to stderr as it happens, the result as JSON to stdout.

    Exit status: 0 completed; 1 ended in any other way, with reason and details on stderr; 2 could not be started.
    """
    _check_json(input_text)
    module, workflow = workflow_at(target)
    workflows = list(dict.fromkeys([workflow, *workflows_in(module, imported=True)]))
    functions = functions_at(lambdas)
    values = converter_at(converter)
    try:
        with LocalSWF(lambdas=functions) as service:
            status = _run(service, workflows, activities_in(module), input_text, values, guard)
    except PyflowException as error:
        status = refuse(Refusal(str(error)))
    except Refusal as refusal:
        status = refuse(refusal)
    except KeyboardInterrupt:
        status = INTERRUPTED
    leave(status)


def _check_json(text: str | None) -> None:
    try:
        json.loads("null" if text is None else text)
    except (ValueError, RecursionError) as error:
        raise Refusal(
            f"--input is not JSON: {error}. A text is written with its quotes: --input '\"Hello\"'"
        ) from error


def _run(
    service: LocalSWF,
    workflows: list[type[Workflow]],
    activities: list[Activity[..., Any]],
    input_text: str | None,
    converter: DataConverter,
    guard: Mode,
) -> int:
    """Run the first of the workflows on a service that is there for it alone; give the exit status."""
    client = service.direct()
    client.register_domain(name=DOMAIN, workflowExecutionRetentionPeriodInDays="1")
    decider = Decider(workflows, DOMAIN, TASK_LIST, "pyflow run", client, converter=converter, guard=guard)
    bodies = ActivityWorker(activities, DOMAIN, TASK_LIST, "pyflow run", client, converter=converter)
    decider.ensure_workflows_registered()
    bodies.ensure_activities_registered()
    broken: SimpleQueue[str] = SimpleQueue()

    def watched(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            broken.put(f"{type(error).__name__}: {error}")

    works = (decider.poll_for_decision_tasks, bodies.run)
    threads = [Thread(target=watched, args=(work,), daemon=True) for work in works]
    for thread in threads:
        thread.start()
    try:
        with _log_if_unfinished():
            return _follow(client, workflows[0], input_text, converter, broken)
    finally:
        decider.stop()
        bodies.stop()
        service.close()  # ends the polls that wait
        for thread in threads:
            thread.join(STOPPING_S)


@contextmanager
def _log_if_unfinished() -> Iterator[None]:
    """Hold pyflow's log back, but for the guard: what it says of an execution that ends is in its history, and said once."""
    records: SimpleQueue[logging.LogRecord] = SimpleQueue()
    with _heard_by("pyflow", QueueHandler(records)), _heard_by("pyflow.guard", _Saying()):
        try:
            yield
        except BaseException:
            while not records.empty():
                _Saying().handle(records.get())
            raise


@contextmanager
def _heard_by(name: str, handler: logging.Handler) -> Iterator[None]:
    """Let one handler alone hear a logger."""
    logger = logging.getLogger(name)
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = True


class _Saying(logging.Handler):
    """Prints to stderr, as the trace does."""

    def emit(self, record: logging.LogRecord) -> None:
        click.echo(printable(f"{record.levelname} {record.getMessage()}"), err=True)


def _follow(
    client: Client,
    workflow: type[Workflow],
    input_text: str | None,
    converter: DataConverter,
    broken: "SimpleQueue[str]",
) -> int:
    """
    Start an execution and print what happens, until it closes; give the exit status.

    Raises:
        Unfinished: it cannot be decided, or one of our threads broke.
    """
    assert workflow.NAME is not None
    execution = start_workflow(
        DOMAIN, workflow.NAME, workflow.VERSION, TASK_LIST, input=input_text, client=client, converter=converter
    )
    console = stderr()
    trace = Trace(client, DOMAIN, execution, converter=converter)
    began = None
    while trace.closed is None:
        for line in trace.new():
            began = began or line.time
            console.print(render(line, began))
            if line.id.startswith(PARK) and line.what == "value recorded":
                raise Unfinished(f"the workflow cannot be decided: {line.value}")
        if not broken.empty():
            raise Unfinished(broken.get())
        time.sleep(WATCH_S)
    return _end(trace.closed, converter)


def _end(closed: dict[str, Any], converter: DataConverter) -> int:
    """
    Print how the execution closed; give the exit status.

    Raises:
        Unfinished: its result cannot be opened.
    """
    attributes = attributes_of(closed)
    if closed["eventType"] == "WorkflowExecutionCompleted":
        try:
            say(converter.open(attributes.get("result") or "null"))
        except PayloadException as error:
            raise Unfinished(f"it completed, and its result cannot be opened: {error}") from error
        return 0
    how = closed["eventType"].removeprefix("WorkflowExecution")
    report = read(attributes.get("details"))
    details = attributes.get("details") if report is None else report.traceback
    for text in (attributes.get("reason") or attributes.get("cause") or how, details):
        if text:
            click.echo(printable(text), err=True)
    return 1
