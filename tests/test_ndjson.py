"""Lines come out whole, however the bytes were cut."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from codexia.ndjson import LineSplitter


@given(st.lists(st.binary().filter(lambda line: b"\n" not in line)), st.data())
def test_lines_do_not_depend_on_the_chunks(lines: list[bytes], data: st.DataObject):
    content = b"".join(line + b"\n" for line in lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(content)))))
    splitter = LineSplitter()
    edges = [0, *cuts, len(content)]
    found = [
        line
        for start, end in itertools.pairwise(edges)
        for line in splitter.feed(content[start:end])
    ]
    assert found == [line for line in lines if line.strip()]


def test_an_unfinished_line_is_kept_back():
    splitter = LineSplitter()
    assert splitter.feed(b"a\nb") == [b"a"]
    assert splitter.feed(b"c") == []
    assert splitter.feed(b"\n") == [b"bc"]
