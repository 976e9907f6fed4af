"""
The HTTP door: SWF's JSON 1.0 protocol for any client.

What a web page in somebody's browser could send is refused before anything else is looked at: another name for this machine
in ``Host`` (DNS rebinding), an ``Origin``, a preflight. There is no ``Access-Control`` header in any answer.
"""

import contextlib
import hmac
import logging
import re
import threading
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

from pyflow.exceptions import PyflowException, ServiceFault
from pyflow.serving.connections import Connection, Refused, Reply
from pyflow.serving.heads import Head

from . import api, wire
from .calls import Call, Work
from .mishaps import Delay, Drop, Duplicate, Lose, Mishap, Refuse
from .service import Service

HEADERS_MAX: Final = 64
JSON: Final = b"application/x-amz-json-1.0"
OLD_JSON: Final = b"application/json"
POLLS: Final = frozenset({"PollForDecisionTask", "PollForActivityTask"})

# A client that forks shares its kept connection with its children, and they would read each other's answers (simpleflow
# does so after its first call). So a connection is kept from the calls on that workers and starters make in their loops.
KEPT: Final = POLLS | frozenset(
    {
        "RespondDecisionTaskCompleted",
        "RespondActivityTaskCompleted",
        "RespondActivityTaskFailed",
        "RespondActivityTaskCanceled",
        "RecordActivityTaskHeartbeat",
        "StartWorkflowExecution",
        "SignalWorkflowExecution",
        "DescribeWorkflowExecution",
        "GetWorkflowExecutionHistory",
    }
)

# What HTTP itself is refused for, in AWS's words.
CODES: Final = {
    400: "SerializationException",
    403: "AccessDeniedException",
    404: "UnknownOperationException",
    405: "AccessDeniedException",
    408: "RequestExpired",
    411: "SerializationException",
    413: "RequestEntityTooLargeException",
    415: "SerializationException",
    421: "AccessDeniedException",
    431: "RequestEntityTooLargeException",
    503: "ServiceUnavailable",
}

log = logging.getLogger(__name__)


class HttpCall(Call):
    """
    A call of the listener's thread, which goes on meanwhile.

    Args:
        then: takes the call once it is answered, in that thread.
    """

    __slots__ = ("_answered", "_loop", "_submitting", "_then", "_thread")

    def __init__(self, work: Work, region: str, connection: Connection, then: "Callable[[HttpCall], None]") -> None:
        super().__init__(work, region, connection.is_open)
        self._loop = connection.loop
        self._thread = threading.get_ident()
        self._then = then
        self._submitting = False
        self._answered = False

    def submit(self, service: Service) -> bool:
        """Hand it in; return whether it is answered already, and then ``then`` is the caller's to do."""
        self._submitting = True
        try:
            service.submit(self, alone=True)
        finally:
            self._submitting = False
        return self._answered

    def finish(self) -> None:
        """Go on in the listener's thread."""
        if threading.get_ident() != self._thread:
            with contextlib.suppress(RuntimeError):  # its loop has closed with the server
                self._loop.call_soon_threadsafe(self._then, self)
        elif self._submitting:
            self._answered = True
        else:
            self._loop.call_soon(self._then, self)


class Application:
    """
    SWF as what requests mean.

    Args:
        service: who answers.
        hosts: the values of ``Host`` that are ours, or None where a token is asked for instead.
        token: the access key id that requests must be signed with, or None.
    """

    def __init__(self, service: Service, hosts: Iterable[str] | None, token: str | None = None) -> None:
        self._service = service
        self._hosts = None if hosts is None else {host.encode("ascii") for host in hosts}
        self._token = token
        self._last: Connection | None = None

    def admit(self, connection: Connection, head: Head) -> "SwfExchange":
        """
        Refuse what is not for us, before any of the body is read.

        Raises:
            Refused: with the status that says why.
        """
        headers = head.headers
        if self._hosts is not None and headers.get(b"host", b"").lower() not in self._hosts:
            raise Refused(421, "this service answers only under its own address")
        if b"origin" in headers or headers.get(b"sec-fetch-site", b"none") not in (b"none", b"same-origin"):
            raise Refused(403, "this service does not answer web pages")
        if head.method != b"POST":
            raise Refused(405, "SWF is spoken with POST")
        if head.target.partition(b"?")[0] != b"/":
            raise Refused(404, "SWF is spoken at /")
        if head.count > HEADERS_MAX:
            raise Refused(431, f"a request has at most {HEADERS_MAX} headers")
        if not headers.get(b"content-type", JSON).lower().startswith((b"application/x-amz-json", OLD_JSON)):
            raise Refused(415, f"SWF is spoken in {JSON.decode()}")
        if self._token is not None and not hmac.compare_digest(_access_key(headers), self._token.encode()):
            raise Refused(403, "sign requests with this service's access key id", "UnrecognizedClientException")
        # Who has asked last, too, is taken to be alone; to look what else has come would cost it a tenth of its time.
        last, self._last = self._last, connection
        return SwfExchange(self._service, connection, headers, at_once=last is connection)

    def refusal(self, refused: Refused) -> Reply:
        """Return the answer to what is refused: a fault in AWS's shape, as all others."""
        fault = ServiceFault(refused.code or CODES[refused.status], str(refused), status=refused.status)
        return _reply(self._service, refused.status, wire.render_fault(fault), JSON, keeps=False)


