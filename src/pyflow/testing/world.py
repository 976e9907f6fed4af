"""Where the executions of a test live: a service, and the time of it."""

from collections.abc import Callable
from typing import Any, Final, Protocol

from pyflow.exceptions import PyflowException
from pyflow.local import LocalSWF, Pending, VirtualClock
from pyflow.swf.client import Client

DOMAIN: Final = "flow"

Function = Callable[[Any, Any], Any]


class UnsupportedException(PyflowException):
    """A test asks for something that the service it runs on cannot do. The plugin skips the test."""


class World(Protocol):
    """
    What a flow asks of the service it runs on.

    Attributes:
        client: an SWF client, with boto3's methods.
        domain: a registered domain that is the flow's own.
    """

    client: Client
    domain: str

    def now_ms(self) -> int:
        """Return the service's time, in milliseconds since the epoch."""
        ...

    def pending(self) -> Pending:
        """Tell what waits for workers in the domain, and when time brings something."""
        ...

    def pass_until(self, until_ms: int) -> None:
        """
        Let time pass until then, or for a part of that; what is due meanwhile happens at its time.

        Raises:
            UnsupportedException: time does not skip here, and it would take too long.
        """
        ...

    def run_lambda(self) -> bool:
        """Run the next Lambda function that waits for it; tell whether there was one."""
        ...

    def lambda_function(self, name: str, function: Function) -> None:
        """Let a Python function ``(event, context)`` be a Lambda function."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...


class LocalWorld:
    """
    A local service that keeps nothing, and time that passes only when told to.

    Args:
        thread: let the service have a thread of its own.

    Attributes:
        service, clock: the service, and its time.
    """

    domain = DOMAIN

    def __init__(self, *, thread: bool = True) -> None:
        self.clock = VirtualClock()
        self.service = LocalSWF(clock=self.clock, poll_wait_s=0.0, seed=0, lambda_threads=False, thread=thread)
        self.client = self.service.direct()
        self.client.register_domain(name=DOMAIN, workflowExecutionRetentionPeriodInDays="90")

    def now_ms(self) -> int:
        """Return the service's time."""
        return self.clock.now_ms()

    def pending(self) -> Pending:
        """Tell what waits."""
        return self.service.pending(DOMAIN)

    def pass_until(self, until_ms: int) -> None:
        """Let time pass at once."""
        self.clock.advance(max(0, until_ms - self.clock.now_ms()) / 1000)

    def run_lambda(self) -> bool:
        """Run the next function right here."""
        return self.service.run_lambda()

    def lambda_function(self, name: str, function: Function) -> None:
        """Register a function."""
        self.service.register_lambda(name, function)

    def close(self) -> None:
        """Close the service."""
        self.service.close()
