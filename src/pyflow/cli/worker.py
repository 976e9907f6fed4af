"""``pyflow worker``: the workflows and activities of some files, for a service."""

import logging
import os
import socket
import sys
from collections.abc import Sequence
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import Any, Final, cast, get_args

import click

from pyflow.activities import Activity, Executor
from pyflow.exceptions import PyflowException, ServiceFault
from pyflow.guard import Mode
from pyflow.swf.client import Client, create_client, is_local
from pyflow.telemetry.instruments import RUNS_KEPT as RUNS_KEPT_GAUGE
from pyflow.telemetry.instruments import SLOTS, SLOTS_USED
from pyflow.worker.activities import ActivityWorker
from pyflow.worker.decider import RUNS_KEPT, Decider
from pyflow.worker.polling import POLLERS
from pyflow.worker.undecidable import POLICIES, OnUndecidable
from pyflow.workflow import Workflow

from .loading import activities_in, converter_at, load, workflows_in
from .observing import LogFormat, Observation, interceptors_at, set_up_logging
from .options import converter_option, endpoint_option, guard_option
from .output import Refusal, say
from .parts import RETENTION_DAYS, Part, register, work
from .stopping import leave, stop_requests
from .supervisor import Supervisor

logger = logging.getLogger(__name__)

GRACE_S: Final = 75.0
"""A poll on AWS takes up to 60 s, and what it brings is worth a moment."""

STOPPING_S: Final = 15.0
"""What is left of the grace when bodies that have not ended are told to: to clean up, and to be answered."""


@click.command()
@click.argument("files", metavar="FILE.py...", nargs=-1, required=True)
@click.option("--domain", required=True, help="The SWF domain.")
@click.option("--task-list", required=True, help="The task list to poll, for decisions and for activities.")
@endpoint_option
@click.option("--identity", help="Recorded with each task that it takes.  [default: host:pid]")
@converter_option
@guard_option
@click.option("--only", type=click.Choice(["deciders", "activities"]), help="Leave the other kind to another worker.")
@click.option(
    "--processes",
    type=click.IntRange(min=1),
    metavar="N",
    help="So many worker processes under a supervisor, which starts again what breaks, and on SIGHUP exchanges one after the "
    "other for the code as it is then.",
)
@click.option(
    "--grace",
    type=click.FloatRange(min=0),
    default=GRACE_S,
    show_default=True,
    metavar="S",
    help="How long to wait for what is under way, once asked to stop.",
)
@click.option(
    "--health-port",
    metavar="[HOST:]PORT",
    help="Serve /health and /metrics there; of several processes, the supervisor there and each worker on the ports after it.",
)
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="The form of log lines.",
)
@click.option(
    "--runs-kept",
    type=click.IntRange(min=0),
    default=RUNS_KEPT,
    show_default=True,
    metavar="N",
    help="How many live runs are kept between their tasks; 0 replays each task from its history.",
)
@click.option(
    "--pollers",
    type=click.IntRange(min=1),
    default=POLLERS,
    show_default=True,
    metavar="N",
    help="How many polls are open at once: of each kind, and on each task list.",
)
@click.option(
    "--concurrency",
    multiple=True,
    metavar="[EXECUTOR=]N",
    callback=lambda _context, _option, given: _sizes(given),
    help="How many bodies may run at once, on each executor or on the one named: thread, process, async. May be given again.  "
    "[default: 10, one for each processor, 100]",
)
@click.option(
    "--affinity/--no-affinity",
    default=True,
    show_default=True,
    help="Have the tasks of kept runs come back to this process, by a task list of its own.",
)
@click.option(
    "--on-undecidable",
    type=click.Choice(POLICIES),
    default="park",
    show_default=True,
    help="What becomes of a run that cannot be decided: it pauses and says why, its execution fails, or its task times out.",
)
@click.option("--log-replays", is_flag=True, help="Let log lines of workflows be heard also when code is replayed.")
@click.option("--otlp", is_flag=True, help="Send metrics and traces to a collector, as OTEL_EXPORTER_OTLP_... say.")
@click.option(
    "--interceptor",
    "interceptors",
    multiple=True,
    metavar="FILE.py:NAME",
    help="Put it around calls, decisions and bodies.",
)
@click.option("--tie", type=int, hidden=True, help="The socket of the supervisor that has started this process.")
@click.option("--place", type=int, hidden=True, help="Which of a supervisor's processes this is, from 0.")
def worker(
    files: tuple[str, ...],
    domain: str,
    task_list: str,
    endpoint_url: str | None,
    identity: str | None,
    only: str | None,
    processes: int | None,
    grace: float,
    health_port: str | None,
    log_format: LogFormat,
    runs_kept: int,
    pollers: int,
    concurrency: dict[Executor, int],
    affinity: bool,
    on_undecidable: OnUndecidable,
    log_replays: bool,
    converter: str | None,
    guard: Mode,
    otlp: bool,
    interceptors: tuple[str, ...],
    tie: int | None,
    place: int | None,
) -> None:
    """
    Run the workflows and activities found in FILE.py...

    Workflow classes that a file defines, and activities that it defines or imports, are registered if they are missing; on a
    local endpoint so is the domain.

    SIGTERM or Ctrl-C ends it after the work under way, on AWS also after the polls under way (up to a minute). A second one
    ends it at once.
    """
    set_up_logging(log_format)
    if processes is not None and tie is None:
        # -P: the current folder is not searched for modules, as it is not when the command is called by its name.
        again = [sys.executable, "-P", "-m", "pyflow", *sys.argv[1:]]
        leave(Supervisor(processes, again, health_port).run())
    requests = stop_requests()
    workflows, activities = _found(files, only)
    values = converter_at(converter)
    identity = _identity(identity, place)
    observed = Observation(health_port, place, otlp=otlp, own=interceptors_at(interceptors))
    try:
        client = create_client(endpoint_url, for_worker=True)
        parts = []
        if workflows:
            decider = Decider(
                workflows,
                domain,
                task_list,
                identity,
                client,
                runs_kept=runs_kept,
                pollers=pollers,
                affinity=affinity,
                on_undecidable=on_undecidable,
                log_replays=log_replays,
                converter=values,
                guard=guard,
                interceptors=observed.interceptors,
            )
            parts.append(_decider(decider, observed))
        if activities:
            bodies = ActivityWorker(
                activities,
                domain,
                task_list,
                identity,
                client,
                concurrency=concurrency,
                pollers=pollers,
                grace_s=max(0.0, grace - STOPPING_S),
                converter=values,
                interceptors=observed.interceptors,
            )
            parts.append(_bodies(bodies, observed))
        register(parts, domain, client)
    except ServiceFault as fault:
        raise Refusal(_explain(fault, domain, client)) from fault
    except PyflowException as error:
        raise Refusal(str(error)) from error
    tell = say if log_format == "text" else logger.info
    tell(f"pyflow worker {identity}")
    tell(f"  workflows   {_types((each.NAME, each.VERSION) for each in workflows)}")
    tell(f"  activities  {_types((each.name, each.version) for each in activities)}")
    tell(f"  polls       task list {task_list!r} of domain {domain!r} at {client.meta.endpoint_url}")
    if tie is not None:
        _hold(tie, requests)
    status = work(parts, requests, abandon_polls=is_local(client), grace_s=grace, on_stop=observed.health.stop)
    observed.close()
    leave(status)


