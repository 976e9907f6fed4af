"""Chance as a part: run ids, request ids and the secret that makes tokens unguessable. A seed fixes all of them."""

import base64
import random
import uuid


class Ids:
    """
    The source of everything random.

    Args:
        seed: fixes what is drawn; None draws from the operating system.
    """

    def __init__(self, seed: int | None = None) -> None:
        # Request ids have a stream of their own: how often a client asks must not change the next run's id.
        self._lasting = _source(seed)
        self._passing = _source(seed)

    def run_id(self) -> str:
        """Return a run id in AWS's form: 46 characters of the base64 alphabet, which may hold ``/``, ``+`` and ``=``."""
        return "22" + base64.b64encode(self._lasting.randbytes(32)).decode("ascii")

    def secret(self) -> str:
        """Return 256 bits as hexadecimal text."""
        return self._lasting.randbytes(32).hex()

    def request_id(self) -> str:
        """Return a UUID for one answer's ``x-amzn-RequestId``, or for one invocation of a function."""
        return str(uuid.UUID(bytes=self._passing.randbytes(16), version=4))


def _source(seed: int | None) -> random.Random:
    return random.SystemRandom() if seed is None else random.Random(seed)  # noqa: S311 - a seed asks for it
