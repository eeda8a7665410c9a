"""A tool round and an object by LangChain; argument: `chat`, `responses` or `messages`."""

import os
import sys

from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

GATEWAY_URL = os.environ["GATEWAY_URL"]
TOKEN = os.environ["TOKEN"]
OPENAI = {"model": "gpt-5.5", "base_url": f"{GATEWAY_URL}/v1", "api_key": "local"}


class City(BaseModel):
    """A city."""

    city: str
    count: int


@tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city} {TOKEN}"


def model(mode):
    match mode:
        case "chat":
            return ChatOpenAI(**OPENAI, temperature=0)
        case "responses":
            return ChatOpenAI(
                **OPENAI,
                reasoning={"effort": "low", "summary": "auto"},
                include=["reasoning.encrypted_content"],
                store=False,
                output_version="responses/v1",
            )
        case _:
            return ChatAnthropic(
                model="gpt-5.5",
                base_url=GATEWAY_URL,
                api_key="local",
                max_tokens=4096,
                thinking={"type": "enabled", "budget_tokens": 2048},
            )


def main(mode):
    chat = model(mode)
    agent = chat.bind_tools([get_weather])
    messages = [HumanMessage("weather in Paris? call get_weather")]
    whole = agent.invoke(messages)
    messages += [whole, *(get_weather.invoke(call) for call in whole.tool_calls)]
    answer = None
    for chunk in agent.stream(messages):
        answer = chunk if answer is None else answer + chunk
    sys.stdout.write(f"{answer.text}\n")
    city = chat.with_structured_output(City, method="json_schema").invoke("a city")
    sys.stdout.write(f"{city.model_dump_json()}\n")


main(sys.argv[1])
