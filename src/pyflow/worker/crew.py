"""
The loop that decides for months: lanes poll and answer, owners decide, and the thread that called looks after them.

A *lane* is a thread that polls one task list, has what comes decided by the owner of its run, sends the answer, and polls
again. So there are never more tasks under way than lanes, and the calls of one lane overlap with the replay of another's task.
Both lists, the one that all deciders poll and the one that is this process's own, have lanes of their own: a long poll on one
holds up nothing on the other, and their tasks meet in one queue, first come, first served.
"""

import logging
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Final, NamedTuple

from pyflow.exceptions import DeciderStuckException, ServiceFault

from .affinity import Affinity
from .answering import Answering
from .deciding import Task, TaskDecider
from .express import Express
from .owners import GivenUp, Owner
from .polling import Poller
from .watchdog import Watchdog

logger = logging.getLogger("pyflow")

STUCK_MAX: Final = 8
"""How many written-off threads may stand around at once."""
SIGNALS_S: Final = 0.5
"""How long one wait of the calling thread is: the handler of a signal that came just before it runs after it."""
CLOSE_S: Final = 10.0
"""How long owners may take to let go of their runs at the end."""

MakePoller = Callable[[str | None], Poller]
MakeExpress = Callable[[str | None, Poller, Callable[[Task], Owner]], Express]


class Stop(NamedTuple):
    """Asks a crew to stop; polls and answers under way have ``grace_s`` seconds, None: as long as they take."""

    grace_s: float | None


class Crew:
    """
    The threads of one call of ``poll_for_decision_tasks``.

    Args:
        make_poller: makes the poller of a lane, for the own list (given) or the common one (None).
        make_express: makes the express of such a lane, from what gives the owner of a task; None: the client takes no posts.
        make_decider: makes what an owner decides with.
        answering: answers tasks.
        affinity: the own task list.
        watchdog: looks after the owners; None: nobody does.
        stopping: set when no new poll shall begin.
        lanes: how many poll each list.
        owners: how many threads decide.
    """

    def __init__(
        self,
        make_poller: MakePoller,
        make_express: MakeExpress | None,
        make_decider: Callable[[], TaskDecider],
        answering: Answering,
        affinity: Affinity,
        watchdog: Watchdog | None,
        stopping: threading.Event,
        *,
        lanes: int,
        owners: int,
    ) -> None:
        self.affinity = affinity
        self._make_decider = make_decider
        self._answering = answering
        self._watchdog = watchdog
        self._stopping = stopping
        # SimpleQueue, because a signal handler may put into it what its own thread is waiting for.
        self._inbox: SimpleQueue[Stop | BaseException | None] = SimpleQueue()
        self._owners = [Owner(make_decider()) for _ in range(owners)]
        self._written_off: list[Owner] = []
        lists = [None, affinity.list_name] if affinity.on else [None]
        self._lanes = [self._make_lane(make_poller(own), make_express, own) for own in lists for _ in range(lanes)]
        self.is_abandoned = False

    @property
    def runs_alive(self) -> int:
        """How many runs the owners keep between their tasks."""
        return sum(owner.decider.runs_alive for owner in self._owners)

    @property
    def idle(self) -> bool:
        """Whether nothing but polls is under way."""
        return all(lane.idle for lane in self._lanes)

    def stop(self, grace_s: float | None = None) -> None:
        """Ask for the end; callable from any thread and from signal handlers, more than once."""
        self._inbox.put(Stop(grace_s))

    def broken(self, error: BaseException) -> None:
        """Have ``work`` end with an error, after what is under way; called by lanes."""
        self._inbox.put(error)

    def work(self, until_s: float | None) -> None:
        """
        Decide tasks until told to stop; what is under way is finished first.

        Args:
            until_s: no poll begins after this time of the steady clock; None: for ever.

        Raises:
            ServiceFault: the service refuses what the polls say.
            DeciderStuckException: too many threads are blocked by code that cannot be stopped.
        """
        for thread in (*self._owners, *self._lanes):
            thread.start()
        try:
            asked = self._look_after(until_s, lambda: False)
            self._stopping.set()
            for lane in self._lanes:
                lane.withdraw()
            grace_s = asked.grace_s if isinstance(asked, Stop) else None
            self._drain(None if grace_s is None else time.monotonic() + grace_s)
        finally:
            self._stopping.set()
            self.is_abandoned = True
            self._close()
        if isinstance(asked, BaseException):
            raise asked

    def has_decided(self, task: Task) -> None:
        """Have a task decided by the owner of its run, and answered; called by lanes."""
        self._answering.answer(task, self._owner_of(task))

    def _owner_of(self, task: Task) -> Owner:
        return self._owners[hash(task["workflowExecution"]["runId"]) % len(self._owners)]

    def _make_lane(self, poller: Poller, make_express: MakeExpress | None, own_list: str | None) -> "Lane":
        express = None if make_express is None else make_express(own_list, poller, self._owner_of)
        return Lane(self, poller, express, own_list)

    def refused(self, fault: ServiceFault) -> None:
        """Go on without the own list, whose poll is refused; called by lanes."""
        self.affinity.turn_off(f"the service refuses to be polled for it: {fault}")

    def _drain(self, until_s: float | None) -> None:
        """Wait for the lanes to end; a further request may shorten that."""
        while any(lane.is_alive() for lane in self._lanes):
            asked = self._look_after(until_s, lambda: not any(lane.is_alive() for lane in self._lanes))
            if asked is None:
                return
            if isinstance(asked, Stop) and asked.grace_s is not None:
                sooner_s = time.monotonic() + asked.grace_s
                until_s = sooner_s if until_s is None else min(until_s, sooner_s)

    def _look_after(self, until_s: float | None, is_over: Callable[[], bool]) -> Stop | BaseException | None:
        """Watch the owners until something is asked for, the time is up, or it is over; give what was asked."""
        while not is_over():
            pause_s = SIGNALS_S if self._watchdog is None else self._watchdog.pause_s
            if until_s is not None:
                left_s = until_s - time.monotonic()
                if left_s <= 0:
                    return None
                pause_s = min(pause_s, left_s)
            try:
                asked = self._inbox.get(timeout=pause_s)
            except Empty:
                pass
            else:
                if asked is not None:
                    return asked
            if self._watchdog is not None:
                for owner in self._watchdog.look(self._owners):
                    self._write_off(owner, self._watchdog)
        return None

    def lane_ended(self) -> None:
        """Have the caller's thread look whether all lanes have ended; called by lanes."""
        self._inbox.put(None)

    def _write_off(self, owner: Owner, watchdog: Watchdog) -> None:
        """Put another thread in the place of one that cannot be stopped; its runs are replayed when they come up."""
        self._written_off = [each for each in self._written_off if each.is_alive()] + [owner]
        error = watchdog.reason(owner)
        other = Owner(self._make_decider())
        other.start()
        self._owners[self._owners.index(owner)] = other
        for job in owner.give_up(error):
            other.put(job)
        logger.error("%s is written off, %s takes its place: %s", owner.name, other.name, error)
        if len(self._written_off) >= STUCK_MAX:
            self.broken(DeciderStuckException(len(self._written_off), str(error)))

    def _close(self) -> None:
        for owner in self._owners:
            owner.finish()
        until_s = time.monotonic() + CLOSE_S
        for owner in self._owners:
            while owner.is_alive() and time.monotonic() < until_s:
                owner.join(timeout=0.25 if self._watchdog is None else self._watchdog.pause_s)
                if self._watchdog is not None:
                    for lost in self._watchdog.look([owner]):
                        lost.give_up(GivenUp("the process stops"))


