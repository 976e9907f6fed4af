"""DBOS: durable workflows of five steps on SQLite, at its own defaults."""

import logging
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter

from answering import answer
from dbos import DBOS

folder = tempfile.TemporaryDirectory()
DBOS(
    config={
        "name": "benchmark",
        "system_database_url": f"sqlite:///{Path(folder.name) / 'dbos.sqlite'}",
        "run_admin_server": False,
        "log_level": "ERROR",
    }
)
logging.disable(logging.WARNING)


@DBOS.step()
def add_one(number):
    return number + 1


@DBOS.workflow()
def five_steps(number):
    for _ in range(5):
        number = add_one(number)
    return number


def run_five_steps(workflows, in_flight):
    before = perf_counter()
    with ThreadPoolExecutor(in_flight) as starters:
        for number, result in enumerate(starters.map(five_steps, range(workflows))):
            assert result == number + 5
    return perf_counter() - before


DBOS.launch()
answer(five_steps=run_five_steps)
DBOS.destroy()
folder.cleanup()
