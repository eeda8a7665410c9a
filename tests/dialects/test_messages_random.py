from __future__ import annotations

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from codexia.dialects.messages_items import ItemWriter
from codexia.sse import Frame
from tests.dialects.messages_grammar import accept
from tests.dialects.messages_replies import THINKING, reply
from tests.dialects.transcripts import TRANSCRIPTS, frames, play_frames

SCRAP = st.one_of(
    st.none(),
    st.integers(-2, 3),
    st.sampled_from(["", "x", "{", '"}', "</a", "message", "reasoning", "function_call"]),
    st.just([]),
    st.just({}),
    st.just([None, {"text": "x"}, {"type": "refusal", "refusal": "no"}]),
)
ITEM_FIELDS = [
    "id",
    "call_id",
    "name",
    "arguments",
    "input",
    "content",
    "summary",
    "encrypted_content",
    "action",
    "result",
    "status",
]
ITEM = st.one_of(
    SCRAP,
    st.fixed_dictionaries(
        {"type": st.sampled_from([*ItemWriter.ITEMS, "hologram"])},
        optional=dict.fromkeys(ITEM_FIELDS, SCRAP),
    ),
)
EVENT = st.fixed_dictionaries(
    {"type": st.sampled_from([*ItemWriter.EVENTS, "response.new"])},
    optional={
        "output_index": st.one_of(st.integers(0, 3), SCRAP),
        "content_index": st.one_of(st.integers(0, 2), SCRAP),
        "summary_index": st.integers(0, 2),
        "delta": SCRAP,
        "text": SCRAP,
        "refusal": SCRAP,
        "arguments": SCRAP,
        "annotation": st.one_of(SCRAP, st.just({"type": "url_citation", "url": "u"})),
        "item": ITEM,
    },
)
LAST = st.one_of(
    st.none(),
    st.just({"type": "error", "error": {"code": "server_error", "message": "m"}}),
    st.fixed_dictionaries(
        {"type": st.sampled_from(["response.completed", "response.done", "response.incomplete"])},
        optional={
            "response": st.one_of(
                st.none(), st.fixed_dictionaries({"output": st.lists(ITEM, max_size=4)})
            )
        },
    ),
)


@settings(max_examples=400)
@given(st.lists(EVENT, max_size=12), LAST, st.booleans(), st.sampled_from([[], ["</a>", "x{"]]))
def test_any_events_make_a_well_formed_stream(payloads, last, thinking, stop_sequences):
    sent = [Frame(p["type"], orjson.dumps(p)) for p in (*payloads, *([last] if last else []))]
    fields = {"stop_sequences": stop_sequences, **(THINKING if thinking else {})}
    accept(play_frames(reply(**fields), sent))


@settings(max_examples=100)
@given(st.sampled_from(sorted(TRANSCRIPTS)), st.data())
def test_a_stream_with_lost_and_moved_frames_is_still_well_formed(name, data):
    plain = frames(TRANSCRIPTS[name])
    picked = data.draw(st.lists(st.sampled_from(plain), max_size=30))
    accept(play_frames(reply(**THINKING), picked))
