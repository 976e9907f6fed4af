"""The ``pyflow`` command: one file for each word of it."""

import click

from .export import export
from .run import run
from .server import server
from .worker import worker


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="pyflow-swf", prog_name="pyflow")
def main() -> None:
    """
    Durable workflows as plain Python, on Amazon SWF or on this machine.

    \b
    Try a workflow on its own:   pyflow run order.py:Order --input '{"item": "book"}'
    Serve SWF on this machine:   pyflow server --port 8600
    Work for it:                 pyflow worker order.py --domain shop --task-list orders \\
                                     --endpoint-url http://127.0.0.1:8600
    Keep a history as a test:    pyflow export order-7 --domain shop --output order-7.history.json
    Work for AWS instead:        the same without --endpoint-url (region, profile and keys as boto3 finds them)
    """


main.add_command(server)
main.add_command(worker)
main.add_command(run)
main.add_command(export)
