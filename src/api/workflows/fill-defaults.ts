import { Settings } from "../../config/settings.ts";

type Orchestration = Settings["orchestration"];

/** What the spec's own schema fills in. */
const BUILT_IN: Orchestration = Settings.parse({}).orchestration;

/** Fills in what a posted workflow leaves out and the tenant's settings say otherwise than the schema. Touches no part that has a wrong shape: the check names it. */
export function fillDefaults(json: unknown, orchestration: Orchestration): unknown {
  const { maxConcurrency, taskTimeoutMs, maxAttempts, retryInitialMs, retryMaxMs } = orchestration;
  const isBuiltIn = (["maxConcurrency", "taskTimeoutMs", "maxAttempts", "retryInitialMs", "retryMaxMs"] as const).every((key) => orchestration[key] === BUILT_IN[key]);
  if (isBuiltIn || !isRecord(json)) return json;
  const fillTask = (task: unknown): unknown => {
    if (!isRecord(task)) return task;
    const retry = task["retry"] ?? {};
    const filledRetry = isRecord(retry) ? fill(retry, { maxAttempts, initialMs: retryInitialMs, maxMs: retryMaxMs }) : retry;
    return { ...fill(task, { timeoutMs: taskTimeoutMs }), retry: filledRetry };
  };
  const tasks = json["tasks"];
  return { ...fill(json, { maxConcurrency }), ...(Array.isArray(tasks) ? { tasks: tasks.map(fillTask) } : {}) };
}

function fill(record: Record<string, unknown>, defaults: Record<string, unknown>): Record<string, unknown> {
  const missing = Object.entries(defaults).filter(([key]) => !Object.hasOwn(record, key) || record[key] == null);
  return { ...record, ...Object.fromEntries(missing) };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
