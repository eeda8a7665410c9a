// A tool round and an object by Anthropic's SDK; argument: `runner`, or `stream` for a loop by hand.
const { Anthropic } = require("@anthropic-ai/sdk");

const { GATEWAY_URL, TOKEN } = process.env;
const client = new Anthropic({ baseURL: GATEWAY_URL, apiKey: "local" });
const prompt = { role: "user", content: "weather in Paris? call get_weather" };
const weather = ({ city }) => `sunny in ${city} ${TOKEN}`;
const tool = {
  name: "get_weather",
  description: "The weather in a city",
  input_schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
};
const schema = {
  type: "object",
  properties: { city: { type: "string" }, count: { type: "integer" } },
  required: ["city", "count"],
  additionalProperties: false,
};

async function runner() {
  return client.beta.messages.toolRunner({
    model: "gpt-5.5",
    max_tokens: 4096,
    messages: [prompt],
    tools: [{ ...tool, run: weather, parse: (input) => input }],
  });
}

async function stream() {
  const turn = (messages) =>
    client.messages
      .stream({
        model: "gpt-5.5",
        max_tokens: 16000,
        messages,
        thinking: { type: "adaptive" },
        tools: [tool],
      })
      .finalMessage();
  const first = await turn([prompt]);
  const results = first.content
    .filter((block) => block.type === "tool_use")
    .map(({ id, input }) => ({ type: "tool_result", tool_use_id: id, content: weather(input) }));
  return turn([
    prompt,
    { role: "assistant", content: first.content },
    { role: "user", content: results },
  ]);
}

async function main() {
  const last = await { runner, stream }[process.argv[2]]();
  console.log(last.content.at(-1).text);
  const city = await client.messages.parse({
    model: "gpt-5.5",
    max_tokens: 4096,
    messages: [{ role: "user", content: "a city" }],
    output_config: { format: { type: "json_schema", schema } },
  });
  console.log(city.content.at(-1).text);
}

main();
