"""Which answer a request gets.

The convention lets real agents finish a tool round against a backend without a model: a
prompt that asks for a tool gets the call, its output gets an answer, and everything else
gets a fixed text. The rules, first match wins; "done" means that a tool output follows the
last user message:

1. the input ends in a `compaction_trigger`: one `compaction` item;
2. not done, and `PLAY` or `STREAM`: that stream;
3. not done, and `RUN`, `CALLS` or `SEARCH`: those calls;
4. a tool is forced, asked for by `call NAME`, or is `get_weather` and nothing else is said;
5. `text.format` is a schema: its minimal instance;
6. `SAY`: that text;
7. done: `DONE ` and the last output's text;
8. `FINAL-OK`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from pydantic import ValidationError

from codexia.simulator.directives import Prompt, joined_text, last_prompt, pairs
from codexia.simulator.faults import BadFault, Fault, SocketFault, parse_fault
from codexia.simulator.generate import StreamShape, delta_texts
from codexia.simulator.items import Compaction, Message, OutputItem, Reasoning, pieces
from codexia.simulator.rules_tools import offered_tools
from codexia.simulator.schema_instance import minimal_instance
from codexia.simulator.shapes import as_object
from codexia.simulator.tool_calls import call_tool, run_in_shell, search
from codexia.simulator.transcripts import Transcript, transcripts

if TYPE_CHECKING:
    from collections.abc import Mapping

SUMMARY_DELTAS = ("**Weighing", " the request**")


class BadDirective(ValueError):
    """A directive in the prompt makes no sense; the text says why."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What to send back.

    Attributes:
        items: the output, in order; unused when a transcript is played.
        transcript: what to play instead.
        gap_ms: pause before each delta; None leaves it to the simulator's settings.
        first_ms: pause before the first delta; None for `gap_ms`.
        fault: what goes wrong on the way.
    """

    items: tuple[OutputItem, ...] = ()
    transcript: Transcript | None = None
    gap_ms: float | None = None
    first_ms: float | None = None
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """A request, read as the turn of an agent.

    Attributes:
        body: the request's body.
        prompt: the last user text.
        tools: every tool that may be called, flat.
        outputs: texts of the tool outputs after the prompt.
        called: names of the tools called after the prompt.
    """

    body: Mapping[str, Any]
    prompt: Prompt
    tools: list[dict[str, Any]]
    outputs: list[str]
    called: set[str]

    @property
    def done(self) -> bool:
        """Whether a tool has answered since the prompt."""
        return bool(self.outputs)

    @property
    def directives(self) -> dict[str, str]:
        """The directives of the prompt."""
        return self.prompt.directives


def choose_reply(body: dict[str, Any]) -> Reply:
    """Return the reply to a request that broke no rule.

    Raises:
        BadDirective: if the prompt names an unknown transcript, stream shape or fault.
    """
    turn = _read_turn(body)
    fault = _fault(turn)
    if body["input"][-1].get("type") == "compaction_trigger":
        return Reply((Compaction(),), fault=fault)
    if not turn.done and "PLAY" in turn.directives:
        return Reply(transcript=_transcript(turn.directives["PLAY"].strip()), fault=fault)
    if not turn.done and "STREAM" in turn.directives:
        shape = _stream_shape(turn.directives["STREAM"])
        items = _stream_items(body, shape)
        return Reply(items, gap_ms=shape.gap_ms, first_ms=shape.first_ms, fault=fault)
    return Reply((*_reasoning(body), *_answer(turn)), fault=fault)


def _read_turn(body: dict[str, Any]) -> Turn:
    prompt = last_prompt(body["input"])
    since = body["input"][prompt.position + 1 :]
    return Turn(
        body=body,
        prompt=prompt,
        tools=[] if body.get("tool_choice") == "none" else offered_tools(body),
        outputs=[
            joined_text(item.get("output") or "")
            for item in since
            if item.get("type", "").endswith("_output")
        ],
        called={item["name"] for item in since if item.get("type", "").endswith("tool_call")}
        | {item["name"] for item in since if item.get("type") == "function_call"},
    )


def _fault(turn: Turn) -> Fault | None:
    if "FAULT" not in turn.directives:
        return None
    try:
        fault = parse_fault(turn.directives["FAULT"])
    except BadFault as error:
        raise BadDirective(str(error)) from error
    if isinstance(fault, SocketFault):
        raise BadDirective(f"{fault.kind} is a fault to be queued, not one of a prompt")
    return fault


def _transcript(stem: str) -> Transcript:
    try:
        return transcripts()[stem]
    except KeyError as error:
        raise BadDirective(f"no transcript {stem}; known: {', '.join(transcripts())}") from error


def _stream_shape(text: str) -> StreamShape:
    try:
        return StreamShape.model_validate(pairs(text))
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        raise BadDirective(f"bad stream: {problem['loc'][0]}: {problem['msg']}") from error


def _stream_items(body: Mapping[str, Any], shape: StreamShape) -> tuple[OutputItem, ...]:
    deltas = delta_texts(shape.deltas, shape.size)
    commentary = [Message(deltas, phase="commentary")] * (shape.items - 1)
    if shape.reasoning:
        summary = delta_texts(shape.reasoning, shape.size)
        thought = [Reasoning([summary], encrypted=_wants_encrypted(body))]
    else:
        thought = _reasoning(body)
    return (*thought, *commentary, Message(deltas))


def _reasoning(body: Mapping[str, Any]) -> list[Reasoning]:
    """Return the reasoning item of a request that names an effort, with a summary if asked."""
    asked: dict[str, Any] = body.get("reasoning") or {}
    if not asked.get("effort"):
        return []
    summaries = [SUMMARY_DELTAS] if asked.get("summary") else []
    return [Reasoning(summaries, encrypted=_wants_encrypted(body))]


def _wants_encrypted(body: Mapping[str, Any]) -> bool:
    return "reasoning.encrypted_content" in (body.get("include") or [])


def _answer(turn: Turn) -> list[OutputItem]:
    return (
        _directed_calls(turn)
        or _forced_call(turn)
        or _asked_call(turn)
        or [Message(pieces(_text(turn)))]
    )


def _directed_calls(turn: Turn) -> list[OutputItem]:
    if turn.done:
        return []
    if "RUN" in turn.directives:
        called = run_in_shell(turn.tools, turn.directives["RUN"])
        if called:
            return [called]
    if "SEARCH" in turn.directives and any(tool["type"] == "web_search" for tool in turn.tools):
        with_sources = "web_search_call.action.sources" in (turn.body.get("include") or [])
        return search(turn.directives["SEARCH"], with_sources=with_sources)
    return _parallel_calls(turn) if "CALLS" in turn.directives else []


def _parallel_calls(turn: Turn) -> list[OutputItem]:
    wanted = turn.directives["CALLS"].strip()
    named = {tool["name"]: tool for tool in turn.tools if "name" in tool}
    if wanted.isdecimal():
        chosen = [list(named.values())[n % len(named)] for n in range(int(wanted)) if named]
    else:
        names = [name.strip() for name in wanted.split(",")]
        chosen = [named[name] for name in names if name in named]
    return [item for tool in chosen for item in _call(turn, tool)]


def _forced_call(turn: Turn) -> list[OutputItem]:
    """Return the call that `tool_choice` demands; `required` goes on to tools not yet called."""
    choice = turn.body.get("tool_choice")
    named = as_object(choice)
    if choice == "required":
        fresh = [tool for tool in turn.tools if tool.get("name") not in turn.called]
        asked = [tool for tool in fresh if turn.prompt.calls(tool.get("name", ""))]
        return _call(turn, next(iter(asked or fresh or turn.tools)))
    if named is None:
        return []
    for tool in turn.tools:
        if tool["type"] == named.get("type") and tool.get("name") == named.get("name"):
            return _call(turn, tool)
    return []


def _asked_call(turn: Turn) -> list[OutputItem]:
    if turn.done:
        return []
    named = [tool for tool in turn.tools if tool.get("name")]
    asked = [tool for tool in named if turn.prompt.calls(tool["name"])]
    if not asked and "SAY" not in turn.directives:
        asked = [tool for tool in named if tool["name"] == "get_weather"]
    return _call(turn, asked[0]) if asked else []


def _call(turn: Turn, tool: dict[str, Any]) -> list[OutputItem]:
    return call_tool(tool, turn.directives.get("ARGS"), turn.prompt.text)


def _text(turn: Turn) -> str:
    text: dict[str, Any] = turn.body.get("text") or {}
    form: dict[str, Any] = text.get("format") or {}
    if form.get("type") == "json_schema":
        return orjson.dumps(minimal_instance(form["schema"])).decode()
    if "SAY" in turn.directives:
        return turn.directives["SAY"]
    if form.get("type") == "json_object":
        return '{"ok":true}'
    return f"DONE {turn.outputs[-1]}" if turn.done else "FINAL-OK"
