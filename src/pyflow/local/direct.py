"""The direct door: boto3's methods and dictionaries with nothing in between."""

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from pyflow.exceptions import ServiceFault
from pyflow.swf.methods import ACTIONS
from pyflow.swf.model import EVENT_ATTRIBUTES, OPERATIONS, SHAPES
from pyflow.swf.posts import Post, Posted

from . import api
from .calls import Call, Context
from .mishaps import Mishap, NoAnswer
from .service import Service
from .state import Event
from .text import decode

log = logging.getLogger(__name__)


class DirectClient:
    """
    Calls the service as boto3's SWF client calls AWS: ``client.poll_for_decision_task(domain=..., taskList=...)``.

    Takes and gives the same dictionaries, with times as aware datetimes (no ``ResponseMetadata``). Raises
    ``pyflow.exceptions.ServiceFault`` where boto3 raises ``ClientError``.

    Any number of threads may share one.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    def __getattr__(self, name: str) -> Callable[..., dict[str, Any]]:
        """Return the method of an action."""
        action = ACTIONS.get(name)
        if action is None:
            raise AttributeError(f"SWF has no action that boto3 would call {name!r}")
        known = frozenset(SHAPES[OPERATIONS[action]["input"]]["members"])

        def call(**request: Any) -> dict[str, Any]:
            if not request.keys() <= known:
                unknown = request.keys() - known
                raise TypeError(
                    f"{name}() got an unexpected keyword argument {min(unknown)!r}; SWF has {sorted(known)}"
                )
            return self._call(action, request)

        call.__name__ = name
        # Kept as an attribute of its own, so that the next look-up does not come here.
        self.__dict__[name] = call
        return call

    def wait_for_close(self, domain: str, execution: dict[str, str], timeout_s: float) -> dict[str, Any] | None:
        """
        Wait until a run has closed, or until the time is over; returns at once if it is closed.

        SWF has no such call. ``handle.result()`` uses it where the client has one, and looks again and again where not.

        Args:
            domain: the execution's.
            execution: ``{"workflowId": ..., "runId": ...}``.
            timeout_s: real seconds.

        Returns:
            The event that closed it, in the API's form; None where it has not.

        Raises:
            ServiceFault: UnknownResourceFault.
            PyflowException: the service is closed.
        """
        event = self._service.wait_for_close(domain, execution, timeout_s)
        return None if event is None else _events([event])[0]

    @property
    def can_post(self) -> bool:
        """Whether there is ``post``: not where each call is carried out by the thread that makes it."""
        return self._service.has_thread

    def post(self, *posts: Post, is_busy: bool = False) -> list[Posted]:
        """
        Hand in calls in this order, and wait for none of them; see ``pyflow.swf.posts``.

        Args:
            posts: the calls.
            is_busy: the calling thread has other things to do; else it may carry them out itself.

        A call that meets a planned mishap has a thread of its own, and comes when it comes.
        """
        posted = [PostedCall(self._service, post) for post in posts]
        self._service.post((call for call in posted if call.is_ready()), lead=not is_busy)
        return list(posted)

    def accepts(self, operation: str, member: str) -> bool:
        """Say whether an action's request has a member, as boto3's service model does."""
        return member in SHAPES[OPERATIONS[operation]["input"]]["members"]

    def __dir__(self) -> list[str]:
        """Offer the actions to completion."""
        return [*super().__dir__(), *ACTIONS]

    def _call(self, action: str, request: dict[str, Any]) -> dict[str, Any]:
        try:
            reply = self._service.ask(action, own(request), api.DEFAULT_REGION)
        except (ServiceFault, NoAnswer) as error:
            raise _fault_of(action, error) from None
        return to_python(action, reply)


class PostedCall(Call):
    """A call whose outcome is given to a function."""

    __slots__ = ("_post", "_request", "_service")

    def __init__(self, service: Service, post: Post) -> None:
        super().__init__(_nothing, api.DEFAULT_REGION, post.alive)
        self._service = service
        self._post = post
        self._request = post.checked or own(post.request)

    def is_ready(self) -> bool:
        """Prepare it to be carried out; False: it is not to be, and has its outcome already, or gets it elsewhere."""
        mishap = self._service.plan(self._post.action, self._request)
        if mishap is not None:
            threading.Thread(target=self._meet, args=(mishap,), name="pyflow-mishap", daemon=True).start()
            return False
        post = self._post
        is_checked = post.checked is not None
        try:
            self.work = api.prepare(self._service.engine, post.action, self._request, is_checked=is_checked)
        except ServiceFault as fault:
            self.fault = fault
            self.finish()
            return False
        post.checked = self._request
        return True

    def finish(self) -> None:
        """Give the outcome to whom it is for."""
        try:
            self._post.done(self._outcome)
        except Exception:
            log.exception("the outcome of %s was not taken", self._post.action)

    def withdraw(self) -> None:
        """Have a poll that still waits answered with nothing."""
        self._service.release(self)

    def _outcome(self) -> dict[str, Any]:
        if self.fault is not None:
            raise _fault_of(self._post.action, self.fault)
        return to_python(self._post.action, self.reply)

    def _meet(self, mishap: Mishap) -> None:
        try:
            self.reply = self._service.meet(mishap, self._post.action, self._request, self.region)
        except Exception as error:
            self.fault = error
        self.finish()


def _nothing(_: Context) -> None:
    """Stand in the place of a request that is not prepared yet."""


def _fault_of(action: str, error: BaseException) -> BaseException:
    """Return a fault as the client of an action sees it."""
    if isinstance(error, ServiceFault):
        return ServiceFault(error.code, error.message, operation=action, status=error.status)
    if isinstance(error, NoAnswer):
        return ServiceFault(error.args[0], "a planned mishap", operation=action, status=0)
    return error


def own(value: Any) -> Any:
    """Return what is asked for with nothing in it that the caller can change: the service keeps some of it."""
    if isinstance(value, dict):
        return {name: each if type(each) is str else own(each) for name, each in value.items()}
    return [own(each) for each in value] if isinstance(value, (list, tuple)) else value


def to_python(action: str, reply: Any) -> dict[str, Any]:
    """Return an action's reply as boto3 would give it; nothing in it is shared with the service."""
    return {} if reply is None else _REPLIES[action](reply)


