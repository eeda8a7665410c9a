// A tool round and an object by the Vercel AI SDK; argument: which of its providers.
const { createAnthropic } = require("@ai-sdk/anthropic");
const { createOpenAI } = require("@ai-sdk/openai");
const { createOpenAICompatible } = require("@ai-sdk/openai-compatible");
const { Output, generateText, stepCountIs, streamText, tool } = require("ai");
const { z } = require("zod");

globalThis.AI_SDK_LOG_WARNINGS = false;
const { GATEWAY_URL, TOKEN } = process.env;
const settings = { baseURL: `${GATEWAY_URL}/v1`, apiKey: "local" };
const openai = createOpenAI(settings);
const compatible = createOpenAICompatible({
  ...settings,
  name: "codexia",
  includeUsage: true,
  supportsStructuredOutputs: true,
});
const reasoning = { reasoningEffort: "low", reasoningSummary: "auto" };
const providers = {
  anthropic: { model: createAnthropic(settings)("gpt-5.5") },
  chat: { model: openai.chat("gpt-5.5") },
  compatible: { model: compatible("gpt-5.5") },
  responses: { model: openai.responses("gpt-5.5") },
  "responses-reasoning": {
    model: openai.responses("gpt-5.5"),
    providerOptions: { openai: reasoning },
  },
  "responses-unstored": {
    model: openai.responses("gpt-5.5"),
    providerOptions: { openai: { ...reasoning, store: false } },
  },
};

const get_weather = tool({
  description: "The weather in a city",
  inputSchema: z.object({ city: z.string() }),
  execute: async ({ city }) => `sunny in ${city} ${TOKEN}`,
});
const City = z.object({ city: z.string(), count: z.number().int() });

async function main() {
  const provider = providers[process.argv[2]];
  const errors = [];
  const round = streamText({
    ...provider,
    prompt: "weather in Paris? call get_weather",
    tools: { get_weather },
    stopWhen: stepCountIs(3),
    onError: ({ error }) => errors.push(error),
  });
  const answer = await round.text;
  if (errors.length) throw errors[0];
  console.log(answer);
  const { output } = await generateText({
    ...provider,
    prompt: "a city",
    output: Output.object({ schema: City }),
  });
  console.log(JSON.stringify(output));
}

main();
