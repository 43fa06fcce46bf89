import { vi } from "vitest";
import type { z } from "zod";
import type { LedgerLine, Page, WorkflowView } from "../../src/api/ports/workflow-port.ts";
import type { Fault } from "../../src/errors.ts";
import type { AgentDefinition } from "../../src/workflow/spec/agent.ts";
import type { LoggedEvent } from "../../src/workflow/events.ts";
import type { WorkflowSpec } from "../../src/workflow/spec/spec.ts";
import { readServerSentEvents, type ServerSentEvent } from "../../scripts/server-sent-events.ts";

/** How long `finish` waits: far longer than any workflow of these tests takes on a slow machine. */
const FINISH_WAIT_MS = 60_000;

export type PostedSpec = z.input<typeof WorkflowSpec>;

export interface Answer<Body> {
  status: number;
  headers: Headers;
  text: string;
  /** The parsed text; null when it is empty or no JSON. */
  body: Body;
}

/** `application/problem+json`. */
export interface ProblemBody {
  type: string;
  title: string;
  status: number;
  detail: string;
  errors?: Fault[];
}

export interface CallOptions {
  /** Sent as JSON; a string is sent as it is. */
  body?: unknown;
  headers?: Record<string, string>;
  /** Another key than the root key; null for none. */
  key?: string | null;
}

export interface WeftClient {
  origin: string;
  call: <Body = ProblemBody>(method: string, path: string, options?: CallOptions) => Promise<Answer<Body>>;
  putAgent: (name: string, agent: z.input<typeof AgentDefinition>) => Promise<void>;
  /** Creates a workflow; throws unless the answer is 201. */
  create: (spec: PostedSpec, headers?: Record<string, string>) => Promise<WorkflowView>;
  get: (id: string, query?: string) => Promise<WorkflowView>;
  /** Waits for the end of a workflow, by `?wait=`. */
  finish: (id: string) => Promise<WorkflowView>;
  run: (spec: PostedSpec) => Promise<WorkflowView>;
  /** Every event so far, page by page. */
  events: (id: string) => Promise<LoggedEvent[]>;
  ledger: (id: string) => Promise<LedgerLine[]>;
  /** Of all workflows and of the gateway. */
  tenantLedger: () => Promise<LedgerLine[]>;
  /** Messages of the event stream until it ends, or until `isEnough`. */
  stream: (id: string, options?: { lastEventId?: number; query?: string; key?: string | null; isEnough?: (message: ServerSentEvent) => boolean }) => Promise<ServerSentEvent[]>;
}

/** A client that speaks to a worker over HTTP, as the operator unless a call says otherwise. */
export function createWeftClient(worker: { origin: string; rootKey: string }): WeftClient {
  const { origin, rootKey } = worker;

  const send = (method: string, path: string, options: CallOptions): Promise<Response> => {
    const { body, headers = {}, key = rootKey } = options;
    const all = new Headers(headers);
    if (key !== null) all.set("authorization", `Bearer ${key}`);
    if (body !== undefined) all.set("content-type", "application/json");
    return fetch(`${origin}${path}`, { method, headers: all, body: body === undefined || typeof body === "string" ? body : JSON.stringify(body) });
  };

  const call = async <Body>(method: string, path: string, options: CallOptions = {}): Promise<Answer<Body>> => {
    const response = await send(method, path, options);
    const text = await response.text();
    const isJson = /json/.test(response.headers.get("content-type") ?? "") && text !== "";
    return { status: response.status, headers: response.headers, text, body: (isJson ? JSON.parse(text) : null) as Body };
  };

  const expectBody = async <Body>(status: number, method: string, path: string, options: CallOptions = {}): Promise<Body> => {
    const answer = await call<Body>(method, path, options);
    if (answer.status !== status) throw new Error(`${method} ${path} answered ${answer.status} instead of ${status}: ${answer.text}`);
    return answer.body;
  };

  const readPages = async <Item>(path: string): Promise<Item[]> => {
    const items: Item[] = [];
    for (let cursor: string | null = ""; cursor !== null; ) {
      const page: Page<Item> = await expectBody(200, "GET", cursor === "" ? path : `${path}?cursor=${encodeURIComponent(cursor)}`);
      items.push(...page.items);
      cursor = page.nextCursor;
    }
    return items;
  };

  const client: WeftClient = {
    origin,
    call,
    putAgent: async (name, agent) => {
      const answer = await call("PUT", `/v1/agents/${name}`, { body: agent });
      if (answer.status !== 201 && answer.status !== 200) throw new Error(`the agent ${name} was refused: ${answer.text}`);
    },
    create: (spec, headers) => expectBody(201, "POST", "/v1/workflows", { body: spec, headers }),
    get: (id, query = "") => expectBody(200, "GET", `/v1/workflows/${id}${query}`),
    finish: (id) => client.get(id, `?wait=${FINISH_WAIT_MS}`),
    run: async (spec) => client.finish((await client.create(spec)).id),
    events: (id) => readPages(`/v1/workflows/${id}/events`),
    ledger: (id) => readPages(`/v1/workflows/${id}/ledger`),
    tenantLedger: () => readPages("/v1/ledger"),
    stream: async (id, { lastEventId, query = "", key, isEnough } = {}) => {
      const headers = { accept: "text/event-stream", ...(lastEventId === undefined ? {} : { "last-event-id": String(lastEventId) }) };
      const response = await send("GET", `/v1/workflows/${id}/events${query}`, { headers, key });
      if (response.status !== 200) throw new Error(`the stream of ${id} answered ${response.status}: ${await response.text()}`);
      const messages: ServerSentEvent[] = [];
      for await (const message of readServerSentEvents(response.body!)) {
        messages.push(message);
        if (isEnough?.(message) === true) break;
      }
      return messages;
    },
  };
  return client;
}

/** Registers HTTP agents by name, each at a path of `origin`. */
export async function putHttpAgents(client: WeftClient, origin: string, paths: Record<string, string>, mode: "sync" | "callback" = "sync"): Promise<void> {
  for (const [name, path] of Object.entries(paths)) await client.putAgent(name, { kind: "http", url: `${origin}${path}`, mode });
}

/** Looks again until an assertion holds. Unlike `expect.poll` it can be used in tests that run side by side. */
export function eventually(assertion: () => void | Promise<void>, timeoutMs = 60_000): Promise<void> {
  return vi.waitFor(assertion, { timeout: timeoutMs, interval: 25 });
}

/** The types of a task's events, in order. */
export function typesOf(events: readonly LoggedEvent[], taskId?: string): string[] {
  return events.filter((event) => taskId === undefined || event.taskId === taskId).map((event) => event.type);
}
