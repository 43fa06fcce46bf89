import type { z } from "zod";
import { cutFaulty } from "../faults/cut-faulty.ts";
import { PARSE_OPTIONS } from "../faults/describe-issues.ts";
import type { FaultList } from "../faults/fault-list.ts";
import { escapePointer, pointerTo } from "../json/json-pointer.ts";
import { findKeyFault } from "../json/record-keys.ts";
import { MAX_METADATA_KEYS, MAX_TASKS, NOT_AVAILABLE_YET, ResultAgent, RetryPolicy, TaskSpec, UNAVAILABLE_FIELDS, Webhook, WorkflowSpec, type PostedSpec } from "./spec.ts";

/** A workflow without its tasks. */
export type SpecHead = Omit<PostedSpec, "tasks">;

/** A task whose shape was checked. Fields of a wrong shape are at their defaults, so that the rest can still be checked. */
export interface ShapedTask {
  task: TaskSpec;
  /** Fields that were wrong, in part or whole, or missing: what is here of them is not what was posted. */
  broken: ReadonlySet<string>;
}

interface ShapedSpec {
  head: SpecHead | null;
  /** One for each posted task, in order; null for what is no object. */
  tasks: (ShapedTask | null)[];
}

/** Unknown keys of one object that are named one by one: each costs memory several times over. */
export const MAX_KEYS = 1_000;

type Issue = z.core.$ZodIssue;
type Shape = Record<string, unknown>;

const Head = WorkflowSpec.omit({ tasks: true });

const BUDGET_KEYS: Keys = { allowed: ["maxUsd", "maxTokens"], unavailable: [] };

/** Allowed and promised keys of each object in a spec, by its path there without indexes. A map, since a body may have any key: `constructor` is none of ours. */
type KeysByPlace = ReadonlyMap<string, Keys>;
const HEAD_KEYS: KeysByPlace = new Map([
  ["", { allowed: Object.keys(WorkflowSpec.shape), unavailable: UNAVAILABLE_FIELDS.workflow }],
  ["webhook", { allowed: Object.keys(Webhook.shape), unavailable: [] }],
  ["budget", BUDGET_KEYS],
  ["result", { allowed: Object.keys(ResultAgent.shape), unavailable: [] }],
]);
const TASK_KEYS: KeysByPlace = new Map([
  ["", { allowed: Object.keys(TaskSpec.shape), unavailable: UNAVAILABLE_FIELDS.task }],
  ["retry", { allowed: Object.keys(RetryPolicy.shape), unavailable: [] }],
  ["context", { allowed: ["mode", "maxTokens", "targetReduction"], unavailable: [] }],
  ["output", { allowed: ["schema"], unavailable: [] }],
  ["budget", BUDGET_KEYS],
]);

interface Keys {
  allowed: readonly string[];
  unavailable: readonly string[];
}

/** Fields that say what a task does when it has no `agent`, and a workflow when it has no `tasks`. */
const AGENT_SUBSTITUTES = ["approval", "waitFor", "workflow"];
const TASKS_SUBSTITUTES = ["goal", "template"];

/** Checks the shape of a posted workflow. One wrong field hides nothing of the others. */
export function readShape(body: unknown, faults: FaultList): ShapedSpec {
  if (!isObject(body)) {
    faults.add("", "must be an object");
    return { head: null, tasks: [] };
  }
  const { tasks, ...head } = body;
  const fault = findKeyFault(head["metadata"], MAX_METADATA_KEYS);
  if (fault !== null) {
    faults.add(`/metadata${fault.path}`, fault.message);
    delete head["metadata"];
  }
  return { head: readPart(Head, head, HEAD_KEYS, "", faults, {}, { webhook: { url: "https://example.com" } })?.value ?? null, tasks: readTasks(tasks, body, faults) };
}

function readTasks(tasks: unknown, body: Shape, faults: FaultList): (ShapedTask | null)[] {
  if (tasks === undefined && TASKS_SUBSTITUTES.some((key) => key in body)) return [];
  if (!Array.isArray(tasks) || tasks.length === 0) {
    faults.add("/tasks", tasks === undefined ? "is required" : "must be a list of 1–5,000 tasks");
    return [];
  }
  if (tasks.length > MAX_TASKS) {
    faults.add("/tasks", `has ${tasks.length} tasks; a workflow has at most ${MAX_TASKS}`);
    return [];
  }
  return tasks.map((task, index) => readTask(task, `/tasks/${index}`, faults));
}

