"""What makes two replies different, and what does not."""

from __future__ import annotations

import pytest

from codexia.recordings.comparison import Told, first_difference
from codexia.recordings.recording import Reply

FIRST, SECOND = "req_" + "a" * 24, "req_" + "b" * 24


def reply(body: str, status: int = 200, end: str = "ended", request_id: str = FIRST) -> Told:
    return Told(Reply(status=status, body=body, end=end), request_id)  # pyright: ignore[reportArgumentType]


def event(text: str) -> str:
    return f'data: {{"type": "delta", "text": "{text}"}}\n\n'


@pytest.mark.parametrize(
    ("was", "now"),
    [
        (f'{{"id": "msg_{"a" * 24}_0"}}', f'{{"id": "msg_{"b" * 24}_0"}}'),
        ('{"created": 1795394688}', '{"created": 1795399999}'),
        (event("a") + "event: ping\ndata: {}\n\n" + event("b"), event("a") + event("b")),
        (event("a") + ": ping\n\n" + event("b"), event("a") + event("b")),
    ],
    ids=["id", "time", "ping", "comment"],
)
def test_what_every_exchange_has_anew_is_no_difference(was: str, now: str):
    told = reply(now, request_id=SECOND)
    assert first_difference(reply(was), told, shapes_only=False) is None


@pytest.mark.parametrize(
    ("was", "now", "where"),
    [
        (reply("{}"), reply("{}", 500), "status"),
        (reply('{"a": 1}'), reply('{"a": 2}'), "body"),
        (reply(event("a") + event("b")), reply(event("a") + event("c")), "event 2"),
        (reply(event("a") + event("b")), reply(event("a")), "event 2"),
        (reply(event("a")), reply(event("a") + event("b")), "event 2"),
    ],
    ids=["status", "body", "event", "missing event", "further event"],
)
def test_first_difference_is_told(was: Told, now: Told, where: str):
    difference = first_difference(was, now, shapes_only=False)
    assert difference is not None
    assert difference.where == where


def test_what_came_after_the_client_left_does_not_count():
    was = reply(event("a"), end="left")
    assert first_difference(was, reply(event("a") + event("b")), shapes_only=False) is None


def test_of_shapes_texts_do_not_count_but_names_and_types_do():
    was = reply('{"text": "xxx", "input": {"xxxx": "x"}}')
    same = reply('{"text": "abcd", "input": {"path": "/"}}')
    other = reply('{"text": 1, "input": {}}')
    assert first_difference(was, same, shapes_only=True) is None
    assert first_difference(was, other, shapes_only=True) is not None
