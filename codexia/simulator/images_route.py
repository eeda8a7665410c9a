"""`POST /backend-api/codex/images/*`: images without a model in between.

A prompt can ask for trouble, of this endpoint alone, with `IMAGES[[made=1 fault=500]]`:

| word | what happens |
|---|---|
| `made=1` | no more images than that, whatever `n` says |
| `fault=500` | that HTTP fault of `faults`; also `404` and `405`, as if there were no endpoint |
| `wait_ms=500` | the answer comes so much later |
"""

from __future__ import annotations

import asyncio
import re
import time
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web

from codexia.simulator.directives import pairs
from codexia.simulator.fault_answers import http_answer
from codexia.simulator.faults import BadFault, HttpFault, parse_fault
from codexia.simulator.findings import Finding, HttpAnswer, detail_answer, error_answer, refused
from codexia.simulator.gate import BadEncoding, Gate, decoded_body, encoding_finding, rendered
from codexia.simulator.items import IMAGE_FORM, IMAGE_TOKENS, PNG_BASE64, new_id
from codexia.simulator.shapes import JsonObject, as_object

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codexia.simulator.stats import Stats

IMAGE_FIELDS = {"background", "images", "model", "n", "prompt", "quality", "size"}
MOST_IMAGES = 10
NO_ENDPOINT = {"404": "Not Found", "405": "Method Not Allowed"}

_DIRECTIVE = re.compile(r"\bIMAGES\[\[(.*?)\]\]")


class ImagesRoute:
    """The endpoints that make and edit images."""

    def __init__(self, gate: Gate, stats: Stats) -> None:
        self._gate = gate
        self._stats = stats

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        base = "/backend-api/codex/images"
        return [web.post(f"{base}/{name}", self.handle) for name in ("generations", "edits")]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer generated images: a pixel each."""
        try:
            body = as_object(orjson.loads(await decoded_body(request)))
        except BadEncoding as error:
            refusal = self._gate.refusal([encoding_finding(error)])
            return refusal or web.Response(status=400)
        except orjson.JSONDecodeError:
            body = None
        findings = [*self._gate.login_findings(request), *_findings(body, request.path)]
        refusal = self._gate.refusal(findings)
        if refusal is not None or body is None:
            return refusal or web.Response(status=400)
        wish = _wish(body["prompt"])
        await self._work(int(wish.get("wait_ms", 0)) / 1000)
        if "fault" in wish:
            return rendered(_fault_answer(wish["fault"]))
        made = min(body.get("n", 1), int(wish.get("made", MOST_IMAGES)))
        return web.Response(body=orjson.dumps(_images(body, made)), content_type="application/json")

    async def _work(self, for_s: float) -> None:
        self._stats.opened()
        try:
            await asyncio.sleep(for_s)
        except asyncio.CancelledError:
            self._stats.disconnects += 1
            raise
        finally:
            self._stats.open_streams -= 1


def _wish(prompt: str) -> dict[str, str]:
    found = _DIRECTIVE.search(prompt)
    return pairs(found[1]) if found else {}


def _fault_answer(kind: str) -> HttpAnswer:
    if kind in NO_ENDPOINT:
        return detail_answer(NO_ENDPOINT[kind], int(kind))
    fault = parse_fault(kind)
    if not isinstance(fault, HttpFault):
        raise BadFault(f"{kind} is no HTTP fault")
    return http_answer(fault, time.time())


def _findings(body: JsonObject | None, path: str) -> Iterator[Finding]:
    if body is None:
        yield refused("body", "Request body must be a JSON object")
        return
    for name in body:
        if name not in IMAGE_FIELDS:
            yield refused("unsupported_parameter", f"Unsupported parameter: {name}")
    needed = ["prompt", "model", *(["images"] if path.endswith("edits") else [])]
    for name in needed:
        if not body.get(name):
            message = f"Missing required parameter: '{name}'."
            code = "missing_required_parameter"
            yield Finding("image", message, error_answer(message, param=name, code=code))
    number = body.get("n", 1)
    if not isinstance(number, int) or not 1 <= number <= MOST_IMAGES:
        message = f"Invalid 'n': expected an integer from 1 to {MOST_IMAGES}."
        answer = error_answer(message, param="n", code="invalid_value")
        yield Finding("image", message, answer, is_violation=False)


def _images(body: dict[str, Any], number: int) -> dict[str, Any]:
    prompt_tokens = max(1, len(body["prompt"]) // 4)
    made = number * IMAGE_TOKENS
    asked = {name: body[name] for name in IMAGE_FORM if body.get(name, "auto") != "auto"}
    return {
        "created": int(time.time()),
        **IMAGE_FORM,
        **asked,
        "data": [{"b64_json": PNG_BASE64, "generation_id": new_id("ig")} for _ in range(number)],
        "usage": {
            "input_tokens": prompt_tokens,
            "input_tokens_details": {"image_tokens": 0, "text_tokens": prompt_tokens},
            "output_tokens": made,
            "output_tokens_details": {"image_tokens": made, "text_tokens": 0},
            "total_tokens": prompt_tokens + made,
        },
    }
