"""The HTTP server: where it listens, and its thread."""

import asyncio
import resource
import socket
import threading
from typing import Final, Self

import uvicorn

from .connections import Connection
from .http import Application
from .service import Service

LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
CONNECTIONS_MAX: Final = 1_536
TOKEN_CHARACTERS_MIN: Final = 16
IDLE_S: Final = 75


class Server:
    """
    A running HTTP server: ``url`` is where it listens; ``close`` ends it. Also a context manager.

    Args:
        service: who answers.
        port: 0 for any that is free.
        host: a loopback address; another one only with a token.
        token: the access key id that requests must be signed with (``AWS_ACCESS_KEY_ID`` of the clients).

    Raises:
        OSError: the address cannot be had; the text names it.
        ValueError: not a loopback address and no token, or a token that can be guessed.
    """

    def __init__(self, service: Service, port: int, host: str, token: str | None = None) -> None:
        if token is None and host not in LOOPBACK:
            raise ValueError(
                f"without a token the local service has no access control: it listens on loopback only, not on {host!r}"
            )
        if token is not None and (len(token) < TOKEN_CHARACTERS_MIN or not token.isalnum() or not token.isascii()):
            raise ValueError(f"a token is at least {TOKEN_CHARACTERS_MIN} letters and digits, hard to guess")
        try:
            self._socket = _listen(host, port)
        except OSError as error:
            raise OSError(error.errno, f"cannot listen on {host}:{port}: {error.strerror or error}") from error
        self.port: int = self._socket.getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self.port}"
        names = {shown, "127.0.0.1", "localhost", "[::1]"}
        hosts = {f"{name}:{self.port}" for name in names} | (names if self.port == 80 else set())
        self._application = Application(service, hosts if token is None else None, token)
        files_max, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        config = uvicorn.Config(
            self._application,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            http=Connection,
            loop="asyncio",
            server_header=False,
            proxy_headers=False,
            # Where the clock leaps, a kept connection says that a worker is alive, however long its work takes.
            timeout_keep_alive=86_400 if service.skips else IDLE_S,
            timeout_graceful_shutdown=1,
            limit_concurrency=min(CONNECTIONS_MAX, max(16, files_max - 64)),
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="pyflow-local-http", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.run(self._server.serve(sockets=[self._socket]))

    def close(self) -> None:
        """Stop listening and give waiting polls the empty answer. Idempotent."""
        self._server.should_exit = True
        self._application.release_polls()
        self._thread.join()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only where the protocol is named; with it each reply would wait 40 ms for an ACK.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(1024)
    except (OSError, OverflowError) as error:
        listener.close()
        raise error if isinstance(error, OSError) else OSError(0, str(error)) from None
    return listener
