import fc from "fast-check";
import { Webhook } from "standardwebhooks";
import { describe, expect, test, vi } from "vitest";
import { signBody } from "../../../src/consumer/outbound/sign-body.ts";
import { buildWebhook, MAX_WEBHOOK_ATTEMPTS, nextWebhookRetryMs, sendWebhook } from "../../../src/consumer/outbound/webhook.ts";
import type { WebhookDeps } from "../../../src/consumer/outbound/webhook.ts";

const HOUR_MS = 3_600_000;
const RAW_SECRET = "pässword";
const BASE64_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

const event = {
  id: "wf_1.9",
  type: "workflow.completed",
  timestamp: "2026-11-20T10:00:00.000Z",
  workflow: { id: "wf_1", name: "notes", status: "completed" },
};

function deps(respond: (url: string, init: RequestInit) => Response | Promise<Response>, overrides: Partial<WebhookDeps> = {}): WebhookDeps {
  return {
    fetch: async (url, init) => respond(url, init),
    allowPrivate: false,
    secret: () => undefined,
    now: () => Date.now(),
    signal: new AbortController().signal,
    ...overrides,
  };
}

const send = (overrides: Partial<Parameters<typeof sendWebhook>[0]>, webhookDeps: WebhookDeps) =>
  sendWebhook({ url: "https://hooks.example.com/weft", secretName: null, event, ...overrides }, webhookDeps);

