// What every script of a Node client shares: where the server is, and how it tells what it saw.
// `tell()` prints one JSON object: what each step returned, or the trace of its error.

export const ROOT = process.env.CLIENT_ROOT;
export const API = `${ROOT}/v1`;
export const KEY = process.env.CLIENT_KEY;
export const MODEL = process.env.CLIENT_MODEL;

export const TWO_CALLS = `/sim agent
call get_weather {"city": "Oslo"}
call get_weather {"city": "Lima"}
---
say In Oslo it is {result:1}, in Lima {result:2}.`;
export const ONE_CALL = `/sim agent
call get_weather {"city": "Oslo"}
---
say In Oslo it is {result}.`;
export const EVENT = `/sim agent
json {"name": "Science fair", "day": 5, "people": ["Alice", "Bob"]}`;

export const weather = ({ city }) => ({ Oslo: "cold", Lima: "warm" })[city];
export const PARAMETERS = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false,
};

export async function tell(steps) {
  const told = {};
  for (const [name, run] of Object.entries(steps)) {
    try {
      told[name] = await run();
    } catch (error) {
      told[name] = { failed: String(error.stack ?? error).slice(0, 3000) };
    }
  }
  process.stdout.write(JSON.stringify(told));
}
