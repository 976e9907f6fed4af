"""``pyflow export``: the history of an execution, as a file."""

import sys

import click

from pyflow.exceptions import PyflowException, ServiceFault
from pyflow.handles import handle
from pyflow.history.files import History, dump, save
from pyflow.history.scrub import scrub as scrubbed
from pyflow.swf.client import create_client
from pyflow.swf.events import attributes_of

from .options import endpoint_option
from .output import Refusal


@click.command()
@click.argument("workflow_id")
@click.option("--domain", required=True, help="The SWF domain.")
@click.option("--run-id", help="Which run; left out: the one that is open, else the one started last.")
@endpoint_option
@click.option("--output", metavar="FILE", help="Where to write it, NAME.history.json; left out: stdout.")
@click.option("--scrub", is_flag=True, help="Replace payloads by placeholders of the same shape.")
def export(
    workflow_id: str, domain: str, run_id: str | None, endpoint_url: str | None, output: str | None, scrub: bool
) -> None:
    """
    Write the history of an execution, open or closed, in the form that pytest replays.

    A file whose name ends in .history.json is a test: pytest replays it with today's code. With --scrub, texts become as many x
    and numbers 0; code that acts on values then acts otherwise, and its history replays no longer.

    Exit status: 0 written; 2 there is no such execution, or the service or the file refused.
    """
    try:
        execution = handle(workflow_id, run_id, domain=domain, client=create_client(endpoint_url))
        events = execution.history()
        type_ = attributes_of(events[0])["workflowType"]
        history = History(events, type_, domain, workflow_id, execution.run_id)
        if scrub:
            history = scrubbed(history)
        if output is None:
            sys.stdout.write(dump(history))
        else:
            save(history, output)
    except ServiceFault as fault:
        raise Refusal(f"{workflow_id!r} in domain {domain!r} cannot be exported: {fault}") from fault
    except PyflowException as error:
        raise Refusal(str(error)) from error
