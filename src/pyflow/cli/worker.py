"""``pyflow worker``: the workflows and activities of some files, for a service."""

import logging
import os
import socket
import time
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from threading import Thread
from typing import Any, Final, NamedTuple

import click

from pyflow.activities import Activity
from pyflow.exceptions import PyflowException, ServiceFault
from pyflow.swf.client import Client, create_client, is_local, service_faults
from pyflow.worker.activities import ActivityWorker
from pyflow.worker.decider import Decider
from pyflow.workflow import Workflow

from .loading import activities_in, load, workflows_in
from .output import Refusal, say
from .stopping import leave, stop_requests

logger = logging.getLogger(__name__)

RETENTION_DAYS: Final = "30"
"""How long a domain that is made here keeps closed executions."""

WATCH_S: Final = 0.05


class Part(NamedTuple):
    """A decider or an activity worker, which runs in a thread of its own."""

    name: str
    register: Callable[[], None]
    run: Callable[[], None]
    stop: Callable[[], None]
    is_idle: Callable[[], bool]


@click.command()
@click.argument("files", metavar="FILE.py...", nargs=-1, required=True)
@click.option("--domain", required=True, help="The SWF domain.")
@click.option("--task-list", required=True, help="The task list to poll, for decisions and for activities.")
@click.option("--endpoint-url", metavar="URL", help="A local service; left out: what boto3 is configured for, AWS.")
@click.option("--identity", help="Recorded with each task that it takes.  [default: host:pid]")
@click.option("--log-replays", is_flag=True, help="Let log lines of workflows be heard also when code is replayed.")
@click.option("--only", type=click.Choice(["deciders", "activities"]), help="Leave the other kind to another worker.")
def worker(
    files: tuple[str, ...],
    domain: str,
    task_list: str,
    endpoint_url: str | None,
    identity: str | None,
    only: str | None,
    log_replays: bool,
) -> None:
    """
    Run the workflows and activities found in FILE.py...

    Workflow classes that a file defines, and activities that it defines or imports, are registered if they are missing; on a
    local endpoint so is the domain.

    SIGTERM or Ctrl-C ends it after the work under way, on AWS also after the polls under way (up to a minute). A second one
    ends it at once.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    modules = [load(file) for file in files]
    workflows = [] if only == "activities" else _unique(each for module in modules for each in workflows_in(module))
    activities = [] if only == "deciders" else _unique(each for module in modules for each in activities_in(module))
    if not (workflows or activities):
        wanted = {"deciders": "workflow class with a NAME", "activities": "@pyflow.activity function"}
        raise Refusal(
            f"nothing to run: no {wanted.get(only or '', ' or '.join(wanted.values()))} in {', '.join(files)}"
        )
    identity = identity or f"{socket.gethostname()}:{os.getpid()}"
    requests = stop_requests()
    try:
        client = create_client(endpoint_url, for_worker=True)
        parts = _parts(workflows, activities, domain, task_list, identity, client, log_replays=log_replays)
        _register(parts, domain, client)
    except ServiceFault as fault:
        raise Refusal(_explain(fault, domain, client)) from fault
    except PyflowException as error:
        raise Refusal(str(error)) from error
    say(f"pyflow worker {identity}")
    say(f"  workflows   {_types((each.NAME, each.VERSION) for each in workflows)}")
    say(f"  activities  {_types((each.name, each.version) for each in activities)}")
    say(f"  polls       task list {task_list!r} of domain {domain!r} at {client.meta.endpoint_url}")
    leave(_work(parts, requests, abandon_polls=is_local(client)))


def _unique(found: Any) -> list[Any]:
    return list({id(each): each for each in found}.values())


def _types(types: Any) -> str:
    return ", ".join(f"{name} {version}" for name, version in types) or "none"


def _parts(
    workflows: Sequence[type[Workflow]],
    activities: Sequence[Activity[..., Any]],
    domain: str,
    task_list: str,
    identity: str,
    client: Client,
    *,
    log_replays: bool,
) -> list[Part]:
    parts = []
    if workflows:
        decider = Decider(workflows, domain, task_list, identity, client, log_replays=log_replays)
        parts.append(
            Part(
                "decider",
                decider.ensure_workflows_registered,
                decider.poll_for_decision_tasks,
                decider.stop,
                lambda: decider.idle,
            )
        )
    if activities:
        bodies = ActivityWorker(activities, domain, task_list, identity, client)
        parts.append(
            Part("activities", bodies.ensure_activities_registered, bodies.run, bodies.stop, lambda: bodies.idle)
        )
    return parts


def _register(parts: list[Part], domain: str, client: Client) -> None:
    if is_local(client):
        try:
            with service_faults("RegisterDomain"):
                client.register_domain(name=domain, workflowExecutionRetentionPeriodInDays=RETENTION_DAYS)
        except ServiceFault as fault:
            if fault.code != "DomainAlreadyExistsFault":
                raise
    for part in parts:
        part.register()


def _explain(fault: ServiceFault, domain: str, client: Client) -> str:
    """Say what to do about a fault at the start."""
    url = client.meta.endpoint_url
    if fault.code == "EndpointConnectionError":
        return f"no service answers at {url}" + (": start one with `pyflow server`" if is_local(client) else "")
    if fault.code == "UnknownResourceFault":
        return (
            f"domain {domain!r} does not exist at {url}; make it with: aws swf register-domain --name {domain} "
            f"--workflow-execution-retention-period-in-days {RETENTION_DAYS}"
        )
    return str(fault)


def _work(parts: list[Part], requests: "SimpleQueue[str | None]", *, abandon_polls: bool) -> int:
    """Run the parts until we are asked to stop or one of them breaks; give the exit status."""

    def run(part: Part) -> None:
        try:
            part.run()
        except BaseException as error:
            logger.exception("the %s broke", part.name)
            requests.put(f"{part.name}: {error}")

    threads = [(part, Thread(target=run, args=(part,), name=part.name, daemon=True)) for part in parts]
    for _, thread in threads:
        thread.start()
    broken = requests.get()
    for part in parts:
        part.stop()
    say("pyflow worker is stopping: what is under way is finished first")
    # The local service gives a task only to a connection that is there, so a poll of it may be left hanging. AWS may have
    # given one to a poll that we would cut, and that task would be stranded until it times out.
    while any(thread.is_alive() and not (abandon_polls and part.is_idle()) for part, thread in threads):
        time.sleep(WATCH_S)
    return 1 if broken else 0
