"""One HTTP connection: bytes in, requests out, one at a time; and whether somebody is still at its other end."""

import asyncio
import select
import time
from collections.abc import Callable
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from .heads import Head, Malformed

if TYPE_CHECKING:
    from .listener import Listener

HEAD_S: Final = 10.0
BODY_S: Final = 30.0
LINGER_S: Final = 2.0
HEAD_MAX: Final = 16 * 1024
BEHIND_MAX: Final = 64 * 1024
SURPLUS_MAX: Final = 32

# Where a system can tell a closed read side by polling, it does; elsewhere only a full hang-up shows.
_GONE: Final = select.POLLHUP | select.POLLERR | getattr(select, "POLLRDHUP", 0)
_STATUS: Final = {int(status): f"HTTP/1.1 {int(status)} {status.phrase}\r\n".encode("ascii") for status in HTTPStatus}


class Reply(NamedTuple):
    """An answer; ``headers`` are further lines, each with its end; ``keeps`` says whether the connection may be kept."""

    status: int
    kind: bytes
    body: bytes
    headers: bytes = b""
    keeps: bool = True


class Refused(Exception):
    """
    A request is answered before it is understood.

    Args:
        status: HTTP's.
        message: says why.
        code: what the application calls it, where the status is not enough.
    """

    def __init__(self, status: int, message: str, code: str = "") -> None:
        self.status = status
        self.code = code
        super().__init__(message)


class Exchange(Protocol):
    """
    A request on its way to its answer. Called in the listener's thread, which serves all connections: nothing here may wait.

    ``perishable``: the answer takes something from others, so that it is wanted only while the client is sure to hear it.
    """

    perishable: bool

    def answer(self, body: bytes) -> None:
        """Have ``Connection.reply`` called once, now or later; also where it fails."""

    def hurry(self) -> None:
        """Answer now if it only waits: the client has sent more behind this request, or the listener ends."""

    def end(self) -> None:
        """Learn that it is over: the answer is sent, or nobody is there to hear it. Called once."""


class Application(Protocol):
    """What requests mean."""

    def admit(self, connection: "Connection", head: Head) -> Exchange:
        """
        Look at a head before any of the body is read.

        Raises:
            Refused: with the status that says why.
        """

    def refusal(self, refused: Refused) -> Reply:
        """Return the answer to what is refused."""


