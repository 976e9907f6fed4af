"""Chance as a part: run ids, request ids and the secret that makes tokens unguessable. A seed fixes all of them."""

import base64
import os
import random
import uuid


class Ids:
    """
    The source of everything random.

    Args:
        seed: fixes what is drawn; None draws from the operating system.
        runs: how many run ids were drawn before, in processes that ended: none of them is drawn again.
    """

    def __init__(self, seed: int | None = None, runs: int = 0) -> None:
        # Streams of their own: how often a client asks must not change the next run's id, nor may a run's id be the secret.
        self._seed = seed
        self._runs = Entropy() if seed is None else _source(seed, f"runs after {runs}")
        self._secrets = _source(seed, "secrets")
        self._requests = _source(seed, "requests")

    def start_over(self) -> None:
        """Draw the same run ids and request ids again, if a seed fixes them: none of those drawn before is known any more."""
        if self._seed is not None:
            self._runs = _source(self._seed, "runs after 0")
        self._requests = _source(self._seed, "requests")

    def run_id(self) -> str:
        """Return a run id in AWS's form: 46 characters of the base64 alphabet, which may hold ``/``, ``+`` and ``=``."""
        return "22" + base64.b64encode(self._runs.randbytes(32)).decode("ascii")

    def secret(self) -> str:
        """Return 256 bits as hexadecimal text."""
        return self._secrets.randbytes(32).hex()

    def request_id(self) -> str:
        """Return a UUID for one answer's ``x-amzn-RequestId``, or for one invocation of a function."""
        return str(uuid.UUID(bytes=self._requests.randbytes(16), version=4))


class Entropy:
    """
    The operating system's random bytes, fetched for many draws at once: to fetch them lets other threads in.

    One thread's at a time.
    """

    def __init__(self) -> None:
        self._bytes = b""
        self._at = 0

    def randbytes(self, count: int) -> bytes:
        """Return bytes that were never returned before."""
        drawn = self._bytes[self._at : self._at + count]
        if len(drawn) < count:
            self._bytes, self._at = os.urandom(4_096), 0
            return self.randbytes(count)
        self._at += count
        return drawn


def _source(seed: int | None, purpose: str) -> random.Random:
    return random.SystemRandom() if seed is None else random.Random(f"{purpose} of {seed}")  # noqa: S311 - a seed asks for it
