"""What a worker process is made of: a decider, an activity worker, or both, each running in a thread of its own."""

import logging
import time
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from threading import Thread
from typing import Final, NamedTuple

from pyflow.exceptions import ServiceFault
from pyflow.swf.client import Client, is_local, service_faults

from .stopping import first_of

logger = logging.getLogger(__name__)

RETENTION_DAYS: Final = "30"
"""How long a domain that is made here keeps closed executions."""

WATCH_S: Final = 0.05

SETTLE_S: Final = 0.25
"""How long nothing but polls must be under way before they are left: the last answer may have made a task for one of them."""


class Part(NamedTuple):
    """A decider or an activity worker."""

    name: str
    register: Callable[[], None]
    run: Callable[[], None]
    stop: Callable[[], None]
    is_idle: Callable[[], bool]


def register(parts: Sequence[Part], domain: str, client: Client) -> None:
    """Register what is missing: on a local service the domain too."""
    if is_local(client):
        try:
            with service_faults("RegisterDomain"):
                client.register_domain(name=domain, workflowExecutionRetentionPeriodInDays=RETENTION_DAYS)
        except ServiceFault as fault:
            if fault.code != "DomainAlreadyExistsFault":
                raise
    for part in parts:
        part.register()


def work(
    parts: Sequence[Part],
    requests: "SimpleQueue[str | None]",
    *,
    abandon_polls: bool,
    grace_s: float,
    on_stop: Callable[[], None],
) -> int:
    """
    Run the parts until we are asked to stop or one of them breaks.

    Args:
        parts: what runs.
        requests: see ``stop_requests``.
        abandon_polls: a poll that waits may be left hanging: the service gives its task to nobody else.
        grace_s: how long to wait for what is under way, once asked to stop.
        on_stop: called when it begins.

    Returns:
        The exit status: 0; what its exception says, or 1, if a part broke; 1 if something was still under way when the grace
        was over.
    """

    def run(part: Part) -> None:
        try:
            part.run()
        except BaseException as error:
            logger.exception("the %s broke", part.name)
            broke.append(getattr(error, "exit_status", 1))
            requests.put(f"{part.name}: {error}")

    broke: list[int] = []
    threads = [(part, Thread(target=run, args=(part,), name=part.name, daemon=True)) for part in parts]
    for _, thread in threads:
        thread.start()
    first_of(requests)
    on_stop()
    for part in parts:
        part.stop()
    logger.info("the worker is stopping: what is under way is finished first")
    deadline_s = time.monotonic() + grace_s
    # The local service gives a task only to a connection that is there, so a poll of it may be left hanging, once what it may
    # have been given already has had time to show. AWS may have given one to a poll that we would cut, and that task would be
    # stranded until it times out.
    busy_s = time.monotonic()
    while alive := [part for part, thread in threads if thread.is_alive()]:
        busy = [part.name for part in alive if not (abandon_polls and part.is_idle())]
        now_s = time.monotonic()
        if busy:
            busy_s = now_s
        elif now_s - busy_s >= SETTLE_S:
            break
        if busy and now_s >= deadline_s:
            logger.error(
                "%s: not finished within the grace of %.0f s; what is under way there will time out",
                ", ".join(busy),
                grace_s,
            )
            return 1
        time.sleep(WATCH_S)
    return broke[0] if broke else 0
