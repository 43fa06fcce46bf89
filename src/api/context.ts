import { z } from "zod";
import { reduceContext } from "../optimizer/reduce-context.ts";
import { MIN_CHUNK_TOKENS, splitContext } from "../optimizer/split-context.ts";
import { upperBoundTokens } from "../optimizer/tokens/token-bound.ts";
import type { Endpoint } from "./endpoint.ts";
import { answerJson } from "./http/answer-json.ts";
import { refuseFaults } from "./http/problem.ts";
import { readBody } from "./http/read-request.ts";

/** Largest body of these routes (contract). */
export const MAX_CONTEXT_BODY_BYTES = 8_388_608;
/** Strings to keep: each is searched for in the text. */
export const MAX_KEEP = 1_000;
export const MAX_KEEP_CHARS = 10_000;
export const MAX_QUERY_CHARS = 100_000;
export const MAX_TOKENS = 100_000_000;
/** Full chunks of one answer: what each says about itself weighs more than the text of a tiny one, and an isolate has 128 MB. */
export const MAX_CHUNKS = 50_000;

const Reduce = z
  .strictObject({
    text: z.string(),
    query: z.string().max(MAX_QUERY_CHARS).nullish(),
    targetReduction: z.number().min(0).max(0.99).nullish(),
    maxTokens: z.int().min(1).max(MAX_TOKENS).nullish(),
    keep: z.array(z.string().min(1).max(MAX_KEEP_CHARS)).max(MAX_KEEP).nullish(),
  })
  .refine((body) => (body.targetReduction == null) !== (body.maxTokens == null), "give exactly one of targetReduction and maxTokens");

const Reduction = z.object({
  text: z.string(),
  originalTokens: z.int(),
  reducedTokens: z.int(),
  reductionPercent: z.number(),
  achieved: z.boolean(),
  steps: z.array(z.object({ method: z.string(), tokensBefore: z.int(), tokensAfter: z.int() })),
});

const Split = z
  .strictObject({ text: z.string(), maxTokens: z.int().min(MIN_CHUNK_TOKENS).max(MAX_TOKENS), overlapTokens: z.int().min(0).max(MAX_TOKENS).nullish() })
  .refine((body) => (body.overlapTokens ?? 0) * 2 <= body.maxTokens, { path: ["overlapTokens"], message: "must be at most half of maxTokens" });

const Chunks = z.object({
  chunks: z.array(z.object({ index: z.int(), text: z.string(), overlap: z.string(), tokens: z.int(), heading: z.string().nullable(), concepts: z.array(z.string()) })),
});

export const CONTEXT_ENDPOINTS: readonly Endpoint[] = [
  {
    method: "POST",
    path: "/v1/context/reduce",
    tag: "Context",
    summary: "A text with fewer tokens and what matters for the query; says when structure or `keep` forbids the target",
    access: "gateway",
    body: { schema: Reduce },
    answers: { 200: { description: "The reduced text, and what each method did", schema: Reduction } },
    handle: async (context) => {
      const { text, query, targetReduction, maxTokens, keep } = await readBody(context, Reduce, MAX_CONTEXT_BODY_BYTES);
      const target = maxTokens == null ? { targetReduction: targetReduction ?? 0 } : { maxTokens };
      return answerJson(200, reduceContext(text, { ...target, query: query ?? undefined, keep: keep ?? undefined }));
    },
  },
  {
    method: "POST",
    path: "/v1/context/split",
    tag: "Context",
    summary: "A text in chunks of at most `maxTokens`, cut at its structure; joined they are the text",
    access: "gateway",
    body: { schema: Split },
    answers: { 200: { description: "The chunks, in order", schema: Chunks } },
    handle: async (context) => {
      const { text, maxTokens, ...options } = await readBody(context, Split, MAX_CONTEXT_BODY_BYTES);
      const overlapTokens = options.overlapTokens ?? 0;
      const leastTokens = Math.ceil(upperBoundTokens(text) / MAX_CHUNKS) + overlapTokens;
      if (maxTokens < leastTokens) refuseFaults([{ path: "/maxTokens", message: `the text would come to more than ${MAX_CHUNKS} chunks; take at least ${leastTokens}` }]);
      return answerJson(200, splitContext(text, { maxTokens, overlapTokens }));
    },
  },
];
