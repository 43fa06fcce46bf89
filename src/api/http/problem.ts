import { refuseFaulty } from "../../workflow/faults/fault-list.ts";
import { describeProblem, isProblem, type Fault, type Problem, type ProblemCode } from "../../errors.ts";

/** Carries an expected refusal out of a handler to the one place that answers it. Never crosses RPC. */
export class RequestRefused extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail);
    this.problem = problem;
  }
}

export function refuse(problem: ProblemCode, detail: string): never {
  throw new RequestRefused({ problem, detail });
}

/** Refuses a body or query with everything that is wrong with it. */
export function refuseFaults(all: readonly Fault[]): never {
  throw new RequestRefused(refuseFaulty(all));
}

/** Passes the value of an object's answer on; a refusal becomes the answer. */
export function valueOf<Value>(answer: Value | Problem): Value {
  if (isProblem(answer)) refuseProblem(answer);
  return answer;
}

/** Passes an object's refusal on. */
export function refuseProblem(problem: Problem): never {
  throw new RequestRefused(problem);
}

/** Paths of OpenAI's API: clients made for it read errors in its shape only, also where we have no such route. */
const OPENAI_PATHS = /^\/v1\/(chat|completions|models|embeddings|responses|images|audio|files|uploads|moderations|batches|fine_tuning|assistants|threads|vector_stores|realtime|conversations|containers|evals|videos)(\/|$)/;

export function isOpenAiPath(path: string): boolean {
  return OPENAI_PATHS.test(path);
}

/** A problem as the answer its client expects: RFC 9457, or OpenAI's shape on OpenAI's paths. */
export function answerProblem(problem: Problem, path: string): Response {
  const { status, title } = describeProblem(problem.problem);
  const headers = new Headers({ "content-type": "application/problem+json" });
  if (status === 401) headers.set("www-authenticate", "Bearer");
  if (status === 426) headers.set("upgrade", "websocket");
  if (status === 429 || problem.retryAfterMs !== undefined) headers.set("retry-after", String(Math.max(1, Math.ceil((problem.retryAfterMs ?? 0) / 1_000))));
  if (problem.allowed !== undefined) headers.set("allow", problem.allowed.join(", "));
  if (isOpenAiPath(path)) {
    headers.set("content-type", "application/json");
    const error = { message: problem.detail, type: openAiType(status), param: null, code: openAiCode(problem.problem) };
    return new Response(JSON.stringify({ error }), { status, headers });
  }
  const body = { type: `urn:weft:problem:${problem.problem}`, title, status, detail: problem.detail, ...(problem.errors === undefined ? {} : { errors: problem.errors }) };
  return new Response(JSON.stringify(body), { status, headers });
}

function openAiType(status: number): string {
  if (status === 429) return "requests";
  return status >= 500 ? "server_error" : "invalid_request_error";
}

function openAiCode(code: ProblemCode): string {
  if (code === "unauthorized") return "invalid_api_key";
  if (code === "rate_limited") return "rate_limit_exceeded";
  return code === "not_found" ? "unknown_url" : code;
}
