"""Tool calls and outputs that lost each other.

The backend refuses a call without an output and an output without a call. Clients send
both: a call that the user interrupted, an output whose call was compacted away.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

OUTPUT_OF: Final = {
    "function_call": "function_call_output",
    "custom_tool_call": "custom_tool_call_output",
    "local_shell_call": "local_shell_call_output",
}
"""Call types whose output the client gives, and the type of that output."""

OUTPUTS: Final = frozenset(OUTPUT_OF.values())
INTERRUPTED: Final = "[interrupted]"


def without_orphans(items: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return input items in which every call has one output, and every output its call.

    A call without an output gets one that says `[interrupted]`. An output that has no call
    before it, or that is the second one, becomes a message of the user.
    """
    items = list(items)
    expected = Counter(_key(item) for item in items if _kind(item) in OUTPUTS)
    open_calls: Counter[tuple[str, str]] = Counter()
    paired: list[dict[str, Any]] = []
    for item in items:
        kind = _kind(item)
        if kind in OUTPUTS:
            key = _key(item)
            expected[key] -= 1
            paired.append(item if open_calls[key] else _as_user_text(item))
            open_calls[key] -= bool(open_calls[key])
            continue
        paired.append(item)
        if kind in OUTPUT_OF:
            output = {"type": OUTPUT_OF[kind], "call_id": item.get("call_id")}
            if expected[_key(output)] > open_calls[_key(output)]:
                open_calls[_key(output)] += 1
            else:
                paired.append({**output, "output": INTERRUPTED})
    return paired


def _kind(item: dict[str, Any]) -> str:
    kind = item.get("type")
    return kind if isinstance(kind, str) else ""


def _key(output: dict[str, Any]) -> tuple[str, str]:
    return _kind(output), str(output.get("call_id"))


def _as_user_text(output: dict[str, Any]) -> dict[str, Any]:
    content = output.get("output")
    if isinstance(content, str):
        content = [{"type": "input_text", "text": f"Tool result: {content}"}]
    return {"type": "message", "role": "user", "content": content or []}
