// The AI SDK: its OpenAI provider on responses and on chat completions, its Anthropic provider on messages.

import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { generateText, Output, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";
import { API, EVENT, KEY, MODEL, TWO_CALLS, tell, weather } from "./steps.mjs";

globalThis.AI_SDK_LOG_WARNINGS = false; // they would stand between us and the JSON
const openai = createOpenAI({ baseURL: API, apiKey: KEY });
const anthropic = createAnthropic({ baseURL: API, apiKey: KEY });
const models = [openai.chat(MODEL), openai.responses(MODEL), anthropic(MODEL)];
const tools = {
  get_weather: tool({
    description: "Weather of a city",
    inputSchema: z.object({ city: z.string() }),
    execute: async (input) => weather(input),
  }),
};
const common = { maxRetries: 0, stopWhen: stepCountIs(5) };
const each = (run) => models.reduce(async (told, model) => [...(await told), await run(model)], Promise.resolve([]));

await tell({
  round_trips: () => each(async (model) => (await generateText({ model, prompt: TWO_CALLS, tools, ...common })).text),
  streamed: () =>
    each(async (model) => {
      const errors = [];
      const onError = ({ error }) => errors.push(String(error));
      const result = streamText({ model, prompt: TWO_CALLS, tools, onError, ...common });
      const text = await result.text;
      return errors.length ? errors : text;
    }),
  structured: () =>
    models.slice(0, 2).reduce(async (told, model) => {
      const schema = z.object({ name: z.string(), day: z.number().int(), people: z.array(z.string()) });
      const output = Output.object({ schema });
      return [...(await told), (await generateText({ model, prompt: EVENT, output, ...common })).output];
    }, Promise.resolve([])),
});
