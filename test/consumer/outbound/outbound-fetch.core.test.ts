import { createServer } from "node:http";
import type { RequestListener, Server } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import { fetchOutbound, MAX_GET_REDIRECTS } from "../../../src/consumer/outbound/outbound-fetch.ts";
import type { FetchFunction, OutboundOptions } from "../../../src/consumer/outbound/outbound-fetch.ts";
import { checkEachUrl, UrlRefused } from "../../../src/consumer/outbound/outbound-fetch.ts";
import { MAX_RETRY_AFTER_MS, readRetryAfterMs } from "../../../src/consumer/outbound/retry-after.ts";

import { GOOD, HOSTILE } from "../../config/outbound-urls.ts";

const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections();
});

async function listen(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function options(overrides: Partial<OutboundOptions> = {}): OutboundOptions {
  const signal = new AbortController().signal;
  return { allowPrivate: true, fetch: (url, init) => fetch(url, init), maxBytes: 1_000, timeoutMs: 5_000, signal, ...overrides };
}

const GET = { method: "GET", headers: {} } as const;
const POST = { method: "POST", headers: { "x-a": "b" }, body: "{}" } as const;

/** Answers each URL from a list and records what was asked. */
function recordFetch(answers: Record<string, () => Response>): { fetch: FetchFunction; asked: { url: string; headers: HeadersInit | undefined; redirect: string | undefined }[] } {
  const asked: { url: string; headers: HeadersInit | undefined; redirect: string | undefined }[] = [];
  const record: FetchFunction = async (url, init) => {
    asked.push({ url, headers: init.headers, redirect: init.redirect });
    const respond = answers[url];
    if (respond === undefined) throw new TypeError(`unexpected ${url}`);
    return respond();
  };
  return { fetch: record, asked };
}

function redirect(location: string, status = 302): () => Response {
  return () => new Response("moved", { status, headers: { location } });
}

describe("an outbound request", () => {
  test("is not sent to a URL that is not allowed", async () => {
    const { fetch, asked } = recordFetch({});
    const answer = await fetchOutbound("https://127.0.0.1/", POST, options({ fetch, allowPrivate: false }));
    expect(answer).toEqual({ kind: "refused", reason: expect.stringContaining("loopback") });
    expect(asked).toEqual([]);
  });

  test("brings method, headers and body, and hands back status, headers and text", async () => {
    const origin = await listen((request, response) => {
      request.on("data", (chunk) => response.writeHead(201, { "x-seen": String(request.headers["x-a"]) }).end(`${request.method} ${String(chunk)} ä`));
    });
    const answer = await fetchOutbound(origin, POST, options());
    expect(answer).toMatchObject({ kind: "answered", status: 201, text: "POST {} ä", truncated: false });
    expect(answer.kind === "answered" && answer.headers.get("x-seen")).toBe("b");
  });

  test("calls fetch as a plain function, as the platform demands", async () => {
    const seen: unknown[] = [];
    async function bareFetch(this: unknown): Promise<Response> {
      seen.push(this);
      return new Response("");
    }
    await fetchOutbound("https://example.com/", GET, options({ fetch: bareFetch }));
    expect(seen).toEqual([undefined]);
  });

  test("of a broken connection is broken", async () => {
    const origin = await listen((request) => request.socket.destroy());
    expect(await fetchOutbound(origin, POST, options())).toMatchObject({ kind: "broken" });
  });

  test("that breaks in the middle of the body is broken", async () => {
    const origin = await listen((_request, response) => {
      response.writeHead(200, { "content-length": "100" }).write("half");
      setTimeout(() => response.socket?.destroy(), 20);
    });
    expect(await fetchOutbound(origin, POST, options())).toMatchObject({ kind: "broken" });
  });

  test("without an answer ends at the time limit", async () => {
    const origin = await listen(() => undefined);
    expect(await fetchOutbound(origin, POST, options({ timeoutMs: 30 }))).toEqual({ kind: "timed_out" });
  });

  test("whose body never ends ends at the time limit", async () => {
    const origin = await listen((_request, response) => void response.writeHead(200).write("x"));
    expect(await fetchOutbound(origin, POST, options({ timeoutMs: 50 }))).toEqual({ kind: "timed_out" });
  });

  test("ends when the caller's signal is aborted, before or meanwhile", async () => {
    const origin = await listen(() => undefined);
    expect(await fetchOutbound(origin, POST, options({ signal: AbortSignal.abort() }))).toEqual({ kind: "timed_out" });
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 20);
    expect(await fetchOutbound(origin, POST, options({ signal: controller.signal }))).toEqual({ kind: "timed_out" });
  });
});

describe("a body", () => {
  const serve = (body: string | Buffer, headers: Record<string, string> = {}) => listen((_request, response) => void response.writeHead(200, headers).end(body));

  test.each([
    [1_000, false],
    [1_001, true],
  ])("of %i bytes under a limit of 1,000: truncated %s", async (bytes, truncated) => {
    const answer = await fetchOutbound(await serve("x".repeat(bytes)), GET, options());
    expect(answer).toMatchObject({ kind: "answered", truncated });
    expect(answer.kind === "answered" && answer.text.length).toBe(1_000);
  });

  test("is counted after decompression", async () => {
    const origin = await serve(gzipSync("x".repeat(1_000_000)), { "content-encoding": "gzip" });
    expect(await fetchOutbound(origin, GET, options())).toMatchObject({ kind: "answered", truncated: true });
  });

  test("over the limit is cancelled: an endless one does not hold up the answer", async () => {
    let cancelled = false;
    const endless = new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(600)), cancel: () => void (cancelled = true) });
    const answer = await fetchOutbound("https://example.com/", GET, options({ fetch: async () => new Response(endless) }));
    expect(answer).toMatchObject({ truncated: true });
    expect(cancelled).toBe(true);
  });

  test("that nobody needs is cancelled unread", async () => {
    let cancelled = false;
    const silent = new ReadableStream({ cancel: () => void (cancelled = true) });
    const answer = await fetchOutbound("https://example.com/", GET, options({ fetch: async () => new Response(silent, { status: 202 }), needsBody: (status) => status !== 202 }));
    expect(answer).toMatchObject({ kind: "answered", status: 202, text: "" });
    expect(cancelled).toBe(true);
  });

  test("keeps characters that are split between chunks", async () => {
    const bytes = new TextEncoder().encode("aé€😀");
    const split = new ReadableStream({
      start: (controller) => {
        for (const byte of bytes) controller.enqueue(new Uint8Array([byte]));
        controller.close();
      },
    });
    expect(await fetchOutbound("https://example.com/", GET, options({ fetch: async () => new Response(split) }))).toMatchObject({ text: "aé€😀" });
  });
});

