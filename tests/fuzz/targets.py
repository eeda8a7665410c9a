"""What is fuzzed: functions from bytes to nothing, which fail by an exception that they do not expect.

The documented errors of a parser are caught here; every other one, a broken invariant and a hang
are findings. `SEEDS` has valid inputs to begin from.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from pydantic import BaseModel, ValidationError

from codexia import control
from codexia.config import parse_config, resolve
from codexia.dialects.chat import CHAT
from codexia.dialects.images_request import read_images_request
from codexia.dialects.messages import MESSAGES
from codexia.dialects.responses import RESPONSES
from codexia.errors import CodexiaError, ConfigError
from codexia.oauth.credentials import parse_credentials
from codexia.oauth.redirect import code_of_redirect
from codexia.sse import FrameSplitter
from codexia_supervisor.batches.spans import NotJson, Walk
from codexia_workers.body import decode_json
from tests.dialects.transcripts import TRANSCRIPTS, context, play
from tests.e2e.malformations import BODIES

if TYPE_CHECKING:
    from collections.abc import Callable

    from codexia.dialects.dialect import Dialect

NOWHERE = Path("config.json")
REPLIES: dict[str, tuple[Dialect[Any], dict[str, Any]]] = {
    "chat": (CHAT, {**BODIES["chat"], "stream_options": {"include_usage": True}, "stop": ["a"]}),
    "responses": (RESPONSES, BODIES["responses"]),
    "messages": (MESSAGES, {**BODIES["messages"], "stop_sequences": ["a"]}),
}
MESSAGES_OF_CONTROL = tuple(
    each
    for each in vars(control).values()
    if isinstance(each, type)
    and issubclass(each, BaseModel)
    and each.__module__ == control.__name__
)


def pieces(data: bytes) -> list[bytes]:
    """Return the bytes in chunks that depend on nothing else."""
    cuts, start, chunks = random.Random(len(data)), 0, []
    while start < len(data):
        end = start + cuts.choice((1, 2, 3, 50, 1000, 60_000))
        chunks.append(data[start:end])
        start = end
    return chunks


def sse(data: bytes) -> None:
    """However a stream is cut, the same frames come out."""
    splitter = FrameSplitter()
    cut = [frame for piece in pieces(data) for frame in splitter.feed(piece)]
    assert cut == FrameSplitter().feed(data)
    for frame in cut:
        try:
            frame.json()
        except CodexiaError:
            continue


def translator(name: str) -> Callable[[bytes], None]:
    dialect, body = REPLIES[name]

    def run(data: bytes) -> None:
        """Whatever the backend sends, the events end once, and make an answer if they can."""
        translation = dialect.translate(body, context())
        events = play(translation.reply, pieces(data))
        assert dialect.encode(events)
        try:
            for event in events:
                translation.collector.add(event)
            if translation.reply.ended:
                translation.collector.result()
        except CodexiaError:
            return  # a whole answer may be refused that has begun as a stream

    return run


def request(name: str) -> Callable[[bytes], None]:
    dialect, _ = REPLIES[name]

    def run(data: bytes) -> None:
        """What is taken can be sent to the backend."""
        try:
            asked = dialect.translate(decode_json(data), context()).request
        except CodexiaError:
            return
        assert asked is None or orjson.dumps(asked.body)

    return run


def images(data: bytes) -> None:
    try:
        read_images_request(decode_json(data), context().models)
    except CodexiaError:
        return


def redirect(data: bytes) -> None:
    try:
        assert code_of_redirect(data.decode("utf-8", "surrogateescape"), "state")
    except CodexiaError:
        return


def config(data: bytes) -> None:
    """What is loaded can be loaded again from what it was."""
    try:
        file = parse_config(data, NOWHERE)
        resolved = resolve({}, {}, file, NOWHERE)
    except ConfigError:
        return
    assert resolve({}, {}, file, NOWHERE).settings == resolved.settings


def login(data: bytes) -> None:
    try:
        parse_credentials(data)
    except CodexiaError:
        return


def control_message(data: bytes) -> None:
    for kind in MESSAGES_OF_CONTROL:
        try:
            message = kind.model_validate_json(data)
        except ValidationError:
            continue
        text = message.model_dump_json()
        if b"e999" not in data:  # JSON has no infinity, and what we send has none
            assert kind.model_validate_json(text).model_dump_json() == text


def spans(data: bytes) -> None:
    """What is JSON is taken, and its members are where they are said to be."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        value = None
    try:
        found, lists = _walked(data)
    except NotJson:
        assert not isinstance(value, dict)
        return
    if isinstance(value, dict):
        assert {key: orjson.loads(each) for key, each in found.items()} == value
        decoded = {key: [orjson.loads(each) for each in values] for key, values in lists.items()}
        assert decoded == {key: each for key, each in value.items() if isinstance(each, list)}


