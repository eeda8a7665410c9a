"""A whole and a streamed object by instructor; argument: `tools`, `json-schema` or `messages`."""

import os
import sys
from typing import Literal

import anthropic
import instructor
import openai
from pydantic import create_model

GATEWAY_URL = os.environ["GATEWAY_URL"]
TOKEN = os.environ["TOKEN"]

# Only the schema tells the token, so an answer that has it was made by the schema.
City = create_model("City", city=(Literal[TOKEN], ...), count=(int, ...))


def client(mode):
    if mode == "messages":
        return instructor.from_anthropic(
            anthropic.Anthropic(base_url=GATEWAY_URL, api_key="local"),
            mode=instructor.Mode.ANTHROPIC_TOOLS,
            max_tokens=4096,
        )
    modes = {"tools": instructor.Mode.TOOLS, "json-schema": instructor.Mode.JSON_SCHEMA}
    gpt = openai.OpenAI(base_url=f"{GATEWAY_URL}/v1", api_key="local")
    return instructor.from_openai(gpt, mode=modes[mode])


def main(mode):
    messages = [{"role": "user", "content": "a city"}]
    asked = {"model": "gpt-5.5", "messages": messages, "response_model": City}
    whole = client(mode).create(**asked)
    sys.stdout.write(f"DONE {whole.city}\n")
    *_, last = client(mode).create_partial(**asked)
    sys.stdout.write(f"{last.model_dump_json()}\n")


main(sys.argv[1])
