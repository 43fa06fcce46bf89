import type { LocalWorker } from "../scripts/local-worker.ts";
import type { Send } from "./http-client.ts";

/** What a benchmark reads of `GET /v1/workflows/{id}`. */
export interface WorkflowState {
  id: string;
  status: string;
  progress: { total: number; completed: number };
}

export interface WeftClient {
  registerAgent(name: string, url: string): Promise<void>;
  create(spec: object): Promise<string>;
  /** Waits for the end; throws unless it is `completed`. */
  waitForEnd(id: string): Promise<void>;
  /** Creates and waits in one request. */
  runToEnd(spec: object): Promise<void>;
  get(path: string): Promise<string>;
}

const WAIT_MS = 60_000;

export function createWeftClient(send: Send, at: Pick<LocalWorker, "origin" | "rootKey">): WeftClient {
  const headers = { authorization: `Bearer ${at.rootKey}` };
  const call = async (method: string, path: string, body?: object): Promise<string> => {
    const answer = await send(method, `${at.origin}${path}`, { headers, ...(body === undefined ? {} : { body }) });
    if (answer.status >= 300) throw new Error(`${method} ${path} answered ${answer.status}: ${answer.text}`);
    return answer.text;
  };
  const create = async (spec: object): Promise<string> => (JSON.parse(await call("POST", "/v1/workflows", spec)) as { id: string }).id;
  const untilEnd = `wait=${WAIT_MS}&tasks=none`;
  const expectEnd = (text: string): void => {
    const { id, status, progress } = JSON.parse(text) as WorkflowState;
    if (status !== "completed") throw new Error(`the workflow ${id} is ${status} after ${progress.completed} of ${progress.total} tasks`);
  };
  return {
    registerAgent: async (name, url) => {
      await call("PUT", `/v1/agents/${name}`, { kind: "http", description: "For measurements", capabilities: [], url });
    },
    create,
    waitForEnd: async (id) => expectEnd(await call("GET", `/v1/workflows/${id}?${untilEnd}`)),
    runToEnd: async (spec) => expectEnd(await call("POST", `/v1/workflows?${untilEnd}`, spec)),
    get: (path) => call("GET", path),
  };
}
