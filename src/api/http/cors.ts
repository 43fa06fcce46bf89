/** Which pages of other origins may call this API from a browser: exact origins, or all of them. */
export interface CorsPolicy {
  allowed: ReadonlySet<string> | "any";
  /** Entries of the variable that are no origin. They allow nothing. */
  malformed: readonly string[];
}

/** How long a browser remembers a preflight's answer: two hours are the most that Chromium takes. */
const PREFLIGHT_LIFE_SECONDS = 7_200;
/** Methods of the endpoints. */
const ALLOWED_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE";
/** Headers that the endpoints read. */
const ALLOWED_HEADERS = ["authorization", "content-type", "idempotency-key", "if-match", "if-none-match", "last-event-id", "request-id", "x-lock-token", "x-tenant"];
/** What a page's script may read beside the few headers that browsers show by themselves. */
const EXPOSED_HEADERS = "Request-Id, Retry-After, Allow, Location, ETag, Idempotent-Replay, x-should-retry, x-model, x-provider, x-tier, x-cost-usd, x-fallbacks";

/** Reads `CORS_ORIGINS`: exact origins with commas between, or `*` alone. Nothing set: no page of another origin may call. */
export function readCorsPolicy(variable: string | null): CorsPolicy {
  const entries = (variable ?? "").split(",").map((entry) => entry.trim()).filter((entry) => entry !== "");
  // Keys are sent by scripts and never by the browser on its own, so that `*` hands a page nothing that its author does not have.
  if (entries.length === 1 && entries[0] === "*") return { allowed: "any", malformed: [] };
  return { allowed: new Set(entries.filter(isOrigin)), malformed: entries.filter((entry) => !isOrigin(entry)) };
}

/** As browsers send it: scheme, host in lower case, port unless it is the default one, and no path. */
function isOrigin(entry: string): boolean {
  return /^https?:\/\/[^*]+$/.test(entry) && URL.canParse(entry) && new URL(entry).origin === entry;
}

/** The answer to a preflight of an allowed origin, which comes without a key; null for every other request. */
export function answerPreflight(request: Request, policy: CorsPolicy): Response | null {
  if (request.method !== "OPTIONS" || request.headers.get("access-control-request-method") === null || findAllowed(request, policy) === null) return null;
  const headers = { "access-control-allow-methods": ALLOWED_METHODS, "access-control-allow-headers": listHeaders(request), "access-control-max-age": String(PREFLIGHT_LIFE_SECONDS) };
  return new Response(null, { status: 204, headers });
}

/** Lets a page of an allowed origin read an answer. Credentials are never allowed: there are no cookies here. */
export function allowOrigin(response: Response, request: Request, policy: CorsPolicy): void {
  if (policy.allowed !== "any" && policy.allowed.size === 0) return;
  // Also where the origin is not allowed: a cache must not give that answer to one that is.
  if (policy.allowed !== "any") response.headers.append("vary", "Origin");
  const allowed = findAllowed(request, policy);
  if (allowed === null) return;
  response.headers.set("access-control-allow-origin", allowed);
  response.headers.set("access-control-expose-headers", EXPOSED_HEADERS);
}

function findAllowed(request: Request, { allowed }: CorsPolicy): string | null {
  const origin = request.headers.get("origin");
  if (origin === null) return null;
  if (allowed === "any") return "*";
  return allowed.has(origin) ? origin : null;
}

/** Beside those that are read, `x-stainless-…`: the OpenAI client labels its calls with them, and a preflight that misses one fails. */
function listHeaders(request: Request): string {
  const asked = (request.headers.get("access-control-request-headers") ?? "").split(",").map((name) => name.trim().toLowerCase());
  return [...ALLOWED_HEADERS, ...asked.filter((name) => /^x-stainless-[a-z-]{1,40}$/.test(name))].join(", ");
}
