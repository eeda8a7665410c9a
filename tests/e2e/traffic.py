"""Traffic that goes on while a gateway is operated on, every answer of it checked."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import aiohttp
import anthropic
import openai

from tests.e2e.outcomes import ASKS, outcome
from tests.e2e.streams import DIALECTS, Received, paced, receive

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

KEY = "key-of-the-fleet"
ANSWER = "still here"


@dataclass
class Traffic:
    """What is sent, and what became of it.

    Attributes:
        url: where new requests go.
        done: by kind, how many requests ended well.
        failures: by kind, how those failed that did not.
    """

    url: str
    done: Counter[str] = field(default_factory=Counter)
    failures: dict[str, Counter[str]] = field(default_factory=dict)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def failed(self, *kinds: str) -> dict[str, Counter[str]]:
        """Return the failures of some kinds."""
        return {kind: found for kind, found in self.failures.items() if kind in kinds}

    def note(self, kind: str, problem: str) -> None:
        """Count the end of one request; "" is a good one."""
        if problem:
            self.failures.setdefault(kind, Counter())[problem[:200]] += 1
        else:
            self.done[kind] += 1

    async def streams(self, count: int, deltas: int, gap_ms: int) -> None:
        """Keep so many streams open, each checked to the last character."""
        headers = {"authorization": f"Bearer {KEY}"}
        prompt, expected = paced(deltas, gap_ms)
        connector = aiohttp.TCPConnector(limit=0, force_close=True)

        async def keep_open(number: int) -> None:
            while not self.over.is_set():
                seen = await receive(http, self.url, DIALECTS[number % len(DIALECTS)], prompt)
                self.note("streams", _problem_of(seen, expected))

        async with (
            aiohttp.ClientSession(connector=connector, headers=headers) as http,
            asyncio.TaskGroup() as group,
        ):
            for number in range(count):
                group.create_task(keep_open(number))

    async def sdks(self, per_s: float) -> None:
        """Ask through the vendors' SDKs, with the retries that they have by default."""
        gpt = openai.AsyncOpenAI(base_url="http://unset/v1", api_key=KEY)
        claude = anthropic.AsyncAnthropic(base_url="http://unset", api_key=KEY)
        messages = [{"role": "user", "content": f"SAY[[{ANSWER}]]"}]

        async def chat() -> str:
            client = gpt.with_options(base_url=f"{self.url}/v1")
            reply = await client.chat.completions.create(model="gpt-5.5", messages=messages)
            return reply.choices[0].message.content

        async def message() -> str:
            client = claude.with_options(base_url=self.url)
            reply = await client.messages.create(model="gpt-5.5", max_tokens=99, messages=messages)
            return reply.content[0].text

        async with gpt, claude:
            await self._steadily("sdks", per_s, (chat, message))

    async def plain(self, per_s: float) -> None:
        """Ask over a new connection each time, without any retry."""
        connector = aiohttp.TCPConnector(limit=0, force_close=True)
        headers = {"authorization": f"Bearer {KEY}"}
        async with aiohttp.ClientSession(connector=connector, headers=headers) as http:

            def asking(number: int) -> Callable[[], Awaitable[str]]:
                async def ask() -> str:
                    found = await outcome(http, self.url, ASKS[number], f"SAY[[{ANSWER}]]")
                    return found.text if found.whole else f"{found.status} {found.error}"

                return ask

            await self._steadily("plain", per_s, tuple(map(asking, range(len(ASKS)))))

    async def hammer(self, connections: int) -> None:
        """Connect, ask for something small and disconnect, as often as the machine gives."""

        async def strike() -> None:
            while not self.over.is_set():
                self.note("hammer", await _health_of(self.url))

        async with asyncio.TaskGroup() as group:
            for _ in range(connections):
                group.create_task(strike())

    async def _steadily(
        self, kind: str, per_s: float, asks: tuple[Callable[[], Awaitable[str]], ...]
    ) -> None:
        async def note(ask: Callable[[], Awaitable[str]]) -> None:
            try:
                text = await ask()
            except (openai.OpenAIError, anthropic.AnthropicError, aiohttp.ClientError) as error:
                cause = error.__cause__ or error.__context__
                self.note(kind, f"{error!r} {cause!r}")
            else:
                self.note(kind, "" if text == ANSWER else text)

        started, sent = time.monotonic(), 0
        async with asyncio.TaskGroup() as group:
            while not self.over.is_set():
                group.create_task(note(asks[sent % len(asks)]))
                sent += 1
                try:
                    async with asyncio.timeout(max(0, started + sent / per_s - time.monotonic())):
                        await self.over.wait()
                except TimeoutError:
                    continue


@asynccontextmanager
async def going_on(
    url: str, *kinds: Callable[[Traffic], Awaitable[None]]
) -> AsyncGenerator[Traffic]:
    """Give traffic that goes on while the context lasts and is complete after it."""
    traffic = Traffic(url)
    async with asyncio.TaskGroup() as group:
        for kind in kinds:
            group.create_task(kind(traffic))
        try:
            yield traffic
        finally:
            traffic.over.set()


def _problem_of(seen: Received, expected: str) -> str:
    if seen.whole and seen.text == expected:
        return ""
    return f"{seen.dialect} {seen.status} {seen.broken} {seen.ends} {len(seen.text)} characters"


async def _health_of(url: str) -> str:
    """Return what was wrong with one request over a connection of its own, "" if nothing was."""
    host, port = url.removeprefix("http://").split(":")
    try:
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            writer.write(
                f"GET /health HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n".encode()
            )
            answer = await reader.read()
        finally:
            writer.close()
    except OSError as error:
        return type(error).__name__
    return "" if answer.startswith(b"HTTP/1.1 200") else f"{len(answer)} bytes"
