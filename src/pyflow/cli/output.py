"""What the commands say, and how they refuse."""

from typing import Any, Final

import click
from rich.console import Console
from rich.text import Text

from pyflow.history.trace import Line, columns, printable

COLORS: Final = {"completed": "green", "failed": "red", "refused": "red", "out": "yellow", "canceled": "yellow"}


class Refusal(click.ClickException):
    """What was asked for cannot be done, and the message says what to do: one line on stderr, exit 2."""

    exit_code = 2

    def show(self, file: Any = None) -> None:
        """Print it."""
        click.echo(f"pyflow: {printable(self.message)}", err=True)


class Unfinished(Refusal):
    """It was begun and cannot go on: exit 1."""

    exit_code = 1


def refuse(refusal: Refusal) -> int:
    """Say why, where click does not do it; give the exit status."""
    refusal.show()
    return refusal.exit_code


def stderr() -> Console:
    """Return the console for everything but results; made late, so that it writes to today's stderr."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def say(line: str) -> None:
    """Print a line to stdout at once, also into a pipe."""
    click.echo(line)


def warn(line: str) -> None:
    """Print a line of caution to stderr."""
    click.echo(f"pyflow: {line}", err=True)


def render(line: Line, began: Any) -> Text:
    """
    Lay a line of a trace out for a terminal.

    Args:
        line: what happened.
        began: the time that counts as 0 s, of the kind of ``line.time``.
    """
    when, what, own_id, value = columns(line, began)
    return (
        Text(when)
        .append(what, style=COLORS.get(line.what.rpartition(" ")[2], ""))
        .append(own_id, style="cyan")
        .append(value, style="dim")
    )
