"""Tool rounds by the Claude Agent SDK: its own shell, and a tool of this process that it loads late."""

import asyncio
import os
import sys

from claude_agent_sdk import (
    ClaudeAgentOptions,
    ClaudeSDKClient,
    ResultMessage,
    create_sdk_mcp_server,
    tool,
)

TOKEN = os.environ["TOKEN"]
PROMPTS = (
    f"RUN[[echo {TOKEN} | tee ran.txt]]",
    'call ToolSearch ARGS[[{"query": "select:mcp__weather__get_weather"}]]',
    "weather in Paris? call get_weather",
)


@tool("get_weather", "The weather in a city", {"city": str})
async def get_weather(asked):
    return {"content": [{"type": "text", "text": f"sunny in {asked['city']} {TOKEN}"}]}


async def main():
    options = ClaudeAgentOptions(
        model="gpt-5.5",
        mcp_servers={"weather": create_sdk_mcp_server("weather", tools=[get_weather])},
        allowed_tools=["Bash", "mcp__weather__get_weather"],
    )
    async with ClaudeSDKClient(options) as client:
        for prompt in PROMPTS:
            await client.query(prompt)
            async for message in client.receive_response():
                if isinstance(message, ResultMessage):
                    sys.stdout.write(f"{message.result}\n")


asyncio.run(main())
