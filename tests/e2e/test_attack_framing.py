"""Requests whose ends two readers could see at different places, over raw sockets.

Whatever is doubtful has to end the connection, so that nothing that was meant as a body is ever
served as a request. Where HTTP allows to be lenient, what Granian does is pinned here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.raw_http import JSON, QUESTION, ask, chunked, get, post

if TYPE_CHECKING:
    from tests.e2e.processes import Gateway

LENGTH = b"content-length: %d" % len(QUESTION)
CHUNKED = b"transfer-encoding: chunked"

REFUSED = {
    "two lengths": post(LENGTH, b"content-length: 3"),
    "list of lengths": post(LENGTH + b", %d" % len(QUESTION)),
    "negative length": post(b"content-length: -1"),
    "signed length": post(b"content-length: +%d" % len(QUESTION)),
    "hexadecimal length": post(b"content-length: 0x10"),
    "endless length": post(b"content-length: 99999999999999999999999"),
    "chunked twice, then not": post(CHUNKED, b"transfer-encoding: identity", body=chunked()),
    "chunked, then something else": post(CHUNKED + b", identity", body=chunked()),
    "almost chunked": post(b"transfer-encoding: xchunked", body=chunked()),
    "blank before the colon": post(b"transfer-encoding : chunked", body=chunked()),
    "folded header": get(b"/health", b"x-a: b\r\n c"),
    "folded coding": post(b"transfer-encoding:\r\n chunked", body=chunked()),
    "carriage return in a value": get(b"/health", b"x-a: b\rc"),
    "null byte in a value": get(b"/health", b"x-a: b\0c"),
    "chunked in HTTP/1.0": post(CHUNKED, body=chunked()).replace(b"HTTP/1.1", b"HTTP/1.0"),
    "unknown version": get().replace(b"HTTP/1.1", b"HTTP/3.0"),
    "chunk size without a return": post(CHUNKED, body=b"%x\n{}\r\n0\r\n\r\n" % 2),
    "negative chunk": post(CHUNKED, body=b"-1\r\n{}\r\n0\r\n\r\n"),
    "chunk with a prefix": post(CHUNKED, body=b"0x2\r\n{}\r\n0\r\n\r\n"),
    "endless chunk": post(CHUNKED, body=b"ffffffffffffffffff\r\n{}\r\n0\r\n\r\n"),
    "long chunk extension": post(CHUNKED, body=chunked(extension=b";" + b"a" * 100_000)),
    "a hundred headers": get(b"/health", *(b"x-%d: y" % number for number in range(101))),
    "huge header": get(b"/health", b"x: " + b"a" * 1_000_000),
}


@pytest.mark.parametrize("case", REFUSED)
def test_doubtful_framing_is_refused_and_ends_the_connection(gateway: Gateway, case: str):
    reply = ask(gateway.url, REFUSED[case] + get(), quiet_s=5)
    assert reply.statuses in ([400], [431])
    assert reply.closed


def test_what_speaks_no_http_1_is_dropped(gateway: Gateway):
    reply = ask(gateway.url, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + get())
    assert (reply.statuses, reply.closed) == ([], True)


@pytest.mark.parametrize("length", [b"4", b"0", b"400"])
def test_chunks_go_before_a_length_and_end_the_connection(gateway: Gateway, length: bytes):
    """RFC 9112 6.3: whoever forwards or accepts this must close afterwards."""
    reply = ask(
        gateway.url, post(b"content-length: " + length, CHUNKED, body=chunked()) + get(), quiet_s=5
    )
    assert (reply.statuses, reply.closed) == ([200], True)


LENIENT = {
    "bare line ends": get().replace(b"\r\n", b"\n"),
    "the same length twice": post(LENGTH, LENGTH),
    "chunk extension": post(CHUNKED, body=chunked(extension=b";a=b")),
    "trailers": post(CHUNKED, body=chunked()[:-2] + b"host: evil.example\r\n\r\n"),
    "body of a GET": get(b"/health", b"content-length: 5") + b"abcde",
}


@pytest.mark.parametrize("case", LENIENT)
def test_lenient_framing_never_makes_a_second_request(gateway: Gateway, case: str):
    reply = ask(gateway.url, LENIENT[case] + get(b"/nowhere"), answers=2)
    assert reply.statuses == [200, 404]


def test_body_that_nobody_reads_is_no_request(gateway: Gateway):
    smuggled = get(b"/v1/models")
    reply = ask(
        gateway.url,
        b"POST /nowhere HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n" % len(smuggled)
        + smuggled,
    )
    assert reply.statuses == [404]


def test_body_cut_short_is_refused_in_the_envelope(gateway: Gateway):
    reply = ask(gateway.url, post(CHUNKED, body=b"5\r\n{}\r\nnonsense\r\n"))
    assert reply.statuses == [400]
    assert b"the body ended before it was complete" in reply.content


def test_one_header_of_a_kind_decides(gateway: Gateway):
    """Of two content types the first counts: a page of another origin can send neither."""
    body = b"content-type: text/plain\r\n" + JSON + LENGTH
    request = b"POST /v1/responses HTTP/1.1\r\nhost: localhost\r\n%b\r\n\r\n" % body + QUESTION
    assert ask(gateway.url, request).statuses == [415]
