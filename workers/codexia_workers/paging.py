"""The query of a list: how many, in what order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from codexia.errors import BadRequest

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

DEFAULT_PAGE: Final = 20


def page_limit(query: QueryParams, maximum: int, default: int = DEFAULT_PAGE) -> int:
    """Return how many objects a page may have.

    Raises:
        BadRequest: `limit` makes no sense.
    """
    text = query.get("limit", str(default))
    # Not `int` alone, which takes signs, spaces and any number of digits.
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= maximum):
        raise BadRequest(
            f"limit must be an integer from 1 to {maximum}", code="invalid_value", param="limit"
        )
    return int(text)


def page_order(query: QueryParams) -> str:
    """Return `asc` or `desc`, the newest first unless asked otherwise.

    Raises:
        BadRequest: `order` makes no sense.
    """
    order = query.get("order", "desc")
    if order not in {"asc", "desc"}:
        raise BadRequest("order must be 'asc' or 'desc'", code="invalid_value", param="order")
    return order
