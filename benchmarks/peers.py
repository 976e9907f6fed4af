"""
The peers: each in an environment of its own, made when it is first needed, and asked in a process of its own.

``peers.toml`` has their versions. A peer's program in ``theirs/`` runs under its own Python, reads one request a line and answers
one line, so that ours and theirs can be measured in turns.
"""

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, Final, Self

__all__ = ["PEERS", "Missing", "Peer", "asked"]

HERE: Final = Path(__file__).parent
ENVIRONMENTS: Final = HERE.parent / ".bench"
PEERS: Final[dict[str, dict[str, Any]]] = tomllib.loads((HERE / "peers.toml").read_text(encoding="utf-8"))


class Missing(Exception):
    """A peer cannot be had; the text says why in a few words."""


class Peer:
    """
    A peer at work.

    Args:
        key: its table in ``peers.toml``.

    Raises:
        Missing: it cannot be installed here.
    """

    def __init__(self, key: str) -> None:
        self.title: str = PEERS[key]["title"]
        self._process = subprocess.Popen(
            [python_of(key), HERE / "theirs" / f"{key}_cases.py"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": str(HERE.parent), "PATH": "/usr/bin:/bin", "HOME": str(ENVIRONMENTS)},
            cwd=ENVIRONMENTS,
        )

    def ask(self, case: str, **arguments: Any) -> Any:
        """
        Have a case measured; returns what its function gives.

        Raises:
            Missing: it failed; the text has its last line.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"case": case, "arguments": arguments}) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise Missing(f"{self.title} ended with status {self._process.wait()} at {case}")
        reply = json.loads(answer)
        if "error" in reply:
            raise Missing(f"{self.title} failed at {case}: {reply['error']}")
        return reply["value"]

    def close(self) -> None:
        """End its process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def python_of(key: str) -> Path:
    """
    Return the Python of a peer's environment, which is made if it is not there.

    Raises:
        Missing: pip could not install it; its log is beside the environment.
    """
    environment = ENVIRONMENTS / key
    wanted = "\n".join(PEERS[key]["requires"])
    mark = environment / "installed"
    if not mark.exists() or mark.read_text(encoding="utf-8") != wanted:
        ENVIRONMENTS.mkdir(exist_ok=True)
        print(f"installing {PEERS[key]['title']} into .bench/{key} ...", file=sys.stderr)
        log = ENVIRONMENTS / f"{key}.log"
        commands: tuple[list[str | Path], ...] = (
            [sys.executable, "-m", "venv", "--clear", environment],
            [environment / "bin" / "python", "-m", "pip", "install", "--quiet", *PEERS[key]["requires"]],
        )
        with log.open("w", encoding="utf-8") as output:
            for command in commands:
                if subprocess.run(command, stdout=output, stderr=output, check=False).returncode:
                    raise Missing(f"could not be installed here (see .bench/{log.name})")
        mark.write_text(wanted, encoding="utf-8")
    return environment / "bin" / "python"


class asked:  # noqa: N801 - reads as what it is in a with statement
    """
    Peers for a ``with`` block: those that can be had, by title; ``missing`` says why the others cannot.

    Args:
        keys: their tables in ``peers.toml``.
    """

    def __init__(self, *keys: str) -> None:
        self.peers: dict[str, Peer] = {}
        self.missing: dict[str, str] = {}
        self._keys = keys

    def __enter__(self) -> Self:
        for key in self._keys:
            try:
                self.peers[PEERS[key]["title"]] = Peer(key)
            except Missing as missing:
                self.missing[PEERS[key]["title"]] = str(missing)
        return self

    def __exit__(self, *_: object) -> None:
        for peer in self.peers.values():
            peer.close()

    def try_out(self, case: str, **arguments: Any) -> None:
        """Ask each once, which warms it up; those that fail are missing from then on."""
        for title, peer in list(self.peers.items()):
            try:
                peer.ask(case, **arguments)
            except Missing as missing:
                self.missing[title] = str(missing)
                self.peers.pop(title).close()
