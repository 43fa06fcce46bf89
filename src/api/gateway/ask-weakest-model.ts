import type { Models } from "../../consumer/load-models.ts";
import { isEmbedded } from "../../router/find-model.ts";
import { routeCall } from "../../router/route-call.ts";
import type { RankedModel } from "../../router/rank.ts";
import type { TaskType } from "../../workflow/spec/agent.ts";
import type { Api } from "../endpoint.ts";
import { answerChat } from "./chat-completions.ts";

/** Time of one question, and of all of a request together: what asks has its own answer without them. */
const QUESTION_TIMEOUT_MS = 30_000;
const QUESTIONS_TIMEOUT_MS = 60_000;
/** Longest answer to a question: a batch of twenty short items in JSON. */
const MAX_ANSWER_TOKENS = 2_048;
/** What a question is routed and counted as. */
const QUESTION_TYPE: TaskType = "simple_query";

/** Asks one question and gives the answer's text. Rejects when there is none. */
export type AskModel = (question: { system: string; prompt: string }) => Promise<string>;

/**
 * Asks by the tenant's settings and at its expense: each question is a request to the gateway, held from its budget and entered into its
 * ledger. Null while only the embedded engine is configured, since that is no judge of words.
 */
export async function openWeakestModel(tenant: string, clientSignal: AbortSignal, { deps }: Pick<Api, "deps">): Promise<AskModel | null> {
  const chosen = findWeakest(await deps.loadModels(tenant), deps.now());
  if (chosen === null) return null;
  const { model, provider } = chosen;
  const cap = Math.min(MAX_ANSWER_TOKENS, model.maxOutputTokens);
  // The only name of the cap that OpenAI's reasoning models take is one that others do not know.
  const caps = provider.kind === "openai" ? { max_completion_tokens: cap } : { max_tokens: cap };
  const over = AbortSignal.any([clientSignal, AbortSignal.timeout(QUESTIONS_TIMEOUT_MS)]);
  let failure: Error | null = null;
  return async ({ system, prompt }) => {
    // Neither a budget that is used up nor a model that is down is asked again for every batch.
    if (failure !== null) throw failure;
    const messages = [{ role: "system", content: system }, { role: "user", content: prompt }];
    const signal = AbortSignal.any([over, AbortSignal.timeout(QUESTION_TIMEOUT_MS)]);
    const response = await answerChat({ body: { model: model.id, messages, ...caps }, text: null }, tenant, signal, { deps }, QUESTION_TYPE);
    if (response.ok) return readText(await response.json());
    failure = new Error(await readFault(response, model.id));
    throw failure;
  };
}

/** The router's choice in the weakest tier that has another model than the embedded engine. */
function findWeakest(models: Models, now: number): RankedModel | null {
  for (const tier of ["weak", "base", "strong"] as const) {
    const decision = routeCall({ taskType: QUESTION_TYPE, tier, contextTokens: 0, files: 0, failureRate: 0, maxOutputTokens: null, needs: [] }, { ...models, now });
    if ("chosen" in decision && !isEmbedded(decision.chosen)) return decision.chosen;
  }
  return null;
}

function readText(completion: unknown): string {
  const { choices } = completion as { choices?: { message?: { content?: unknown } }[] };
  const content = choices?.[0]?.message?.content;
  return typeof content === "string" ? content : "";
}

async function readFault(response: Response, model: string): Promise<string> {
  const { error } = (await response.json().catch(() => ({}))) as { error?: { message?: string } };
  return error?.message ?? `${model} gave no answer`;
}
