from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from codexia.dialects.tool_ids import call_id, tool_use_id
from codexia.dialects.tool_names import codex_tool_name

SUFFIX = st.text("abcXYZ019_-", max_size=40)
IDS = st.one_of(SUFFIX, SUFFIX.map("call_".__add__), SUFFIX.map("toolu_".__add__))


def test_a_call_looks_like_anthropics():
    assert tool_use_id("call_Ab1") == "toolu_Ab1"


@given(IDS)
def test_the_backends_id_comes_back(name):
    assert call_id(tool_use_id(name)) == name


@given(IDS, IDS)
def test_two_ids_never_become_one(one, other):
    assert (call_id(one) == call_id(other)) == (one == other)


@given(st.text("abc", min_size=60, max_size=200).map("toolu_".__add__))
def test_the_backend_never_gets_a_long_id(name):
    assert len(call_id(name)) <= 64
    assert call_id(name) == call_id(name)


def test_a_name_that_fits_stays():
    assert codex_tool_name("x" * 64) == "x" * 64


def test_long_names_that_begin_alike_stay_apart():
    one, other = codex_tool_name("x" * 64 + "1"), codex_tool_name("x" * 64 + "2")
    assert one != other
    assert len(one) == len(other) == 64
