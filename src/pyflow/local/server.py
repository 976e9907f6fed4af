"""The HTTP server of a service: where it listens, and whom it answers."""

from typing import Final, Self

from pyflow.serving.listener import CONNECTIONS_MAX, IDLE_S, Listener, listen

from . import wire
from .http import Application
from .service import Service

LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
TOKEN_CHARACTERS_MIN: Final = 16
DAY_S: Final = 86_400.0


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
        listens = listen(host, port)
        self.port: int = listens.getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self.port}"
        names = {shown, "127.0.0.1", "localhost", "[::1]"}
        hosts = {f"{name}:{self.port}" for name in names} | (names if self.port == 80 else set())
        self._listener = Listener(
            Application(service, hosts if token is None else None, token),
            listens,
            "pyflow-local-http",
            body_max=wire.BODY_MAX,
            connections_max=CONNECTIONS_MAX,
            # Where the clock leaps, a kept connection says that a worker is alive, however long its work takes.
            idle_s=DAY_S if service.skips else IDLE_S,
        )

    def close(self) -> None:
        """Stop listening and give waiting polls the empty answer. Idempotent."""
        self._listener.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
