"""Which executions a list or a count is about, and the SQL that finds them."""

from dataclasses import dataclass
from typing import Any, Final

CONDITIONS: Final = {
    "workflow_id": "workflow_id = :workflow_id",
    "type_name": "type_name = :type_name",
    "type_version": "type_version = :type_version",
    "tag": "EXISTS (SELECT 1 FROM json_each(tag_list) WHERE value = :tag)",
    "close_status": "close_status = :close_status",
    "kept_since": "closed_at > :kept_since",
}


@dataclass(frozen=True, slots=True)
class Query:
    """
    A question of visibility. Times are in milliseconds, both ends included; None does not restrict.

    ``by_close`` is whether ``oldest`` and ``latest`` are about the closing, and the order likewise; ``kept_since`` hides what
    was closed then or before.
    """

    domain: str
    open: bool
    by_close: bool
    oldest: int
    latest: int | None
    kept_since: int | None
    workflow_id: str | None
    type_name: str | None
    type_version: str | None
    tag: str | None
    close_status: str | None

    def where(self) -> tuple[str, dict[str, Any]]:
        """Return the condition, made of constant pieces, and the values that it names."""
        values = {name: value for name in CONDITIONS if (value := getattr(self, name)) is not None}
        pieces = ["domain = :domain", "closed_at IS NULL" if self.open else "closed_at IS NOT NULL"]
        pieces.append("closed_at >= :oldest" if self.by_close else "opened_at >= :oldest")
        pieces += [CONDITIONS[name] for name in values]
        values |= {"domain": self.domain, "oldest": self.oldest}
        if self.latest is not None:
            pieces.append("closed_at <= :latest" if self.by_close else "opened_at <= :latest")
            values["latest"] = self.latest
        return " AND ".join(pieces), values

    def page(self, after: list[int] | None, limit: int, *, ascending: bool) -> tuple[str, dict[str, Any]]:
        """Return the rest of the statement that gives one page: the condition, the order, and where the last page ended."""
        condition, values = self.where()
        order = PAGES[self.by_close, ascending]
        if after is not None:
            condition += order[0]
            values |= {"at": after[0], "run": after[1]}
        return condition + order[1], values | {"limit": limit}


PAGES: Final = {
    (False, False): (" AND (opened_at, run) < (:at, :run)", " ORDER BY opened_at DESC, run DESC LIMIT :limit"),
    (False, True): (" AND (opened_at, run) > (:at, :run)", " ORDER BY opened_at, run LIMIT :limit"),
    (True, False): (" AND (closed_at, run) < (:at, :run)", " ORDER BY closed_at DESC, run DESC LIMIT :limit"),
    (True, True): (" AND (closed_at, run) > (:at, :run)", " ORDER BY closed_at, run LIMIT :limit"),
}
