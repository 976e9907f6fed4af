"""``pyflow server``: SWF on this machine."""

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from pyflow.exceptions import PyflowException
from pyflow.local import Clock, LocalSWF, SystemClock, VirtualClock
from pyflow.local.server import LOOPBACK, Server

from .loading import functions_at
from .options import lambda_option
from .output import Refusal, say, warn
from .stopping import first_of, stop_requests

TOKEN_BYTES: Final = 16
FAST: Final = " (fast: a power cut may take the last moments)"


@click.command()
@click.option("--port", type=click.IntRange(0, 65_535), default=8600, show_default=True, help="0: any free port.")
@click.option("--port-file", type=click.Path(dir_okay=False), help="Written when it is ready: the port, and no more.")
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Where it listens; beyond this machine with --allow-remote."
)
@click.option(
    "--allow-remote",
    is_flag=True,
    help="Let other machines in, those that know the token: needs --token-file. Nothing is encrypted.",
)
@click.option(
    "--token-file",
    type=click.Path(dir_okay=False),
    help="File with the access key id that clients must sign with; made, with a new one in it, if missing.",
)
@click.option(
    "--db", type=click.Path(dir_okay=False), help="File that keeps everything; made if missing. [default: pyflow.db]"
)
@click.option("--memory", is_flag=True, help="Keep nothing: all is gone when the server ends.")
@click.option(
    "--fast",
    is_flag=True,
    help="Answer without waiting for the disk: what was answered survives kill -9, but maybe not a power cut.",
)
@click.option(
    "--poll-wait-s",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    help="How long a poll is held open before it is answered empty.",
)
@click.option(
    "--clock",
    "clock_kind",
    type=click.Choice(["system", "virtual", "skip"]),
    default="system",
    show_default=True,
    help="virtual: time stands still until it is told to pass (see above). skip: it also leaps to the next timer or timeout "
    "whenever nobody is at work.",
)
@click.option(
    "--clock-start",
    metavar="TIME",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"]),
    help="Where a virtual clock begins, in UTC: 2026-01-01T00:00:00Z. [default: now]",
)
@click.option(
    "--seed", type=int, help="Run ids and tokens are drawn from it: the same calls give the same history again."
)
@lambda_option
@click.option(
    "--lambda-endpoint-url",
    metavar="URL",
    help="Where the other Lambda functions are invoked: SAM, LocalStack, https://lambda.eu-west-1.amazonaws.com.",
)
@click.option(
    "--require-lambda-role", is_flag=True, help="Start no function for an execution without a lambdaRole, as on AWS."
)
@click.option(
    "--aws-throttles",
    is_flag=True,
    help="Refuse requests and decisions beyond the rates that AWS grants an account: ThrottlingException, ..._RATE_EXCEEDED.",
)
def server(port: int, port_file: str | None, host: str, allow_remote: bool, token_file: str | None, **how: Any) -> None:
    """
    Serve SWF on this machine.

    boto3, awscli and workers in any language can use it by its URL (AWS_ENDPOINT_URL_SWF, or --endpoint-url). It asks for
    no credentials and checks none, unless it is given a token. It ends at SIGTERM or Ctrl-C; what it has answered is kept in
    the file.

    \b
    For a team's CI, quick and forgetful:  pyflow server --port 0 --port-file port --memory
    A year of timers in a moment:          pyflow server --memory --clock skip
    At AWS's own rates:                    pyflow server --aws-throttles
    Functions that run in LocalStack:      pyflow server --lambda-endpoint-url http://127.0.0.1:4566
    For other machines:                    pyflow server --host 0.0.0.0 --allow-remote --token-file token

    \b
    A virtual clock is moved over HTTP; "seconds": 0 asks for the time:
      curl http://127.0.0.1:8600 -H 'X-Amz-Target: PyflowLocal.AdvanceClock' \\
        -H 'Content-Type: application/x-amz-json-1.0' -d '{"seconds": 3600}'
    """
    if host not in LOOPBACK and not (allow_remote and token_file):
        raise Refusal(
            f"--host {host} lets other machines in: that takes --allow-remote and --token-file FILE as well; "
            "this machine alone is served at 127.0.0.1"
        )
    requests = stop_requests()
    token = None if token_file is None else _token_in(Path(token_file))
    service, kept = _service(**how)
    try:
        with _listening(service, port, host, token) as door, _told(port_file, door.port):
            if host not in LOOPBACK:
                warn(
                    f"other machines can reach it at {door.url}; the token in {token_file} goes over the network unencrypted"
                )
            say(f"pyflow server is ready at {door.url}, data is kept {kept}")
            first_of(requests)
    finally:
        service.close()


def _service(
    *,
    db: str | None,
    memory: bool,
    fast: bool,
    clock_kind: str,
    clock_start: datetime | None,
    lambdas: tuple[str, ...],
    **options: Any,
) -> tuple[LocalSWF, str]:
    """Open the service; return it, and where it keeps its data."""
    if db and memory:
        raise click.UsageError("--db and --memory exclude each other")
    path = ":memory:" if memory else str(Path(db or "pyflow.db").resolve())
    kept = "in memory only, gone when it ends" if memory else f"in {path}{FAST if fast else ''}"
    functions = functions_at(lambdas)
    clock = _clock(clock_kind, clock_start)
    try:
        return LocalSWF(path, clock=clock, lambdas=functions, fast=fast, **options), kept
    except PyflowException as error:
        raise Refusal(str(error)) from error
    except OSError as error:
        raise Refusal(f"{path} cannot be used: {error.strerror or error}; give another --db") from error


def _clock(kind: str, start: datetime | None) -> Clock:
    if kind == "system":
        if start is not None:
            raise click.UsageError(
                "--clock-start is where a virtual clock begins; give --clock virtual or --clock skip too"
            )
        return SystemClock()
    start_s = time.time() if start is None else start.replace(tzinfo=UTC).timestamp()
    return VirtualClock(start_s, skip=kind == "skip")


def _token_in(path: Path) -> str:
    """Return the token that a file holds; make the file, for our eyes only, where there is none."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        if path.stat().st_mode & 0o077:
            raise Refusal(f"{path} can be read by others; chmod 600 {path}, and think of its token as known") from None
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError as error:
        raise Refusal(f"{path} cannot be used: {error.strerror}; give another --token-file") from error
    token = secrets.token_hex(TOKEN_BYTES)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(token + "\n")
    return token


@contextmanager
def _listening(service: LocalSWF, port: int, host: str, token: str | None) -> Iterator[Server]:
    try:
        door = service.serve(port, host, token=token)
    except OSError as error:
        raise Refusal(
            f"port {port} of {host} cannot be used: {error.strerror or error}; give another --port"
        ) from error
    except ValueError as error:
        raise Refusal(str(error)) from error
    with door:
        yield door


@contextmanager
def _told(port_file: str | None, port: int) -> Iterator[None]:
    """Let a file hold the port within a ``with`` block; who sees the file sees the whole port."""
    if port_file is None:
        yield
        return
    path = Path(port_file)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        draft.write_text(f"{port}\n", encoding="ascii")
        draft.replace(path)
    except OSError as error:
        raise Refusal(f"{path} cannot be written: {error.strerror}; give another --port-file") from error
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