class Connection(asyncio.BufferedProtocol):
    """
    The server's side of one connection.

    Args:
        listener: where it comes in.
    """

    _transport: asyncio.Transport

    def __init__(self, listener: "Listener") -> None:
        self.loop = listener.loop
        self._listener = listener
        self._application = listener.application
        self._received = bytearray()
        self._head: Head | None = None
        self._exchange: Exchange | None = None
        self._takes = False
        self._answering = False
        self._keeps = True
        self._bare = False
        self._idle = False
        self._ending = False
        self._may_write = True
        self._crowded = False
        self._deadline: asyncio.TimerHandle | None = None

    # -- what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; the first request has its time."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        surplus = self._listener.enter(self)
        self._crowded = surplus > 0
        if surplus > SURPLUS_MAX or self._listener.ends:
            self.abort()
        else:
            self._expect(HEAD_S, self.abort)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Say where to read to: one place for all connections, since it is emptied before the next one is read."""
        return self._listener.space

    def buffer_updated(self, nbytes: int) -> None:
        """Take bytes."""
        if self._ending:
            return
        self._received += self._listener.space[:nbytes]
        if not self._answering:
            self._take_requests()
        elif self._exchange is not None:
            self._exchange.hurry()
        if len(self._received) > BEHIND_MAX and (self._answering or not self._may_write):
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        """The client sends no more: it may still read an answer, but a perishable one is dropped at once."""
        if self._answering and self._exchange is not None and not self._exchange.perishable:
            self._keeps = False
            return True
        self._ending = True
        self._end_exchange()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._ending = True
        self._expect_nothing()
        self._listener.leave(self)
        self._end_exchange()
        # Whoever asks for long whether it is open need not keep what it was sent.
        self._head = None
        self._received.clear()

    def pause_writing(self) -> None:
        """The client is slow to read: no further request is taken until it has."""
        self._may_write = False

    def resume_writing(self) -> None:
        """The client has read."""
        self._may_write = True
        if not self._answering:
            self._take_requests()

    # -- what the application calls

    def reply(self, reply: Reply) -> None:
        """Answer the request; where the client has gone meanwhile, nobody hears it."""
        if self._ending:
            return
        head, self._head = self._head, None
        self._answering = False
        self._keeps = self._keeps and reply.keeps and head is not None and head.keeps
        self._transport.write(_render(reply, keeps=self._keeps, bare=self._bare))
        self._bare = False
        self._end_exchange()
        if not self._keeps:
            self._end(read=head is not None and not self._received)
            return
        self._idle = True
        self._expect(self._listener.idle_s, self.abort)
        if self._received and not self._takes:
            self._take_requests()

    def abort(self) -> None:
        """Break the connection, whatever is under way."""
        self._transport.abort()

    def is_open(self) -> bool:
        """Say, in any thread, whether the client is still there."""
        if self._ending or self._transport.is_closing():
            return False
        asked = select.poll()
        try:
            asked.register(self._transport.get_extra_info("socket").fileno(), _GONE)
        except (OSError, ValueError):
            return False
        return not asked.poll(0)

    # -- what the listener calls

    def shut_down(self) -> None:
        """End, once what is being answered is."""
        self._keeps = False
        if not self._answering:
            self.abort()
        elif self._exchange is not None:
            self._exchange.hurry()

    # -- requests

    def _take_requests(self) -> None:
        """Take requests out of what has come, as long as each is answered at once."""
        self._takes = True
        try:
            while self._received and self._may_write and not (self._answering or self._ending):
                if not self._take_request():
                    break
        except Refused as refused:
            self._head = None
            self.reply(self._application.refusal(refused))
        finally:
            self._takes = False
        if len(self._received) <= BEHIND_MAX or not self._answering:
            self._transport.resume_reading()

    def _take_request(self) -> bool:
        """
        Take one; return whether it was there as a whole.

        Raises:
            Refused: it is not for us.
        """
        if self._head is None:
            self._head = self._take_head()
        head = self._head
        if head is None or self._exchange is None or len(self._received) < head.length:
            return False
        body = bytes(self._received[: head.length])
        del self._received[: head.length]
        self._expect_nothing()
        self._answering = True
        self._exchange.answer(body)
        if self._received and self._exchange is not None:
            self._exchange.hurry()
        return True

    def _take_head(self) -> Head | None:
        """
        Take the head of a request, if it is there as a whole, and look at it.

        Raises:
            Refused: it is not for us.
        """
        size = self._received.find(b"\r\n\r\n", 0, HEAD_MAX) + 4
        if size < 4:
            if len(self._received) >= HEAD_MAX:
                raise Refused(431, f"the head of a request is at most {HEAD_MAX} bytes")
            if self._idle:
                self._idle = False
                self._expect(HEAD_S, self.abort)
            return None
        if self._crowded:
            raise Refused(503, "too many connections are open")
        try:
            head = Head(bytes(self._received[:size]))
        except Malformed as malformed:
            raise Refused(400, f"this is not HTTP/1.1 as a client speaks it: {malformed}") from None
        del self._received[:size]
        self._bare = head.method == b"HEAD"
        self._exchange = self._application.admit(self, head)
        if b"transfer-encoding" in head.headers:
            raise Refused(411, "a request says how long it is: Content-Length")
        if head.length > self._listener.body_max:
            raise Refused(413, f"a request is at most {self._listener.body_max} bytes")
        if len(self._received) < head.length:
            self._expect(BODY_S, self._give_up_body)
            if head.expects and not self._received:
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return head

    def _give_up_body(self) -> None:
        self._head = None
        self.reply(self._application.refusal(Refused(408, f"the body did not come within {BODY_S:.0f} s")))

    def _end(self, *, read: bool) -> None:
        """
        Close the connection once its last answer is sent.

        Args:
            read: all that the client has sent was read. Where it was not, closing would tell its system to throw the answer away;
                so that the client hears it, what still comes is read and forgotten for a moment.
        """
        self._ending = True
        self._received.clear()
        if read:
            self._expect(BODY_S, self.abort)
            self._transport.close()
        else:
            self._expect(LINGER_S, self.abort)
            self._transport.resume_reading()
            self._transport.write_eof()

    def _end_exchange(self) -> None:
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.end()

    # -- deadlines

    def _expect(self, seconds: float, otherwise: Callable[[], None]) -> None:
        self._expect_nothing()
        self._deadline = self.loop.call_later(seconds, otherwise)

    def _expect_nothing(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def _render(reply: Reply, *, keeps: bool, bare: bool) -> bytes:
    """Return an answer as it is sent: all of it in one piece, for it to be one packet and one read at the other end."""
    return b"%bdate: %b\r\ncontent-type: %b\r\ncontent-length: %d\r\n%b%b\r\n%b" % (
        _STATUS[reply.status],
        _date(int(time.time())),
        reply.kind,
        len(reply.body),
        reply.headers,
        b"" if keeps else b"connection: close\r\n",
        b"" if bare else reply.body,
    )


@lru_cache(maxsize=1)
def _date(second: int) -> bytes:
    return formatdate(second, usegmt=True).encode("ascii")