describe("redirects", () => {
  test.each([301, 302, 303, 307, 308])("a POST hands back a %i and goes nowhere else", async (status) => {
    const { fetch, asked } = recordFetch({ "https://a.example/": redirect("https://b.example/", status) });
    expect(await fetchOutbound("https://a.example/", POST, options({ fetch }))).toMatchObject({ kind: "answered", status });
    expect(asked).toMatchObject([{ url: "https://a.example/", redirect: "manual" }]);
  });

  test(`a GET follows ${MAX_GET_REDIRECTS}, relative ones too`, async () => {
    const { fetch, asked } = recordFetch({
      "https://a.example/1": redirect("/2"),
      "https://a.example/2": redirect("3", 307),
      "https://a.example/3": redirect("https://a.example/4", 308),
      "https://a.example/4": () => new Response("here"),
    });
    expect(await fetchOutbound("https://a.example/1", GET, options({ fetch }))).toMatchObject({ status: 200, text: "here" });
    expect(asked).toHaveLength(4);
  });

  test("a GET hands back the fourth", async () => {
    const { fetch, asked } = recordFetch({ "https://a.example/": redirect("/") });
    expect(await fetchOutbound("https://a.example/", GET, options({ fetch }))).toMatchObject({ kind: "answered", status: 302 });
    expect(asked).toHaveLength(MAX_GET_REDIRECTS + 1);
  });

  test.each(["https://169.254.169.254/", "https://localhost/", "http://b.example/", "//[::1]/", "file:///etc/passwd"])("a GET is not led to %s", async (location) => {
    const { fetch, asked } = recordFetch({ "https://a.example/": redirect(location) });
    expect(await fetchOutbound("https://a.example/", GET, options({ fetch, allowPrivate: false }))).toMatchObject({ kind: "refused" });
    expect(asked).toHaveLength(1);
  });

  test("a GET is led to no host of the table of hostile URLs, and to no other place than a public one", async () => {
    for (const location of Object.values(HOSTILE).flat()) {
      if (/[^\u0000-\u00ff]|[\r\n]/.test(location)) continue; // No header can hold it.
      const asked: string[] = [];
      const first = "https://a.example/";
      await fetchOutbound(first, GET, options({ allowPrivate: false, fetch: async (url) => (asked.push(url), url === first ? redirect(location)() : new Response("here")) }));
      expect(asked.slice(1).filter((url) => !["a.example", "example.com"].includes(new URL(url).host)), location).toEqual([]);
    }
  });

  test("headers stay with the origin they were meant for", async () => {
    const { fetch, asked } = recordFetch({
      "https://a.example/1": redirect("/2"),
      "https://a.example/2": redirect("https://b.example/"),
      "https://b.example/": () => new Response("here"),
    });
    await fetchOutbound("https://a.example/1", { method: "GET", headers: { authorization: "Bearer x" } }, options({ fetch }));
    expect(asked.map(({ headers }) => headers)).toEqual([{ authorization: "Bearer x" }, { authorization: "Bearer x" }, {}]);
  });
});

describe("a call of a provider", () => {
  test("is sent to no hostile URL, whenever it was stored", async () => {
    let sent = 0;
    const fetch = checkEachUrl(async () => (sent += 1, new Response("")), { allowPrivate: false });
    for (const url of Object.values(HOSTILE).flat()) await expect(fetch(url), url).rejects.toBeInstanceOf(UrlRefused);
    expect(sent).toBe(0);
    for (const url of GOOD) await fetch(url);
    await fetch(new URL(GOOD[0]!));
    await fetch(new Request(GOOD[0]!));
    expect(sent).toBe(GOOD.length + 2);
    await expect(fetch(new Request("https://127.0.0.1/"))).rejects.toBeInstanceOf(UrlRefused);
  });
});

describe("Retry-After", () => {
  const now = Date.parse("2026-11-20T10:00:00Z");

  test.each([
    ["0", 0],
    ["7", 7_000],
    ["1.5", 1_500],
    [" 7 ", 7_000],
    ["3600", MAX_RETRY_AFTER_MS],
    ["3601", MAX_RETRY_AFTER_MS],
    ["99999999999999999999", MAX_RETRY_AFTER_MS],
    ["Fri, 20 Nov 2026 10:00:30 GMT", 30_000],
    ["Fri, 20 Nov 2026 09:00:00 GMT", 0],
    ["Sat, 21 Nov 2026 10:00:00 GMT", MAX_RETRY_AFTER_MS],
    ["-5", null],
    ["soon", null],
    ["soon GMT", null],
    ["", null],
    [null, null],
  ])("%j asks for %s ms", (header, waitMs) => {
    expect(readRetryAfterMs(header, now)).toBe(waitMs);
  });
});
