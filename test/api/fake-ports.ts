import { createApi } from "../../src/api/create-api.ts";
import type { ApiDeps } from "../../src/api/api-deps.ts";
import { readStoredTiers } from "../../src/api/stored-tiers.ts";
import type { StoredTiers } from "../../src/config/tiers-cache.ts";
import type { RegisteredAgent, TenantPort } from "../../src/api/tenant-port.ts";
import type { CreateAnswer, CreateRequest, TaskView, WorkflowPort, WorkflowView } from "../../src/api/workflow-port.ts";
import { checkOutboundUrl } from "../../src/config/public-url.ts";
import type { Json, Problem } from "../../src/errors.ts";
import type { LogEvent } from "../../src/log.ts";

export const ROOT_KEY = "root-key-of-tests";
const DAY_MS = 86_400_000;

/** What a fake object holds of a workflow. */
interface FakeWorkflow {
  request: CreateRequest;
  view: WorkflowView;
  createdAt: number;
  isRemoved: boolean;
}

export interface FakeWorld {
  now: number;
  workflows: Map<string, FakeWorkflow>;
  agents: Map<string, RegisteredAgent>;
  tiers: string[];
  published: StoredTiers | null;
  log: LogEvent[];
  /** Calls of objects in order: `workflow.create`, `tenant.listAgents`, … */
  calls: string[];
  callbacks: { secret: string; body: Json }[];
  /** What a stream was asked of the object with. */
  streams: Request[];
  list: Parameters<TenantPort["listWorkflows"]>[0] | null;
  /** Replaces one method of every workflow object. */
  override: Partial<WorkflowPort>;
}

const NOT_FOUND: Problem = { problem: "not_found", detail: "there is no such workflow" };

export function createWorld(): FakeWorld {
  return {
    now: Date.UTC(2026, 10, 1), workflows: new Map(), agents: new Map(), tiers: [], published: null, log: [], calls: [], callbacks: [], streams: [], list: null, override: {},
  };
}

