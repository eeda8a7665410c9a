from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codexia.dialects.stop_sequences import StopSequences

TEXT = "The answer is </answer> and more"


def run(sequences: list[str], pieces: list[str]) -> tuple[str, str]:
    stops = StopSequences(sequences)
    shown = "".join(stops.feed(piece) for piece in pieces)
    return shown + stops.flush(), stops.hit


@pytest.mark.parametrize("cut", range(len(TEXT) + 1))
def test_a_sequence_is_found_at_every_split(cut):
    assert run(["</answer>"], [TEXT[:cut], TEXT[cut:]]) == ("The answer is ", "</answer>")


@pytest.mark.parametrize(
    ("sequences", "text", "expected"),
    [
        (["b"], "abc", ("a", "b")),
        (["x"], "abc", ("abc", "")),
        (["bcd", "c"], "abcd", ("ab", "c")),
        (["ab", "abc"], "abc", ("", "ab")),
        (["c", "bc"], "abc", ("a", "bc")),
        (["aab"], "aaab", ("a", "aab")),
        (["", "b"], "ab", ("a", "b")),
        ([""], "ab", ("ab", "")),
        ([], "ab", ("ab", "")),
        (["abc"], "xab", ("xab", "")),
    ],
)
def test_which_sequence_wins(sequences, text, expected):
    assert run(sequences, [text]) == expected


def test_only_what_may_begin_a_sequence_is_held_back():
    stops = StopSequences(["</a>"])
    assert [stops.feed(piece) for piece in ("x <", "/b", "</", "a")] == ["x ", "</b", "", ""]
    assert stops.flush() == "</a"


def test_nothing_comes_after_a_hit():
    stops = StopSequences(["."])
    assert stops.feed("a.b") == "a"
    assert stops.feed("c") == ""
    assert stops.flush() == ""


@given(
    st.lists(st.text("ab", max_size=4), max_size=3), st.lists(st.text("ab", max_size=5), max_size=8)
)
def test_the_cuts_make_no_difference(sequences, pieces):
    assert run(sequences, pieces) == run(sequences, ["".join(pieces)])
    assert run(sequences, pieces) == run(sequences, list("".join(pieces)))
