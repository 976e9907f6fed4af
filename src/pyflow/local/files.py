"""The database file before it is a database to us: whose it is, whether it is ours, and how a new one comes to be."""

import fcntl
import os
import sqlite3
from importlib import resources
from pathlib import Path
from typing import Final

from pyflow.exceptions import PyflowException

APPLICATION_ID: Final = 0x70796677  # "pyfw"
SCHEMA_VERSION: Final = 2
SINCE_VERSION_1: Final = "CREATE TABLE changes (number INTEGER PRIMARY KEY, change BLOB NOT NULL)"
MAGIC: Final = b"SQLite format 3\0"
CHECKED_BYTES_MAX: Final = 64 * 1024 * 1024
LOG_BYTES: Final = 4 * 1024 * 1024

PRAGMAS: Final = (
    # We are the only user; so the write-ahead log needs no memory shared with others, and no locks per transaction.
    "locking_mode = EXCLUSIVE",
    "journal_mode = WAL",
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
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            self._descriptor = os.open(database.with_name(database.name + "-lock"), flags, 0o600)
        except OSError as error:
            raise PyflowException(f"{database} cannot be used: {error.strerror} ({error.filename})") from error
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


def _checked_version(database: Path) -> int:
    """Return a file's schema version by its first 100 bytes, without opening it as a database; refuse one that is not ours."""
    with database.open("rb") as file:
        header = file.read(100)
    if len(header) < 100 or not header.startswith(MAGIC):
        raise PyflowException(f"{database} is not a SQLite database; nothing was written to it. Name another file.")
    application_id = int.from_bytes(header[68:72], "big")
    if application_id != APPLICATION_ID:
        raise PyflowException(
            f"{database} is a SQLite database of another program (application id {application_id:#010x}, pyflow's is "
            f"{APPLICATION_ID:#010x}); nothing was written to it. Name another file."
        )
    version = int.from_bytes(header[60:64], "big")
    if not 1 <= version <= SCHEMA_VERSION:
        raise PyflowException(
            f"{database} has schema version {version}; this pyflow reads versions 1 to {SCHEMA_VERSION}. "
            f"Nothing was written to it. Use the pyflow that made it, or another file."
        )
    return version


def _create(database: Path) -> None:
    """
    Make a new database beside the name and move it there, so that a file of that name is always whole.

    The header is written before the journal becomes a write-ahead log: so it is found in the file itself.
    """
    log = database.with_name(database.name + "-wal")
    if log.exists() and log.stat().st_size:
        raise PyflowException(
            f"{database} is not there but its write-ahead log {log.name} is, with what was done last. Put the file back, or "
            f"remove the log if it is to be lost."
        )
    draft = database.with_name(database.name + ".new")
    draft.unlink(missing_ok=True)
    os.close(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    connection = sqlite3.connect(draft, isolation_level=None)
    try:
        _build(connection)
    finally:
        connection.close()
    draft.replace(database)


def _build(connection: sqlite3.Connection) -> None:
    """Write the schema and our mark into an empty database."""
    schema = resources.files(__package__).joinpath("schema.sql").read_text(encoding="utf-8")
    connection.executescript(
        f"BEGIN; {schema}; PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
    )


def _upgrade(connection: sqlite3.Connection) -> None:
    """
    Make a file of version 1 one of today's.

    The header says so in the file itself before anything else is kept in it: an older pyflow looks for it there, and would miss
    what stands in the new table. Where the process before this one was killed on the way, it is in the log alone.
    """
    if connection.execute("PRAGMA user_version").fetchone() != (SCHEMA_VERSION,):
        connection.executescript(f"BEGIN; {SINCE_VERSION_1}; PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _lay_out(log: Path) -> None:
    """
    Give the write-ahead log room for its first some hundred commits: zeros behind what is in it, which SQLite takes for its end.

    A commit into a file that does not grow is on the disk in two thirds of the time: there is no new size to write down. What
    comes to more is written over from the first checkpoint on.
    """
    descriptor = os.open(log, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        size = os.lseek(descriptor, 0, os.SEEK_END)
        room = bytes(max(0, LOG_BYTES - size))
        try:
            fits = os.write(descriptor, room) == len(room)
            os.fsync(descriptor)
        except OSError:
            fits = False
        if not fits:
            os.ftruncate(descriptor, size)  # The disk is full: its last room is for what is to be kept.
    finally:
        os.close(descriptor)


def _open(path: str) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=0.2, isolation_level=None, check_same_thread=False, cached_statements=256)


def connect(path: str, *, fast: bool = False) -> sqlite3.Connection:
    """
    Open the database at a path, or a new one in memory, ready for one writer.

    Args:
        path: a file, made if it is not there or is empty; or ``:memory:``.
        fast: do not wait for the disk at each commit; a power cut may then take the last moments.

    Raises:
        PyflowException: the file is not ours or does not read.
    """
    if path == ":memory:":
        connection = _open(path)
        _build(connection)
        return connection
    database = Path(path)
    version = SCHEMA_VERSION
    try:
        if database.exists() and database.stat().st_size:
            version = _checked_version(database)
        else:
            _create(database)
        connection = _open(path)
    except (OSError, sqlite3.Error) as error:
        raise PyflowException(f"{path} cannot be used as a database: {error}") from error
    try:
        _check(connection, database, fast=fast)
        if version != SCHEMA_VERSION:
            _upgrade(connection)
        if not fast:
            real = database.resolve()
            _lay_out(real.with_name(real.name + "-wal"))
    except (OSError, sqlite3.Error) as error:
        connection.close()
        raise PyflowException(f"{path} cannot be brought up to date: {error}. What is in it is still there.") from error
    except BaseException:
        connection.close()
        raise
    return connection


def _check(connection: sqlite3.Connection, database: Path, *, fast: bool) -> None:
    """Set a connection up; refuse a database that does not read."""
    try:
        for pragma in (*PRAGMAS, f"synchronous = {'NORMAL' if fast else 'FULL'}"):
            connection.execute(f"PRAGMA {pragma}")
        # Reading all of a large file would take longer than a restart may; its pages are checked as they are read.
        small = database.stat().st_size <= CHECKED_BYTES_MAX
        problems = connection.execute("PRAGMA quick_check(1)").fetchall() if small else [("ok",)]
    except (sqlite3.Error, UnicodeDecodeError) as error:
        # A damaged schema gets into the text of SQLite's error, which then is no text.
        raise PyflowException(f"{database} does not read as a database: {error}. Nothing was written to it.") from error
    if problems != [("ok",)]:
        raise PyflowException(f"{database} is damaged: {problems[0][0]}. Restore a copy, or name another file.")
