"""Pages: how long a list of results is cut, and the tokens that go on with it."""

from collections.abc import Sequence
from typing import Any, Final, TypeVar

from . import faults
from .tokens import Tokens

PAGE_MAX: Final = 1_000
TOKEN_LIFE_MS: Final = 24 * 3600 * 1000

Item = TypeVar("Item")


def page_size(request: dict[str, Any]) -> int:
    """Return how many results a page of this request may hold; 0 and absent are the most there is."""
    return request.get("maximumPageSize") or PAGE_MAX


def seal_page(tokens: Tokens, purpose: str, now: int, *numbers: int) -> str:
    """Return the token of a further page, made now."""
    return tokens.seal(f"page of {purpose}", now, *map(int, numbers))


def unseal_page(tokens: Tokens, token: str, purpose: str, now: int) -> list[int]:
    """
    Return the numbers that a page token holds.

    Raises:
        ServiceFault: ValidationException; it is of another kind of request, of none, or over a day old.
    """
    made_at, *numbers = tokens.unseal(token, f"page of {purpose}")
    if now - made_at > TOKEN_LIFE_MS:
        raise faults.invalid("Specified token has exceeded its maximum lifetime")
    return numbers


def page_of(
    tokens: Tokens, purpose: str, now: int, request: dict[str, Any], results: Sequence[Item]
) -> tuple[Sequence[Item], dict[str, str]]:
    """
    Return one page of results that stand in memory, and ``nextPageToken`` if there are more.

    Raises:
        ServiceFault: ValidationException; the token is not good.
    """
    token = request.get("nextPageToken")
    begin: int = unseal_page(tokens, token, purpose, now)[0] if token else 0
    ordered = results[::-1] if request.get("reverseOrder") else results
    end = begin + page_size(request)
    more = {"nextPageToken": seal_page(tokens, purpose, now, end)} if end < len(ordered) else {}
    return ordered[begin:end], more