def _sizes(given: tuple[str, ...]) -> dict[Executor, int]:
    """Read ``[EXECUTOR=]N`` options; what names an executor goes before what does not."""
    executors = get_args(Executor)
    sizes: dict[Executor, int] = {}
    for text in sorted(given, key=lambda each: "=" in each):
        executor, _, number = text.rpartition("=")
        if not number.isdecimal() or int(number) < 1 or (executor and executor not in executors):
            raise click.BadParameter(f"{text!r} is not a number from 1, nor {', '.join(executors)} with one: thread=20")
        sizes |= dict.fromkeys([cast("Executor", executor)] if executor else executors, int(number))
    return sizes


def _identity(given: str | None, place: int | None) -> str:
    """Return the name of this process: the one given, with its place among several; or the host's and the process's."""
    if given is None:
        return f"{socket.gethostname()}:{os.getpid()}"
    return given if place is None else f"{given}:{place + 1}"


def _hold(tie: int, requests: "SimpleQueue[str | None]") -> None:
    """Tell the supervisor that this worker is ready, and stop when there is no supervisor any more."""
    supervisor = socket.socket(fileno=tie)
    supervisor.sendall(b"ready\n")

    def listen() -> None:
        while supervisor.recv(64):
            pass
        requests.put(None)

    Thread(target=listen, name="tie to the supervisor", daemon=True).start()


def _found(files: Sequence[str], only: str | None) -> tuple[list[type[Workflow]], list[Activity[..., Any]]]:
    """Load the files, and return the workflows and activities in them, each once."""
    modules = [load(file) for file in files]
    workflows = [] if only == "activities" else _unique(each for module in modules for each in workflows_in(module))
    activities = [] if only == "deciders" else _unique(each for module in modules for each in activities_in(module))
    if not (workflows or activities):
        wanted = {"deciders": "workflow class with a NAME", "activities": "@pyflow.activity function"}
        raise Refusal(
            f"nothing to run: no {wanted.get(only or '', ' or '.join(wanted.values()))} in {', '.join(files)}"
        )
    return workflows, activities


def _unique(found: Any) -> list[Any]:
    return list({id(each): each for each in found}.values())


def _types(types: Any) -> str:
    return ", ".join(f"{name} {version}" for name, version in types) or "none"


def _decider(decider: Decider, observed: Observation) -> Part:
    observed.metrics.watch(RUNS_KEPT_GAUGE, lambda: decider.runs_alive)
    return Part(
        "decider",
        decider.ensure_workflows_registered,
        decider.poll_for_decision_tasks,
        decider.stop,
        lambda: decider.idle,
    )


def _bodies(worker: ActivityWorker, observed: Observation) -> Part:
    for executor in worker.slots:
        observed.metrics.watch(SLOTS, partial(lambda each: worker.slots[each], executor), executor)
        observed.metrics.watch(SLOTS_USED, partial(lambda each: worker.slots_in_use[each], executor), executor)
    return Part("activities", worker.ensure_activities_registered, worker.run, worker.stop, lambda: worker.idle)


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