def _walked(data: bytes) -> tuple[dict[str, bytes], dict[str, list[bytes]]]:
    """Return the members of an object, and the elements of those that are lists, as they stand."""
    walk, found = Walk(data), dict[str, bytes]()
    for key in walk.members():
        found[key] = data[slice(*walk.value())]
    walk.end()
    walk, lists = Walk(data), dict[str, list[bytes]]()
    for key in walk.members():
        lists.pop(key, None)
        if walk.next_byte == ord("["):
            lists[key] = [data[slice(*walk.value())] for _ in walk.elements()]
    return found, lists


TARGETS: dict[str, Callable[[bytes], None]] = {
    "sse": sse,
    **{f"translator-{name}": translator(name) for name in REPLIES},
    **{f"request-{name}": request(name) for name in REPLIES},
    "request-images": images,
    "redirect": redirect,
    "config": config,
    "login": login,
    "control": control_message,
    "spans": spans,
}

STREAMS = [each for each in TRANSCRIPTS.values() if len(each) < 20_000]
_CONTROL = [
    control.RefreshRequest(rejected_revision=1).model_dump_json().encode(),
    control.TokenCountRequest(texts=("a", "b"), tools=()).model_dump_json().encode(),
    (
        b'{"revision":1,"keys":[{"name":"a","sha256":"00"}],"upstream":{"base_url":"http://x","originator":'
        b'"o","user_agent":"u","client_version":"1"},"models":{"ids":["m"],"fallback":"m","aliases":{}},'
        b'"bind_host":"h","bind_port":1,"upstream_idle_timeout_s":1,"ping_interval_s":1,"log_level":"info"}'
    ),
]
_CONFIG = (
    b'{"bind_host":"127.0.0.1","bind_port":1,"workers":2,"api_key":"secret","api_keys":[{"name":"a",'
    b'"key":"secret"}],"model_aliases":{"a":"b"},"models":["m"],"allowed_origins":["https://x/"],'
    b'"upstream_base_url":"https://x","log_level":"info","ping_interval_s":1.5}'
)
SEEDS: dict[str, list[bytes]] = {
    "sse": STREAMS,
    **{f"translator-{name}": STREAMS for name in REPLIES},
    **{f"request-{name}": [orjson.dumps(body)] for name, (_, body) in REPLIES.items()},
    "request-images": [orjson.dumps(BODIES["images"])],
    "redirect": [
        b"http://localhost:1455/auth/callback?code=ac_1&state=state&scope=openid",
        b"code=ac_1",
        b"ac_1#state",
        b"http://localhost:1455/auth/callback?error=access_denied&error_description=no&state=state",
    ],
    "config": [_CONFIG],
    "login": [b'{"access_token":"e30.e30.x","refresh_token":"r","expires_at":1,"account_id":"a"}'],
    "control": _CONTROL,
    "spans": [
        b'{"requests": [{"custom_id":"a","params":{"t":"\\"]","n":[1,-2.5e3,null]}}], "b": {}}'
    ],
}
