"""What the commands say, and how they refuse."""

import json
from typing import Any, Final

import click
from rich.console import Console

SHORT: Final = 60
"""Characters of an input or a result in a line about something else."""


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


def printable(text: str) -> str:
    """Return a text whose control characters cannot play with a terminal; line ends and tabs stay."""
    return "".join(
        character if character.isprintable() or character in "\n\t" else json.dumps(character)[1:-1]
        for character in text
    )


def short(text: str | None) -> str:
    """Return a text on one line, shortened to a glance."""
    line = " ".join(printable(text or "").split())
    return line if len(line) <= SHORT else line[: SHORT - 3] + "..."
