"""A tool round and an object by OpenAI's Agents SDK; argument: `chat` or `responses`."""

import asyncio
import os
import sys

from agents import (
    Agent,
    ModelSettings,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    Runner,
    function_tool,
    set_tracing_disabled,
)
from openai import AsyncOpenAI
from openai.types.shared import Reasoning
from pydantic import BaseModel

MODELS = {"chat": OpenAIChatCompletionsModel, "responses": OpenAIResponsesModel}


class City(BaseModel):
    """A city."""

    city: str
    count: int


@function_tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city} {os.environ['TOKEN']}"


async def main(mode):
    set_tracing_disabled(disabled=True)
    client = AsyncOpenAI(base_url=f"{os.environ['GATEWAY_URL']}/v1", api_key="local")
    model = MODELS[mode](model="gpt-5.5", openai_client=client)
    settings = ModelSettings(reasoning=Reasoning(effort="low", summary="auto"))
    agent = Agent(name="a", model=model, tools=[get_weather], model_settings=settings)
    run = Runner.run_streamed(agent, "weather in Paris? call get_weather")
    async for _ in run.stream_events():
        pass
    sys.stdout.write(f"{run.final_output}\n")
    whole = await Runner.run(Agent(name="b", model=model, output_type=City), "a city")
    sys.stdout.write(f"{whole.final_output.model_dump_json()}\n")


asyncio.run(main(sys.argv[1]))
