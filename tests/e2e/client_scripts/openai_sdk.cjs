// A tool round and an object by OpenAI's SDK; argument: `chat` or `responses`.
const { OpenAI } = require("openai");
const { zodResponseFormat, zodTextFormat } = require("openai/helpers/zod");
const { z } = require("zod");

const { GATEWAY_URL, TOKEN } = process.env;
const client = new OpenAI({ baseURL: `${GATEWAY_URL}/v1`, apiKey: "local" });
const model = "gpt-5.5";
const prompt = { role: "user", content: "weather in Paris? call get_weather" };
const weather = ({ city }) => `sunny in ${city} ${TOKEN}`;
const get_weather = {
  name: "get_weather",
  description: "The weather in a city",
  parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
};
const City = z.object({ city: z.string(), count: z.number().int() });

async function chat() {
  const tool = {
    type: "function",
    function: { ...get_weather, parse: JSON.parse, function: weather },
  };
  const runner = client.chat.completions.runTools({
    model,
    stream: true,
    messages: [prompt],
    tools: [tool],
  });
  console.log(await runner.finalContent());
  const whole = await client.chat.completions.parse({
    model,
    messages: [{ role: "user", content: "a city" }],
    response_format: zodResponseFormat(City, "city"),
  });
  return whole.choices[0].message.parsed;
}

async function responses() {
  const turn = (input) =>
    client.responses
      .stream({ model, input, tools: [{ type: "function", strict: false, ...get_weather }] })
      .finalResponse();
  const first = await turn([prompt]);
  const results = first.output
    .filter((item) => item.type === "function_call")
    .map(({ call_id, arguments: text }) => ({
      type: "function_call_output",
      call_id,
      output: weather(JSON.parse(text)),
    }));
  const last = await turn([prompt, ...first.output, ...results]);
  console.log(last.output_text);
  const whole = await client.responses.parse({
    model,
    input: "a city",
    text: { format: zodTextFormat(City, "city") },
  });
  return whole.output_parsed;
}

async function main() {
  console.log(JSON.stringify(await { chat, responses }[process.argv[2]]()));
}

main();
