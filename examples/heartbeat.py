"""
An activity that goes on where its last attempt stopped, and one that a person completes later.

    python examples/heartbeat.py
"""

import pyflow
from pyflow import activity
from pyflow.testing import Flow

INBOX: list[str] = []  # the letters that a person answers


@pyflow.activity(start_to_close=3600, heartbeat=30, retry=pyflow.RetryPolicy(max_attempts=3))
def copy(files: list[str]) -> str:
    task = activity.current()
    done = task.last_details or 0  # how far the attempt before had come
    for number, file in enumerate(files[done:], done + 1):
        task.heartbeat(number)  # raises ActivityCanceledException if somebody asked us to stop
        if file == "big" and task.attempt == 1:
            return str(task.complete_later())  # stands for a worker that dies here
    return f"{len(files)} files, attempt {task.attempt} began after {done}"


@pyflow.activity(start_to_close=7 * 86_400)
def approval(text: str) -> str:
    INBOX.append(activity.current().complete_later())
    return "dropped: the answer is somebody else's"


class Backup(pyflow.Workflow):
    NAME = "Backup"

    def run(self, files: list[str]) -> list[str]:
        copied = copy(files)
        return [copied, approval(f"Delete the originals? {copied}")]


def main() -> None:
    flow = Flow()  # a local service, with time that skips
    execution = flow.start(Backup, ["small", "big", "last"])
    while not INBOX:
        flow.skip()
    pyflow.complete_activity(INBOX[0], "yes, says Ada", client=flow.client)
    print(execution.result())
    flow.close()


if __name__ == "__main__":
    main()

# On AWS: `pyflow worker examples/heartbeat.py --domain d --task-list t`, and complete_activity(token, answer) with no client.
