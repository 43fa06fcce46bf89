import type { TierDocument } from "../src/config/tiers.ts";
import type { BenchContext } from "./bench-context.ts";
import { median, printTable, show } from "./figures.ts";
import { createHttpClient } from "./http-client.ts";
import { askRaw, startRawUpstream, type RawTimes } from "./raw-http.ts";
import { startHost } from "./start-host.ts";

const ROUNDS = 5;
const WARM_UP_REQUESTS = 3_000;
const LOADS = [
  { connections: 1, requests: 400 },
  { connections: 32, requests: 4_000 },
];
/** Tokens of a streamed answer, one event each. */
const EVENTS = 40;

/** One way from the client to the provider. */
interface Way {
  name: string;
  origin: string;
  headers: Record<string, string>;
  model: string;
}

/** Times of a way under one load, all rounds together. */
interface Measured {
  whole: RawTimes[];
  stream: RawTimes[];
  requestsPerSecond: number[];
}

/** The gateway in the runtime alone, beside a Worker that only passes requests on and beside no Worker at all. */
export async function benchGateway(context: BenchContext): Promise<void> {
  const upstream = await startRawUpstream(completion(), streamedCompletion());
  const bare = await startHost("Miniflare", { config: "bench/pass-through-worker.toml", stateFolder: context.newStateFolder(), vars: { UPSTREAM: upstream.origin }, isDirect: true });
  const weft = await startHost("Miniflare", { config: "wrangler.toml", stateFolder: context.newStateFolder(), isDirect: true });
  try {
    const headers = { authorization: `Bearer ${weft.rootKey}` };
    await putTiers(weft.origin, headers, upstream.origin);
    const ways: Way[] = [
      { name: "direct", origin: upstream.origin, headers: {}, model: "m" },
      { name: "bare pass-through Worker", origin: bare.origin, headers: {}, model: "m" },
      { name: "the same, relaying in JavaScript", origin: bare.origin, headers: { "x-relay": "1" }, model: "m" },
      { name: "gateway, model named", origin: weft.origin, headers, model: "m" },
      { name: "gateway, auto", origin: weft.origin, headers, model: "auto" },
    ];
    for (const way of ways) {
      await ask(way, { connections: 32, requests: WARM_UP_REQUESTS }, false);
      await ask(way, { connections: 32, requests: WARM_UP_REQUESTS / 10 }, true);
    }
    for (const load of LOADS) printLoad(load.connections, ways, await measureInTurns(ways, load));
  } finally {
    await Promise.all([bare.stop(), weft.stop(), upstream.close()]);
  }
}

async function measureInTurns(ways: readonly Way[], load: { connections: number; requests: number }): Promise<Map<Way, Measured>> {
  const measured = new Map(ways.map((way) => [way, { whole: [], stream: [], requestsPerSecond: [] } as Measured]));
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [way, { whole, stream, requestsPerSecond }] of measured) {
      const startedAt = performance.now();
      whole.push(...(await ask(way, load, false)));
      requestsPerSecond.push((load.requests * 1_000) / (performance.now() - startedAt));
      stream.push(...(await ask(way, { ...load, requests: load.requests / 4 }, true)));
    }
  }
  return measured;
}

function ask({ origin, headers, model }: Way, load: { connections: number; requests: number }, isStream: boolean): Promise<RawTimes[]> {
  const messages = [
    { role: "system", content: "You are a careful assistant. Answer in the language of the question." },
    { role: "user", content: `What is the capital of the country with the longest coastline? ${"Think of islands too. ".repeat(30)}` },
  ];
  return askRaw(origin, headers, JSON.stringify({ model, messages, temperature: 0, max_tokens: 200, ...(isStream ? { stream: true } : {}) }), load);
}

function printLoad(connections: number, ways: readonly Way[], measured: Map<Way, Measured>): void {
  const direct = measured.get(ways[0]!)!;
  const added = (values: number[], base: number[], share: number): string => show(percentile(values, share) - percentile(base, share));
  const ends = (times: RawTimes[]): number[] => times.map(({ endMs }) => endMs);
  const firsts = (times: RawTimes[]): number[] => times.map(({ firstMs }) => firstMs);
  const rateOf = (way: Way | undefined): number => median(measured.get(way!)!.requestsPerSecond);
  const rows = ways.map((way) => {
    const { whole, stream } = measured.get(way)!;
    const own = way === ways[0];
    const plus = (values: number[], base: number[], share: number): string => (own ? show(percentile(values, share)) : `+${added(values, base, share)}`);
    return [
      way.name,
      plus(ends(whole), ends(direct.whole), 0.5),
      plus(ends(whole), ends(direct.whole), 0.99),
      plus(firsts(stream), firsts(direct.stream), 0.5),
      plus(firsts(stream), firsts(direct.stream), 0.99),
      plus(ends(stream), ends(direct.stream), 0.5),
      show(rateOf(way)),
      `${Math.round((100 * rateOf(way)) / rateOf(ways[1]))} %`,
    ];
  });
  printTable(`${connections} client${connections === 1 ? "" : "s"}, ms; below "direct": what is added to it`, ["", "p50", "p99", "first chunk p50", "first chunk p99", `${EVENTS} chunks p50`, "requests/s", "of the bare Worker's"], rows);
}

function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
}

async function putTiers(origin: string, headers: Record<string, string>, upstream: string): Promise<void> {
  const document: TierDocument = {
    providers: [{ id: "fake", kind: "openai-compatible", baseUrl: `${upstream}/v1` }],
    models: [{ id: "m", provider: "fake", tier: "weak", price: { inputPerMillionUsd: 1, outputPerMillionUsd: 2 }, contextWindow: 100_000, maxOutputTokens: 4_096, capabilities: ["tools", "json", "streaming"] }],
    tiers: { weak: ["m"], base: ["m"], strong: ["m"] },
  };
  for (const tier of ["base", "strong"] as const) {
    document.models.push({ ...document.models[0]!, id: `m-${tier}`, tier });
    document.tiers[tier] = [`m-${tier}`];
  }
  const client = createHttpClient();
  const answer = await client.send("PUT", `${origin}/v1/tiers`, { headers, body: document });
  client.close();
  if (answer.status !== 200) throw new Error(`the tiers were refused: ${answer.text}`);
}

const HEAD = { id: "chatcmpl-1", created: 1_700_000_000, model: "m" };
const USAGE = { prompt_tokens: 210, completion_tokens: EVENTS, total_tokens: 210 + EVENTS };

function completion(): string {
  const message = { role: "assistant", content: "Canada, with its islands. ".repeat(8) };
  return JSON.stringify({ ...HEAD, object: "chat.completion", choices: [{ index: 0, message, logprobs: null, finish_reason: "stop" }], usage: USAGE });
}

function streamedCompletion(): string[] {
  const event = (fields: object): string => `data: ${JSON.stringify({ ...HEAD, object: "chat.completion.chunk", ...fields })}\n\n`;
  const delta = (fields: object, finishReason: string | null = null): string => event({ choices: [{ index: 0, delta: fields, logprobs: null, finish_reason: finishReason }] });
  const deltas = Array.from({ length: EVENTS }, (_, number) => delta({ ...(number === 0 ? { role: "assistant" } : {}), content: "island " }));
  return [...deltas, delta({}, "stop"), event({ choices: [], usage: USAGE }), "data: [DONE]\n\n"];
}
