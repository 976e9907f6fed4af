"""
Calls that nobody waits for: what a client may offer beyond boto3's methods, where its service is in the same process.

A worker whose client offers them has no thread stand by for each poll and each answer. Where threads take turns at one
interpreter, that is most of what a call costs.
"""

from collections.abc import Callable
from typing import Any, Protocol

from .client import Client

Reply = Callable[[], dict[str, Any]]
"""Gives an action's reply, or raises ServiceFault; PyflowException: the service is closed."""


class Post:
    """
    A call to hand in, once or again and again.

    Args:
        action: as SWF spells it.
        request: the members, as boto3 takes them; read when it is handed in for the first time.
        done: called with the reply, in any thread and possibly before ``post`` returns; it raises nothing, and makes no call
            that it waits for: the service stands still meanwhile.
        alive: says, at any time, whether there is still somebody to be given a task.

    ``checked`` is the client's note of the request as it was found to be in order.
    """

    __slots__ = ("action", "alive", "checked", "done", "request")

    def __init__(
        self, action: str, request: dict[str, Any], done: Callable[[Reply], object], alive: Callable[[], bool]
    ) -> None:
        self.action = action
        self.request = request
        self.done = done
        self.alive = alive
        self.checked: dict[str, Any] | None = None


class Posted(Protocol):
    """A call that was handed in."""

    def withdraw(self) -> None:
        """Have a poll that still waits for a task answered with nothing."""


def can_post(client: Client) -> bool:
    """
    Say whether a client has ``post(*posts, is_busy=False) -> list[Posted]``.

    The calls are carried out in that order; by the thread that posts them, unless it says that it is busy.
    """
    return getattr(client, "can_post", None) is True
