import { describe, expect, test } from "vitest";
import { UrlRefused } from "../../../src/consumer/outbound/outbound-fetch.ts";
import { chunk, completion, createChatWorld, DONE, refusal, SECRETS, stream, type Upstream } from "./chat-world.ts";

const KEY = SECRETS["KEY"]!;
const [start, end] = [KEY.slice(0, 3), KEY.slice(3)];

/** Models of two wire formats: one whose bytes go through, one that is translated. */
const MODELS = ["one", "claude"];

const QUOTING: Record<string, Upstream> = {
  "an error": () => refusal(400, `the key ${KEY} may not do that`),
  "an error of another shape": () => new Response(`no: ${KEY}`, { status: 422 }),
  "an error in every field": () => new Response(JSON.stringify({ error: { message: KEY, type: KEY, param: KEY, code: KEY } }), { status: 400 }),
  "a refusal of the key": () => refusal(401, `bad key ${KEY}`),
  "an outage": () => refusal(503, `busy, ${KEY}`),
  "an answer": () => completion(`you sent ${KEY}`),
  "an error in place of a stream": () => new Response(JSON.stringify({ error: { message: `bad key ${KEY}` } }), { headers: { "content-type": "application/json" } }),
  "a stream": () => stream([chunk({ content: "you sent " }), chunk({ content: KEY }), chunk({}, "stop"), DONE]),
  "a stream cut within the key": () => stream([`data: {"choices":[{"index":0,"delta":{"content":"${start}`, `${end}"},"finish_reason":null}]}\n\n`, chunk({}, "stop"), DONE]),
  "an error before a stream's first word": () => stream([`data: ${JSON.stringify({ error: { message: `bad key ${KEY}`, code: 400 } })}\n\n`, DONE]),
  "an error within a stream": () => stream([chunk({ content: "Hel" }), `data: ${JSON.stringify({ error: { message: `bad key ${KEY}` } })}\n\n`]),
  "a break within a stream": () => stream([chunk({ content: "Hel" })], new Error(`lost the connection of ${KEY}`)),
  "a failure to connect": () => Promise.reject(new TypeError(`cannot connect with ${KEY}`)),
};

describe("the key of a provider that quotes it", () => {
  const cases = Object.keys(QUOTING).flatMap((how) => MODELS.flatMap((model) => [false, true].map((isStream) => [how, model, isStream] as const)));

  test.each(cases)("in %s reaches nobody: model %s, stream %s", async (how, model, isStream) => {
    const { chat, world, settled } = createChatWorld(QUOTING[how]!);
    const response = await chat({ model, stream: isStream });
    const seen = [await response.text(), ...[...response.headers].flat(), JSON.stringify(world.log)];
    await settled();
    expect(seen.join("\n")).not.toContain(KEY);
  });
});

describe("a base URL that is no longer allowed", () => {
  test.each(MODELS)("is a refusal that says so, and no outage: model %s", async (model) => {
    const { chat, observed } = createChatWorld(() => Promise.reject(new UrlRefused("the base URL uses http: use https")));
    const response = await chat({ model });
    expect(response.status).toBe(502);
    expect(await response.json()).toMatchObject({ error: { code: "provider_rejected", message: expect.stringContaining("use https") } });
    expect(observed.map(({ isHealthFailure }) => isHealthFailure)).toEqual([false]);
  });
});
