import { URL } from "node:url";
import { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";

/** The largest body that the routes take is 8 MiB. */
const TEXT_CHARS = 8_000_000;
/** Of the heap, the text itself and the program in it. The index of words lies outside of it and is bounded by its own limits; an isolate has 128 MB in all. */
const MAX_HEAP_MB = 40;
/** As many questions as are looked at one by one: each has weights and scores of its own. */
const QUERY = "Which lamp was lit, and when? Who did item 5? How many k7 are there? Where is order ORD9? What is a1? Who has b2? When was w3k there? What is user 49?";

/** Parts to write at once: a write for each of millions would take longer than what is tested. */
const PARTS_A_WRITE = 1_000;

function repeat(make: (index: number) => string, separator: string): string {
  const buffer = Buffer.alloc(TEXT_CHARS + 1_000_000);
  let length = 0;
  for (let first = 0; length < TEXT_CHARS; first += PARTS_A_WRITE) {
    let parts = "";
    for (let index = first; index < first + PARTS_A_WRITE; index += 1) parts += index === 0 ? make(index) : separator + make(index);
    length += buffer.write(parts, length, "latin1");
  }
  return buffer.toString("latin1", 0, length);
}

/** Megabytes of what makes the most parts, words or names out of the fewest characters. */
const HOSTILE: Record<string, () => string> = {
  "an array of digits": () => `[ ${repeat((n) => String(n % 10), " , ")} ]`,
  "an array of different numbers": () => `[${repeat(String, ",")}]`,
  "an object of tiny members": () => `{${repeat((n) => `"k${n}":1`, ",")}}`,
  "an array of empty arrays": () => `[${repeat(() => "[]", ",")}]`,
  "arrays nested 500 deep": () => `[${repeat(() => "[".repeat(500) + "]".repeat(500), ",")}]`,
  "records": () => `[${repeat((n) => `{"id":${n},"name":"user ${n * 7}","active":${n % 2 === 0}}`, ",")}]`,
  "JSON lines": () => repeat((n) => `{"id":${n},"name":"user ${n * 7}","text":"It is so. It was not."}`, "\n"),
  "a JSON string of short sentences": () => `{"text":"${repeat((n) => `It is ${n}.`, " ")}"}`,
  "texts in JSON": () => `[${repeat((n) => `{"id":${n},"text":"${`It is so of ${n}. `.repeat(15)}"}`, ",")}]`,
  "long items of a list": () => repeat((n) => `- item ${n}: ${"It is so. ".repeat(30)}`, "\n"),
  "subtitles": () => repeat((n) => `${n}\n00:00:01,000 --> 00:00:02,000\nAda: item ${n}\n`, "\n"),
  "one-letter words": () => repeat((n) => String.fromCharCode(97 + (n % 26)), " "),
  "short turns with an id each": () => repeat((n) => `user: order ORD${n}\nassistant: {"id":"QX${n}"}`, "\n"),
  "titled documents of a sentence": () => repeat((n) => `Document [${n}] (Title: T${n}) It is so.`, "\n"),
  "log lines with two names each": () => repeat((n) => `2026-01-02 10:00:00 INFO ${n.toString(36)}x ${(n * 7_919).toString(36)}y done`, "\n"),
  "different words": () => repeat((n) => `w${n.toString(36)}`, " "),
  "files of a line": () => repeat((n) => `src/f${n}.ts\nconst a${n} = ${n};`, "\n"),
  "one class of tiny methods": () => `export class A {\n${repeat((n) => `  m${n}() {\n    return ${n};\n  }\n`, "\n")}\n}\n`,
  "rows of values": () => `id,name,price\n${repeat((n) => `${n},n${n * 7},${n % 100}`, "\n")}`,
  "short turns of two speakers": () => repeat((n) => `Ada: item ${n} is done\nBob: ok`, "\n"),
};

describe(`${TEXT_CHARS / 1e6} MB are reduced in a heap of ${MAX_HEAP_MB} MB`, () => {
  it.each(Object.entries(HOSTILE))("%s", async (_what, make) => {
    const worker = new Worker(new URL("./reduce-worker.ts", import.meta.url), {
      workerData: { text: make(), query: QUERY },
      resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB, maxYoungGenerationSizeMb: 4 },
    });
    const reductionPercent = await new Promise<number>((resolve, reject) => worker.once("message", resolve).once("error", reject));
    expect(reductionPercent).toBeGreaterThanOrEqual(75);
  }, 60_000);
});
