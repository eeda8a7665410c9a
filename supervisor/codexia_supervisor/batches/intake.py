"""A process by itself that checks the content of a batch and finds its items.

`python -m codexia_supervisor.batches.intake messages|openai FILE [ENDPOINT]` writes to its standard
output a line `[custom_id, start, length]` for each item, and at last one
`{"items": n, "model": ..., "problems": [...]}`; the items count only if there are no problems,
the model is there if all name the same. The content may be a single line of 256 MB: it is never in
memory as a whole, and the supervisor, whose loop all workers wait for, does none of this.
"""

from __future__ import annotations

import math
import mmap
import os
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from codexia_supervisor.batches.spans import NotJson, Walk

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from typing import BinaryIO

    from codexia_supervisor.batches.spans import Span

    Write = Callable[[str, int, int], None]

NICENESS: Final = 19
CHECK_BYTES_PER_S: Final = 16 * 1024 * 1024
"""What a process works off: live requests wait for the cores that it and the database take. Even
with the lowest priority it is in their way when it works without a rest."""

PACE_STEP_S: Final = 0.002

MAX_REQUESTS: Final = 100_000
MAX_LINES: Final = 50_000
MAX_ITEM_BYTES: Final = 64 * 1024 * 1024
"""What a live request may have too."""

MAX_PROBLEMS: Final = 50
MAX_CUSTOM_ID_CHARS: Final = 512
CUSTOM_ID: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")

Problem = dict[str, Any]


class Found(NamedTuple):
    """An item: what it is called, where its request is, and which model that asks for."""

    custom_id: str
    start: int
    length: int
    model: str


class Refused(Exception):
    """The content or an item of it is wrong; `problem` are the fields of a `LineProblem`."""

    def __init__(
        self, code: str, message: str, param: str | None = None, line: int | None = None
    ) -> None:
        super().__init__(message)
        self.problem = {"line": line, "code": code, "message": message, "param": param}


def main() -> None:
    """Check the file that the arguments name."""
    os.nice(NICENESS)
    dialect, name, *rest = sys.argv[1:]
    output = sys.stdout.buffer
    try:
        endpoint = rest[0] if rest else ""
        verdict = check(dialect, Path(name), endpoint, output, CHECK_BYTES_PER_S)
        output.write(orjson.dumps(verdict) + b"\n")
        output.flush()
    except BrokenPipeError:
        os._exit(1)  # nobody wants to know any more


def check(
    dialect: str,
    path: Path,
    endpoint: str,
    output: BinaryIO,
    bytes_per_s: float = math.inf,
) -> dict[str, Any]:
    """Write a line for each item, no faster than the content is to be read; return the last line."""
    began = time.monotonic()

    def write(custom_id: str, start: int, length: int) -> None:
        output.write(orjson.dumps((custom_id, start, length)) + b"\n")
        ahead_s = start / bytes_per_s - (time.monotonic() - began)
        if ahead_s > PACE_STEP_S:
            time.sleep(ahead_s)

    if not path.stat().st_size:
        return _verdict([Refused("empty_file", "the content is empty").problem])
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if dialect == "messages":
            return _check_requests(content, write)
        return _check_lines(content, endpoint, write)


def _verdict(
    problems: list[Problem], items: int = 0, models: Collection[str] = ()
) -> dict[str, Any]:
    model = next(iter(models)) or None if len(models) == 1 else None
    return {"items": items, "model": model, "problems": problems}


def _check_requests(content: mmap.mmap, write: Write) -> dict[str, Any]:
    """Check `{"requests": [{"custom_id": ..., "params": {...}}, ...]}`; the first fault ends it."""
    seen: set[str] = set()
    models: set[str] = set()
    try:
        for item in _requests_in(content, seen):
            seen.add(item.custom_id)
            models.add(item.model)
            write(item.custom_id, item.start, item.length)
    except Refused as refused:
        return _verdict([refused.problem])
    except NotJson as error:
        refused = Refused("invalid_json", f"the body is not valid JSON: {error}")
        return _verdict([refused.problem])
    if not seen:
        refused = Refused("empty", "requests: a batch needs at least one request", "requests")
        return _verdict([refused.problem])
    return _verdict([], len(seen), models)


def _requests_in(content: mmap.mmap, seen: Collection[str]) -> Iterator[Found]:
    walk = Walk(content)
    found = False
    for key in walk.members():
        if key != "requests":
            _decoded(content, walk.value(), key)
            continue
        if found:
            raise Refused("invalid_request", "requests: is there twice", "requests")
        if walk.next_byte != ord("["):
            raise Refused("invalid_type", "requests: must be a list", "requests")
        found = True
        for number in walk.elements():
            yield _request(content, walk, number, seen)
    walk.end()
    if not found:
        raise Refused("missing", "requests: field required", "requests")


