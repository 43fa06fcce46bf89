import { z } from "zod";
import { classifyIntents, DEFAULT_INTENT_THRESHOLD } from "../optimizer/classify-intent.ts";
import type { IntentCache } from "../optimizer/intents/intent-cache.ts";
import { INTENTS } from "../optimizer/intents/intent.ts";
import { callerOf, type Endpoint } from "./endpoint.ts";
import { openWeakestModel } from "./gateway/ask-weakest-model.ts";
import { answerJson } from "./http/answer-json.ts";
import { readBody } from "./http/read-request.ts";

/** Steps of one request: as many as a workflow has tasks. */
export const MAX_STEPS = 5_000;
export const MAX_STEP_CHARS = 100_000;

const Intent = z.enum(INTENTS);
const Steps = z.strictObject({ steps: z.array(z.strictObject({ id: z.string().min(1).max(200), text: z.string().max(MAX_STEP_CHARS) })).min(1).max(MAX_STEPS) });
const Guess = z.object({ intent: Intent, confidence: z.number() });
const Items = z.object({ items: z.array(Guess.extend({ id: z.string(), alternatives: z.array(Guess), method: z.enum(["pattern", "model", "fallback"]) })) });

export const INTENT_ENDPOINTS: readonly Endpoint[] = [
  {
    method: "POST",
    path: "/v1/intents",
    tag: "Context",
    summary: "What each step of a workflow is for: by patterns, and by the weakest configured model where they are unsure",
    access: "gateway",
    body: { schema: Steps },
    answers: { 200: { description: "The intents, in the order asked", schema: Items } },
    handle: async (context, api) => {
      const { steps } = await readBody(context, Steps);
      const { tenant } = callerOf(context);
      const ask = await openWeakestModel(tenant, context.req.raw.signal, api);
      const { requestId } = context.var;
      const onFault = (fault: unknown) => api.deps.log({ event: "intents.failed", requestId, message: fault instanceof Error ? fault.message : String(fault) });
      return answerJson(200, await classifyIntents(steps, { threshold: DEFAULT_INTENT_THRESHOLD, cache: cacheOf(tenant, api.intents), ...(ask === null ? {} : { ask }), onFault }));
    },
  },
];

/** What one tenant asked for is no other's to learn of, nor to pay for. */
function cacheOf(tenant: string, cache: IntentCache): IntentCache {
  const name = (text: string): string => `${tenant}\n${text}`;
  return { get: (text) => cache.get(name(text)), set: (text, guess) => cache.set(name(text), guess) };
}
