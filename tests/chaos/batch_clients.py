"""Batches in both dialects: each request must have one result in the end, and the right one."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson

from tests.chaos.clients import CANARY, KEY
from tests.e2e.batches import jsonl, messages_request, openai_line
from tests.e2e.outcomes import text_of_body

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.chaos.ledger import Ledger

ITEMS = 40
LARGE_ITEM_CHARS = 20_000
"""Of batches that are checked by a process of its own."""

RETRY_S = 0.5
CREATE_WITHIN_S = 60.0
CALL_TIMEOUT_S = 40.0


@dataclass(frozen=True)
class Wanted:
    """A batch that was created, and the answer that each of its requests must get."""

    batch_id: str
    dialect: str
    answers: dict[str, str]


class BatchClients:
    """Makes batches and looks after them.

    Attributes:
        unfinished: that are to be looked at again.
    """

    def __init__(self, ledger: Ledger, url: Callable[[], str]) -> None:
        self.unfinished: list[Wanted] = []
        self._ledger = ledger
        self._url = url
        self._made = 0

    async def create(self, dialect: str, *, large: bool) -> None:
        """Create one, again until that is confirmed; `large` ones take long to be checked."""
        self._made += 1
        answers = {f"id-{n}": f"batch {self._made} item {n}" for n in range(ITEMS)}
        padding = "x" * (LARGE_ITEM_CHARS if large else 0)
        prompts = {name: f"{CANARY} {padding} SAY[[{text}]]" for name, text in answers.items()}
        deadline = asyncio.get_running_loop().time() + CREATE_WITHIN_S
        while asyncio.get_running_loop().time() < deadline:
            batch_id = await (self._messages if dialect == "messages" else self._openai)(prompts)
            if batch_id:
                self._ledger.note(f"batch {dialect} created")
                self.unfinished.append(Wanted(batch_id, dialect, answers))
                return
            self._ledger.note(f"batch {dialect} not created")
            await asyncio.sleep(RETRY_S)

    async def look(self) -> None:
        """Check those that have ended since the last look."""
        for wanted in list(self.unfinished):
            if wanted.dialect == "messages":
                results = await self._messages_results(wanted)
            else:
                results = await self._openai_results(wanted)
            if results is not None:
                self.unfinished.remove(wanted)
                self._check(wanted, results)

    def _check(self, wanted: Wanted, results: list[tuple[str, str, str]]) -> None:
        often = Counter(custom_id for custom_id, _, _ in results)
        if often != Counter(wanted.answers.keys()):
            lost = sorted(wanted.answers.keys() - often.keys())
            twice = sorted(custom_id for custom_id, times in often.items() if times > 1)
            self._ledger.violated(
                "a batch item lost or twice", wanted=wanted, lost=lost, twice=twice
            )
        for custom_id, outcome, text in results:
            self._ledger.note(f"batch {wanted.dialect} item {outcome}")
            if outcome != "succeeded":
                self._ledger.violated("a batch item without its answer", id=custom_id, why=outcome)
            elif text != wanted.answers.get(custom_id):
                self._ledger.violated(
                    "a batch item with another's answer", id=custom_id, text=text, wanted=wanted
                )
        self._ledger.note(f"batch {wanted.dialect} checked")

    async def _messages(self, prompts: dict[str, str]) -> str:
        requests = [messages_request(name, prompt) for name, prompt in prompts.items()]
        batch = await self._call("POST", "/v1/messages/batches", {"requests": requests})
        return batch["id"] if batch else ""

    async def _openai(self, prompts: dict[str, str]) -> str:
        endpoint = "/v1/chat/completions"
        form = aiohttp.FormData()
        form.add_field("purpose", "batch")
        lines = jsonl([openai_line(name, endpoint, text) for name, text in prompts.items()])
        form.add_field("file", lines, filename="in.jsonl")
        file = await self._call("POST", "/v1/files", form)
        if not file:
            return ""
        batch = await self._call(
            "POST",
            "/v1/batches",
            {"input_file_id": file["id"], "endpoint": endpoint, "completion_window": "24h"},
        )
        return batch["id"] if batch else ""

    async def _messages_results(self, wanted: Wanted) -> list[tuple[str, str, str]] | None:
        path = f"/v1/messages/batches/{wanted.batch_id}"
        batch = await self._call("GET", path)
        if not batch or batch["processing_status"] != "ended":
            return None
        lines = await self._call("GET", f"{path}/results")
        return lines and [
            (
                line["custom_id"],
                line["result"]["type"],
                text_of_body("messages", line["result"].get("message") or {"content": []}),
            )
            for line in lines
        ]

    async def _openai_results(self, wanted: Wanted) -> list[tuple[str, str, str]] | None:
        batch = await self._call("GET", f"/v1/batches/{wanted.batch_id}")
        if not batch or batch["status"] not in {"completed", "failed", "expired", "cancelled"}:
            return None
        found: list[tuple[str, str, str]] = []
        if batch["status"] != "completed":
            self._ledger.note(f"batch openai ended {batch['status']} {batch.get('errors')}"[:200])
        for key, outcome in (("output_file_id", "succeeded"), ("error_file_id", "errored")):
            if not batch[key]:
                continue
            lines = await self._call("GET", f"/v1/files/{batch[key]}/content")
            if lines is None:
                return None
            for line in lines:
                answer = (line["response"] or {}).get("body") if outcome == "succeeded" else None
                text = text_of_body("chat", answer) if answer else ""
                found.append((line["custom_id"], outcome, text))
        return found

    async def _call(self, method: str, path: str, content: Any = None) -> Any:
        """Return what was answered, lines as a list; None where it was no success."""
        as_json = {"json": content} if isinstance(content, dict) else {"data": content}
        try:
            async with (
                asyncio.timeout(CALL_TIMEOUT_S),
                aiohttp.ClientSession(headers={"x-api-key": KEY}) as http,
                http.request(method, self._url() + path, **as_json) as reply,
            ):
                raw = await reply.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            self._ledger.note(f"batch call {type(error).__name__}")
            return None
        if reply.status != 200:
            self._ledger.note(f"batch call {method} refused with {reply.status}")
            return None
        if path.endswith(("/results", "/content")):
            return [orjson.loads(line) for line in raw.splitlines()]
        return orjson.loads(raw)