class SwfExchange:
    """
    One request on its way to its answer.

    Args:
        service: who answers.
        connection: where the request came and the answer goes.
        headers: the request's.
        at_once: nothing else is expected to have come together with it.
    """

    __slots__ = (
        "_action",
        "_at_once",
        "_connection",
        "_counted",
        "_hurried",
        "_kind",
        "_over",
        "_poll",
        "_region",
        "_request",
        "_service",
        "perishable",
    )

    def __init__(self, service: Service, connection: Connection, headers: dict[bytes, bytes], *, at_once: bool) -> None:
        self._service = service
        self._at_once = at_once
        self._connection = connection
        self._action = wire.action_of(headers.get(b"x-amz-target", b"").decode("latin-1"))
        self._region = wire.region_of(headers.get(b"authorization", b"").decode("latin-1"))
        self._kind = OLD_JSON if headers.get(b"content-type", b"").lower().startswith(OLD_JSON) else JSON
        self._request: dict[str, Any] = {}
        self._poll: HttpCall | None = None
        self._hurried = False
        self._over = False
        self._counted = True
        self.perishable = self._action in POLLS
        service.begin_request()

    def answer(self, body: bytes) -> None:
        """
        Carry out the request: at once, or when all that has come together is counted.

        A single one is done here, without a change of threads; where there are several, the service's own thread takes them as
        one group, and they share one sync of the disk.
        """
        if self._at_once:
            self._step(self._begin, body)
        else:
            self._connection.loop.call_soon(self._step, self._begin, body)

    def hurry(self) -> None:
        """If it waits for a task, or is about to, answer that there is none."""
        self._hurried = True
        if self._poll is not None:
            self._service.release(self._poll)

    def end(self) -> None:
        """Give up the place in line of a poll that is not answered."""
        self._over = True
        self._stop_counting()
        if self._poll is not None:
            self._service.abandon(self._poll)
            self._poll = None

    def _step(self, what: Callable[..., None], argument: Any) -> None:
        """Take a step towards the answer; what is raised is the answer."""
        try:
            what(argument)
        except ServiceFault as fault:
            self._refuse(fault)
        except PyflowException:
            self._refuse(ServiceFault("ServiceUnavailable", "the service is closing", status=503))
        except Exception:
            log.exception("a request could not be answered")
            self._refuse(ServiceFault("InternalFailure", "The service failed on this request", status=500))

    def _begin(self, body: bytes) -> None:
        if self._over and self.perishable:
            return
        self._request = wire.parse(body)
        mishap = self._service.plan(self._action, self._request)
        if mishap is None:
            self._ask(self._tell)
        else:
            self._meet(mishap)

    def _meet(self, mishap: Mishap) -> None:
        """Carry out the request with the mishap that is planned for it."""
        if isinstance(mishap, Refuse):
            raise ServiceFault(mishap.code, mishap.message, status=mishap.status)
        if isinstance(mishap, Drop):
            self._connection.abort()
        elif isinstance(mishap, Delay):
            self._connection.loop.call_later(mishap.seconds, self._step, self._ask, self._tell)
        elif isinstance(mishap, Lose):
            self._ask(lambda _: self._connection.abort())
        elif isinstance(mishap, Duplicate):
            self._ask(lambda first: self._ask(lambda _: self._tell(first)))

    def _ask(self, then: Callable[[HttpCall], None]) -> None:
        """Hand the request to the service; ``then`` takes the answered call."""
        work = api.prepare(self._service.engine, self._action, self._request)
        call = HttpCall(work, self._region, self._connection, partial(self._step, then))
        if call.submit(self._service):
            then(call)
        elif self.perishable:
            self._wait(call)

    def _wait(self, call: HttpCall) -> None:
        """Let a poll wait for a task: meanwhile the clock may leap."""
        if self._over:
            self._service.abandon(call)
            return
        self._poll = call
        self._stop_counting()
        # Where two processes share a connection, the other one's request must not wait for this one's task.
        if self._hurried:
            self.hurry()

    def _tell(self, call: HttpCall) -> None:
        """Send what the service says."""
        self._poll = None
        if call.fault is not None:
            raise call.fault
        self._send(200, wire.render(call.reply))

    def _refuse(self, fault: ServiceFault) -> None:
        self._poll = None
        self._send(fault.status, wire.render_fault(fault))

    def _send(self, status: int, body: bytes) -> None:
        if not self._over:
            keeps = self._action in KEPT and status < 500
            self._connection.reply(_reply(self._service, status, body, self._kind, keeps=keeps))

    def _stop_counting(self) -> None:
        if self._counted:
            self._counted = False
            self._service.end_request()


def _reply(service: Service, status: int, body: bytes, kind: bytes, *, keeps: bool) -> Reply:
    headers = f"x-amzn-requestid: {service.ids.request_id()}\r\nx-content-type-options: nosniff\r\ncache-control: no-store\r\n"
    return Reply(status, kind, body, headers.encode("ascii"), keeps)


def _access_key(headers: dict[bytes, bytes]) -> bytes:
    found = re.search(rb"Credential=([^/,\s]+)/", headers.get(b"authorization", b""))
    return found[1] if found else b""
