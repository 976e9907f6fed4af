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
        self._random: random.Random = random.SystemRandom() if seed is None else random.Random(seed)

    def run_id(self) -> str:
        """Return a run id in AWS's form: 46 characters of the base64 alphabet, which may hold ``/``, ``+`` and ``=``."""
        return "22" + base64.b64encode(self._random.randbytes(32)).decode("ascii")

    def secret(self) -> str:
        """Return 256 bits as hexadecimal text."""
        return self._random.randbytes(32).hex()

    def request_id(self) -> str:
        """Return a UUID for one answer's ``x-amzn-RequestId``."""
        return str(uuid.UUID(bytes=self._random.randbytes(16), version=4))
