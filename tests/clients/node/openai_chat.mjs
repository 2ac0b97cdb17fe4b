// The official Node SDK on chat completions: streams, runTools, zod helpers, legacy functions, errors.

import OpenAI from "openai";
import { zodFunction, zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";
import { API, EVENT, KEY, MODEL, ONE_CALL, PARAMETERS, TWO_CALLS, tell, weather } from "./steps.mjs";

const client = new OpenAI({ baseURL: API, apiKey: KEY, maxRetries: 0, timeout: 30_000 });
const CalendarEvent = z.object({ name: z.string(), day: z.number().int(), people: z.array(z.string()) });
const named = { name: "get_weather", description: "Weather of a city", parameters: PARAMETERS };
const ask = (text) => [{ role: "user", content: text }];
const runnable = {
  type: "function",
  function: { ...named, parse: JSON.parse, function: weather },
};

await tell({
  async chunks() {
    const stream = await client.chat.completions.create({
      model: MODEL,
      messages: ask("/sim agent\nsay Word by word."),
      stream: true,
      stream_options: { include_usage: true },
    });
    let text = "";
    let usage = null;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta?.content ?? "";
      usage = chunk.usage ?? usage;
    }
    return [text, usage.completion_tokens > 0];
  },
  async stream_helper() {
    const stream = client.chat.completions.stream({ model: MODEL, messages: ask("/sim agent\nsay Word by word.") });
    let text = "";
    stream.on("content", (delta) => (text += delta));
    const whole = await stream.finalContent();
    return [text === whole, text];
  },
  async readable_stream() {
    const stream = client.chat.completions.stream({ model: MODEL, messages: ask("/sim agent\nsay Word by word.") });
    const lines = (await new Response(stream.toReadableStream()).text()).trim().split("\n");
    return lines.map((line) => JSON.parse(line).choices[0]?.delta?.content ?? "").join("");
  },
  async run_tools() {
    const runner = client.chat.completions.runTools({ model: MODEL, messages: ask(TWO_CALLS), tools: [runnable] });
    return await runner.finalContent();
  },
  async run_tools_streamed() {
    const runner = client.chat.completions.runTools({
      model: MODEL,
      messages: ask(TWO_CALLS),
      tools: [runnable],
      stream: true,
    });
    return await runner.finalContent();
  },
  async parsed() {
    const answer = await client.chat.completions.parse({
      model: MODEL,
      messages: ask(EVENT),
      response_format: zodResponseFormat(CalendarEvent, "event"),
    });
    return answer.choices[0].message.parsed;
  },
  async parsed_tool() {
    const answer = await client.chat.completions.parse({
      model: MODEL,
      messages: ask(ONE_CALL),
      tools: [zodFunction({ name: "get_weather", parameters: z.object({ city: z.string() }) })],
    });
    return answer.choices[0].message.tool_calls.map((call) => call.function.parsed_arguments);
  },
  async legacy_functions() {
    const answer = await client.chat.completions.create({ model: MODEL, messages: ask(ONE_CALL), functions: [named] });
    const { message, finish_reason } = answer.choices[0];
    return [finish_reason, message.function_call.name, JSON.parse(message.function_call.arguments)];
  },
  async errors() {
    const wrong = new OpenAI({ baseURL: API, apiKey: "sk-not-a-key", maxRetries: 0 });
    const told = {};
    for (const [name, own, body] of [
      ["wrong key", wrong, { messages: ask("Hi") }],
      ["no messages", client, { messages: [] }],
    ]) {
      try {
        await own.chat.completions.create({ model: MODEL, ...body });
        told[name] = ["no error"];
      } catch (error) {
        told[name] = [error.constructor.name, error.status];
      }
    }
    return told;
  },
});
