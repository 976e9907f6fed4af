"""``self.swf.map``: a function called for many items, several at a time, and when that is over."""

from collections.abc import Callable, Iterable, Sized
from typing import Any, TypedDict

from .exceptions import InvocationFailedException
from .future import Future, wait_for
from .runtime import Runtime


class MapOptions(TypedDict, total=False):
    """The options of ``map``, as type checkers need them."""

    limit: int | None
    enough: int | None
    tolerate: int | None


class Tally:
    """
    How the calls of a map have ended so far, and whether that is the end.

    Args:
        enough: so many successes end it well; None: it goes on until all are done.
        tolerate: so many may fail; None: none, or with ``enough`` any number.

    Attributes:
        results: by the index of the item.
        failed: how many calls have failed.

    Raises:
        ValueError: one of them is too small.
    """

    def __init__(self, enough: int | None, tolerate: int | None) -> None:
        if (enough is not None and enough < 1) or (tolerate is not None and tolerate < 0):
            raise ValueError(f"enough is at least 1 and tolerate at least 0; enough={enough}, tolerate={tolerate}")
        self.results: dict[int, Any] = {}
        self.failed = 0
        self._enough = enough
        self._tolerate = tolerate
        self._last: BaseException | None = None

    def count(self, index: int, future: Future[Any]) -> None:
        """Count a call that is done; raises what it raised if none may fail."""
        if future.succeeded or (self._enough is None and self._tolerate is None):
            self.results[index] = future.result()
        else:
            self.failed += 1
            self._last = future.exception

    def is_over(self, total: int | None) -> bool:
        """
        Tell whether nothing that is to come can change the outcome.

        Args:
            total: how many calls there will have been; None: nobody knows yet.
        """
        if self._enough is not None and len(self.results) >= self._enough:
            return True
        too_many = self._tolerate is not None and self.failed > self._tolerate
        too_few = self._enough is not None and total is not None and total - self.failed < self._enough
        return too_many or too_few

    def outcome(self) -> list[Any]:
        """Return the results in the order of their items, or raise that there are too few."""
        count = f"{len(self.results)} calls succeeded and {self.failed} failed"
        if self._enough is not None and len(self.results) < self._enough:
            raise InvocationFailedException(
                "TooFewSucceeded", f"{count}; {self._enough} were asked for"
            ) from self._last
        if self._enough is None and self._tolerate is not None and self.failed > self._tolerate:
            raise InvocationFailedException(
                "TooManyFailed", f"{count}; {self._tolerate} were tolerated"
            ) from self._last
        return [self.results[index] for index in sorted(self.results)]


def map_over(
    run: Runtime, function: Callable[[Any], Any], items: Iterable[Any], limit: int | None, tally: Tally
) -> list[Any]:
    """Call a function for each item, at most ``limit`` at once, each in a fiber; cancel what is not needed any more."""
    waiting = enumerate(items)
    running: dict[Future[Any], int] = {}
    total = len(items) if isinstance(items, Sized) else None
    begun, all_begun = 0, False
    try:
        while not all_begun or running:
            for index, item in waiting:
                running[run.spawn(_settled_call, (function, item), {})] = index
                begun += 1
                if limit is not None and len(running) >= limit:
                    break
            else:
                all_begun, total = True, begun
            for future in wait_for(run, list(running), all_of_them=False) or []:
                tally.count(running.pop(future), future)
            if tally.is_over(total):
                break
    finally:
        for future in running:
            future._cancel_now()  # noqa: SLF001 - what a map began is its own to cancel
    return tally.outcome()


def _settled_call(function: Callable[[Any], Any], item: Any) -> Any:
    result = function(item)
    return result.result() if isinstance(result, Future) else result
