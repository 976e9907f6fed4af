"""A service for activity workers under test: hands out the tasks that a test puts in, and keeps what comes back."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from queue import Empty, Queue
from typing import Any

from pyflow.exceptions import ServiceFault
from pyflow.swf.methods import ACTIONS
from pyflow.swf.posts import Post
from pyflow.worker.activities import ActivityWorker

METHODS = {action: method for method, action in ACTIONS.items()}


class Service:
    """
    ``answers`` and ``beats`` are what came, in order; ``trouble`` is raised by the next answers, ``cancel`` and ``gone`` hold the
    tokens whose next heartbeat says so.
    """

    def __init__(self) -> None:
        self.tasks: Queue[dict[str, Any]] = Queue()
        self.answers: list[tuple[str, dict[str, Any]]] = []
        self.beats: list[dict[str, Any]] = []
        self.registered: list[dict[str, Any]] = []
        self.polls = 0
        self.trouble: list[ServiceFault] = []
        self.cancel: set[str] = set()
        self.gone: set[str] = set()
        self.changed = threading.Condition()

    def put(self, *inputs: str | None, name: str = "charge", first: int = 0) -> None:
        for number, text in enumerate(inputs, first):
            task = {
                "taskToken": f"token{number}",
                "activityId": f"activity{number}",
                "activityType": {"name": name, "version": "1.0"},
                "workflowExecution": {"workflowId": "w", "runId": "r"},
                "startedEventId": 6,
            }
            self.tasks.put(task if text is None else {**task, "input": text})

    def list_activity_types(self, **_: Any) -> dict[str, Any]:
        return {"typeInfos": []}

    def describe_activity_type(self, **_: Any) -> dict[str, Any]:
        raise ServiceFault("AccessDeniedException", "may only register")

    def register_activity_type(self, **request: Any) -> None:
        if any(known["name"] == request["name"] for known in self.registered):
            raise ServiceFault("TypeAlreadyExistsFault", "known")
        self.registered.append(request)

    def poll_for_activity_task(self, **_: Any) -> dict[str, Any]:
        self.polls += 1
        try:
            return self.tasks.get(timeout=0.02)
        except Empty:
            return {"taskToken": ""}

    def record_activity_task_heartbeat(self, **request: Any) -> dict[str, Any]:
        with self.changed:
            self.beats.append(request)
            self.changed.notify_all()
        if request["taskToken"] in self.gone:
            raise ServiceFault("UnknownResourceFault", "no such task", operation="RecordActivityTaskHeartbeat")
        return {"cancelRequested": request["taskToken"] in self.cancel}

    def respond_activity_task_completed(self, **answer: Any) -> None:
        self.answer("completed", answer)

    def respond_activity_task_failed(self, **answer: Any) -> None:
        self.answer("failed", answer)

    def respond_activity_task_canceled(self, **answer: Any) -> None:
        self.answer("canceled", answer)

    def answer(self, how: str, answer: dict[str, Any]) -> None:
        with self.changed:
            self.answers.append((how, answer))
            self.changed.notify_all()
        if self.trouble:
            raise self.trouble.pop(0)

    def until(self, condition: Any, timeout_s: float = 30.0) -> None:
        """Wait until something holds after an answer or a heartbeat."""
        with self.changed:
            assert self.changed.wait_for(condition, timeout_s), (self.answers, self.beats)

    def answered(self, number: int) -> list[tuple[str, dict[str, Any]]]:
        """Wait for so many answers and give them."""
        self.until(lambda: len(self.answers) >= number)
        return self.answers


class Posting(Service):
    """The same in the worker's process: it also takes calls that nobody waits for."""

    can_post = True

    def post(self, *posts: Post) -> list["Posted"]:
        return [Posted(self, post) for post in posts]


class Posted:
    """A call that is carried out beside whoever posted it."""

    def __init__(self, service: Service, post: Post) -> None:
        self._call = getattr(service, METHODS[post.action])
        self._post = post
        threading.Thread(target=self._carry_out, daemon=True).start()

    def withdraw(self) -> None:
        """Polls do not wait long here."""

    def _carry_out(self) -> None:
        try:
            reply = self._call(**self._post.request)
        except ServiceFault as fault:
            self._post.done(partial(_raise, fault))
        else:
            self._post.done(lambda: reply or {})


def _raise(fault: ServiceFault) -> Any:
    raise fault


@contextmanager
def working(service: Any, *activities: Any, **options: Any) -> Iterator[ActivityWorker]:
    """Run a worker beside the test, and end it after."""
    worker = ActivityWorker(activities, "d", "list", "me", service, **options)
    broken: list[BaseException] = []

    def run() -> None:
        try:
            worker.run()
        except BaseException as error:
            broken.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield worker
    finally:
        worker.stop()
        thread.join(60)
        assert not thread.is_alive()
        assert not broken, broken
