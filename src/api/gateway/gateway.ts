import { z } from "zod";
import { callerOf, type ApiContext, type Endpoint } from "../endpoint.ts";
import { answerJson } from "../http/answer-json.ts";
import { RequestRefused } from "../http/problem.ts";
import { readJson } from "../http/read-request.ts";
import { ChatBody, readChatBody } from "./chat-body.ts";
import { answerChat } from "./chat-completions.ts";
import { listModels, ModelList } from "./models.ts";
import { AnsweredError, answerError, refuseRequest } from "./openai-error.ts";

/** Largest body of a chat completion: images come in it (contract). */
export const MAX_CHAT_BODY_BYTES = 20_971_520;

const AnsweredChat = z.looseObject({ id: z.string(), object: z.string(), created: z.int(), model: z.string(), choices: z.array(z.looseObject({ index: z.int() })) });

/** The routes of OpenAI's API that we have. Their errors are in its shape. */
export const GATEWAY_ENDPOINTS: readonly Endpoint[] = [
  {
    method: "POST",
    path: "/v1/chat/completions",
    tag: "Gateway",
    summary: "OpenAI's chat completions, answered by the models of the tiers; unknown parameters are passed through",
    access: "gateway",
    body: { schema: ChatBody },
    answers: {
      200: { description: "The completion; with stream: true its chunks as server-sent events", schema: AnsweredChat },
      404: { description: "No such model", schema: AnsweredError },
      429: { description: "The tenant's budget is used up (insufficient_quota), or it sent too many requests (rate_limit_exceeded)", schema: AnsweredError },
      502: { description: "The provider refused the key that it was sent, or the request for no reason of the client's", schema: AnsweredError },
      503: { description: "No model can be called now, or nothing is configured", schema: AnsweredError },
    },
    handle: async (context, api) => {
      const json = await readChatJson(context);
      if (json instanceof Response) return json;
      const read = readChatBody(json.value);
      if ("refusal" in read) return answerError(read.refusal);
      return answerChat({ body: read.body, text: json.text }, callerOf(context).tenant, context.req.raw.signal, api);
    },
  },
  {
    method: "GET",
    path: "/v1/models",
    tag: "Gateway",
    summary: "The models that chat completions may name, and the names that stand for a choice among them",
    access: "gateway",
    answers: { 200: { description: "The models", schema: ModelList } },
    handle: async (context, api) => answerJson(200, listModels(await api.deps.loadModels(callerOf(context).tenant))),
  },
];

/** OpenAI knows no 422: a body of the wrong shape is a 400. */
async function readChatJson(context: ApiContext): Promise<{ value: unknown; text: string | null } | Response> {
  try {
    const { json, text, members } = await readJson(context, MAX_CHAT_BODY_BYTES);
    // Of a name that stands twice the last was judged and priced, and a provider may read the first: it gets what was judged.
    return { value: json, text: countMembers(json) === members ? text : null };
  } catch (error) {
    if (error instanceof RequestRefused && error.problem.problem === "invalid") return answerError(refuseRequest(error.problem.detail));
    throw error;
  }
}

/** Of all objects in a value whose depth is bounded. */
function countMembers(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  const nested = Object.values(value).reduce<number>((sum, one) => sum + countMembers(one), 0);
  return Array.isArray(value) ? nested : nested + Object.keys(value).length;
}
