"""
The embedded SWF service: the wire protocol on SQLite, behind three doors.

::

    with LocalSWF("flow.db", lambdas={"greet": lambda event, context: f"hello {event}"}) as swf:
        swf.client()                # a boto3 client, in process
        swf.direct()                # the same methods, for speed
        swf.serve(8080).url         # HTTP, for anything else
"""

import os
import sqlite3
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pyflow.exceptions import PyflowException

from . import files
from .clock import Clock, SystemClock, VirtualClock
from .direct import DirectClient
from .engine import Engine
from .ids import Ids
from .inprocess import make_client
from .mishaps import Plan
from .pending import Pending, pending_in
from .positions import Position, Positions
from .remote_lambdas import RemoteFunctions
from .service import Service
from .store import Store
from .throttles import Throttles

if TYPE_CHECKING:
    from .server import Server

__all__ = ["Clock", "DirectClient", "LocalSWF", "Pending", "Position", "SystemClock", "VirtualClock"]


class LocalSWF:
    """
    One service with its database.

    Args:
        path: the database file, made if it is not there; ``:memory:`` keeps nothing.
        clock: what time it is; by default the machine's. A virtual one that is behind the file goes to its last event.
        lambdas: Lambda functions by name, each called with ``(event, context)``.
        poll_wait_s: how long a poll waits for a task, in real seconds.
        seed: fixes run ids and tokens, for tests.
        require_lambda_role: refuse Lambda functions to executions that have no role, as AWS does.
        fast: answer without waiting for the disk. What was answered survives the end of the process, by kill -9 too, but the
            last moments before a power cut or a crash of the system may be lost.
        aws_throttles: refuse requests and decisions beyond the rates that AWS grants an account.
        lambda_endpoint_url: where Lambda functions run that are not registered here: AWS Lambda, SAM, LocalStack.
        lambda_threads: run Lambda functions in threads, as soon as they are asked for; else ``run_lambda`` runs them.
        thread: have a thread of its own; without, each call is carried out in the thread that makes it. For tests.

    Raises:
        PyflowException: the file is another program's, damaged, of a newer pyflow, in use, or cannot be brought up to date;
            or the Lambda endpoint is none. The text says which.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] = ":memory:",
        *,
        clock: Clock | None = None,
        lambdas: Mapping[str, Callable[[Any, Any], Any]] | None = None,
        poll_wait_s: float = 60.0,
        seed: int | None = None,
        require_lambda_role: bool = False,
        fast: bool = False,
        aws_throttles: bool = False,
        lambda_endpoint_url: str | None = None,
        lambda_threads: bool = True,
        thread: bool = True,
    ) -> None:
        self.path = os.fspath(path)
        # Two names of one file are one file.
        self._owner = None if self.path == ":memory:" else files.OwnerLock(Path(self.path).resolve())
        self._servers: list[Server] = []
        self._closing = threading.Lock()
        self._positions = Positions()
        self._clock = clock or SystemClock()
        try:
            # What the caller says is looked at first: what goes wrong after it is the file's.
            functions = dict(lambdas or {})
            elsewhere = RemoteFunctions(lambda_endpoint_url) if lambda_endpoint_url else None
            connection = files.connect(self.path, fast=fast)
            try:
                store = Store(connection, durable=self.path != ":memory:")
                engine = Engine(store, Ids(seed, store.last_run()), _beginning(self._clock, store))
                engine.require_lambda_role = require_lambda_role
                engine.throttles = Throttles(engine.clock) if aws_throttles else None
                self._service = Service(
                    engine, functions, poll_wait_s, elsewhere, lambda_threads=lambda_threads, thread=thread
                )
            except sqlite3.OperationalError as error:
                connection.close()
                raise PyflowException(
                    f"{self.path} cannot be brought up to date: {error}. What is in it is still there."
                ) from error
            except Exception as error:
                connection.close()
                raise PyflowException(f"{self.path} does not hold what it should: {error!r}") from error
        except BaseException:
            self._release()
            raise

    def register_lambda(self, name: str, function: Callable[[Any, Any], Any]) -> None:
        """
        Offer a Python function as a Lambda function, in place of what had the name.

        Raises:
            TypeError: not callable.
        """
        self._service.lambdas.register(name, function)

    def plan_mishaps(self, plan: Plan | None) -> None:
        """
        Let requests meet mishaps from now on: dropped, lost, delayed, doubled, refused.

        Args:
            plan: from (action, request) to a mishap of ``pyflow.local.mishaps`` or None; called in the clients' threads. None
                ends them.
        """
        self._service.plan = plan or (lambda action, request: None)

    def plan_refusals(self, plan: Callable[[str, dict[str, Any]], str | None] | None) -> None:
        """
        Let decisions be refused from now on, with causes that have no condition here (``OPERATION_NOT_PERMITTED``, rates).

        Args:
            plan: from (decision type, attributes) to a cause of SWF's or None; called while the service works. None ends
                them.
        """
        self._service.engine.refuse_decision = plan or (lambda kind, attributes: None)

    def run_lambda(self, number: int = 0) -> bool:
        """Run a Lambda function that waits, the next or that of a number, in the caller's thread; tell whether there was one."""
        return self._service.lambdas.run_next(number)

    def pending(self, domain: str) -> Pending:
        """Tell what waits in a domain for workers, and when the next timer or timeout is due."""
        service = self._service
        pending: Pending = service.run(lambda _: pending_in(service.engine, domain, service.lambdas.waiting), "")
        return pending

    def position(self) -> Position:
        """Tell where all executions stand, so that one can see whether two services stand at the same."""
        service = self._service
        position: Position = service.run(lambda _: self._positions.now(service.engine, service.lambdas.names), "")
        return position

    def forget_executions(self) -> None:
        """
        Forget every execution, as if there had never been one; domains, types and functions stay.

        A seed gives the same run ids again, and a virtual clock goes back to its first moment: the same calls bring the same.
        """
        if isinstance(self._clock, VirtualClock):
            self._clock.start_over()
        self._service.forget_executions()
        self._positions = Positions()

    def client(self) -> Any:
        """Return a boto3 SWF client whose requests are answered in this process."""
        return make_client(self._service)

    def direct(self) -> DirectClient:
        """Return a client with boto3's methods and dictionaries, and nothing in between."""
        return DirectClient(self._service)

    def serve(self, port: int = 0, host: str = "127.0.0.1", *, token: str | None = None) -> "Server":
        """
        Serve HTTP in a thread of this process.

        Args:
            port: 0 for any that is free.
            host: a loopback address; another one only with a token.
            token: at least 16 letters and digits; then only requests signed with this access key id are answered.

        Returns:
            Server; ``url`` is where it listens. Closed with this object, or before.

        Raises:
            OSError: the address cannot be had; the text names it.
            ValueError: an address of the network and no token, or a token that can be guessed.
        """
        from .server import Server  # noqa: PLC0415 - the HTTP server is a tenth of a second, and only this door needs it

        server = Server(self._service, port, host, token)
        self._servers.append(server)
        return server

    def close(self) -> None:
        """Stop: servers close, waiting polls get the empty answer, the file is free for others. Idempotent, from any thread."""
        with self._closing:
            for server in self._servers:
                server.close()
            self._servers.clear()
            self._service.close()
            self._release()

    def _release(self) -> None:
        if self._owner is not None:
            self._owner.release()
            self._owner = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _beginning(clock: Clock, store: Store) -> Clock:
    """Return the clock, not behind what the store has seen: virtual time goes on from where it was."""
    if isinstance(clock, VirtualClock):
        clock.advance(max(0.0, (store.latest_at() - clock.now_ms()) / 1000))
    return clock
