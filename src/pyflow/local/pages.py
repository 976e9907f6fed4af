"""Pages: how long a list of results is cut, and the tokens that go on with it."""

from collections.abc import Sequence
from typing import Any, Final, TypeVar

from .tokens import Tokens

PAGE_MAX: Final = 1_000

Item = TypeVar("Item")


def page_size(request: dict[str, Any]) -> int:
    """Return how many results a page of this request may hold; 0 and absent are the most there is."""
    return request.get("maximumPageSize") or PAGE_MAX


def page_of(
    tokens: Tokens, purpose: str, request: dict[str, Any], results: Sequence[Item]
) -> tuple[Sequence[Item], dict[str, str]]:
    """
    Return one page of results that stand in memory, and ``nextPageToken`` if there are more.

    Raises:
        ServiceFault: ValidationException; the token is of another kind of request, or of none.
    """
    token = request.get("nextPageToken")
    begin: int = tokens.unseal(token, purpose)[0] if token else 0
    ordered = results[::-1] if request.get("reverseOrder") else results
    end = begin + page_size(request)
    more = {"nextPageToken": tokens.seal(purpose, end)} if end < len(ordered) else {}
    return ordered[begin:end], more
