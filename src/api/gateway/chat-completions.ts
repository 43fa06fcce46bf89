import type { Settings } from "../../config/settings.ts";
import { callWithFallback, type CallCandidate, type FallbackResult } from "../../consumer/agents/call-with-fallback.ts";
import { NANO_USD_PER_USD } from "../../nano-usd.ts";
import { findBaselineModel } from "../../router/find-model.ts";
import type { CallOptions } from "../../router/language-model.ts";
import type { Models } from "../../consumer/load-models.ts";
import type { TaskType } from "../../workflow/spec/agent.ts";
import type { Api } from "../endpoint.ts";
import { orderedId } from "../http/ordered-id.ts";
import { speaksOpenAi } from "./ask-directly.ts";
import { asSentence, callChat, viewFault, type ChatAnswer, type ChatCall } from "./call-chat.ts";
import { readOutputCap, type ChatBody, type ChatRequest } from "./chat-body.ts";
import { createChatBudget, type ChatBudget } from "./chat-budget.ts";
import { routeChat, type RoutedChat } from "./chat-route.ts";
import { answerError, type OpenAiError } from "./openai-error.ts";
import { createRouteHeaders, describeRoute } from "./route-headers.ts";
import { translateRequest } from "./translate-request.ts";
import { createWatchdog } from "./watchdog.ts";

/** A client that went away is answered all the same; the status is nginx's, and nobody sees it. */
const CLIENT_CLOSED_REQUEST = 499;
/** The longest answers that models give unasked: what a whole answer is waited for before the next model is asked. */
const LONG_ANSWER_TOKENS = 8_192;
/** Timers that are set for longer fire at once. */
const MAX_TIMER_MS = 2_147_483_647;
const headersOfWhole = createRouteHeaders("application/json");
const headersOfStream = createRouteHeaders("text/event-stream; charset=utf-8");
const UNKNOWN_BUDGET: OpenAiError = { status: 503, message: "The budget cannot be read now: try again.", type: "server_error", param: null, code: "budget_unknown", retryAfterMs: 1_000 };

/** One chat completion: chooses the models, asks them one after the other until one answers, and passes its answer on. The task type is inferred where none is given. */
export async function answerChat({ body, text }: ChatRequest, tenant: string, clientSignal: AbortSignal, { deps }: Pick<Api, "deps">, taskType: TaskType | null = null): Promise<Response> {
  const [models, allowance] = await Promise.all([deps.loadModels(tenant), deps.allowances.read(tenant).catch(() => null)]);
  if (allowance === null) return answerError(UNKNOWN_BUDGET);
  const routed = routeChat(body, taskType, models, deps.now());
  if ("refusal" in routed) return answerError(routed.refusal);
  const { choice } = routed;
  const prepared = prepareCandidates(body, [choice.chosen, ...choice.fallbacks]);
  if ("refusal" in prepared) return answerError(prepared.refusal);

  const startedAt = deps.now();
  const head = { id: orderedId("chatcmpl-", startedAt, deps.randomId()), created: Math.floor(startedAt / 1_000) };
  const budget = allowance.budget === null ? null : createChatBudget({ id: head.id, body, budget: allowance.budget }, { tenant: () => deps.tenant(tenant), margins: models.margins, now: deps.now });
  const silenceMs = models.settings.orchestration.taskTimeoutMs;
  const circuitFirstTokenMs = firstTokenMs(body, models.settings.routing);
  const watchdog = createWatchdog({ silenceMs, firstLookMs: prepared.candidates.length > 1 ? circuitFirstTokenMs : silenceMs, client: clientSignal, now: deps.now });
  const begun = Promise.withResolvers<Response>();
  const called: CallCandidate[] = [];
  let spentNanoUsd = 0;
  const call: ChatCall = {
    body,
    text,
    translations: prepared.translations,
    inputTokens: routed.inputTokens,
    baseline: findBaselineModel(models.document, models.settings.budgets.baselineModel),
    spentNanoUsd: () => spentNanoUsd,
    head,
    heldFor: (candidate) => budget?.heldFor(candidate) ?? null,
    left: watchdog.left,
    onBegin: (candidate, stream) => begun.resolve(new Response(stream, { headers: headersOfStream(candidate, called.slice(0, -1).map(({ model }) => model.id)) })),
    onChunk: watchdog.touch,
  };
  const result = callWithFallback<ChatAnswer>(
    {
      tenant,
      taskType: choice.taskType,
      candidates: prepared.candidates,
      tokensOf: ({ model }) => routed.inputTokens + Math.min(readOutputCap(body) ?? models.settings.routing.assumedOutputTokens, model.maxOutputTokens),
      ...(budget === null ? {} : { reserve: budget.reserve }),
      call: async (candidate, control) => {
        called.push(candidate);
        const end = await callChat(call, candidate, control, { ...models, fetch: deps.gateway.fetch, secret: deps.gateway.secret, now: deps.now });
        spentNanoUsd += end.record?.costNanoUsd ?? 0;
        return end;
      },
    },
    {
      health: models.health,
      settings: { circuitFirstTokenMs },
      now: deps.now,
      get signal() {
        return watchdog.signal;
      },
      limitFirstToken: watchdog.limitFirstToken,
      waitUntil: startedAt + silenceMs,
    },
  );
  const entered = result.then((end) => {
    watchdog.stop();
    // Nothing was called and nothing is reserved: there is nothing to enter, and such requests come in floods.
    if (end.last === null && end.fault?.failure.code === "budget_exhausted" && budget?.reservedNanoUsd === null) return end;
    enter(end, tenant, routed, call, { deps });
    if (budget !== null) judgeReservation(end, tenant, call, budget, models, { deps });
    return end;
  });
  // A streamed answer outlives its handler, and its price is known when its reader may have left.
  deps.gateway.keepAlive(entered.then(() => undefined));
  return Promise.race([begun.promise, entered.then((end) => answerWhole(end, clientSignal))]);
}

