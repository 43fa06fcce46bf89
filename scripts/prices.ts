/**
 * Imports prices from a file in LiteLLM's format into a tiers document: the built-in one, or a server's.
 *
 *   npm run prices -- FILE                                          shows what would change in the built-in document, prints it as JSON
 *   ROOT_KEY=… npm run prices -- FILE --origin https://…            the same for the server's document
 *   ROOT_KEY=… npm run prices -- FILE --origin https://… --put      puts it there
 *
 * --date YYYY-MM-DD: the day of the prices (today). --free: also for models that cost nothing here. The table goes to stderr.
 */
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { parseArgs } from "node:util";
import { z } from "zod";
import { DEFAULT_TIERS } from "../src/config/default-tiers.ts";
import { TierDocument, type ModelPrice } from "../src/config/tiers.ts";
import { importPrices, PriceFile, type ImportedPrice } from "./import-prices.ts";

const { values, positionals } = parseArgs({
  options: { origin: { type: "string" }, put: { type: "boolean", default: false }, date: { type: "string" }, free: { type: "boolean", default: false } },
  allowPositionals: true,
});
const [path] = positionals;
if (path === undefined || positionals.length > 1) fail("usage: npm run prices -- FILE [--origin URL [--put]] [--date YYYY-MM-DD] [--free]");
if (values.put && values.origin === undefined) fail("--put needs --origin");

if (values.date !== undefined && !z.iso.date().safeParse(values.date).success) fail("--date takes a day, like 2026-01-31");

const file = readPriceFile(path);
const before = values.origin === undefined ? DEFAULT_TIERS : TierDocument.parse(withoutVersion(await ask(values.origin, {})));
const { document, prices } = importPrices(before, file, { date: values.date ?? new Date().toISOString().slice(0, 10), source: basename(path), includesFree: values.free });
for (const price of prices) console.error(describe(price));
if (!values.put) console.log(JSON.stringify(document, null, 2));
else if (prices.every(({ outcome }) => outcome !== "changed")) console.error("nothing to change");
else console.error(`stored as version ${String((await ask(values.origin!, { method: "PUT", body: JSON.stringify(document) }))["version"])}`);

function readPriceFile(name: string): PriceFile {
  try {
    const parsed = PriceFile.safeParse(JSON.parse(readFileSync(name, "utf8")));
    return parsed.data ?? fail(`${name} is no object of prices by model`);
  } catch (error) {
    return fail(`${name} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function describe({ model, outcome, key, before: old, after }: ImportedPrice): string {
  const change = outcome === "changed" ? `${show(old)} → ${show(after)}` : show(old);
  return `${model}: ${outcome}, ${change}${key === null ? "" : ` (${key})`}`;
}

function show({ inputPerMillionUsd, outputPerMillionUsd, cachedInputPerMillionUsd, cacheWritePerMillionUsd, reasoningPerMillionUsd, longContext = [] }: ModelPrice): string {
  const others = Object.entries({ cached: cachedInputPerMillionUsd, "cache write": cacheWritePerMillionUsd, reasoning: reasoningPerMillionUsd });
  const shown = others.flatMap(([name, price]) => (price === undefined ? [] : [`, ${name} $${price}`]));
  const steps = longContext.map((step) => `, above ${step.aboveInputTokens} tokens $${step.inputPerMillionUsd} / $${step.outputPerMillionUsd}`);
  return `$${inputPerMillionUsd} / $${outputPerMillionUsd} per million${[...shown, ...steps].join("")}`;
}

async function ask(origin: string, request: RequestInit): Promise<Record<string, unknown>> {
  const response = await fetch(new URL("/v1/tiers", origin), { ...request, headers: { authorization: `Bearer ${process.env["ROOT_KEY"] ?? ""}` } });
  const text = await response.text();
  if (!response.ok) fail(`/v1/tiers answered ${response.status}: ${text}`);
  return JSON.parse(text) as Record<string, unknown>;
}

function withoutVersion({ version: _version, ...document }: Record<string, unknown>): object {
  return document;
}

function fail(message: string): never {
  console.error(message);
  process.exit(1);
}
