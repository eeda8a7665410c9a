"""Valid bodies, spoilt at random, and how a dialect refuses them."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from codexia.errors import BadRequest
from tests.dialects.transcripts import context

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codexia.dialects.dialect import Dialect

JUNK = st.sampled_from(
    [
        None,
        True,
        False,
        0,
        -1,
        3.5,
        "",
        "x",
        [],
        ["x"],
        [None],
        [[]],
        {},
        {"a": 1},
        [{}],
        [{"type": 7}],
    ]
)


@st.composite
def spoilt(draw: st.DrawFn, body: dict[str, Any]) -> dict[str, Any]:
    """Return `body` with up to three of its values replaced by junk, or taken out."""
    spoilt_body = copy.deepcopy(body)
    for _ in range(draw(st.integers(1, 3))):
        container, key = draw(st.sampled_from(list(_places(spoilt_body))))
        if draw(st.booleans()) and isinstance(container, dict):
            del container[key]
        else:
            container[key] = copy.deepcopy(draw(JUNK))
        if not spoilt_body:
            break
    return spoilt_body


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    entries: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        entries = list(value.items())
    elif isinstance(value, list):
        entries = list(enumerate(value))
    for key, entry in entries:
        yield value, key
        yield from _places(entry)


def refusal(dialect: Dialect, body: dict[str, Any]) -> BadRequest | None:
    """Return the error that a body is refused with, None where it is accepted."""
    try:
        dialect.translate(body, context())
    except BadRequest as error:
        return error
    return None