describe("a webhook", () => {
  test("carries type, time and the workflow, and is identified but unsigned without a secret", () => {
    const webhook = buildWebhook(event, null, 1_700_000_000_999);
    expect(webhook?.headers).toEqual({ "content-type": "application/json", "webhook-id": "wf_1.9", "webhook-timestamp": "1700000000" });
    expect(JSON.parse(webhook?.body ?? "")).toEqual({ type: event.type, timestamp: event.timestamp, data: { id: "wf_1", name: "notes", status: "completed" } });
  });

  test("is accepted by the library of its receivers, with a base64 and with a text secret", () => {
    const signed = buildWebhook(event, BASE64_SECRET, Date.now());
    expect(() => new Webhook(BASE64_SECRET).verify(signed?.body ?? "", signed?.headers ?? {})).not.toThrow();
    const raw = buildWebhook(event, RAW_SECRET, Date.now());
    expect(() => new Webhook(new TextEncoder().encode(RAW_SECRET), { format: "raw" }).verify(raw?.body ?? "", raw?.headers ?? {})).not.toThrow();
    expect(() => new Webhook(BASE64_SECRET).verify(raw?.body ?? "", raw?.headers ?? {})).toThrow();
  });

  test("signs as the Standard Webhooks example does", () => {
    const delivery = { id: "msg_p5jXN8AQM9LWM0D4loKWxJek", atMs: 1_614_265_330_000, body: '{"test": 2432232314}' };
    expect(signBody(delivery, BASE64_SECRET)?.["webhook-signature"]).toBe("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
  });

  test.each(["", "whsec_", "whsec_!!!"])("cannot be signed with %j", (secret) => {
    expect(buildWebhook(event, secret, 0)).toBeNull();
  });
});

describe("a delivery", () => {
  test.each([200, 201, 202, 204, 299])("answered %i is done", async (status) => {
    expect(await send({}, deps(() => new Response(null, { status })))).toEqual({ status: "delivered" });
  });

  test.each([301, 400, 401, 404, 408, 429, 500, 503])("answered %i is tried again", async (status) => {
    expect(await send({}, deps(() => new Response("no", { status })))).toEqual({ status: "retry", reason: `answered ${status}`, retryAfterMs: null });
  });

  test("answered 410 is given up", async () => {
    expect(await send({}, deps(() => new Response("gone", { status: 410 })))).toMatchObject({ status: "give_up" });
  });

  test("hands on how long the receiver wants to be left alone", async () => {
    const busy = () => new Response(null, { status: 429, headers: { "retry-after": "90" } });
    expect(await send({}, deps(busy))).toMatchObject({ status: "retry", retryAfterMs: 90_000 });
  });

  test("to a URL that is not allowed is given up unsent", async () => {
    const sent: string[] = [];
    const result = await send({ url: "http://169.254.169.254/" }, deps((url) => (sent.push(url), new Response())));
    expect(result).toMatchObject({ status: "give_up" });
    expect(sent).toEqual([]);
  });

  test("over a broken connection is tried again", async () => {
    const broken = deps(() => Promise.reject(new TypeError("connection lost")));
    expect(await send({}, broken)).toEqual({ status: "retry", reason: "the connection failed: connection lost", retryAfterMs: null });
  });

  test("whose secret is missing or unusable is not sent unsigned, and tried again", async () => {
    const sent: string[] = [];
    for (const secret of [undefined, "", "whsec_!!!"]) {
      const result = await send({ secretName: "WEBHOOK_DEFAULT__X" }, deps((url) => (sent.push(url), new Response()), { secret: () => secret }));
      expect(result).toMatchObject({ status: "retry", reason: expect.stringContaining("WEBHOOK_DEFAULT__X") });
    }
    expect(sent).toEqual([]);
  });

  test("is signed with the named secret at the time of sending", async () => {
    let verified: unknown;
    const check = (_url: string, init: RequestInit): Response => {
      verified = new Webhook(BASE64_SECRET).verify(String(init.body), init.headers as Record<string, string>);
      return new Response();
    };
    await send({ secretName: "WEBHOOK_DEFAULT__X" }, deps(check, { secret: (name) => (name === "WEBHOOK_DEFAULT__X" ? BASE64_SECRET : undefined) }));
    expect(verified).toMatchObject({ type: "workflow.completed" });
  });

  test("without an answer ends after 10 s, not before, and is tried again", async () => {
    vi.useFakeTimers();
    try {
      const hang = (_url: string, init: RequestInit) => new Promise<Response>((_resolve, reject) => init.signal?.addEventListener("abort", () => reject(new Error("aborted"))));
      const results: unknown[] = [];
      void send({}, deps(hang)).then((result) => results.push(result));
      await vi.advanceTimersByTimeAsync(9_999);
      expect(results).toEqual([]);
      await vi.advanceTimersByTimeAsync(1);
      expect(results).toMatchObject([{ status: "retry", reason: "no answer in time" }]);
    } finally {
      vi.useRealTimers();
    }
  });

  test("does not wait for the body of the answer", async () => {
    const stalled = () => new Response(new ReadableStream({}), { status: 200 });
    expect(await send({}, deps(stalled))).toEqual({ status: "delivered" });
  });
});

describe("the waits between deliveries", () => {
  const sumOfWaits = (random: (attempt: number) => number): number => {
    let sum = 0;
    for (let attempt = 1; ; attempt += 1) {
      const waitMs = nextWebhookRetryMs(attempt, random(attempt));
      if (waitMs === null) return sum;
      sum += waitMs;
    }
  };

  test("end within 24 h, and not before 21 h, whatever the chance", () => {
    const chance = fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { minLength: MAX_WEBHOOK_ATTEMPTS, maxLength: MAX_WEBHOOK_ATTEMPTS });
    fc.assert(
      fc.property(chance, (randoms) => {
        const sum = sumOfWaits((attempt) => randoms[attempt - 1] ?? 0);
        return sum <= 24 * HOUR_MS && sum >= 21 * HOUR_MS;
      }),
    );
  });

  test("grow", () => {
    const waits = [1, 2, 3, 4, 5, 6, 7].map((attempt) => nextWebhookRetryMs(attempt, 0));
    expect(waits).toEqual([10_000, 30_000, 90_000, 270_000, 810_000, 2_430_000, 7_290_000]);
  });

  test("are over after the last attempt", () => {
    expect(nextWebhookRetryMs(MAX_WEBHOOK_ATTEMPTS - 1, 0)).toBeGreaterThan(0);
    expect(nextWebhookRetryMs(MAX_WEBHOOK_ATTEMPTS, 0)).toBeNull();
  });
});
