"""Write ``docs/performance.md`` from ``benchmarks/results.json``: ``make bench-docs``."""

import json
from typing import Any, Final

from benchmarks.__main__ import CASES, RESULTS
from benchmarks.rows import FLOOR, OURS, Goal, Row, shown

__all__ = ["page"]

HEAD: Final = """\
# Performance

`make bench` measures what pyflow costs, beside its peers and beside the least that the work can cost; `make bench CASE=replay`
measures one case. Peers are installed by it in environments of their own under `.bench/`, in the versions that
`benchmarks/peers.toml` names. This page is made by `make bench-docs` from what they wrote.

**Read the ratios.** What stands in one row was measured in one run, in turns, so that whatever else the machine did slowed all
of it; each figure is a median. Between two rows, two days or two machines, seconds mean little.

- A peer's ratio says how many times better pyflow does: 10 means ten times faster, or ten times as many.
- The *floor* is not a peer, but the least that Python can do; its ratio says how many times more pyflow takes.
- A *goal* is what was aimed at, whether it is reached or not.
"""

WORDS: Final = {
    "replay": """\
## Replay from nothing

The last decision task of a run, with no run kept: its whole history is read, the author's code runs from the top, each of its
requests is matched with what history recorded. This is what a decider pays for each run after a restart. Events come in their
parsed form, without a service. The floor is `benchmarks/floor.py`: one pass, a table lookup an event, an object a task, a
greenlet switch a completion; nothing is checked, decoded or decided.

Temporal's Replayer does not quite the same work: it activates a workflow once for each of its tasks, between Rust and Python,
and what is measured includes starting it. It runs without its sandbox here, which would make it some two times slower.
simpleflow's decider also forks a process for each decision, which is left out. botoflow is missing: its last release does
not run on a Python that pyflow runs on.
""",
    "kept": """\
## The next task of a run that is kept

A decider keeps its runs between their tasks, in their fibers. So the usual decision reads only the new events, six here, and
costs the same however long the history is. The floor goes through the same six events, in a greenlet that is
there already.
""",
    "life": """\
## The whole life of a run

All decisions of a run of 1,000 steps, added up: the library's part, without a service. No SWF library but this one keeps runs, so
each of their decisions replays everything before it and the sum grows with the square of the steps. Theirs is an estimate from
five points of one life, by Simpson's rule, since a whole one takes minutes.
""",
    "memory": """\
## What a kept run takes

Runs that wait for their first activity, kept by a decider, and greenlets that wait and do nothing else. Each in a process of
its own; what is counted is by how much the process's resident pages grow. The author's own objects come on top.
""",
    "parsing": """\
## Parsing what SWF sends

`PollForDecisionTask` gives history in pages of at most 1,000 events. botocore's general parser looks for each of 57 possible
members in each event and makes a datetime of each time; workers of pyflow take the JSON as it is, below the same client with its
credentials, signing, endpoints and retries. The floor is `json.loads`. The fixed part of a call is mostly botocore's
signing.
""",
    "embedded": """\
## Durable workflows in one process

Five steps, one after the other, each durable on disk before the next begins; starter, decider, activity worker and service in one
process, with SQLite in `synchronous=FULL`. A step here is a whole activity: scheduled, polled for, run by a worker, answered,
decided. DBOS calls the step as a function and records its result, with its own settings. Runs that are in flight together share
commits; for sixteen of them the worker has room for sixteen bodies.
""",
    "http": """\
## The service over HTTP

One boto3 client drives executions of one activity from start to end: seven calls each, one after the other. moto keeps
everything in memory and slows down with each execution it has seen, so it is measured with nothing in it; pyflow's service
writes to disk. Most of the time is boto3's own.
""",
    "flatness": """\
## Many executions

The same executions through the direct client, 10,000 of them on one file. Medians of 100 at the beginning and at the end.
""",
    "polls": """\
## A large service

The same executions on a service in whose file 100,000 executions are open, each with an activity that some worker has, and which
holds a million events.
""",
    "idle": """\
## Waiting

What 200 polls cost that wait and get nothing, as the processor time of the service's process. Polls through the direct client are
renewed every 10 s here, where SWF's wait 60 s.
""",
    "import": """\
## Starting

A fresh Python process that does nothing but import. boto3 is imported by pyflow when it is first needed. The floor is a process
that imports nothing.
""",
}


def page(results: dict[str, Any]) -> str:
    """Return the page."""
    machine = results["machine"]
    run = [case for name, case in results["cases"].items() if name in CASES]
    busy = max(case["load"] for case in run) > machine["cores"]
    dates = sorted({case["date"] for case in run})
    measured = (
        f"Measured {dates[-1]}: Python {machine['python']}, SQLite {machine['sqlite']}, {machine['system']}, "
        f"{machine['cores']} virtual cores{', with other work on them' if busy else ''}.\n"
    )
    sections = [HEAD, measured]
    for name in CASES:
        if name in results["cases"]:
            rows = [Row.of_json(row) for row in results["cases"][name]["rows"]]
            sections.append(WORDS[name] + "\n" + _table(rows))
    return "\n".join(sections)


def _table(rows: list[Row]) -> str:
    others = list(dict.fromkeys(who for row in rows for who in [*row.figures, *row.missing] if who != OURS))
    lines = [
        f"| | unit | {OURS} | {' | '.join(others)} | goal |",
        "|---|---|" + "---|" * (len(others) + 2),
    ]
    for row in rows:
        ours = shown(row.figures[OURS]) if OURS in row.figures else row.missing[OURS]
        cells = " | ".join(_cell(row, who) for who in others)
        goals = "; ".join(_goal(row, goal) for goal in row.goals)
        lines.append(f"| {row.what} | {row.unit} | {ours} | {cells} | {goals} |")
    return "\n".join(lines) + "\n"


def _cell(row: Row, who: str) -> str:
    if who in row.figures:
        return f"{shown(row.figures[who])} (**x {shown(row.ratio(who))}**)"
    return row.missing.get(who, "")


def _goal(row: Row, goal: Goal) -> str:
    of = "the floor" if goal.other == FLOOR else goal.other
    met = {True: "reached", False: "**not reached**", None: "not measured"}[row.met(goal)]
    if goal.most:
        return f"at most {goal.ratio:g} times {of}: {met}"
    return f"{goal.ratio:g} times better than {of}: {met}"


if __name__ == "__main__":
    print(page(json.loads(RESULTS.read_text(encoding="utf-8"))), end="")
