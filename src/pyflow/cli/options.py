"""Options that several commands have."""

import click

converter_option = click.option(
    "--converter", metavar="FILE.py:NAME", help="A pyflow.DataConverter.  [default: plain JSON]"
)

guard_option = click.option(
    "--guard",
    type=click.Choice(["off", "warn", "strict"]),
    default="warn",
    show_default=True,
    help="What is done about workflow code that cannot be replayed.",
)

lambda_option = click.option(
    "--lambda",
    "lambdas",
    metavar="NAME=FILE.py:FUNCTION",
    multiple=True,
    help="A Python function (event, context) that is Lambda function NAME here. May be given again.",
)

endpoint_option = click.option(
    "--endpoint-url", metavar="URL", help="A local service; left out: what boto3 is configured for, AWS."
)