@lru_cache(maxsize=1024)
def _time(seconds: float) -> datetime:
    """Return a time; most of those that are asked for together are one."""
    return datetime.fromtimestamp(seconds, UTC)


def _events(events: list[Event]) -> list[dict[str, Any]]:
    # One text for all of them: parsing it at once takes a third of the time.
    parsed = decode(f"[{','.join([event.attributes for event in events])}]")
    return [
        {
            "eventTimestamp": _time(event.at / 1000),
            "eventType": event.type,
            "eventId": event.id,
            EVENT_ATTRIBUTES[event.type]: attributes,
        }
        for event, attributes in zip(events, parsed, strict=True)
    ]


def _reader_of(shape_name: str) -> Callable[[Any], Any] | None:
    """Return what makes a value of a shape boto3's; None where it is that already."""
    shape = SHAPES[shape_name]
    if shape_name == "HistoryEventList":
        return _events
    if shape["type"] == "structure":
        return _structure(shape["members"])
    if shape["type"] == "list":
        return _list(_reader_of(shape["member"]))
    return _time if shape["type"] == "timestamp" else None


def _structure(members: dict[str, str]) -> Callable[[Any], Any]:
    readers = {name: reader for name, member in members.items() if (reader := _reader_of(member)) is not None}

    def read(value: dict[str, Any]) -> dict[str, Any]:
        made = value.copy()
        for name, reader in readers.items():
            if name in made:
                made[name] = reader(made[name])
        return made

    return read if readers else dict


def _list(reader: Callable[[Any], Any] | None) -> Callable[[Any], Any]:
    return list if reader is None else lambda values: [reader(value) for value in values]


_REPLIES: Final[dict[str, Callable[[Any], dict[str, Any]]]] = {
    action: _structure(SHAPES[operation["output"]]["members"])
    for action, operation in OPERATIONS.items()
    if operation["output"]
}
