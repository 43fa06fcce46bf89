import type { Context } from "hono";
import type { z } from "zod";
import type { Fault, ProblemCode } from "../errors.ts";
import type { IntentCache } from "../optimizer/intents/intent-cache.ts";
import type { ApiDeps } from "./api-deps.ts";
import type { Caller } from "./auth/authenticate.ts";
import type { KeyCheck } from "./auth/key-check.ts";
import type { RequestLimit } from "./auth/request-limit.ts";
import type { Scope } from "./auth/scopes.ts";
import type { AgentCatalog } from "./caches/agent-catalog.ts";
import type { KnownTenants } from "./caches/known-tenants.ts";
import type { CorsPolicy } from "./http/cors.ts";
import { refuse, RequestRefused } from "./http/problem.ts";

/** What one app holds: its abilities, and the copies that it keeps between requests. */
export interface Api {
  deps: ApiDeps;
  agents: AgentCatalog;
  tenants: KnownTenants;
  keys: KeyCheck;
  requests: RequestLimit;
  /** What models said of steps, by tenant and text. */
  intents: IntentCache;
  cors: CorsPolicy;
  /** Looks at a request for signs of settings that are wrong for where this runs. */
  warnOnce: (request: Request) => void;
}

export interface ApiEnv {
  Variables: Variables;
}

interface Variables {
  requestId: string;
  /** Set once the request was let in; null on public endpoints. */
  caller: Caller | null;
  /** Pattern of the endpoint that answers, for the log. */
  route: string;
}

export type ApiContext = Context<ApiEnv>;

/** What a key must be good for. `root`: the operator's key only. `public`: no key at all. */
export type Access = "public" | "root" | Scope;

/** One operation: how it is reached and what it does, and everything that the OpenAPI document says about it. */
export interface Endpoint {
  method: "GET" | "PUT" | "POST" | "PATCH" | "DELETE";
  /** In Hono's form: `/v1/agents/:name`. */
  path: string;
  tag: string;
  summary: string;
  access: Access;
  /** `?token=` with a stream token opens it too. */
  acceptsStreamToken?: boolean;
  query?: z.ZodObject;
  /** Parameters that a schema of fixed names cannot hold. */
  extraParameters?: { name: string; in: "query" | "header"; description: string }[];
  body?: { schema: z.ZodType; isOptional?: boolean };
  answers: Record<number, { description: string; schema?: z.ZodType; mediaType?: string }>;
  /** Whether the object in the path is there. Asked only when the request itself is refused, since its absence is what must be said then. */
  exists?: (context: ApiContext, api: Api) => Promise<boolean>;
  handle: (context: ApiContext, api: Api) => Promise<Response>;
}

/** Whoever is let in; a public endpoint has nobody. */
export function callerOf(context: ApiContext): Caller {
  // `context.var` would make a new object of all variables.
  const caller = context.get("caller");
  if (caller === null) throw new Error(`${context.get("route")} is public and has no caller`);
  return caller;
}

/** Refuses who may not use the endpoint. What only the root key may do, no scope opens. */
export function checkAccess({ access }: Endpoint, { isRoot, scopes }: Caller): void {
  if (isRoot || access === "public") return;
  if (access === "root") refuse("forbidden", "Only the root key may do this.");
  if (!scopes.includes(access)) refuse("forbidden", `This needs a key with the scope ${access}.`);
}

/** Calls the handler, and lets the absence of its object go before what is wrong with the body or query (404 before 413, 400, 422). */
export async function handleEndpoint(endpoint: Endpoint, context: ApiContext, api: Api): Promise<Response> {
  try {
    return await endpoint.handle(context, api);
  } catch (error) {
    if (error instanceof RequestRefused && isAboutRequest(error) && endpoint.exists !== undefined && !(await endpoint.exists(context, api))) {
      throw new RequestRefused({ problem: "not_found", detail: "There is no such object." });
    }
    throw error;
  }
}

const ABOUT_REQUEST: ReadonlySet<ProblemCode> = new Set(["body_too_large", "malformed_json", "invalid", "upgrade_required"]);

function isAboutRequest({ problem }: RequestRefused): boolean {
  return ABOUT_REQUEST.has(problem.problem);
}

/** A fault of a header, which no pointer into the body can name. */
export function headerFault(name: string, message: string): Fault {
  return { path: "", message: `the header ${name} ${message}` };
}
