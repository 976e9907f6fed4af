"""
The other side of ``processes.py``: what runs in the process of a body.
"""

import importlib
import json
import os
import signal
import sys
from importlib.util import module_from_spec, spec_from_file_location
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread
from types import ModuleType
from typing import Any, NoReturn

from pyflow import logs
from pyflow.activities import Activity
from pyflow.converter import DataConverter
from pyflow.exceptions import PyflowException, ServiceFault
from pyflow.tasks import ActivityTask

from .bodies import Outcome, perform, raised

Message = dict[str, Any]


def serve(connection: "Connection[Any, Any]", converter: DataConverter) -> None:
    """Run bodies, one after the other, until the parent says that it is enough; without the parent end at once."""
    if hasattr(os, "setsid"):
        os.setsid()  # Ctrl-C is the parent's to hear, and what a body starts can be killed with it
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _ignore)
    logs.install()
    parent = Parent(connection)
    while (job := parent.jobs.get()) is not None:
        parent.send({"kind": "outcome", "outcome": _outcome_of(job, parent, converter)})


def _ignore(_number: int, _frame: object) -> None:
    """Leave it to the parent when to end. Not SIG_IGN, which the programs that a body starts would inherit."""


class Parent:
    """
    The parent, as seen from here: jobs come from it, and SWF is reached through it.

    It has the shape of an SWF client for the two operations that a body needs.
    """

    def __init__(self, connection: "Connection[Any, Any]") -> None:
        self.jobs: SimpleQueue[Message | None] = SimpleQueue()
        self._replies: SimpleQueue[Message] = SimpleQueue()
        self._connection = connection
        self._sending = Lock()
        self._calling = Lock()
        Thread(target=self._read, name="pyflow-parent", daemon=True).start()

    def send(self, message: Message) -> None:
        """Send a message; where nobody reads any more, this process is at its end anyway."""
        data = json.dumps(message).encode()
        with self._sending:
            self._connection.send_bytes(data)

    def record_activity_task_heartbeat(self, **request: Any) -> Any:
        """Beat, through the parent."""
        return self._call("record_activity_task_heartbeat", request)

    def get_workflow_execution_history(self, **request: Any) -> Any:
        """Read history, through the parent; times are texts."""
        return self._call("get_workflow_execution_history", request)

    def _call(self, operation: str, request: Message) -> Any:
        with self._calling:  # the threads of a body take turns
            self.send({"kind": "call", "operation": operation, "request": request})
            answer = self._replies.get()
        if "fault" in answer:
            code, message, status = answer["fault"]
            raise ServiceFault(code, message, status=status)
        return answer["reply"]

    def _read(self) -> None:
        while True:
            try:
                message = json.loads(self._connection.recv_bytes())
            except (EOFError, OSError):
                _end_with_the_parent()
            if message.get("kind") == "job":
                self.jobs.put(message)
            elif message.get("kind") == "end":
                self.jobs.put(None)
                return
            else:
                self._replies.put(message)


def _end_with_the_parent() -> NoReturn:
    """End at once, with all that the body has started: the task is another worker's now, or will be."""
    if hasattr(os, "killpg"):
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def _outcome_of(job: Message, parent: Parent, converter: DataConverter) -> Outcome:
    task = ActivityTask(parent, job["domain"], job["task"], converter)
    task.attempt_in_worker = job["attempt_in_worker"]
    try:
        activity = _found(job)
    except BaseException as error:  # the author's module runs when it is imported
        return raised(error, task)
    parent.send({"kind": "begun"})
    return perform(activity, task, job["input"], converter)


def _found(job: Message) -> Activity[..., Any]:
    """
    Return the activity that a job names.

    Raises:
        PyflowException: its module does not hold it here.
    """
    module = _module(job["module"], job["file"])
    type_ = tuple(job["type"])
    by_name = getattr(module, job["function"], None)
    for thing in (by_name, *vars(module).values()):
        if isinstance(thing, Activity) and (thing.name, thing.version) == type_:
            return thing
    raise PyflowException(
        f"module {module.__name__} holds no activity {type_[0]} {type_[1]} once it is imported in a process of its own; "
        f"define it at the top of the module, whatever the program's arguments"
    )


def _module(name: str, file: str | None) -> ModuleType:
    known = sys.modules.get(name)
    if known is not None:
        return known
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if file is None or error.name not in {name, name.partition(".")[0]}:
            raise
    else:
        if file is None or Path(getattr(module, "__file__", None) or "") == Path(file):
            return module
        del sys.modules[name]
    spec = spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise PyflowException(f"module {name} cannot be imported from {file}")
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
