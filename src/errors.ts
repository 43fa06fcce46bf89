/** Any JSON value. Values cross RPC, SQLite and HTTP in this form only. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Why a task or a workflow did not succeed: the `error.code` of the HTTP contract. */
export type FailureCode =
  | "agent_rejected"
  | "agent_unavailable"
  | "agent_bad_response"
  | "timeout"
  | "provider_rejected"
  | "provider_unavailable"
  | "output_invalid"
  | "expression_failed"
  | "dependency_failed"
  | "not_started"
  | "budget_exhausted"
  | "deadline_exceeded"
  | "attempts_exhausted"
  | "cancelled";

/** The `error` of a task or a workflow, as stored and as answered. `retryable` is decided once, where the answer was read. */
export interface Failure {
  code: FailureCode;
  message: string;
  retryable: boolean;
  taskId?: string;
  details?: Json;
}

/** One fault of a request: `path` is a JSON Pointer into the body, or `?name` for a query parameter. */
export interface Fault {
  path: string;
  message: string;
}

/** What can be wrong with a request. The closed list behind every `application/problem+json` answer. */
export type ProblemCode =
  | "unauthorized"
  | "forbidden"
  | "not_found"
  | "body_too_large"
  | "malformed_json"
  | "invalid"
  | "conflict"
  | "upgrade_required"
  | "rate_limited"
  | "not_configured"
  | "unavailable"
  | "internal";

/** An expected refusal, as data: object methods return it across RPC, the API turns it into an answer. */
export interface Problem {
  problem: ProblemCode;
  detail: string;
  errors?: Fault[];
  /** Of `rate_limited` and `unavailable`: when to come back. */
  retryAfterMs?: number;
  /** Of `not_found`, where it is the method that nothing is found for: those that the path takes. */
  allowed?: readonly string[];
}

/** HTTP status and title of a problem (RFC 9457). Exhaustive: a new code does not compile until it is answered. */
export function describeProblem(code: ProblemCode): { status: 400 | 401 | 403 | 404 | 409 | 413 | 422 | 426 | 429 | 500 | 503; title: string } {
  switch (code) {
    case "unauthorized":
      return { status: 401, title: "No valid API key" };
    case "forbidden":
      return { status: 403, title: "Not allowed with this key" };
    case "not_found":
      return { status: 404, title: "Not found" };
    case "body_too_large":
      return { status: 413, title: "Body too large" };
    case "malformed_json":
      return { status: 400, title: "Not JSON" };
    case "invalid":
      return { status: 422, title: "Invalid request" };
    case "conflict":
      return { status: 409, title: "Conflict with the current state" };
    case "upgrade_required":
      return { status: 426, title: "To be opened with a WebSocket client" };
    case "rate_limited":
      return { status: 429, title: "Too many requests" };
    case "not_configured":
      return { status: 503, title: "Not configured" };
    case "unavailable":
      return { status: 503, title: "Not available for now" };
    case "internal":
      return { status: 500, title: "Internal error" };
  }
}

/** Whether an RPC answer is a refusal rather than a value. */
export function isProblem(value: unknown): value is Problem {
  return typeof value === "object" && value !== null && "problem" in value;
}
