"""One HTTP connection: how long it may take to ask, and whether somebody is still at its other end."""

import asyncio
import select
from collections.abc import Callable
from typing import Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADERS_S: Final = 10.0

# Where a system can tell a closed read side by polling, it does; elsewhere only a full hang-up shows.
_GONE: Final = select.POLLHUP | select.POLLERR | getattr(select, "POLLRDHUP", 0)


class Joined:
    """A transport that can hold back what is written until the next write, so that both leave as one."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._holds = False
        self._held = b""

    def __getattr__(self, name: str) -> Any:
        """Be the transport otherwise."""
        return getattr(self._transport, name)

    def hold(self) -> None:
        """Hold back the next write."""
        self._holds = True

    def write(self, data: bytes) -> None:
        """Write, or hold back."""
        if self._holds:
            self._holds, self._held = False, data
        else:
            self._transport.write(self._held + data)
            self._held = b""


class Connection(H11Protocol):
    """
    uvicorn's protocol with a deadline for the head of each request.

    Each request's scope has it as ``scope["state"]["connection"]``. ``on_further_request`` is called when a request comes
    while the one before it is being answered.
    """

    on_further_request: Callable[[], None] | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.app_state = {"connection": self}
        self._head_deadline: asyncio.TimerHandle | None = None
        self._open = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin; the first request has its time."""
        self._joined = Joined(transport)
        super().connection_made(self._joined)  # type: ignore[arg-type] # it is one, by its methods
        self._open = True
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._open = False
        self._head_came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes; from the first byte of a further request on, its head has its time."""
        super().data_received(data)
        if self.conn.their_state is h11.IDLE:
            if self._head_deadline is None:
                self._expect_head()
        else:
            self._head_came()
            if self.on_further_request is not None and self.has_further_request:
                self.on_further_request()

    def hold(self) -> None:
        """Let the head of an answer wait for its body: one write, and one read at the other end."""
        self._joined.hold()

    @property
    def has_further_request(self) -> bool:
        """Whether a request has come behind the one that is being answered."""
        return self.conn.their_state is h11.DONE and bool(self.conn.trailing_data[0])

    def is_open(self) -> bool:
        """Say, in any thread, whether the client is still there."""
        if not self._open or self.transport.is_closing():
            return False
        asked = select.poll()
        try:
            asked.register(self.transport.get_extra_info("socket").fileno(), _GONE)
        except (OSError, ValueError):
            return False
        return not asked.poll(0)

    def _expect_head(self) -> None:
        self._head_deadline = self.loop.call_later(HEADERS_S, self.transport.abort)

    def _head_came(self) -> None:
        if self._head_deadline is not None:
            self._head_deadline.cancel()
            self._head_deadline = None
