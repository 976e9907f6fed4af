"""``pyflow server``: SWF on this machine."""

from pathlib import Path

import click

from pyflow.exceptions import PyflowException
from pyflow.local import LocalSWF

from .loading import functions_at
from .output import Refusal, say
from .stopping import stop_requests


@click.command()
@click.option("--port", type=click.IntRange(0, 65_535), default=8600, show_default=True, help="0: any free port.")
@click.option(
    "--db", type=click.Path(dir_okay=False), help="File that keeps everything; made if missing. [default: pyflow.db]"
)
@click.option("--memory", is_flag=True, help="Keep nothing: all is gone when the server ends.")
@click.option(
    "--poll-wait-s",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    help="How long a poll is held open before it is answered empty.",
)
@click.option(
    "--lambda",
    "lambdas",
    metavar="NAME=FILE.py:FUNCTION",
    multiple=True,
    help="A Python function (event, context) that is Lambda function NAME here. May be given again.",
)
def server(port: int, db: str | None, memory: bool, poll_wait_s: float, lambdas: tuple[str, ...]) -> None:
    """
    Serve SWF on 127.0.0.1, for this machine only.

    boto3, awscli and workers in any language can use it by its URL (AWS_ENDPOINT_URL_SWF, or --endpoint-url). It asks for
    no credentials and checks none. It ends at SIGTERM or Ctrl-C; what it has answered is kept in the file.
    """
    if db and memory:
        raise click.UsageError("--db and --memory exclude each other")
    requests = stop_requests()
    path = ":memory:" if memory else str(Path(db or "pyflow.db").resolve())
    kept = "in memory only, gone when it ends" if memory else f"in {path}"
    functions = functions_at(lambdas)
    try:
        service = LocalSWF(path, lambdas=functions, poll_wait_s=poll_wait_s)
    except PyflowException as error:
        raise Refusal(str(error)) from error
    except OSError as error:
        raise Refusal(f"{path} cannot be used: {error.strerror or error}; give another --db") from error
    try:
        door = service.serve(port)
    except OSError as error:
        service.close()
        raise Refusal(
            f"port {port} of 127.0.0.1 cannot be used: {error.strerror or error}; give another --port"
        ) from error
    try:
        say(f"pyflow server is ready at {door.url}, data is kept {kept}")
        requests.get()
    finally:
        door.close()
        service.close()
