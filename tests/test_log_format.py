"""Lines of the log: text that no value can forge, JSON that is always one object a line."""

from __future__ import annotations

import io
import logging
import sys

import orjson

from codexia.log_format import TEXT, Fields, JsonFormatter


def lines_of(formatter: logging.Formatter, *records: tuple[object, ...]) -> list[str]:
    output = io.StringIO()
    handler = logging.StreamHandler(output)
    handler.setFormatter(formatter)
    logger = logging.Logger("codexia.test")  # noqa: LOG001 - one that nobody else has
    logger.addHandler(handler)
    for message, *arguments in records:
        logger.info(message, *arguments)
    try:
        raise ValueError("line one\nline two")
    except ValueError:
        logger.exception("it failed")
    return output.getvalue().splitlines()


def test_json_is_one_object_a_line_whatever_is_said():
    fields = Fields(id="req_1", path='/\n"', status=200)
    lines = lines_of(JsonFormatter(), ("request %s", fields), ("a %s\nb", "x"), ("plain",))
    first, second, third, failure = map(orjson.loads, lines)
    assert first["message"] == "request"
    assert (first["id"], first["path"], first["status"]) == ("req_1", '/\n"', 200)
    assert second["message"] == "a x\nb"
    assert third["message"] == "plain"
    assert "ValueError: line one\nline two" in failure["exception"]
    assert failure["level"] == "error"


def test_json_has_what_json_has_not():
    [line, _] = lines_of(JsonFormatter(), ("request %s", Fields(what=sys, text="\ud800")))
    assert "sys" in orjson.loads(line)["what"]


def test_text_quotes_what_could_pass_for_another_field():
    fields = Fields(path="/a b=c\n", status=200)
    [line, *_] = lines_of(logging.Formatter(TEXT), ("request %s", fields))
    assert line.endswith("request path='/a b=c\\n' status=200")
