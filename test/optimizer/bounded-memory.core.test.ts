import { URL } from "node:url";
import { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";

/** The largest body that the routes take is 8 MiB. */
const TEXT_CHARS = 8_000_000;
/** Of the heap. An isolate has 128 MB in all: the body, its text, the program and the index of words take their part of them. */
const MAX_HEAP_MB = 80;

function repeat(make: (index: number) => string, separator: string): string {
  const buffer = Buffer.alloc(TEXT_CHARS + 1_000);
  let length = 0;
  for (let index = 0; length < TEXT_CHARS; index += 1) {
    if (index > 0) length += buffer.write(separator, length, "latin1");
    length += buffer.write(make(index), length, "latin1");
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
  "one-letter words": () => repeat((n) => String.fromCharCode(97 + (n % 26)), " "),
  "short turns with an id each": () => repeat((n) => `user: order ORD${n}\nassistant: {"id":"QX${n}"}`, "\n"),
  "short turns of two speakers": () => repeat((n) => `Ada: item ${n} is done\nBob: ok`, "\n"),
};

describe(`${TEXT_CHARS / 1e6} MB are reduced in a heap of ${MAX_HEAP_MB} MB`, () => {
  it.each(Object.entries(HOSTILE))("%s", async (_what, make) => {
    const worker = new Worker(new URL("./reduce-worker.ts", import.meta.url), {
      workerData: { text: make(), query: "Which lamp was lit, and when?" },
      resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB, maxYoungGenerationSizeMb: 4 },
    });
    const reductionPercent = await new Promise<number>((resolve, reject) => worker.once("message", resolve).once("error", reject));
    expect(reductionPercent).toBeGreaterThanOrEqual(75);
  }, 60_000);
});
