import { exports } from "cloudflare:workers";
import { expect, test } from "vitest";

const ROOT = "root-key-of-tests";

function ask(method: string, path: string, key: string, body?: unknown): Promise<Response> {
  return exports.default.fetch(`https://weft.test${path}`, { method, headers: { authorization: `Bearer ${key}` }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
}

test("the platform's counters and the isolate's agree on a tenant's limit of requests a minute", async () => {
  await ask("POST", "/v1/tenants", ROOT, { id: "limited", limits: { requestsPerMinute: 12 } });
  const { key } = await (await ask("POST", "/v1/tenants/limited/keys", ROOT, {})).json<{ key: string }>();
  // A minute by the clock must not end in between.
  if (60_000 - (Date.now() % 60_000) < 5_000) await new Promise((resolve) => setTimeout(resolve, 6_000));
  const answers: Response[] = [];
  for (let index = 0; index < 14; index += 1) answers.push(await ask("GET", "/v1/agents", key));
  expect(answers.map(({ status }) => status)).toEqual([...Array<number>(12).fill(200), 429, 429]);
  expect(Number(answers.at(-1)!.headers.get("retry-after"))).toBeGreaterThan(0);
  await ask("PATCH", "/v1/tenants/limited", ROOT, { limits: { requestsPerMinute: null } });
  expect((await ask("GET", "/v1/agents", key)).status).toBe(200);
});
