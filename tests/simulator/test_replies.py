"""Which answer a prompt gets, and that its stream is whole."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

WEATHER = {
    "type": "function",
    "name": "get_weather",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}
LOOKUP = {"type": "function", "name": "lookup", "parameters": {"type": "object"}}
TITLE = {
    "type": "json_schema",
    "name": "title",
    "schema": {
        "type": "object",
        "properties": {"title": {"type": "string"}},
        "required": ["title"],
        "additionalProperties": False,
    },
}


def shell(name: str, **properties: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return {"type": "function", "name": name, "parameters": schema}


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "input_text", "text": text}]}


TEXT = {"type": "string"}
TEXTS = {"type": "array", "items": TEXT}
SHELLS = [
    (shell("Bash", command=TEXT), {"command": "ls -l"}),
    (shell("bash", command=TEXT, description=TEXT), {"command": "ls -l", "description": "hi"}),
    (shell("exec_command", cmd=TEXT), {"cmd": "ls -l"}),
    (shell("run_commands", commands=TEXTS), {"commands": ["ls -l"]}),
    (shell("shell", command=TEXTS), {"command": ["bash", "-lc", "ls -l"]}),
]


async def test_say_is_answered_exactly(backend):
    answer = await backend.respond("please SAY[[two\nlines, ünïcode ✓]] now")
    assert answer.text == "two\nlines, ünïcode ✓"


async def test_nothing_asked_gives_the_fixed_text(backend):
    assert (await backend.respond("hello")).text == "FINAL-OK"


async def test_prompt_is_the_last_user_text_without_reminders(backend):
    items = [
        user("SAY[[old]]"),
        user("SAY[[new]]"),
        {"role": "developer", "content": "SAY[[never]]"},
        user("<system-reminder>SAY[[never]]</system-reminder>"),
    ]
    assert (await backend.respond(input=items)).text == "new"


@pytest.mark.parametrize(("tool", "arguments"), SHELLS)
async def test_run_calls_the_offered_shell(backend, tool, arguments):
    answer = await backend.respond("RUN[[ls -l]]", tools=[LOOKUP, tool])
    call = answer.items[0]
    assert (call["type"], call["name"]) == ("function_call", tool["name"])
    assert orjson.loads(call["arguments"]) == arguments


async def test_run_calls_the_local_shell(backend):
    answer = await backend.respond("RUN[[ls]]", tools=[{"type": "local_shell"}])
    assert answer.items[0]["action"]["command"] == ["bash", "-lc", "ls"]


async def test_tool_output_is_answered_with_its_text(backend):
    tools = [shell("Bash", command=TEXT)]
    first = await backend.respond("RUN[[ls]]", tools=tools)
    call = first.items[0]
    output = {"type": "function_call_output", "call_id": call["call_id"], "output": "a.txt"}
    answer = await backend.respond(input=[user("RUN[[ls]]"), call, output], tools=tools)
    assert answer.text == "DONE a.txt"
    assert backend.simulator.stats.violation_count == 0


async def test_new_prompt_after_a_tool_round_starts_anew(backend):
    call = {"type": "function_call", "call_id": "c", "name": "Bash", "arguments": "{}"}
    output = {"type": "function_call_output", "call_id": "c", "output": "old"}
    items = [user("RUN[[a]]"), call, output, user("RUN[[b]]")]
    answer = await backend.respond(input=items, tools=[shell("Bash", command=TEXT)])
    assert orjson.loads(answer.items[0]["arguments"]) == {"command": "b"}


@pytest.mark.parametrize(
    ("prompt", "choice", "called"),
    [
        ("call lookup", "auto", "lookup"),
        ("You MUST call the `lookup` tool", "auto", "lookup"),
        ("weather in Paris?", "auto", "get_weather"),
        ("hello", {"type": "function", "name": "lookup"}, "lookup"),
        ("hello", "required", "get_weather"),
        ("call lookup", "required", "lookup"),
    ],
)
async def test_tool_is_called(backend, prompt, choice, called):
    answer = await backend.respond(prompt, tools=[WEATHER, LOOKUP], tool_choice=choice)
    assert [item["name"] for item in answer.items] == [called]


async def test_required_goes_on_to_tools_not_yet_called(backend):
    call = {"type": "function_call", "call_id": "c", "name": "get_weather", "arguments": "{}"}
    output = {"type": "function_call_output", "call_id": "c", "output": "sunny"}
    items = [user("weather?"), call, output]
    answer = await backend.respond(input=items, tools=[WEATHER, LOOKUP], tool_choice="required")
    assert answer.items[0]["name"] == "lookup"


async def test_tool_choice_none_calls_nothing(backend):
    answer = await backend.respond("call lookup", tools=[LOOKUP], tool_choice="none")
    assert answer.text == "FINAL-OK"


async def test_mcp_tool_is_found_without_its_prefix(backend):
    tool = {**LOOKUP, "name": "mcp__server__lookup"}
    answer = await backend.respond("call lookup", tools=[tool])
    assert answer.items[0]["name"] == "mcp__server__lookup"


async def test_namespaced_call_carries_its_namespace(backend):
    tools = [{"type": "namespace", "name": "agents", "tools": [LOOKUP]}]
    answer = await backend.respond("call lookup", tools=tools)
    assert answer.items[0]["namespace"] == "agents"


async def test_custom_tool_gets_its_input(backend):
    tools = [{"type": "custom", "name": "apply_patch"}]
    answer = await backend.respond("call apply_patch ARGS[[*** Begin\n]]", tools=tools)
    assert answer.items[0]["type"] == "custom_tool_call"
    assert answer.items[0]["input"] == "*** Begin\n"


@pytest.mark.parametrize(
    ("wanted", "called"),
    [
        ("2", ["get_weather", "lookup"]),
        ("3", ["get_weather", "lookup", "get_weather"]),
        ("lookup, lookup", ["lookup", "lookup"]),
    ],
)
async def test_parallel_calls(backend, wanted, called):
    answer = await backend.respond(f"CALLS[[{wanted}]]", tools=[WEATHER, LOOKUP])
    assert [item["name"] for item in answer.items] == called
    assert len({item["call_id"] for item in answer.items}) == len(called)


async def test_args_replace_the_minimal_ones(backend):
    prompt = 'call get_weather ARGS[[{"city":"Zürich"}]]'
    answer = await backend.respond(prompt, tools=[WEATHER])
    assert answer.items[0]["arguments"] == '{"city":"Zürich"}'


async def test_schema_is_answered_with_an_instance(backend):
    answer = await backend.respond("a title", text={"format": TITLE})
    assert orjson.loads(answer.text) == {"title": "hi"}


async def test_search_is_made_and_cited_when_offered(backend):
    answer = await backend.respond("SEARCH[[tea]]", tools=[{"type": "web_search"}])
    search, text = answer.items
    assert search["action"] == {"type": "search", "query": "tea", "queries": ["tea"]}
    [citation] = text["content"][0]["annotations"]
    cited = text["content"][0]["text"][citation["start_index"] : citation["end_index"]]
    assert cited == "[example.com](https://example.com/result)"


async def test_search_tells_its_sources_only_to_who_asks(backend):
    include = ["reasoning.encrypted_content", "web_search_call.action.sources"]
    answer = await backend.respond("SEARCH[[tea]]", tools=[{"type": "web_search"}], include=include)
    [source] = answer.items[0]["action"]["sources"]
    assert source == {"type": "url", "url": "https://example.com/result"}


async def test_search_is_not_made_when_not_offered(backend):
    assert (await backend.respond("SEARCH[[tea]]")).text == "FINAL-OK"


async def test_forced_image_tool_makes_a_png(backend):
    tools = [{"type": "image_generation"}]
    answer = await backend.respond("an apple", tools=tools, tool_choice=tools[0])
    assert answer.items[0]["result"].startswith("iVBORw0KGgo")


async def test_offered_image_tool_alone_does_not_make_one(backend):
    assert (await backend.respond(tools=[{"type": "image_generation"}])).text == "FINAL-OK"


async def test_compaction_gives_exactly_one_item_that_can_be_sent_back(backend):
    trigger = {"type": "compaction_trigger"}
    first = await backend.respond(input=[user("long"), trigger], reasoning={"effort": "low"})
    assert [item["type"] for item in first.items] == ["compaction"]
    answer = await backend.respond(input=[*first.items, user("SAY[[more]]")])
    assert answer.text == "more"


@pytest.mark.parametrize(
    ("reasoning", "include", "types", "has_summary", "has_encrypted"),
    [
        ({"effort": "low"}, ["reasoning.encrypted_content"], ["reasoning", "message"], False, True),
        ({"effort": "low", "summary": "auto"}, ..., ["reasoning", "message"], True, False),
    ],
)
async def test_effort_brings_a_reasoning_item(
    backend, reasoning, include, types, has_summary, has_encrypted
):
    answer = await backend.respond(reasoning=reasoning, include=include)
    assert [item["type"] for item in answer.items] == types
    assert bool(answer.items[0]["summary"]) is has_summary
    assert ("encrypted_content" in answer.items[0]) is has_encrypted


async def test_stream_is_numbered_without_gaps_and_echoes_the_request(backend):
    answer = await backend.respond("hi", instructions="Be brief.", tools=[LOOKUP])
    events = answer.events
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert [events[0]["type"], events[1]["type"]] == ["response.created", "response.in_progress"]
    assert events[0]["response"]["instructions"] == "Be brief."
    assert events[0]["response"]["tools"] == [LOOKUP]
    assert events[-1]["type"] == "response.completed"
    assert events[-1]["response"]["output"] == []


async def test_usage_follows_the_documented_rule(backend):
    prompt = f"SAY[[{'x' * 400}]] {'y' * 8000}"
    body_bytes = len(orjson.dumps(backend.body(prompt)))
    first = await backend.respond(prompt)
    second = await backend.respond(prompt)
    input_tokens = body_bytes // 4
    assert first.events[-1]["response"]["usage"] == {
        "input_tokens": input_tokens,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 100,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": input_tokens + 100,
    }
    cached = second.events[-1]["response"]["usage"]["input_tokens_details"]["cached_tokens"]
    assert cached == input_tokens // 128 * 128


async def test_limits_and_model_are_in_the_headers(backend):
    headers = (await backend.respond()).headers
    assert headers["openai-model"] == "gpt-5.5"
    assert headers["x-codex-primary-used-percent"] == "31"
    assert headers["x-codex-turn-state"]
    assert headers["x-request-id"]
