"""A tool round and an object by Pydantic AI; argument: `chat`, `responses` or `messages`."""

import asyncio
import os
import sys

from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider

GATEWAY_URL = os.environ["GATEWAY_URL"]


class City(BaseModel):
    """A city."""

    city: str
    count: int


def model(mode):
    if mode == "messages":
        provider = AnthropicProvider(base_url=GATEWAY_URL, api_key="local")
        # It asks only models that it knows for native output; the gateway's fallback answers.
        return AnthropicModel("claude-sonnet-4-6", provider=provider)
    models = {"chat": OpenAIChatModel, "responses": OpenAIResponsesModel}
    provider = OpenAIProvider(base_url=f"{GATEWAY_URL}/v1", api_key="local")
    return models[mode]("gpt-5.5", provider=provider)


def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city} {os.environ['TOKEN']}"


async def main(mode):
    agent = Agent(model(mode), tools=[get_weather])
    async with agent.run_stream("weather in Paris? call get_weather") as run:
        sys.stdout.write(f"{await run.get_output()}\n")
    by_tool = await Agent(model(mode), output_type=City).run("a city")
    by_format = await Agent(model(mode), output_type=NativeOutput(City)).run("a city")
    assert by_tool.output == by_format.output
    sys.stdout.write(f"{by_format.output.model_dump_json()}\n")


asyncio.run(main(sys.argv[1]))