/** The real API over objects in memory, and a way to ask it as the root. */
export function createTestApi(changes: Partial<ApiDeps> = {}, world: FakeWorld = createWorld()) {
  let ids = 0;
  const record = <Port extends object>(prefix: string, port: Port): Port =>
    new Proxy(port, {
      get: (target, name: string) => {
        const method = (target as Record<string, unknown>)[name];
        return typeof method !== "function" ? method : (...args: unknown[]) => {
          world.calls.push(`${prefix}.${name}`);
          return method.apply(target, args) as unknown;
        };
      },
    });
  const tenant = () => record("tenant", createFakeTenant(world));
  const app = createApi({
    rootKey: ROOT_KEY,
    workflow: (tenantId, workflowId) => record("workflow", { ...createFakeWorkflow(world, `${tenantId}:${workflowId}`), ...world.override }),
    tenant,
    now: () => world.now,
    randomId: () => `random${(ids += 1)}`,
    publicUrl: null,
    allowPrivateOrigins: false,
    checkUrl: (url) => checkOutboundUrl(url, { allowPrivate: false }),
    tiers: {
      read: async () => world.published ?? { version: 0, document: (await readStoredTiers({ readTiers: async () => null })).document },
      publish: async (tiers) => void (world.published = tiers),
    },
    openWeakestModel: async () => null,
    log: (event) => world.log.push(event),
    ...changes,
  });
  const ask = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
    app.request(`https://weft.test${path}`, {
      method,
      headers: { authorization: `Bearer ${ROOT_KEY}`, ...headers },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
  return { app, ask, world };
}

export function createFakeTask(id: string): TaskView {
  return { id, status: "pending", attempt: 0, wave: 0, agent: "scout", output: null, startedAt: null, finishedAt: null, route: null, usage: null, context: null, error: null };
}

function createView({ workflowId, spec }: CreateRequest, now: number): WorkflowView {
  return {
    id: workflowId, name: spec.name, status: "running", createdAt: new Date(now).toISOString(), startedAt: null, finishedAt: null, metadata: spec.metadata,
    progress: { total: spec.tasks.length, completed: 0, failed: 0, skipped: 0, running: 0, percent: 0 },
    usage: { inputTokens: 0, outputTokens: 0, costUsd: 0, baselineUsd: 0, savedPercent: 0 },
    error: null, result: null,
  };
}

function createFakeWorkflow(world: FakeWorld, name: string): WorkflowPort {
  const find = () => {
    const workflow = world.workflows.get(name);
    return workflow === undefined || workflow.isRemoved ? null : workflow;
  };
  return {
    async create(request): Promise<CreateAnswer> {
      const known = world.workflows.get(name);
      if (known === undefined) {
        const view = createView(request, world.now);
        world.workflows.set(name, { request, view, createdAt: world.now, isRemoved: false });
        return { kind: "created", workflow: view };
      }
      const { key, bodyHash } = known.request.idempotency ?? {};
      if (request.idempotency === null || request.idempotency.key !== key) return { problem: "conflict", detail: "the id is taken" };
      if (world.now - known.createdAt > DAY_MS) return { kind: "expired" };
      if (request.idempotency.bodyHash !== bodyHash) return { problem: "conflict", detail: "the key was used with another body" };
      return { kind: "replayed", body: JSON.stringify(known.view) };
    },
    async findAnswer(idempotency) {
      const known = world.workflows.get(name);
      if (known?.request.idempotency?.key !== idempotency.key) return { kind: "unknown" };
      if (world.now - known.createdAt > DAY_MS) return { kind: "expired" };
      return known.request.idempotency.bodyHash === idempotency.bodyHash ? { kind: "replayed", body: JSON.stringify(known.view) } : { kind: "unknown" };
    },
    exists: async () => find() !== null,
    read: async () => find()?.view ?? NOT_FOUND,
    readTask: async (taskId) => (find()?.request.spec.tasks.some(({ id }) => id === taskId) === true ? createFakeTask(taskId) : NOT_FOUND),
    listTasks: async () => (find() === null ? NOT_FOUND : { items: [], nextCursor: null }),
    command: async (command) => (find() === null ? NOT_FOUND : { status: command === "cancel" ? "cancelled" : command === "pause" ? "paused" : "running" }),
    retryTask: async () => (find() === null ? NOT_FOUND : { status: "running" }),
    async readCheckpoint() {
      const workflow = find();
      return workflow === null ? NOT_FOUND : { spec: workflow.request.spec, agents: workflow.request.agents, reusable: ["a"] };
    },
    readEvents: async () => (find() === null ? NOT_FOUND : { items: [], nextCursor: null }),
    readLedger: async () => (find() === null ? NOT_FOUND : { items: [], nextCursor: null }),
    async acceptCallback(secret, body) {
      if (find() === null) return NOT_FOUND;
      world.callbacks.push({ secret, body });
      return { accepted: true };
    },
    async remove() {
      const workflow = find();
      if (workflow === null) return NOT_FOUND;
      workflow.isRemoved = true;
      return { removed: true };
    },
    async fetch(request) {
      world.streams.push(request);
      return find() === null ? new Response(null, { status: 404 }) : new Response("id: 1\n\n", { headers: { "content-type": "text/event-stream" } });
    },
  };
}

function createFakeTenant(world: FakeWorld): TenantPort {
  return {
    async putAgent(name, agent) {
      const known = world.agents.get(name);
      const at = new Date(world.now).toISOString();
      const registered = { name, agent, createdAt: known?.createdAt ?? at, updatedAt: at };
      world.agents.set(name, registered);
      return { agent: registered, isNew: known === undefined };
    },
    listAgents: async () => [...world.agents.values()],
    deleteAgent: async (name) => world.agents.delete(name),
    async listWorkflows(query) {
      world.list = query;
      return { items: [], nextCursor: null };
    },
    indexWorkflow: async () => undefined,
    removeWorkflow: async () => undefined,
    readmitWorkflow: async () => undefined,
    listStale: async () => [],
    readTiers: async () => (world.tiers.length === 0 ? null : { version: world.tiers.length, json: world.tiers.at(-1)! }),
    writeTiers: async (json) => ({ version: world.tiers.push(json) }),
  };
}
