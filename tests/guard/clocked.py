"""Workflows whose code no shim reaches everywhere, for test_inspection.py: each marked line is found, no other."""

import dataclasses
import datetime as dates
import functools
import os
import random
import time
from datetime import date, datetime
from os import urandom
from random import choice
from time import monotonic, sleep
from time import time as now

import pyflow

SHARED = random.Random(5)
get_now = datetime.now


@pyflow.activity(start_to_close=5)
def work():
    return datetime.now()


def used():
    return datetime.utcnow()  # datetime.utcnow()


def unused():
    return datetime.now()


def logged(function):
    @functools.wraps(function)
    def wrapper(*args):
        return function(*args)

    return wrapper


@logged
def wrapped():
    return monotonic()  # time.monotonic() by a name imported from its module


@dataclasses.dataclass
class Stamped:
    made: datetime = dataclasses.field(default_factory=datetime.now)


class Clerk:
    def __init__(self):
        self.since = now()  # time.time() by a name imported from its module

    def stamp(self):
        return date.today()  # date.today()

    def idle(self):
        return datetime.now()


class Base(pyflow.Workflow):
    def inherited(self):
        return dates.datetime.now()  # datetime.now()

    @property
    def when(self):
        return get_now()  # datetime.now()

    @staticmethod
    def static():
        return urandom(4)  # os.urandom() by a name imported from its module

    def recorded(self):
        return datetime.now()


class Clocked(Base):
    NAME = "Clocked"

    def __init__(self, swf):
        super().__init__(swf)
        self.begun = datetime.now()  # datetime.now()

    @pyflow.signal
    def poke(self):
        sleep(1)  # time.sleep() by a name imported from its module

    def run(self, _):
        def inner():
            return choice([1, 2])  # random.choice() by a name imported from its module

        def never_called():
            return datetime.now()

        def only_recorded():
            return datetime.now()

        used(), wrapped(), work(), inner(), Stamped()
        clerk = Clerk()
        clerk.stamp()
        self.inherited(), self.when, self.static()
        SHARED.random()  # a random.Random that all runs share
        random.Random().random()  # random.Random() without a seed
        self.swf.wait_until(lambda: datetime.now().year > 2000)  # datetime.now()
        self.swf.spawn(self.helper)
        self.swf.invoke_once(datetime.now)
        self.swf.invoke_once(lambda: datetime.now().isoformat())
        self.swf.invoke_once(self.recorded)
        self.swf.invoke_once(only_recorded)
        self.swf.invoke_once(functools.partial(max, 1), now())  # time.time() by a name imported from its module
        return time.time(), random.random(), datetime.fromtimestamp(0), os.getcwd(), random.Random(7).random()

    def helper(self):
        from datetime import datetime as local

        now = 3  # a name of its own
        return local.now(), now  # datetime.now()
