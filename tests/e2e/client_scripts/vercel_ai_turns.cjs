// Three turns of a conversation by the Vercel AI SDK, which refers to what is stored.
const { createOpenAI } = require("@ai-sdk/openai");
const { generateText, stepCountIs, tool } = require("ai");
const { z } = require("zod");

globalThis.AI_SDK_LOG_WARNINGS = false;
const { GATEWAY_URL, TOKEN } = process.env;
const openai = createOpenAI({ baseURL: `${GATEWAY_URL}/v1`, apiKey: "local" });

const get_weather = tool({
  description: "The weather in a city",
  inputSchema: z.object({ city: z.string() }),
  execute: async ({ city }) => `sunny in ${city} ${TOKEN}`,
});

async function main() {
  const messages = [];
  for (const content of ["weather? call get_weather", "SAY[[second]]", "SAY[[third]]"]) {
    messages.push({ role: "user", content });
    const { text, response } = await generateText({
      model: openai("gpt-5.5"),
      messages,
      tools: { get_weather },
      stopWhen: stepCountIs(3),
      maxRetries: 0,
      providerOptions: { openai: { reasoningEffort: "low", reasoningSummary: "auto" } },
    });
    messages.push(...response.messages);
    console.log(text);
  }
}

main();
