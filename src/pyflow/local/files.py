"""The database file before it is a database to us: whose it is, whether it is ours, and how a new one comes to be."""

import fcntl
import os
import sqlite3
from importlib import resources
from pathlib import Path
from typing import Final

from pyflow.exceptions import PyflowException

APPLICATION_ID: Final = 0x70796677  # "pyfw"
SCHEMA_VERSION: Final = 1
MAGIC: Final = b"SQLite format 3\0"


PRAGMAS: Final = (
    # We are the only user; so the write-ahead log needs no memory shared with others, and no locks per transaction.
    "locking_mode = EXCLUSIVE",
    "journal_mode = WAL",
    "synchronous = FULL",
    "wal_autocheckpoint = 4000",
    "trusted_schema = OFF",
    "cell_size_check = ON",
)


class OwnerLock:
    """
    One process owns a database file: a lock on a file beside it, which the system lets go when the process dies.

    Raises:
        PyflowException: another process, or another LocalSWF of this one, owns it; the text names its pid.
    """

    def __init__(self, database: Path) -> None:
        self.path = database.with_name(database.name + ".owner")
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._descriptor = os.open(self.path, flags, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(self._descriptor, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(self._descriptor)
            raise PyflowException(
                f"{database} is in use by the process with pid {owner}; one service owns a file. "
                f"Stop that process, connect to its endpoint instead, or use another file."
            ) from None
        os.ftruncate(self._descriptor, 0)
        os.write(self._descriptor, b"%d\n" % os.getpid())

    def release(self) -> None:
        """Let others own the file. The lock's file stays: to remove it would let two hold locks on two files of one name."""
        os.close(self._descriptor)


def check(database: Path) -> None:
    """
    Refuse a file that is not ours, by its first 100 bytes and without opening it as a database.

    Raises:
        PyflowException: it is no SQLite database, another program's, or of a newer pyflow; the text says which.
    """
    with database.open("rb") as file:
        header = file.read(100)
    if not header:
        return
    if len(header) < 100 or not header.startswith(MAGIC):
        raise PyflowException(f"{database} is not a SQLite database; nothing was written to it. Name another file.")
    application_id = int.from_bytes(header[68:72], "big")
    if application_id != APPLICATION_ID:
        raise PyflowException(
            f"{database} is a SQLite database of another program (application id {application_id:#010x}, pyflow's is "
            f"{APPLICATION_ID:#010x}); nothing was written to it. Name another file."
        )
    version = int.from_bytes(header[60:64], "big")
    if version != SCHEMA_VERSION:
        raise PyflowException(
            f"{database} has schema version {version}; this pyflow reads version {SCHEMA_VERSION}. Nothing was written to it. "
            f"Use the pyflow that made it, or another file."
        )


def create(database: Path) -> None:
    """
    Make a new database beside the name and move it there, so that a file of that name is always whole.

    The header is written before the journal becomes a write-ahead log: so ``check`` finds it in the file itself.
    """
    draft = database.with_name(database.name + ".new")
    draft.unlink(missing_ok=True)
    os.close(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    connection = sqlite3.connect(draft, isolation_level=None)
    try:
        build(connection)
    finally:
        connection.close()
    draft.replace(database)


def build(connection: sqlite3.Connection) -> None:
    """Write the schema and our mark into an empty database."""
    schema = resources.files(__package__).joinpath("schema.sql").read_text(encoding="utf-8")
    connection.executescript(
        f"BEGIN; {schema}; PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
    )


def connect(path: str) -> sqlite3.Connection:
    """
    Open the database at a path, or a new one in memory, ready for one writer.

    Raises:
        PyflowException: the file is not ours or does not read.
    """
    if path == ":memory:":
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
        build(connection)
        return connection
    database = Path(path)
    check(database) if database.exists() else create(database)
    if database.stat().st_size == 0:
        create(database)
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
    try:
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        problems = connection.execute("PRAGMA quick_check(1)").fetchall()
    except sqlite3.DatabaseError as error:
        connection.close()
        raise PyflowException(f"{path} does not read as a database: {error}. Nothing was written to it.") from error
    if problems != [("ok",)]:
        connection.close()
        raise PyflowException(f"{path} is damaged: {problems[0][0]}. Restore a copy, or name another file.")
    return connection
