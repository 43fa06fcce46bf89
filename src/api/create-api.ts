import { Hono } from "hono";
import { WorkflowId } from "../workflow/spec/spec.ts";
import { createIntentCache } from "../optimizer/intents/intent-cache.ts";
import { AGENT_ENDPOINTS } from "./agents.ts";
import { createAgentCatalog } from "./caches/agent-catalog.ts";
import { secureAnswer } from "./http/answer-headers.ts";
import type { ApiDeps } from "./api-deps.ts";
import { createAuthenticate, type Caller } from "./auth/authenticate.ts";
import { CALLBACK_ENDPOINTS } from "./callbacks.ts";
import { CONFIG_ENDPOINTS } from "./config.ts";
import { allowOrigin, answerPreflight, readCorsPolicy } from "./http/cors.ts";
import { createDeploymentWarnings } from "./http/deployment-warnings.ts";
import { documentEndpoints } from "./documents.ts";
import { CONTEXT_ENDPOINTS } from "./context.ts";
import { checkAccess, handleEndpoint, type Api, type ApiContext, type ApiEnv, type Endpoint } from "./endpoint.ts";
import { INTENT_ENDPOINTS } from "./intents.ts";
import { GATEWAY_ENDPOINTS } from "./gateway/gateway.ts";
import { createKeyCheck } from "./auth/key-check.ts";
import { KEY_ENDPOINTS } from "./keys.ts";
import { createKnownPaths } from "./http/known-paths.ts";
import { createKnownTenants } from "./caches/known-tenants.ts";
import { LEDGER_ENDPOINTS } from "./ledger.ts";
import { METRICS_ENDPOINTS } from "./metrics.ts";
import { OPTIMIZATION_ENDPOINTS } from "./optimizations.ts";
import { PLAN_ENDPOINTS } from "./plan.ts";
import { answerProblem, refuse, RequestRefused } from "./http/problem.ts";
import { createRequestLimit } from "./auth/request-limit.ts";
import { ROUTE_ENDPOINTS } from "./route.ts";
import { createStaticFirstRouter } from "./http/static-first-router.ts";
import { STATS_ENDPOINTS } from "./stats.ts";
import { OPERATOR_TENANT } from "./stored-tiers.ts";
import { TENANT_ENDPOINTS } from "./tenants.ts";
import { TIER_ENDPOINTS } from "./tiers.ts";
import { WORKFLOW_COMMAND_ENDPOINTS } from "./workflow-commands.ts";
import { WORKFLOW_STREAM_ENDPOINTS } from "./workflow-streams.ts";
import { WORKFLOW_ENDPOINTS } from "./workflows.ts";

/** Every operation that is served, in the order of the OpenAPI document. */
export const ENDPOINTS: readonly Endpoint[] = [
  ...WORKFLOW_ENDPOINTS,
  ...PLAN_ENDPOINTS,
  ...WORKFLOW_COMMAND_ENDPOINTS,
  ...WORKFLOW_STREAM_ENDPOINTS,
  ...AGENT_ENDPOINTS,
  ...CONTEXT_ENDPOINTS,
  ...INTENT_ENDPOINTS,
  ...CONFIG_ENDPOINTS,
  ...TIER_ENDPOINTS,
  ...STATS_ENDPOINTS,
  ...LEDGER_ENDPOINTS,
  ...OPTIMIZATION_ENDPOINTS,
  ...METRICS_ENDPOINTS,
  ...ROUTE_ENDPOINTS,
  ...GATEWAY_ENDPOINTS,
  ...TENANT_ENDPOINTS,
  ...KEY_ENDPOINTS,
  ...CALLBACK_ENDPOINTS,
  ...documentEndpoints(() => ENDPOINTS),
];

