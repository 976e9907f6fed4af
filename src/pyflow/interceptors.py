"""
Interceptors: code of yours around what a worker or a starter does.

One small chain. Each interceptor gets what is about to happen, and lets it happen; it may look, measure, change, refuse, or do
something before and after. The first of a list is the outermost. Metrics and traces are made of
nothing else.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from functools import partial, reduce
from typing import TYPE_CHECKING, Any, Final, TypeVar

from .swf.client import Client
from .swf.methods import ACTIONS

if TYPE_CHECKING:
    from .tasks import ActivityTask

__all__ = ["Interceptor", "chain", "intercept"]

T = TypeVar("T")


class Interceptor:
    """
    Around calls to the service, decisions and activity bodies. Override what you want; ``proceed`` is called once, or not at all.

    Workers call it from several threads at once. What it raises counts as raised by what it surrounds.
    """

    def call(self, operation: str, request: dict[str, Any], proceed: Callable[[], Any]) -> Any:
        """
        Surround a call to the service.

        Args:
            operation: SWF's name for it, ``StartWorkflowExecution``.
            request: its members; may be changed before ``proceed``.
            proceed: sends it and gives SWF's reply.

        Returns:
            The reply.

        Raises:
            Exception: what the client raises, boto3's ``ClientError`` or ``ServiceFault``.
        """
        del operation, request
        return proceed()

    def decide(self, task: dict[str, Any], proceed: Callable[[], Any]) -> Any:
        """
        Surround the deciding of a decision task; no call to the service happens inside.

        Args:
            task: PollForDecisionTask's reply, with the events that are given to the run.
            proceed: decides, and gives what will be answered: ``decisions``, ``execution_context``, ``replayed``.

        Returns:
            What ``proceed`` gave.

        Raises:
            NondeterminismException, HistoryException, DeciderException: it cannot be decided.
        """
        del task
        return proceed()

    def perform(self, task: "ActivityTask") -> AbstractContextManager[None]:
        """
        Surround the body of an activity, on whichever executor: a context manager, entered where the body runs.

        For a body in a process of its own it is entered beside that process, and what comes out is an
        InvocationFailedException with the body's error in it.

        Args:
            task: what ``activity.current()`` gives the body.

        Returns:
            A context manager; what the body raises passes through it.
        """
        del task
        return nullcontext()


def chain(interceptors: Sequence[Interceptor], hook: str, innermost: Callable[..., T]) -> Callable[..., T]:
    """
    Return a function that calls ``innermost`` inside a hook of each interceptor; ``innermost`` itself if none overrides it.

    Args:
        interceptors: the first is the outermost.
        hook: ``call`` or ``decide``.
        innermost: takes what the hook takes, but ``proceed``.
    """

    def around(inner: Callable[..., T], interceptor: Interceptor) -> Callable[..., T]:
        surround = getattr(interceptor, hook)
        return lambda *given: surround(*given, partial(inner, *given))

    return reduce(around, reversed(_wanted(interceptors, hook)), innermost)


def surroundings(interceptors: Sequence[Interceptor]) -> "Callable[[ActivityTask], AbstractContextManager[object]]":
    """Return what gives one context manager of all interceptors for an activity's body."""
    wanted = _wanted(interceptors, "perform")
    if not wanted:
        return lambda _: nullcontext()

    def surround(task: "ActivityTask") -> AbstractContextManager[object]:
        stack = ExitStack()
        with stack:
            for interceptor in wanted:
                stack.enter_context(interceptor.perform(task))
            return stack.pop_all()

    return surround


def _wanted(interceptors: Sequence[Interceptor], hook: str) -> list[Interceptor]:
    return [each for each in interceptors if getattr(type(each), hook) is not getattr(Interceptor, hook)]


def intercept(client: Client, interceptors: Sequence[Interceptor]) -> Client:
    """
    Return a client whose calls go through the interceptors; the client itself if none of them surrounds calls.

    Args:
        client: an SWF client.
        interceptors: the first is the outermost.

    Returns:
        A client for ``start_workflow``, ``handle`` and workers; what is no call is the given client's.
    """
    return _Intercepted(client, interceptors) if _wanted(interceptors, "call") else client


class _Intercepted:
    """A client that sends its calls through a chain."""

    can_post: Final = False
    """What surrounds a call waits for it."""

    def __init__(self, client: Client, interceptors: Sequence[Interceptor]) -> None:
        self._client = client
        self._interceptors = interceptors

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        action = ACTIONS.get(name)
        if action is None:
            return found
        send = chain(self._interceptors, "call", lambda _action, request: found(**request))

        def call(**request: Any) -> Any:
            return send(action, request)

        # Kept as an attribute of its own, so that the next look-up does not come here.
        self.__dict__[name] = call
        return call
