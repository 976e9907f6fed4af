"""
A lane's tasks while all goes well: decided by their owner, answered and followed by the next, and no thread waits for any of it.

Only where the client takes calls that nobody waits for (``pyflow.swf.posts``). The owner itself posts an answer, and with it
the lane's next poll; the task that this brings goes straight to its owner. The lane's own thread sleeps. It is given whatever
does not go well (a task that cannot be decided, an answer that is refused, a history of several pages), and its turn comes again
with a poll that brings nothing, and when the crew stops.
"""

import threading
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import Any, Final

from pyflow.swf.client import Client
from pyflow.swf.posts import Post, Posted, Reply

from .answering import RESPOND, Answering
from .deciding import Decided
from .owners import Job, Owner
from .polling import Poller, Task, gather

POLL: Final = "PollForDecisionTask"


class Express:
    """
    The express of one lane.

    Args:
        client: takes posts.
        request: that of the lane's polls.
        poller: knows the pace of the lane.
        answering: answers what does not go well.
        owner_of: gives the owner of a task's run.
        stopping: set when no new poll shall begin.
    """

    def __init__(
        self,
        client: Client,
        request: dict[str, Any],
        poller: Poller,
        answering: Answering,
        owner_of: Callable[[Task], Owner],
        stopping: threading.Event,
    ) -> None:
        self._client = client
        self._request = request
        self._poller = poller
        self._answering = answering
        self._owner_of = owner_of
        self._stopping = stopping
        self._poll = Post(POLL, request, self._polled, bool)
        self._left: SimpleQueue[Callable[[], object]] = SimpleQueue()
        self._lock = threading.Lock()
        self._ended = True
        self._unanswered = 0
        self._polls = 0
        self._posted: Posted | None = None

    def ride(self) -> None:
        """
        Poll, and have what comes decided and answered, and all that follows it, until a poll brings nothing.

        Called by the lane's thread, which works off what is left to it meanwhile.

        Raises:
            ServiceFault: as ``Poller.next``.
        """
        self._poll.alive = threading.current_thread().is_alive
        self._ended = False
        self._post()
        while not self._is_over():
            self._left.get()()

    @property
    def is_answered(self) -> bool:
        """Whether no answer is under way."""
        return not self._unanswered

    def withdraw(self) -> None:
        """Have the poll that waits answered; called when the crew stops, in any thread."""
        with self._lock:
            posted = self._posted
        if posted is not None:
            posted.withdraw()

    def _begin(self, task: Task) -> None:
        owner = self._owner_of(task)
        owner.begin(task, partial(self._decided, task, owner))

    def _decided(self, task: Task, owner: Owner, job: Job) -> None:
        """Go on after a job; in the owner's thread, or in that which has given the owner up."""
        # The answer before this one comes before its task; where it is still under way, no more tasks are taken meanwhile.
        if job.error is not None or self._stopping.is_set() or self._unanswered:
            self._leave(partial(self._answering.answer, task, owner, job.outcome))
            self._end()
            return
        try:
            self._go_on(task, owner, job.outcome())
        except Exception as error:
            self._leave(partial(_raise, error))

    def _go_on(self, task: Task, owner: Owner, decided: Decided) -> None:
        response = self._answering.response(task, decided)
        with self._lock:
            self._unanswered += 1
        answer = Post(RESPOND, response, partial(self._answered, task, response, owner), self._poll.alive)
        self._post(answer, is_busy=owner.has_more)

    def _post(self, *before: Post, is_busy: bool = False) -> None:
        """Post the next poll, after other calls."""
        self._poller.begin()
        with self._lock:
            self._polls += 1
            poll = self._polls
        posted = self._client.post(*before, self._poll, is_busy=is_busy)
        with self._lock:
            if self._polls == poll:
                self._posted = posted[-1]
        if self._stopping.is_set():
            self.withdraw()

    def _answered(self, task: Task, response: dict[str, Any], owner: Owner, reply: Reply) -> None:
        try:
            reply()
        except Exception as error:
            self._leave(partial(self._answer_again, task, response, owner, error))
        else:
            self._end_answer()

    def _answer_again(self, task: Task, response: dict[str, Any], owner: Owner, tried: Exception) -> None:
        """Go on with an answer, in the lane's thread: until it is taken or given up, it is under way."""
        self._answering.answer_again(task, response, owner, tried)
        self._end_answer()

    def _end_answer(self) -> None:
        with self._lock:
            self._unanswered -= 1
            ended = self._ended
        if ended:
            self._leave(_nothing)

    def _polled(self, reply: Reply) -> None:
        try:
            self._take(self._poller.end(partial(_first_page, reply)))
        except Exception as error:
            self._leave(partial(_raise, error))
            self._end()

    def _take(self, task: Task | None) -> None:
        if task is None:
            self._end()
        elif "nextPageToken" in task:
            self._leave(partial(self._gather, task))
        else:
            self._begin(task)

    def _gather(self, first_page: Task) -> None:
        task = gather(self._client, self._request, first_page, self._stopping)
        if task is None:
            self._end()
        else:
            self._begin(task)

    def _leave(self, what: Callable[[], object]) -> None:
        """Leave something to the lane's thread."""
        self._left.put(what)

    def _end(self) -> None:
        """No poll is under way any more: it is the lane's turn, once all is answered."""
        with self._lock:
            self._ended = True
        self._leave(_nothing)

    def _is_over(self) -> bool:
        with self._lock:
            return self._ended and not self._unanswered and self._left.empty()


def _first_page(reply: Reply) -> Task | None:
    task = reply()
    return task if task.get("taskToken") else None


def _raise(error: Exception) -> None:
    raise error


def _nothing() -> None:
    """Have the lane's thread look whether it is over."""
