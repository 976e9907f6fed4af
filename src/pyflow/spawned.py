"""Functions that run in fibers of their own beside ``run``, and their futures."""

from collections.abc import Callable
from typing import Any, TypeVar

from ._fiber import FiberClosed
from .exceptions import GuardException, WorkflowCanceledException
from .future import Future, Host
from .replay.invocations import Failure
from .replay.tables import State
from .scopes import Scope, ScopeCanceledException
from .strands import Strand

T = TypeVar("T")


class SpawnedFuture(Future[T]):
    """The future of a function that runs in a fiber of the same run; its result is the very object, its error the very error."""

    strand: Strand
    error: BaseException | None = None

    def __init__(self, host: Host, scope: Scope) -> None:
        self._host = host
        self.scope = scope

    @property
    def exception(self) -> BaseException | None:
        """What the function raised; None unless ``failed``."""
        return self.error if self.error is not None else super().exception

    def run(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Call the function and settle with what comes of it: the body of its fiber."""
        try:
            if self.scope.canceled:
                raise ScopeCanceledException(self.scope)  # noqa: TRY301 - it is over before it has begun
            value = function(*args, **kwargs)
        except (KeyboardInterrupt, MemoryError, FiberClosed, GuardException):
            raise
        except WorkflowCanceledException as error:
            self._end(State.CANCELED, Failure("canceled", str(error)))
        except BaseException as error:
            self._end(State.FAILED, Failure(type(error).__name__, str(error)), error=error)
        else:
            self._end(State.SUCCEEDED, value=value)

    def _end(
        self, outcome: State, failure: Failure | None = None, *, value: Any = None, error: BaseException | None = None
    ) -> None:
        if not self.done:
            self._value, self.error = value, error
            self._settle(outcome, None, failure, self._host.now)

    def _who(self) -> str:
        return f"fiber {self.strand.number}"