/** The HTTP surface. Make one per isolate: it keeps copies between requests. */
export function createApi(deps: ApiDeps): Hono<ApiEnv> {
  const tenants = createKnownTenants({ directory: () => deps.tenant(OPERATOR_TENANT), now: deps.now });
  const keys = createKeyCheck({ ...deps, keepAlive: deps.gateway.keepAlive }, tenants);
  const requests = createRequestLimit(deps.requestCounters, { now: deps.now, onFault: (error) => deps.log({ event: "limits.failed", message: String(error) }) });
  const api: Api = { deps, requests, agents: createAgentCatalog(deps), tenants, keys, intents: createIntentCache(), cors: readCorsPolicy(deps.corsOrigins), warnOnce: createDeploymentWarnings(deps) };
  const authenticate = createAuthenticate(deps, keys, tenants);
  const app = new Hono<ApiEnv>({ router: createStaticFirstRouter() });
  for (const endpoint of ENDPOINTS) {
    app.on(endpoint.method, endpoint.path, (context: ApiContext) =>
      respond(context, api, endpoint.path, async () => {
        if (endpoint.access !== "public") {
          const streamOf = endpoint.acceptsStreamToken === true ? (context.req.param("id") ?? null) : null;
          const caller = await authenticate(context.req.raw, streamOf);
          context.set("caller", caller);
          await limitRequests(caller, api);
          checkAccess(endpoint, caller);
        }
        return handleEndpoint(endpoint, context, api);
      }),
    );
  }
  const findPath = createKnownPaths(ENDPOINTS);
  // An unknown path, or a known one with another method. Who has no key does not learn which there are, but for those that need none.
  app.notFound((context: ApiContext) =>
    respond(context, api, "*", async () => {
      const preflight = answerPreflight(context.req.raw, api.cors);
      if (preflight !== null) return preflight;
      if (findPath(context.req.path)?.isPublic !== true) {
        const caller = await authenticate(context.req.raw, null);
        context.set("caller", caller);
        await limitRequests(caller, api);
      }
      return refuseRoute(context, findPath);
    }),
  );
  return app;
}

/** Not 405 for another method: a route is its method and its path (contract), and clients of OpenAI's expect 404 for those of its routes that are not here. */
function refuseRoute({ req: { method, path } }: ApiContext, findPath: ReturnType<typeof createKnownPaths>): never {
  const known = findPath(path);
  if (known !== null) throw new RequestRefused({ problem: "not_found", detail: `There is no ${method} ${path}; it takes ${known.methods.join(", ")}.`, allowed: known.methods });
  const isSlashed = path.endsWith("/") && findPath(path.slice(0, -1)) !== null;
  refuse("not_found", `There is no ${method} ${path}; ${isSlashed ? "leave out the slash at its end" : "GET /openapi.json lists what there is"}.`);
}

/** The operator's own requests are not limited. A limit that cannot be read does not bind: it protects, and nothing is paid by it. */
async function limitRequests({ tenant, isRoot }: Caller, { deps, requests }: Api): Promise<void> {
  if (isRoot) return;
  const requestsPerMinute = (await deps.allowances.read(tenant).catch(() => null))?.limits.requestsPerMinute ?? null;
  const refused = requestsPerMinute === null ? null : await requests.take(tenant, requestsPerMinute);
  if (refused === null) return;
  throw new RequestRefused({ problem: "rate_limited", detail: `More than ${requestsPerMinute} requests a minute: try again when Retry-After says.`, retryAfterMs: refused.retryAfterMs });
}

/** Runs one request and is the one exit of answers and errors: every answer gets its id, its headers and its line in the log here. */
async function respond(context: ApiContext, api: Api, route: string, work: () => Promise<Response>): Promise<Response> {
  const startedAt = api.deps.now();
  context.set("requestId", readRequestId(context.req.header("request-id")) ?? `req_${api.deps.randomId()}`);
  context.set("caller", null);
  context.set("route", route);
  const response = await work().catch((error: unknown) => answerError(error, context, api));
  response.headers.set("request-id", context.get("requestId"));
  secureAnswer(response, context.req.raw);
  allowOrigin(response, context.req.raw, api.cors);
  api.warnOnce(context.req.raw);
  api.deps.log({ event: "request.answered", ...describeRequest(context), status: response.status, durationMs: api.deps.now() - startedAt });
  return response;
}

function answerError(error: unknown, context: ApiContext, api: Api): Response {
  if (error instanceof RequestRefused) return answerProblem(error.problem, context.req.path);
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  api.deps.log({ event: "request.failed", ...describeRequest(context), message, stack: stack ?? null });
  if (isOverloaded(error)) return answerProblem({ problem: "rate_limited", detail: "This object has more requests than it can serve: try again in a second." }, context.req.path);
  return answerProblem({ problem: "internal", detail: `Something failed here. Quote ${context.get("requestId")} when you report it.` }, context.req.path);
}

/** An object refuses what it has no room to queue, and says so by a property on the error. */
function isOverloaded(error: unknown): boolean {
  return typeof error === "object" && error !== null && "overloaded" in error && error.overloaded === true;
}

function describeRequest(context: ApiContext) {
  const route = context.get("route");
  return { requestId: context.get("requestId"), tenant: context.get("caller")?.tenant ?? null, workflowId: route.startsWith("/v1/workflows/:id") ? (WorkflowId.safeParse(context.req.param("id")).data ?? null) : null, method: context.req.method, route };
}

/** A client's own id, when it is one that can stand in a log line. */
function readRequestId(header: string | undefined): string | null {
  return header !== undefined && /^[A-Za-z0-9._:-]{1,128}$/.test(header) ? header : null;
}
