import { z } from "zod";
import { describeProblem, type ProblemCode } from "../../errors.ts";
import { AgentDefinition } from "../../workflow/spec/agent.ts";
import { WorkflowSpec } from "../../workflow/spec/spec.ts";
import { TierDocument } from "../../config/tiers.ts";
import type { Endpoint } from "../endpoint.ts";
import { AnsweredError } from "../gateway/openai-error.ts";
import { isOpenAiPath } from "../http/problem.ts";
import { SCOPE_MEANINGS, SCOPES } from "../auth/scopes.ts";
import { AnsweredCall, AnsweredEvent, AnsweredSummary, AnsweredTask, AnsweredWorkflow } from "./workflow-schemas.ts";

export interface OpenApi {
  openapi: string;
  info: { title: string; version: string; description: string };
  servers: { url: string }[];
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema>; securitySchemes: Record<string, object> };
}

export interface Operation {
  operationId: string;
  tags: string[];
  summary: string;
  security: Record<string, string[]>[];
  parameters: Parameter[];
  requestBody?: { required: boolean; content: Record<string, { schema: Schema }> };
  responses: Record<string, { description: string; content?: Record<string, { schema: Schema }> }>;
}

export interface Parameter {
  name: string;
  in: "path" | "query" | "header";
  required: boolean;
  description?: string;
  schema: Schema;
}

export type Schema = Record<string, unknown>;

const Problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
});

/** Schemas that stand once under `components`; every other one stands where it is used. */
const COMPONENTS: Record<string, z.ZodType> = {
  WorkflowSpec,
  Workflow: AnsweredWorkflow,
  WorkflowSummary: AnsweredSummary,
  Task: AnsweredTask,
  Event: AnsweredEvent,
  Call: AnsweredCall,
  AgentDefinition,
  TierDocument,
  Problem,
  OpenAiError: AnsweredError,
};

const KEY_DESCRIPTION = [
  "A tenant's key (`wk_<tenant>_…`) with the scope that the operation's list names, or the root key. `root` in the list: the root key only.",
  "The root key acts as the tenant `default`, or as the one that the header `X-Tenant` names (404 when there is none); from other keys that header is ignored.",
  `Scopes: ${SCOPES.map((scope) => `\`${scope}\` (${SCOPE_MEANINGS[scope]})`).join(" · ")}.`,
].join("\n\n");

/** Operations outside of workflows that can be at odds with what is there. */
const CONFLICTING = ["POST /v1/tenants", "DELETE /v1/tenants/:id", "POST /v1/tenants/:id/keys"];

/** Builds the OpenAPI 3.1 document of the endpoints from the schemas that they check with. */
export function describeApi(endpoints: readonly Endpoint[]): OpenApi {
  const paths: OpenApi["paths"] = {};
  for (const endpoint of endpoints) {
    const path = endpoint.path.replaceAll(/:(\w+)/g, "{$1}");
    (paths[path] ??= {})[endpoint.method.toLowerCase()] = describeOperation(endpoint, path);
  }
  return {
    openapi: "3.1.0",
    info: { title: "Weft", version: "1", description: "Multi-agent workflows on Cloudflare Workers." },
    servers: [{ url: "/" }],
    paths,
    components: {
      schemas: Object.fromEntries(Object.entries(COMPONENTS).map(([name, schema]) => [name, toJsonSchema(schema, "input")])),
      securitySchemes: {
        key: { type: "http", scheme: "bearer", description: KEY_DESCRIPTION },
        streamToken: { type: "apiKey", in: "query", name: "token" },
      },
    },
  };
}

function describeOperation(endpoint: Endpoint, path: string): Operation {
  const operation: Operation = {
    operationId: `${endpoint.method.toLowerCase()}${path.replace(/^\/v1/, "").replaceAll(/[^A-Za-z0-9]+(\w?)/g, (_, letter: string) => letter.toUpperCase())}`,
    tags: [endpoint.tag],
    summary: endpoint.summary,
    security: endpoint.access === "public" ? [] : [{ key: [endpoint.access] }, ...(endpoint.acceptsStreamToken === true ? [{ streamToken: [] }] : [])],
    parameters: describeParameters(endpoint),
    responses: {},
  };
  if (endpoint.body !== undefined) {
    operation.requestBody = { required: endpoint.body.isOptional !== true, content: { "application/json": { schema: refer(endpoint.body.schema) } } };
  }
  const errors = isOpenAiPath(endpoint.path) ? { mediaType: "application/json", name: "OpenAiError" } : { mediaType: "application/problem+json", name: "Problem" };
  const refusal = { content: { [errors.mediaType]: { schema: { $ref: `#/components/schemas/${errors.name}` } } } };
  for (const [status, answer] of Object.entries(endpoint.answers)) {
    const mediaType = answer.mediaType ?? (answer.schema === undefined ? undefined : "application/json");
    const content = mediaType === undefined ? {} : { content: { [mediaType]: { schema: answer.schema === undefined ? {} : refer(answer.schema) } } };
    operation.responses[status] = { description: answer.description, ...(Number(status) >= 400 ? refusal : content) };
  }
  for (const code of problemsOf(endpoint)) {
    const { status, title } = describeProblem(code);
    operation.responses[String(status)] ??= { description: title, ...refusal };
  }
  return operation;
}

/** How an endpoint can refuse, as far as its declaration tells. */
function problemsOf(endpoint: Endpoint): ProblemCode[] {
  const problems: ProblemCode[] = endpoint.access === "public" ? [] : ["unauthorized", "forbidden", "rate_limited", "not_configured"];
  if (endpoint.path.includes(":")) problems.push("not_found");
  if (endpoint.body !== undefined) problems.push("body_too_large", "malformed_json");
  // OpenAI knows no 422: there a wrong shape is a 400 like no JSON.
  if ((endpoint.body !== undefined || endpoint.query !== undefined) && !isOpenAiPath(endpoint.path)) problems.push("invalid");
  if ((endpoint.path.startsWith("/v1/workflows") && endpoint.method !== "GET") || CONFLICTING.includes(`${endpoint.method} ${endpoint.path}`)) problems.push("conflict");
  if (endpoint.answers[101] !== undefined) problems.push("upgrade_required");
  return problems;
}

function describeParameters(endpoint: Endpoint): Parameter[] {
  const inPath = [...endpoint.path.matchAll(/:(\w+)/g)].map(([, name = ""]): Parameter => ({ name, in: "path", required: true, schema: { type: "string" } }));
  const properties = endpoint.query === undefined ? {} : ((toJsonSchema(endpoint.query, "output")["properties"] ?? {}) as Record<string, Schema>);
  const inQuery = Object.entries(properties).map(([name, schema]): Parameter => ({ name, in: "query", required: false, schema }));
  const extra = (endpoint.extraParameters ?? []).map((parameter): Parameter => ({ ...parameter, required: false, schema: { type: "string" } }));
  return [...inPath, ...inQuery, ...extra];
}

function refer(schema: z.ZodType): Schema {
  const name = Object.keys(COMPONENTS).find((key) => COMPONENTS[key] === schema);
  return name === undefined ? toJsonSchema(schema, "input") : { $ref: `#/components/schemas/${name}` };
}

/** Queries are described as what their strings are read into (`output`), everything else as it is written. What only code can check is described as any value. */
function toJsonSchema(schema: z.ZodType, io: "input" | "output"): Schema {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: "any" });
  return rest;
}
