"""Clients that know to the last character what must come, and how a stream may end."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp
import anthropic
import httpx2
import openai
import orjson

from codexia.errors import CodexiaError
from codexia.sse import FrameSplitter
from tests.e2e.outcomes import text_of_body
from tests.e2e.streams import DIALECTS, PATHS, body, is_clean_end, is_error_end, paced, text_of

if TYPE_CHECKING:
    from tests.chaos.ledger import Ledger

KEY = "key-of-the-chaos-fleet"
CANARY = "canary-of-a-prompt"
HANG_S = 90.0
"""Longer than a generation that keeps failing is held back, and a request waits in any queue."""

REST_S = 0.4
INTERNAL_ERROR = 500
# The SDKs let errors of their transport pass once a stream has begun.
SDK_ERRORS = (openai.OpenAIError, anthropic.AnthropicError, httpx2.TransportError)


@dataclass
class Seen:
    """What one client saw.

    Attributes:
        cut: whether the backend breaks its answer off.
        ends: terminal events in order, `clean` and `error`; a whole answer is one by itself.
        late: events after the first terminal one.
        broken: how the connection failed, "" if it did not.
    """

    dialect: str
    stream: bool
    expected: str
    cut: bool = False
    status: int = 0
    text: str = ""
    ends: list[str] = field(default_factory=list)
    late: int = 0
    broken: str = ""
    refusal: bytes = b""
    request_id: str = ""

    def problem(self) -> str:
        """Return which invariant this breaks, "" for none."""
        if self.status not in {0, 200}:
            problem = _envelope_problem(self.dialect, self.refusal)
            # Nothing that is done here is an error that nobody expects.
            unexpected = "an internal error" if self.status == INTERNAL_ERROR else ""
            return "" if self.broken else problem or unexpected
        wrong = {
            "content that was not sent": not self.expected.startswith(self.text),
            "two terminal events": len(self.ends) > 1,
            "events after the terminal one": self.late,
            "an end that shows no error and no terminal event": not (self.ends or self.broken),
            "a clean end before that of the content": self.ends == ["clean"]
            and (self.cut or self.text != self.expected),
        }
        return next((name for name, is_so in wrong.items() if is_so), "")

    def outcome(self) -> str:
        """Return what became of it, to count."""
        if self.status not in {0, 200}:
            return f"refused with {self.status}"
        if self.ends:
            return f"ended: {self.ends[0]}"
        return "broken off" if self.status else "not connected"


class Clients:
    """Traffic in all dialects until `over` is set.

    Attributes:
        url: where new requests go.
    """

    def __init__(self, ledger: Ledger, seed: int) -> None:
        self.url = ""
        self.over = asyncio.Event()
        self._ledger = ledger
        self._seed = seed
        self._asked = 0

    async def run(self, streams: int, programs: int) -> None:
        """Keep so many plain clients and SDK programs asking."""
        headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
        timeout = aiohttp.ClientTimeout(total=None)
        async with (
            aiohttp.ClientSession(headers=headers, timeout=timeout) as kept,
            aiohttp.ClientSession(
                headers=headers,
                timeout=timeout,
                connector=aiohttp.TCPConnector(limit=0, force_close=True),
            ) as fresh,
            asyncio.TaskGroup() as group,
        ):
            for number in range(streams):
                chance = random.Random(f"{self._seed} {number}")
                http = kept if number % 3 == 0 else fresh
                group.create_task(self._ask_on(http, chance))
            for number in range(programs):
                chance = random.Random(f"{self._seed} program {number}")
                group.create_task(self._ask_by_sdk_on(chance))

    async def _ask_on(self, http: aiohttp.ClientSession, chance: random.Random) -> None:
        while not self.over.is_set():
            seen, prompt = self._question(chance)
            try:
                async with asyncio.timeout(HANG_S):
                    await _ask(http, self.url, seen, prompt, store=chance.random() < 0.2)
            except TimeoutError:
                self._ledger.violated("a request hung", seen=seen)
            if problem := seen.problem():
                self._ledger.violated(problem, seen=seen)
            way = "streamed" if seen.stream else "whole"
            self._ledger.note(f"{seen.dialect} {way} {seen.outcome()}")
            await self._rest(chance)

    def _question(self, chance: random.Random) -> tuple[Seen, str]:
        dialect, stream = chance.choice(DIALECTS), chance.random() < 0.75
        if chance.random() < 0.1:
            shape, expected = paced(40, 20)
            return Seen(
                dialect, stream, expected, cut=True
            ), f"{CANARY} FAULT[[cut after=20]] {shape}"
        if chance.random() < 0.7:
            shape, expected = paced(
                chance.randint(5, 60), chance.choice((0, 20, 50)), chance.randint(8, 40)
            )
        else:
            expected = self._unique()
            shape = f"SAY[[{expected}]]"
        return Seen(dialect, stream, expected), f"{CANARY} {shape}"

    def _unique(self) -> str:
        self._asked += 1
        return f"answer {self._asked} of {self._seed} " * 5 + "end"

    async def _ask_by_sdk_on(self, chance: random.Random) -> None:
        gpt = openai.AsyncOpenAI(base_url="http://unset/v1", api_key=KEY, timeout=HANG_S)
        claude = anthropic.AsyncAnthropic(base_url="http://unset", api_key=KEY, timeout=HANG_S)
        asks = (_sdk_chat, _sdk_response, _sdk_message)
        async with gpt, claude:
            while not self.over.is_set():
                expected = self._unique()
                ask = chance.choice(asks)
                client = claude if ask is _sdk_message else gpt
                base = self.url if ask is _sdk_message else f"{self.url}/v1"
                try:
                    text = await ask(client.with_options(base_url=base), f"SAY[[{expected}]]")
                except SDK_ERRORS as error:
                    self._ledger.note(f"sdk {type(error).__name__}")
                else:
                    self._ledger.note("sdk answered")
                    if text != expected:
                        self._ledger.violated("content that was not sent", text=text, ask=ask)
                await self._rest(chance)

    async def _rest(self, chance: random.Random) -> None:
        try:
            async with asyncio.timeout(chance.uniform(0, 2 * REST_S)):
                await self.over.wait()
        except TimeoutError:
            return


async def _ask(
    http: aiohttp.ClientSession, url: str, seen: Seen, prompt: str, *, store: bool
) -> None:
    asked = body(seen.dialect, prompt, stream=seen.stream)
    if seen.dialect == "responses":
        asked["store"] = store
    try:
        async with http.post(url + PATHS[seen.dialect], data=orjson.dumps(asked)) as reply:
            seen.status = reply.status
            seen.request_id = reply.headers.get("x-request-id", "")
            if reply.status != 200:
                seen.refusal = await reply.read()
            elif seen.stream:
                await _read_stream(reply, seen)
            else:
                seen.text = text_of_body(seen.dialect, orjson.loads(await reply.read()))
                seen.ends.append("clean")
    except (aiohttp.ClientError, OSError) as error:
        seen.broken = f"{type(error).__name__}: {error}"[:200]
    except (orjson.JSONDecodeError, LookupError, TypeError, CodexiaError) as error:
        seen.text += f"what makes no sense: {error!r}"


async def _read_stream(reply: aiohttp.ClientResponse, seen: Seen) -> None:
    splitter = FrameSplitter()
    async for chunk in reply.content.iter_any():
        for frame in splitter.feed(chunk):
            seen.late += bool(seen.ends)
            seen.text += text_of(seen.dialect, frame)
            if is_clean_end(seen.dialect, frame):
                seen.ends.append("clean")
            if is_error_end(seen.dialect, frame):
                seen.ends.append("error")


def _envelope_problem(dialect: str, refusal: bytes) -> str:
    try:
        told: Any = orjson.loads(refusal)
    except orjson.JSONDecodeError:
        return "a refusal that is not JSON"
    match told:
        case {"type": "error", "error": {"type": str(), "message": str()}} if dialect == "messages":
            return ""
        case {"error": {"type": str(), "message": str()}} if dialect != "messages":
            return ""
        case _:
            return "a refusal in another dialect"


async def _sdk_chat(client: Any, prompt: str) -> str:
    messages = [{"role": "user", "content": prompt}]
    reply = await client.chat.completions.create(model="gpt-5.5", messages=messages)
    return reply.choices[0].message.content


async def _sdk_response(client: Any, prompt: str) -> str:
    reply = await client.responses.create(model="gpt-5.5", input=prompt)
    return reply.output_text


async def _sdk_message(client: Any, prompt: str) -> str:
    messages = [{"role": "user", "content": prompt}]
    async with client.messages.stream(model="gpt-5.5", max_tokens=99, messages=messages) as stream:
        return await stream.get_final_text()