class Lane(threading.Thread):
    """
    Polls one task list, has its tasks decided and answered, one after the other.

    Args:
        crew: it belongs to.
        poller: of the list.
        express: spares it what goes well; None: the client takes no posts.
        own_list: the name of the list if it is the process's own; None: the common one.

    Attributes:
        poller: as given.
        has_ended: it polls no more.
    """

    def __init__(self, crew: Crew, poller: Poller, express: Express | None, own_list: str | None) -> None:
        super().__init__(name=f"pyflow-lane-{own_list or 'common'}", daemon=True)
        self.poller = poller
        self._express = express
        self.has_ended = False
        self._crew = crew
        self._is_own = own_list is not None

    @property
    def idle(self) -> bool:
        """Whether nothing but a poll is under way."""
        return self.has_ended or (self.poller.polling and (self._express is None or self._express.is_answered))

    def withdraw(self) -> None:
        """Wait no longer for a poll that need not be waited for."""
        if self._express is not None:
            self._express.withdraw()

    def run(self) -> None:
        """Poll until there is to be no more of it."""
        try:
            while (not self._is_own or self._crew.affinity.worth_polling) and self.poller.is_due():
                if self._express is not None:
                    self._express.ride()
                elif (task := self.poller.next()) is not None:
                    if self._crew.is_abandoned:
                        logger.warning("a decision task came when nobody decides any more; it times out")
                        break
                    self._crew.has_decided(task)
        except ServiceFault as fault:
            if self._is_own:
                self._crew.refused(fault)
            else:
                self._crew.broken(fault)
        except BaseException as error:
            logger.exception("%s broke", self.name)
            self._crew.broken(error)
        finally:
            self.has_ended = True
            self._crew.lane_ended()
