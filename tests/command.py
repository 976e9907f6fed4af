"""The ``pyflow`` command in processes of its own."""

import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

WAIT_S = 60.0
"""What takes longer on however slow a machine is broken."""


def environment() -> dict[str, str]:
    """This process's, without anything that boto3 or Python would find in it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHON"))}
    nothing = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    return kept | nothing | {"AWS_EC2_METADATA_DISABLED": "true"}


def pyflow(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "pyflow", *arguments],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    """Wait until something is there, and give it."""
    deadline = time.monotonic() + WAIT_S
    while not (found := condition()):
        assert time.monotonic() < deadline, f"no {what} after {WAIT_S} s"
        time.sleep(0.02)
    return found


def free_ports(count: int) -> int:
    """
    Return the first of so many ports in a row that are free.

    They are below those that the system gives to whoever asks for any, so nobody gets one before it is used.
    """
    draw = random.SystemRandom()  # the other one gives the same in each process that tests run in
    while True:
        first = draw.randrange(10_000, 30_000)
        with suppress(OSError), ExitStack() as taken:
            for port in range(first, first + count):
                taken.enter_context(socket.create_server(("127.0.0.1", port)))
            return first


class Serving:
    """A command that serves until it is ended."""

    def __init__(self, cwd: Path, *arguments: str) -> None:
        self.log = cwd / f"{arguments[0]}-{time.monotonic_ns()}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "pyflow", *arguments],
                cwd=cwd,
                env=environment(),
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def line(self, sign: str) -> str:
        """Wait for a line with a sign in it."""

        def printed() -> str | None:
            ended = self.process.poll() is not None
            for line in self.log.read_text().splitlines():
                if sign in line:
                    return line
            assert not ended, self.log.read_text()
            return None

        return str(wait_for(printed, f"{sign!r} in {self.log}"))

    def end(self, signal_number: int) -> int:
        """Send a signal and give the exit status."""
        self.process.send_signal(signal_number)
        return self.process.wait(WAIT_S)


@contextmanager
def serving(cwd: Path, *arguments: str) -> Iterator[Serving]:
    """Start a command that serves; it is gone at the end."""
    command = Serving(cwd, *arguments)
    try:
        yield command
    finally:
        command.process.kill()
        command.process.wait()


@contextmanager
def served(cwd: Path, *arguments: str) -> Iterator[str]:
    """Give the URL of a ``pyflow server`` that keeps nothing."""
    with serving(cwd, "server", "--port", "0", "--memory", *arguments) as command:
        yield command.line("ready").split(" at ")[1].split(",")[0]
