import fc from "fast-check";
import { expect, test } from "vitest";
import type { ApiDeps } from "../../../src/api/api-deps.ts";
import type { CallsToReserve } from "../../../src/api/ports/tenant-port.ts";
import { NO_LIMITS } from "../../../src/config/tenant-record.ts";
import type { ShareAnswer } from "../../../src/workflow/budget/tenant-account.ts";
import { ROOT_KEY } from "../fake-ports.ts";
import { chunk, completion, createChatWorld, DONE, hang, refusal, stream, USAGE_CHUNK, type UpstreamCall } from "./chat-world.ts";

const SETTINGS = { routing: { circuitFirstTokenMs: 100 }, orchestration: { taskTimeoutMs: 40 } };
const BROKEN = new TypeError("the connection is lost");

type Answer = (call: UpstreamCall, isStream: boolean) => Response | Promise<Response>;

/** What a provider may do with a call. */
const ANSWERS: Record<string, Answer> = {
  answers: (_, isStream) => (isStream ? stream([chunk({ role: "assistant" }), chunk({ content: "Hel" }), chunk({ content: "lo" }), chunk({}, "stop"), USAGE_CHUNK, DONE]) : completion("Hello")),
  "counts nothing": (_, isStream) => (isStream ? stream([chunk({ content: "Hello" }), chunk({}, "stop")]) : completion("Hello", { usage: undefined })),
  fails: () => refusal(500, "oops"),
  "is busy": () => refusal(429, "slow down", { "retry-after": "3" }),
  "does not know the key": () => refusal(401, "who?"),
  refuses: () => refusal(400, "no"),
  "refuses with a 200": () => new Response(JSON.stringify({ error: { message: "no", code: 400 } }), { headers: { "content-type": "application/json" } }),
  hangs: hang,
  breaks: (_, isStream) => (isStream ? stream([chunk({ content: "Hel" })], BROKEN) : Promise.reject(BROKEN)),
  "breaks before its first word": (_, isStream) => (isStream ? stream([chunk({ role: "assistant" })], BROKEN) : completion(null, { choices: [] })),
  "says nothing": (_, isStream) => (isStream ? stream([chunk({}, "stop"), DONE]) : completion("")),
  "says what nobody understands": () => new Response("<html>"),
  "cannot be reached": () => Promise.reject(BROKEN),
};

/** A tenant's account, by which share it grants of what is wanted beyond what is needed; null: it cannot be asked. */
function openAccount(share: number | null) {
  const account = { heldNanoUsd: 0 };
  const reserveCalls = async ({ neededNanoUsd, wantedNanoUsd }: CallsToReserve): Promise<ShareAnswer> => {
    if (share === null) throw BROKEN;
    account.heldNanoUsd = Math.max(account.heldNanoUsd, neededNanoUsd + Math.floor((wantedNanoUsd - neededNanoUsd) * share));
    return { kind: "leased", leasedNanoUsd: account.heldNanoUsd, mayGrow: false, mostNanoUsd: 1e12 };
  };
  const budget = { maxNanoUsd: 1e12, period: "day" } as const;
  const changes = { allowances: { read: async () => ({ budget, limits: NO_LIMITS }), forget: () => undefined }, tenant: () => ({ reserveCalls }) } as unknown as Partial<ApiDeps>;
  return { account, changes };
}

test("whatever providers and clients do, a request ends, is entered once with what it told of its cost, and comes to no more than was held for it", async () => {
  const request = fc.record({
    model: fc.constantFrom("auto", "one", "tier:weak", "tier:base", "tier:strong", "claude"),
    isStream: fc.boolean(),
    answers: fc.array(fc.constantFrom(...Object.keys(ANSWERS)), { minLength: 6, maxLength: 6 }),
    leavesAfterMs: fc.option(fc.integer({ min: 0, max: 12 })),
    budget: fc.option(fc.record({ share: fc.option(fc.constantFrom(0, 0.5, 1)) })),
  });
  await fc.assert(fc.asyncProperty(request, async ({ model, isStream, answers, leavesAfterMs, budget }) => {
    const { account, changes } = openAccount(budget?.share ?? null);
    let asked = 0;
    const { app, calls, entered, observed, settled, world } = createChatWorld((call) => ANSWERS[answers[asked++ % answers.length]!]!(call, call.body["stream"] === true), SETTINGS, { now: Date.now, ...(budget === null ? {} : changes) });
    const client = new AbortController();
    const leaving = leavesAfterMs === null ? undefined : setTimeout(() => client.abort(), leavesAfterMs);
    const body = JSON.stringify({ model, messages: [{ role: "user", content: "Hi" }], stream: isStream });
    const response = await app.request(new Request("https://weft.test/v1/chat/completions", { method: "POST", headers: { authorization: `Bearer ${ROOT_KEY}` }, body, signal: client.signal }));
    const hasLeft = new Promise<null>((resolve) => client.signal.addEventListener("abort", () => resolve(null)));
    const text = client.signal.aborted ? null : await Promise.race([response.text(), hasLeft]);
    await settled();
    clearTimeout(leaving);

    expect(world.log.filter(({ event }) => event.endsWith("failed"))).toEqual([]);
    expect(entered).toHaveLength(1);
    const [{ calls: lines, failureCode, fallbacks }] = entered as [(typeof entered)[number]];
    const costNanoUsd = lines.reduce((sum, line) => sum + line.costNanoUsd, 0);
    if (budget !== null) expect(costNanoUsd).toBeLessThanOrEqual(account.heldNanoUsd);
    const isEmbedded = failureCode === null && response.headers.get("x-model") === "offline";
    expect(observed).toHaveLength(calls.length + (isEmbedded ? 1 : 0));
    if (text === null) return;
    if (response.status !== 200) return void expect(JSON.parse(text)).toHaveProperty("error.message");
    expect(response.headers.get("x-fallbacks")!.split(",").filter((name) => name !== "")).toHaveLength(fallbacks);
    if (isStream) expect(text).toMatch(/\[DONE\]|"error"/);
    else expect(Number(response.headers.get("x-cost-usd"))).toBeCloseTo(costNanoUsd / 1e9, 9);
  }), { numRuns: 300 });
}, 60_000);
