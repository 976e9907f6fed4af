"""Domains and types: few, read at every start and every scheduled activity, so they stand in memory as well as in the store."""

from dataclasses import dataclass, field
from typing import Any, Final

from pyflow.exceptions import ServiceFault

from . import faults
from .store import Store
from .text import decode, encode

REGISTERED: Final = "REGISTERED"
DEPRECATED: Final = "DEPRECATED"
DOMAINS_MAX: Final = 100
DAY_MS: Final = 86_400_000
TYPES_MAX: Final = 10_000

TypeKey = tuple[str, str, str]
"""Kind (``WorkflowType`` or ``ActivityType``), name, version."""


@dataclass(slots=True)
class Type:
    """A registered type; ``defaults`` holds the members that its registration gave, under the names of the API."""

    kind: str
    name: str
    version: str
    status: str
    description: str | None
    defaults: dict[str, Any]
    created_at: int
    deprecated_at: int | None = None


@dataclass(slots=True)
class Domain:
    """A registered domain, with its types and the runs that are open in it by workflow id."""

    name: str
    status: str
    description: str | None
    retention: str
    tags: dict[str, str | None] = field(default_factory=dict)
    types: dict[TypeKey, Type] = field(default_factory=dict)
    open_runs: dict[str, int] = field(default_factory=dict)

    @property
    def retention_ms(self) -> int:
        """How long closed executions are kept; ``NONE`` is not at all."""
        return 0 if self.retention == "NONE" else int(self.retention) * DAY_MS

    def type_defaults(self, kind: str, name: str, version: str) -> dict[str, Any] | str:
        """Return a type's registered defaults, or ``DOES_NOT_EXIST`` or ``DEPRECATED``."""
        found = self.types.get((kind, name, version))
        if found is None:
            return "DOES_NOT_EXIST"
        return found.defaults if found.status == REGISTERED else DEPRECATED

    def open_executions_left(self) -> int:
        """Return how many more executions may be open."""
        return faults.OPEN_EXECUTIONS_MAX - len(self.open_runs)

    def type(self, kind: str, name: str, version: str) -> Type:
        """
        Return a type.

        Raises:
            ServiceFault: UnknownResourceFault.
        """
        found = self.types.get((kind, name, version))
        if found is None:
            raise faults.unknown_type(kind, name, version)
        return found


class Registry:
    """
    All domains.

    Args:
        store: where they are kept; what it holds is read at once.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._domains: dict[str, Domain] = {}
        for name, status, description, retention, tags in store.domains():
            self._domains[name] = Domain(name, status, description, retention, decode(tags))
        for domain, kind, name, version, status, description, defaults, created_at, deprecated_at in store.types():
            found = Type(kind, name, version, status, description, decode(defaults), created_at, deprecated_at)
            self._domains[domain].types[kind, name, version] = found

    def __len__(self) -> int:
        return len(self._domains)

    def domain(self, name: str) -> Domain:
        """
        Return a domain.

        Raises:
            ServiceFault: UnknownResourceFault.
        """
        found = self._domains.get(name)
        if found is None:
            raise faults.unknown_domain(name)
        return found

    def writable_domain(self, name: str) -> Domain:
        """
        Return a domain in which new things may begin.

        Raises:
            ServiceFault: UnknownResourceFault, DomainDeprecatedFault.
        """
        found = self.domain(name)
        if found.status != REGISTERED:
            raise ServiceFault("DomainDeprecatedFault", name)
        return found

    def find(self, name: str) -> Domain | None:
        """Return a domain, or None."""
        return self._domains.get(name)

    def domains(self) -> list[Domain]:
        """Return all domains by name."""
        return [self._domains[name] for name in sorted(self._domains)]

    def keep_domain(self, domain: Domain) -> None:
        """Add or update a domain."""
        self._domains[domain.name] = domain
        self._store.put_domain(domain.name, domain.status, domain.description, domain.retention, encode(domain.tags))

    def remove_type(self, domain: Domain, found: Type) -> None:
        """Delete a type; what runs keeps what it took from it."""
        del domain.types[found.kind, found.name, found.version]
        self._store.delete_type(domain.name, found.kind, found.name, found.version)

    def keep_type(self, domain: Domain, found: Type) -> None:
        """Add or update a type."""
        domain.types[found.kind, found.name, found.version] = found
        self._store.put_type(
            domain.name,
            found.kind,
            found.name,
            found.version,
            found.status,
            found.description,
            encode(found.defaults),
            found.created_at,
            found.deprecated_at,
        )
