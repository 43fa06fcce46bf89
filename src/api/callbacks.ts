import { z } from "zod";
import type { Json } from "../errors.ts";
import { WorkflowId } from "../workflow/spec/spec.ts";
import type { ApiContext, Endpoint } from "./endpoint.ts";
import { answerJson } from "./http/answer-json.ts";
import { decodeBase64UrlText } from "./http/base64url.ts";
import { refuse, valueOf } from "./http/problem.ts";
import { readJson } from "./http/read-request.ts";

const CallbackToken = z.strictObject({
  tenant: z.string().regex(/^[a-z0-9]+(-[a-z0-9]+)*$/).max(32),
  workflowId: WorkflowId,
  secret: z.string().min(1).max(256),
});
type CallbackToken = z.infer<typeof CallbackToken>;

/** The token is base64url of `tenant:workflowId:secret`: it finds its object without a lookup. */
function readToken(context: ApiContext): CallbackToken {
  const [tenant, workflowId, secret, ...rest] = decodeBase64UrlText(context.req.param("token") ?? "")?.split(":") ?? [];
  const token = CallbackToken.safeParse({ tenant, workflowId, secret });
  if (!token.success || rest.length > 0) refuse("not_found", "There is no such callback: it was used, or its attempt is over.");
  return token.data;
}

/** What is documented of the body; the workflow's object checks it, since what is wrong with it must not use the token up. */
const CallbackBody = z.strictObject({
  output: z.any().optional(),
  error: z.strictObject({ message: z.string(), retryable: z.boolean().default(false) }).optional(),
  usage: z.strictObject({ inputTokens: z.int().optional(), outputTokens: z.int().optional(), costUsd: z.number().optional() }).optional(),
});

export const CALLBACK_ENDPOINTS: readonly Endpoint[] = [
  {
    method: "POST",
    path: "/v1/callbacks/:token",
    tag: "Callbacks",
    summary: "Report the result of an HTTP agent in callback mode. The token is the credential and works once",
    access: "public",
    body: { schema: CallbackBody },
    answers: { 202: { description: "Taken", schema: z.strictObject({ accepted: z.literal(true) }) } },
    exists: (context, api) => {
      const { tenant, workflowId, secret } = readToken(context);
      return api.deps.workflow(tenant, workflowId).awaitsCallback(secret);
    },
    handle: async (context, api) => {
      const { tenant, workflowId, secret } = readToken(context);
      const { json } = await readJson(context);
      return answerJson(202, valueOf(await api.deps.workflow(tenant, workflowId).acceptCallback(secret, json as Json)));
    },
  },
];
