"""Input items as `GET /v1/responses/{id}/input_items` lists them.

Clients leave out what the listing must have: an id and a status for every item, and members
of content parts that have a default. https://platform.openai.com/docs/api-reference/responses/input-items
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from codexia.codex.payload import children_at, text_at
from codexia.dialects.responses_input import ID_PREFIXES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codexia.codex.payload import Json

PART_DEFAULTS: Final[dict[str, Json]] = {
    "input_image": {"detail": "auto"},
    "output_text": {"annotations": []},
}


def listed_items(items: Sequence[Json], response_id: str) -> list[Json]:
    """Return the items, each with all that a listing has; the same ids at every call.

    Args:
        items: what a response was the answer to, as the backend got it.
        response_id: of that response; ids of items that have none are made from it.
    """
    suffix = response_id.removeprefix("resp_")
    return [_listed(item, f"{suffix}_{number}") for number, item in enumerate(items)]


def _listed(item: Json, unique: str) -> Json:
    kind = item["type"]
    identity = f"{ID_PREFIXES.get(kind, 'item_')}{unique}"
    listed = {"id": identity, "status": "completed", **item}
    for name in ("content", "output"):
        if isinstance(item.get(name), list):
            listed[name] = [
                {**PART_DEFAULTS.get(text_at(part, "type"), {}), **part}
                for part in children_at(item, name)
            ]
    return listed
