"""
Chance that replays: draws by an algorithm of ours, so that no version of Python can change what a run has drawn (contract 5).

Bits come from SHA-256 over a seed and a counter. What random.Random builds on its own bits is built here again, for the
standard library's ways have changed between versions.

Source: NIST FIPS 180-4 (SHA-256); Knuth, TAOCP 2, 3.4.2 (shuffling); Box and Muller, 1958.
"""

import hashlib
import math
import random
import uuid
from collections.abc import MutableSequence, Sequence
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")


class Chance(random.Random):
    """
    A stream of draws.

    Args:
        origin: the run id that the run's first draws belong to.
        stream: which of that run's streams; each fiber has its own.
    """

    def __init__(self, origin: str, stream: str) -> None:
        self._seed = f"{origin}\n{stream}\n".encode()
        self._drawn = 0
        self._bits = b""
        super().__init__(0)

    def seed(self, *_: Any, **__: Any) -> None:
        """Do nothing: the seed is the run's."""

    def getstate(self) -> NoReturn:
        """Raise: the state is in the history."""
        raise NotImplementedError("the draws of a workflow are replayed from its history; there is no state to save")

    def setstate(self, state: Any) -> NoReturn:
        """Raise: the state is in the history."""
        raise NotImplementedError("the draws of a workflow are replayed from its history; there is no state to restore")

    def randbytes(self, n: int) -> bytes:
        """Return ``n`` bytes."""
        while len(self._bits) < n:
            self._bits += hashlib.sha256(self._seed + self._drawn.to_bytes(8)).digest()
            self._drawn += 1
        drawn, self._bits = self._bits[:n], self._bits[n:]
        return drawn

    def getrandbits(self, k: int) -> int:
        """Return an integer of ``k`` bits."""
        if k < 0:
            raise ValueError("number of bits must be non-negative")
        size = (k + 7) // 8
        return int.from_bytes(self.randbytes(size)) >> (size * 8 - k)

    def random(self) -> float:
        """Return a float from 0 up to, not including, 1, in steps of 2**-53."""
        return self.getrandbits(53) / 9_007_199_254_740_992

    def _below(self, limit: int) -> int:
        """Return an integer from 0 up to, not including, the limit; every one as likely."""
        bits = limit.bit_length()
        while (drawn := self.getrandbits(bits)) >= limit:
            pass
        return drawn

    def randrange(self, start: int, stop: int | None = None, step: int = 1) -> int:
        """Return an element of ``range(start, stop, step)``."""
        chosen = range(start) if stop is None else range(start, stop, step)
        if not chosen:
            raise ValueError(f"empty range for randrange({start}, {stop}, {step})")
        return chosen[self._below(len(chosen))]

    def randint(self, a: int, b: int) -> int:
        """Return an integer from ``a`` to ``b``, both included."""
        return self.randrange(a, b + 1)

    def choice(self, seq: Sequence[T]) -> T:  # type: ignore[override]
        """Return an element of a sequence that is not empty."""
        if not len(seq):
            raise IndexError("cannot choose from an empty sequence")
        return seq[self._below(len(seq))]

    def shuffle(self, x: MutableSequence[Any]) -> None:
        """Put the elements of a list into another order."""
        for last in range(len(x) - 1, 0, -1):
            other = self._below(last + 1)
            x[last], x[other] = x[other], x[last]

    def sample(self, population: Sequence[T], k: int, *, counts: Any = None) -> list[T]:
        """Return ``k`` different elements in the order drawn."""
        pool = list(population)
        if counts is not None:
            pool = [item for item, count in zip(population, counts, strict=True) for _ in range(count)]
        if not 0 <= k <= len(pool):
            raise ValueError("sample larger than population or is negative")
        return [pool.pop(self._below(len(pool))) for _ in range(k)]

    def choices(self, population: Any, weights: Any = None, *, cum_weights: Any = None, k: int = 1) -> list[Any]:
        """Return ``k`` elements, each drawn from all, by weight."""
        if weights is not None:
            cum_weights = [sum(weights[: index + 1]) for index in range(len(population))]
        if cum_weights is None:
            return [population[self._below(len(population))] for _ in range(k)]
        total = cum_weights[-1]
        drawn = []
        for _ in range(k):
            point = self.random() * total
            drawn.append(next(item for item, upto in zip(population, cum_weights, strict=True) if point < upto))
        return drawn

    def uniform(self, a: float, b: float) -> float:
        """Return a float between ``a`` and ``b``."""
        return a + (b - a) * self.random()

    def gauss(self, mu: float = 0.0, sigma: float = 1.0) -> float:
        """Return a normally distributed float."""
        radius = math.sqrt(-2.0 * math.log(1.0 - self.random()))
        return mu + sigma * radius * math.cos(2.0 * math.pi * self.random())

    def normalvariate(self, mu: float = 0.0, sigma: float = 1.0) -> float:
        """Return a normally distributed float."""
        return self.gauss(mu, sigma)

    def expovariate(self, lambd: float = 1.0) -> float:
        """Return an exponentially distributed float."""
        return -math.log(1.0 - self.random()) / lambd

    def uuid4(self) -> uuid.UUID:
        """Return a random UUID."""
        return uuid.UUID(bytes=self.randbytes(16), version=4)
