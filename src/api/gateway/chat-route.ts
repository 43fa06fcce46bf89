import { Strategy } from "../../config/routing-settings.ts";
import type { ModelCapability } from "../../config/tiers.ts";
import type { Models } from "../../consumer/load-models.ts";
import { measureTokens } from "../../optimizer/tokens/tokens.ts";
import { countFiles } from "../../router/count-files.ts";
import { findModel } from "../../router/find-model.ts";
import type { Exclusion } from "../../router/rank.ts";
import { routeCall } from "../../router/route-call.ts";
import { findTaskType, type RouteChoice, type RouteRefusal, type RouteRequest } from "../../router/route-request.ts";
import { type TaskType, TierName } from "../../workflow/spec/agent.ts";
import { readOutputCap, textsOf, type ChatBody } from "./chat-body.ts";
import { refuseRequest, type OpenAiError } from "./openai-error.ts";

/** The names that stand for no single model, as `GET /v1/models` lists them. */
export const ROUTED_NAMES: readonly string[] = ["auto", ...Strategy.options.map((strategy) => `auto:${strategy}`), ...TierName.options.map((tier) => `tier:${tier}`)];

/** What an image counts for before the provider has counted it: about a thousand pixels square. */
const IMAGE_TOKENS = 800;
/** Each message is framed by a few tokens of its own. */
const MESSAGE_TOKENS = 4;

/** A request as routed, and the estimate that it was routed by. */
export interface RoutedChat {
  choice: RouteChoice;
  inputTokens: number;
}

/** Chooses the model that the request names, or the models that its name stands for. */
export function routeChat(body: ChatBody, namedType: TaskType | null, models: Models, now: number): RoutedChat | { refusal: OpenAiError } {
  const wish = readModelName(body.model, models);
  if (wish === null) return { refusal: { ...refuseRequest(`The model ${JSON.stringify(body.model)} does not exist: GET /v1/models lists what there is.`, "model", "model_not_found"), status: 404 } };
  const inputTokens = estimateInputTokens(body);
  const decision = routeCall(describeRequest(body, namedType, wish, inputTokens, models), { ...models, now });
  return "failure" in decision ? { refusal: refuseRoute(decision) } : { choice: decision, inputTokens };
}

type ModelWish = Pick<RouteRequest, "model" | "tier" | "strategy">;

function readModelName(name: string, { document }: Models): ModelWish | null {
  if (findModel(document, name) !== null) return { model: name };
  if (!ROUTED_NAMES.includes(name)) return null;
  const [kind, value] = name.split(":");
  return kind === "tier" ? { tier: TierName.parse(value) } : { strategy: value === undefined ? null : Strategy.parse(value) };
}

function describeRequest(body: ChatBody, namedType: TaskType | null, wish: ModelWish, contextTokens: number, { settings, failureRate, random }: Models): RouteRequest {
  const lastFromUser = body.messages.findLast(({ role }) => role === "user");
  const prompt = lastFromUser === undefined ? null : textsOf(lastFromUser).join("\n");
  const taskType = findTaskType({ taskType: namedType, prompt }, settings.classification);
  return {
    ...wish,
    taskType,
    prompt,
    contextTokens,
    files: prompt === null ? 0 : countFiles(prompt),
    failureRate: failureRate(taskType),
    explore: random?.() ?? null,
    maxOutputTokens: readOutputCap(body),
    needs: listNeeds(body),
  };
}

function listNeeds({ messages, tools, response_format: format }: ChatBody): ModelCapability[] {
  const needs: ModelCapability[] = [];
  if (tools != null && tools.length > 0) needs.push("tools");
  if (messages.some(({ content }) => Array.isArray(content) && content.some(({ type }) => type === "image_url"))) needs.push("vision");
  if (format != null && format.type !== "text") needs.push("json");
  return needs;
}

function estimateInputTokens({ messages, tools }: ChatBody): number {
  let tokens = tools == null || tools.length === 0 ? 0 : measureTokens(JSON.stringify(tools));
  for (const message of messages) {
    tokens += MESSAGE_TOKENS;
    for (const text of textsOf(message)) tokens += measureTokens(text);
    if (Array.isArray(message.content)) tokens += IMAGE_TOKENS * message.content.filter(({ type }) => type !== "text").length;
    if (message["tool_calls"] != null) tokens += measureTokens(JSON.stringify(message["tool_calls"]));
  }
  return Math.ceil(tokens);
}

/** What a client can change about a request that no configured model takes. */
const CODE_OF_EXCLUSION: Partial<Record<Exclusion, string>> = { capability: "unsupported_capability", context: "context_length_exceeded" };

/** A request that no configured model could take is the client's to change; models that are missing or resting are not. */
function refuseRoute({ failure, candidates, retryAfterMs }: RouteRefusal): OpenAiError {
  const code = candidates.flatMap(({ excludedBy }) => (excludedBy === null ? [] : (CODE_OF_EXCLUSION[excludedBy] ?? [])))[0];
  if (retryAfterMs === null && code !== undefined) return refuseRequest(failure.message, null, code);
  return { status: 503, message: failure.message, type: "server_error", param: null, code: "provider_unavailable", retryAfterMs };
}
