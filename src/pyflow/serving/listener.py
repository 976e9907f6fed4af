"""A thread that listens at a socket and serves its connections."""

import asyncio
import resource
import socket
import threading
from contextlib import suppress
from typing import Final

from .connections import Application, Connection

CONNECTIONS_MAX: Final = 1_536
BACKLOG: Final = 1_024
AT_ONCE: Final = 8
FILES_KEPT: Final = 128
IDLE_S: Final = 75.0
END_S: Final = 1.0
SPACE: Final = 64 * 1024


class Listener:
    """
    Connections at a socket, served by a thread of their own from now on.

    Args:
        application: what requests mean.
        listens: from ``listen``; closed with this.
        name: the thread's.
        body_max: the most bytes of a request's body.
        connections_max: how many may be open; a request over one more is refused.
        idle_s: how long a connection is kept for a next request.
    """

    def __init__(
        self,
        application: Application,
        listens: socket.socket,
        name: str,
        *,
        body_max: int,
        connections_max: int = CONNECTIONS_MAX,
        idle_s: float = IDLE_S,
    ) -> None:
        self.application = application
        self.body_max = body_max
        self.idle_s = idle_s
        self.loop = asyncio.new_event_loop()
        self.space = memoryview(bytearray(SPACE))
        files_max, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._connections_max = min(connections_max, max(16, files_max - FILES_KEPT))
        self._connections: set[Connection] = set()
        self._socket = listens
        self._stopped = asyncio.Event()
        self._empty = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening, and end connections: after their answers, where these come soon. Idempotent."""
        with suppress(RuntimeError):  # it has ended
            self.loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join()
        self._socket.close()

    # -- what connections call

    @property
    def ends(self) -> bool:
        """Whether no connection is wanted any more."""
        return self._stopped.is_set()

    def enter(self, connection: Connection) -> int:
        """Take in a connection; return by how many there are too many now."""
        self._connections.add(connection)
        return len(self._connections) - self._connections_max

    def leave(self, connection: Connection) -> None:
        """Forget a connection."""
        self._connections.discard(connection)
        if not self._connections:
            self._empty.set()

    # -- its thread

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self.loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        # asyncio takes so many in at a time, and some more before the first is turned away: so few, for the files to last.
        server = await self.loop.create_server(lambda: Connection(self), sock=self._socket, backlog=AT_ONCE)
        self._socket.listen(BACKLOG)
        await self._stopped.wait()
        # A closed server leaves behind what it has accepted and not yet handed over.
        self.loop.remove_reader(self._socket)
        accepted = asyncio.all_tasks() - {asyncio.current_task()}
        if accepted:
            await asyncio.wait(accepted)
        server.close()
        self._empty.clear()
        for connection in list(self._connections):
            connection.shut_down()
        if self._connections:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), END_S)
        for connection in list(self._connections):
            connection.abort()
        while self._connections:
            await asyncio.sleep(0)


def listen(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """
    Return a socket that listens.

    Args:
        host, port: where; port 0 for any that is free.
        shared: another process of this user may listen there too.

    Raises:
        OSError: the address cannot be had; the text names it.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only where the protocol is named; with it each reply would wait 40 ms for an ACK.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except (OSError, OverflowError) as error:
        listener.close()
        number, reason = (error.errno, error.strerror) if isinstance(error, OSError) else (0, str(error))
        raise OSError(number, f"cannot listen on {host}:{port}: {reason}") from error
    return listener