function readTask(raw: unknown, path: string, faults: FaultList): ShapedTask | null {
  if (!isObject(raw)) {
    faults.add(path, "must be an object");
    return null;
  }
  const read = readPart(TaskSpec, raw, TASK_KEYS, path, faults, { id: "-", agent: "-" });
  return read === null ? null : { task: read.value, broken: read.broken };
}

const NOTHING_BROKEN: ReadonlySet<string> = new Set();

/**
 * Parses one object; when parts of it are wrong, reports them and parses the rest with `standIns` for what is required, and with `innerStandIns`
 * for what is required in an object in it. Nothing may be wrong with these.
 */
function readPart<T>(
  schema: z.ZodType<T>,
  posted: Shape,
  keys: KeysByPlace,
  path: string,
  faults: FaultList,
  standIns: Shape,
  innerStandIns: Readonly<Record<string, Shape>> = {},
): { value: T; broken: ReadonlySet<string> } | null {
  const raw = dropNulls(dropExcess(posted, keys, path, faults), keys, "");
  const parsed = schema.safeParse(raw, PARSE_OPTIONS);
  if (parsed.success) return { value: parsed.data, broken: NOTHING_BROKEN };
  const { issues } = parsed.error;
  const broken = new Set<string>();
  for (const issue of issues) {
    reportIssue(issue, raw, keys, path, faults);
    for (const field of issue.code === "unrecognized_keys" && issue.path.length === 0 ? issue.keys : [String(issue.path[0])]) broken.add(field);
  }
  const kept = cutFaulty(raw, issues);
  for (const [field, inner] of Object.entries(innerStandIns)) if (broken.has(field) && isObject(kept[field])) kept[field] = { ...inner, ...kept[field] };
  for (const field of broken) if (field in standIns) kept[field] = standIns[field];
  let rest = schema.safeParse(kept);
  if (!rest.success) {
    // An object that lacks what is required in it goes as a whole.
    for (const field of broken) if (!(field in standIns)) delete kept[field];
    rest = schema.safeParse(kept);
  }
  return rest.success ? { value: rest.data, broken } : null;
}

/** An object with very many keys has its known ones looked at only. */
function dropExcess(posted: Shape, keys: KeysByPlace, path: string, faults: FaultList): Shape {
  const names = Object.keys(posted);
  if (names.length <= MAX_KEYS) return posted;
  const { allowed, unavailable } = keys.get("")!;
  faults.add(path, `has ${names.length} keys; known are ${allowed.join(", ")}`);
  return Object.fromEntries([...allowed, ...unavailable].flatMap((name) => (Object.hasOwn(posted, name) ? [[name, posted[name]]] : [])));
}

/** Null means absent (contract): known keys that hold it are left out, here and in the objects that `keys` describes. Copies only what changes. */
function dropNulls(raw: Shape, keys: KeysByPlace, place: string): Shape {
  const known = keys.get(place);
  if (known === undefined) return raw;
  let kept = raw;
  for (const [key, value] of Object.entries(raw)) {
    const cleaned = isObject(value) ? dropNulls(value, keys, key) : value;
    const isAbsent = value === null && (known.allowed.includes(key) || known.unavailable.includes(key));
    if (!isAbsent && cleaned === value) continue;
    if (kept === raw) kept = { ...raw };
    if (isAbsent) delete kept[key];
    else kept[key] = cleaned;
  }
  return kept;
}

function reportIssue(issue: Issue, raw: Shape, keys: KeysByPlace, path: string, faults: FaultList): void {
  const place = path + pointerTo(issue.path);
  if (issue.code === "unrecognized_keys") {
    const known = keys.get(issue.path.join("."));
    for (const key of issue.keys) faults.add(`${place}/${escapePointer(key)}`, describeKey(key, known));
    return;
  }
  const isMissingAgent = issue.path.length === 1 && issue.path[0] === "agent" && raw["agent"] === undefined;
  if (isMissingAgent && AGENT_SUBSTITUTES.some((key) => key in raw)) return;
  faults.add(place, issue.message);
}

function describeKey(key: string, known: Keys | undefined): string {
  if (known?.unavailable.includes(key)) return `${key} ${NOT_AVAILABLE_YET}`;
  return `unknown key${known === undefined ? "" : `; known are ${known.allowed.join(", ")}`}`;
}

function isObject(value: unknown): value is Shape {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
