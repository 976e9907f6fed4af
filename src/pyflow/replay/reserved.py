"""The ids that are the engine's own: authors' may not begin so, and most match nothing that code asks for (contract 3)."""

from typing import Final

RESERVED: Final = "pyflow."
MORE: Final = "pyflow.more."
PARK: Final = "pyflow.park."
RETRY: Final = "pyflow.retry."
PATCH: Final = "pyflow.patch."
MATCHED: Final = (RETRY, PATCH)
"""What code asks for, by way of the engine, and what is matched as any other."""