/** The candidates that can be asked what the client asks; the first one's refusal when there are none. */
function prepareCandidates(body: ChatBody, candidates: readonly CallCandidate[]): { candidates: CallCandidate[]; translations: Map<CallCandidate, CallOptions> } | { refusal: OpenAiError } {
  const translations = new Map<CallCandidate, CallOptions>();
  let refusal: OpenAiError | null = null;
  const able = candidates.filter((candidate) => {
    if (speaksOpenAi(candidate.provider)) return true;
    const translated = translateRequest(body, candidate.provider, candidate.model);
    if ("refusal" in translated) refusal ??= translated.refusal;
    else translations.set(candidate, translated.options);
    return !("refusal" in translated);
  });
  return able.length === 0 && refusal !== null ? { refusal } : { candidates: able, translations };
}

/** A whole answer has no first token to wait for: only its end comes, as late as its length makes it. */
function firstTokenMs(body: ChatBody, routing: Settings["routing"]): number {
  if (body.stream === true) return routing.circuitFirstTokenMs;
  return Math.min(MAX_TIMER_MS, routing.circuitFirstTokenMs + Math.ceil(((readOutputCap(body) ?? LONG_ANSWER_TOKENS) * 1_000) / routing.assumedTokensPerSecond));
}

function answerWhole({ answer, fault, last, failedModels, calls }: FallbackResult<ChatAnswer>, clientSignal: AbortSignal): Response {
  if (clientSignal.aborted) return new Response(null, { status: CLIENT_CLOSED_REQUEST });
  if (fault === null && last !== null && answer !== null && "text" in answer) {
    const costNanoUsd = calls.reduce((sum, call) => sum + call.costNanoUsd, 0);
    const response = new Response(answer.text, { headers: headersOfWhole(last, failedModels) });
    response.headers.set("x-cost-usd", formatUsd(costNanoUsd));
    return response;
  }
  if (fault === null) throw new Error("a call ended without an answer and without a fault");
  const refusal = answer !== null && "refusal" in answer ? answer.refusal : null;
  const response = answerError(fault.failure.retryable || refusal === null ? viewFault(fault) : viewRefusal(refusal, fault.failure.message));
  // Where nothing can come back, OpenAI's clients need not try again by themselves.
  if (fault.failure.code === "budget_exhausted" && !fault.failure.retryable) response.headers.set("x-should-retry", "false");
  if (last !== null) for (const [name, value] of Object.entries(describeRoute(last, failedModels))) response.headers.set(name, value);
  return response;
}

/** A request that the provider did not take is the client's to change; a key that it did not take is the operator's. */
function viewRefusal(refusal: OpenAiError, message: string): OpenAiError {
  const { status } = refusal;
  if (status === 401 || status === 403) return { status: 502, message: "The provider did not accept the key that is configured for it.", type: "server_error", param: null, code: "provider_auth", retryAfterMs: null };
  if (status < 400 || status === 402) return { status: 502, message: asSentence(message), type: "server_error", param: null, code: "provider_rejected", retryAfterMs: null };
  return refusal;
}

/** Dollars without an exponent. */
function formatUsd(nanoUsd: number): string {
  return (nanoUsd / NANO_USD_PER_USD).toFixed(9).replace(/\.?0+$/, "");
}

function enter({ calls, fault, last, failedModels }: FallbackResult<ChatAnswer>, tenant: string, { choice }: RoutedChat, { head }: ChatCall, { deps }: Pick<Api, "deps">): void {
  deps.gateway.enter(tenant, { id: head.id, at: deps.now(), tier: last?.tier ?? choice.tier, taskType: choice.taskType, calls, failureCode: fault?.failure.code ?? null, fallbacks: failedModels.length });
}

/** Learns how far the bound lay below what was counted, and tells of a provider that billed more than it was allowed. */
function judgeReservation({ calls }: FallbackResult<ChatAnswer>, tenant: string, { head, body, inputTokens }: ChatCall, budget: ChatBudget, { margins }: Models, { deps }: Pick<Api, "deps">): void {
  const isText = body.messages.every(({ content }) => !Array.isArray(content) || content.every(({ type }) => type === "text"));
  for (const { model, estimated, inputTokens: counted } of calls) if (isText && !estimated) margins.learn(model, inputTokens, counted);
  const costNanoUsd = calls.reduce((sum, call) => sum + call.costNanoUsd, 0);
  const { reservedNanoUsd } = budget;
  if (reservedNanoUsd === null || costNanoUsd <= reservedNanoUsd) return;
  deps.log({ event: "gateway.overrun", tenant, id: head.id, models: calls.map(({ model }) => model), reservedNanoUsd, costNanoUsd });
}
