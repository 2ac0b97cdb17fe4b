// The official Node SDK on responses: whole, streamed, parsed with zod, continued, with tools.

import OpenAI from "openai";
import { zodTextFormat } from "openai/helpers/zod";
import { z } from "zod";
import { API, EVENT, KEY, MODEL, PARAMETERS, TWO_CALLS, tell, weather } from "./steps.mjs";

const client = new OpenAI({ baseURL: API, apiKey: KEY, maxRetries: 0, timeout: 30_000 });
const CalendarEvent = z.object({ name: z.string(), day: z.number().int(), people: z.array(z.string()) });
const tools = [
  { type: "function", name: "get_weather", description: "Weather of a city", parameters: PARAMETERS, strict: true },
];
const results = (output) =>
  output
    .filter((item) => item.type === "function_call")
    .map(({ call_id, arguments: text }) => ({
      type: "function_call_output",
      call_id,
      output: weather(JSON.parse(text)),
    }));

await tell({
  async plain() {
    const answer = await client.responses.create({ model: MODEL, input: "/sim agent\nsay Hello there." });
    return [answer.output_text, answer.status];
  },
  async round_trip() {
    const first = await client.responses.create({ model: MODEL, input: TWO_CALLS, tools });
    const last = await client.responses.create({
      model: MODEL,
      input: results(first.output),
      tools,
      previous_response_id: first.id,
    });
    return [first.output.map((item) => item.type), last.output_text];
  },
  async streamed() {
    const stream = client.responses.stream({ model: MODEL, input: TWO_CALLS, tools, store: false });
    const first = await stream.finalResponse();
    const input = [{ role: "user", content: TWO_CALLS }, ...first.output, ...results(first.output)];
    let text = "";
    const next = client.responses
      .stream({ model: MODEL, input, tools, store: false })
      .on("response.output_text.delta", (event) => (text += event.delta));
    const last = await next.finalResponse();
    return [last.output_text === text, text];
  },
  async parsed() {
    const format = zodTextFormat(CalendarEvent, "event");
    const answer = await client.responses.parse({ model: MODEL, input: EVENT, text: { format } });
    return answer.output_parsed;
  },
  async parsed_while_streamed() {
    const format = zodTextFormat(CalendarEvent, "event");
    const stream = client.responses.stream({ model: MODEL, input: EVENT, text: { format } });
    return (await stream.finalResponse()).output_parsed;
  },
  async kept() {
    const made = await client.responses.create({ model: MODEL, input: "/sim agent\nsay Keep me." });
    const read = await client.responses.retrieve(made.id);
    await client.responses.delete(made.id);
    const gone = await client.responses.retrieve(made.id).catch((error) => error.status);
    return [read.output_text, gone];
  },
  async errors() {
    try {
      await client.responses.create({ model: MODEL, input: "Hi", previous_response_id: "resp_0123456789abcdef" });
      return ["no error"];
    } catch (error) {
      return [error.constructor.name, error.status, error.code, error.param];
    }
  },
});
