from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codexia.dialects.signature import encrypted_content, signature

CONTENT = st.text(st.characters(exclude_categories=["Cs"]))


@given(CONTENT)
def test_what_went_into_a_signature_comes_out(content):
    assert encrypted_content(signature(content)) == content


@given(CONTENT)
def test_a_signature_is_plain_ascii(content):
    assert signature(content).isascii()


@given(st.text())
def test_a_foreign_signature_is_none(foreign):
    assert encrypted_content(foreign) is None


@given(CONTENT, st.data())
def test_a_cut_signature_is_none(content, data):
    whole = signature(content)
    cut = data.draw(st.integers(0, len(whole.rstrip("=")) - 1))
    assert encrypted_content(whole[:cut]) is None


@pytest.mark.parametrize("body", ["", "AAAA", "AAAAAA==", "====", "é", "\x00", "AAAAAP8="])
def test_our_mark_before_nonsense_is_none(body):
    assert encrypted_content(f"cdx1.{body}") in (None, "")