def _request(content: mmap.mmap, walk: Walk, number: int, seen: Collection[str]) -> Found:
    """Return an item of Anthropic, whose request are its `params`."""
    if number == MAX_REQUESTS:
        many = f"requests: a batch has at most {MAX_REQUESTS} requests"
        raise Refused("request_too_large", many, "requests")
    place = f"requests.{number}"
    fields = _fields(walk, place)
    if "custom_id" not in fields:
        raise Refused("missing", f"{place}.custom_id: field required")
    custom_id = _decoded(content, fields["custom_id"], f"{place}.custom_id")
    if not isinstance(custom_id, str) or not CUSTOM_ID.fullmatch(custom_id):
        raise Refused(
            "invalid_custom_id",
            f"{place}.custom_id: must be 1 to 64 characters of a-z, A-Z, 0-9, _ and -",
        )
    if custom_id in seen:
        twice = f"{place}.custom_id: {custom_id!r} is there twice; each must be unique"
        raise Refused("duplicate_custom_id", twice)
    if "params" not in fields:
        raise Refused("missing", f"{place}.params: field required")
    params = _decoded(content, fields["params"], f"{place}.params")
    if not isinstance(params, dict):
        raise Refused("invalid_type", f"{place}.params: must be an object")
    if params.get("stream") is True:  # pyright: ignore[reportUnknownMemberType]
        raise Refused(
            "invalid_stream", f"{place}.params.stream: streaming is not possible in a batch"
        )
    return _found(custom_id, fields["params"], params)  # pyright: ignore[reportUnknownArgumentType]


def _check_lines(content: mmap.mmap, endpoint: str, write: Write) -> dict[str, Any]:
    """Check an input file of OpenAI's Batch API, all lines of it."""
    seen: dict[str, int] = {}
    models: set[str] = set()
    problems: list[Problem] = []
    for line, span in _lines(content):
        try:
            if span[1] - span[0] > MAX_ITEM_BYTES:
                raise _too_large("the line")
            item = _line(content[slice(*span)], span[0], endpoint, seen)
            seen[item.custom_id] = line
            models.add(item.model)
            write(item.custom_id, item.start, item.length)
        except Refused as refused:
            problems.append({**refused.problem, "line": line})
        except NotJson as error:
            wrong = Refused("invalid_json_line", f"the line is not valid JSON: {error}")
            problems.append({**wrong.problem, "line": line})
        if len(problems) == MAX_PROBLEMS or len(seen) > MAX_LINES:
            break
    if len(seen) > MAX_LINES:
        many = Refused("too_many_requests", f"a batch has at most {MAX_LINES} requests")
        problems.append(many.problem)
    if not seen and not problems:
        problems.append(Refused("empty_file", "the input file has no requests").problem)
    return _verdict(problems, len(seen), models)


def _lines(content: mmap.mmap) -> Iterator[tuple[int, Span]]:
    """Yield the lines that are not blank, by number from 1."""
    start, line, size = 0, 0, len(content)
    while start < size:
        line += 1
        end = content.find(b"\n", start)
        end = size if end < 0 else end
        if end - start > MAX_ITEM_BYTES or content[start:end].strip():
            yield line, (start, end)
        start = end + 1


def _line(content: bytes, start: int, endpoint: str, seen: Mapping[str, int]) -> Found:
    """Return an item of OpenAI, whose request is its `body`, of a line that starts there."""
    walk = Walk(content)
    fields = _fields(walk, "the line")
    walk.end()
    values = {
        key: _decoded(content, fields[key], key) if key in fields else None
        for key in ("custom_id", "method", "url", "body")
    }
    for key in values:
        if key not in fields:
            raise Refused("missing_required_parameter", f"{key} is missing", key)
    custom_id, body = values["custom_id"], values["body"]
    if not isinstance(custom_id, str) or not 0 < len(custom_id) <= MAX_CUSTOM_ID_CHARS:
        raise Refused(
            "invalid_custom_id",
            f"custom_id must be a text of 1 to {MAX_CUSTOM_ID_CHARS} characters",
            "custom_id",
        )
    if custom_id in seen:
        twice = f"the custom_id is that of line {seen[custom_id]}; each must be unique"
        raise Refused("duplicate_custom_id", twice, "custom_id")
    if values["method"] != "POST":
        raise Refused("invalid_method", "method must be POST", "method")
    if values["url"] != endpoint:
        raise Refused("mismatched_url", f"url must be the batch's endpoint, {endpoint}", "url")
    if not isinstance(body, dict):
        raise Refused("invalid_body", "body must be an object", "body")
    if not isinstance(body.get("model"), str):  # pyright: ignore[reportUnknownMemberType]
        raise Refused("missing_required_parameter", "body.model is missing", "body.model")
    if body.get("stream") is True:  # pyright: ignore[reportUnknownMemberType]
        raise Refused("invalid_stream", "body.stream is not possible in a batch", "body.stream")
    first, last = fields["body"]
    return _found(custom_id, (start + first, start + last), body)  # pyright: ignore[reportUnknownArgumentType]


def _found(custom_id: str, span: Span, request: Mapping[str, Any]) -> Found:
    model = request.get("model")
    start, end = span
    return Found(custom_id, start, end - start, model if isinstance(model, str) else "")


def _fields(walk: Walk, place: str) -> dict[str, Span]:
    """Return where the members of an object are."""
    start = walk.position
    if walk.next_byte != ord("{"):
        raise Refused("invalid_type", f"{place}: must be an object")
    fields = {key: walk.value() for key in walk.members()}
    if walk.position - start > MAX_ITEM_BYTES:
        raise _too_large(place)
    return fields


def _too_large(place: str) -> Refused:
    return Refused("request_too_large", f"{place}: larger than {MAX_ITEM_BYTES // 2**20} MiB")


def _decoded(content: mmap.mmap | bytes, span: Span, place: str) -> Any:
    """Return the value at a span; it is valid JSON throughout."""
    try:
        return orjson.loads(content[span[0] : span[1]])
    except orjson.JSONDecodeError as error:
        raise NotJson(f"{place}, byte {span[0] + error.pos}: {error.msg}") from error


if __name__ == "__main__":
    main()
