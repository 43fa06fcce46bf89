import { z } from "zod";
import type { Failure } from "../../errors.ts";
import type { TaskStatus, WorkflowStatus } from "../../workflow/run.ts";
import type { LoggedEvent } from "../../workflow/events.ts";
import type { LedgerLine, Page, TaskView, WorkflowSummary, WorkflowView } from "../ports/workflow-port.ts";

/** What the OpenAPI document says of answers. They are made by the objects and not parsed here; each schema is held to the port's type by the compiler. */
type SchemaOf<Value> = z.ZodType<Value>;

export const WORKFLOW_STATUSES = ["scheduled", "pending", "running", "paused", "completed", "failed", "cancelled"] as const satisfies readonly WorkflowStatus[];
export const TASK_STATUSES = ["pending", "queued", "running", "waiting", "completed", "failed", "skipped", "cancelled"] as const satisfies readonly TaskStatus[];

const time = z.string().nullable();

const AnsweredFailure = z.object({
  code: z.enum([
    "agent_rejected", "agent_unavailable", "agent_bad_response", "timeout", "provider_rejected", "provider_unavailable", "output_invalid",
    "expression_failed", "dependency_failed", "not_started", "budget_exhausted", "deadline_exceeded", "attempts_exhausted", "cancelled",
  ]),
  message: z.string(),
  retryable: z.boolean(),
  taskId: z.string().optional(),
  details: z.any().optional(),
}) satisfies SchemaOf<Failure>;

const taskFields = {
  status: z.enum(TASK_STATUSES),
  attempt: z.int(),
  wave: z.int(),
  agent: z.string(),
  output: z.any(),
  outputBytes: z.int().optional(),
  startedAt: time,
  finishedAt: time,
  route: z
    .object({ tier: z.string(), model: z.string(), provider: z.string(), complexity: z.number().nullable(), reason: z.string(), fallbacks: z.array(z.string()) })
    .nullable(),
  usage: z.object({ inputTokens: z.int(), outputTokens: z.int(), costUsd: z.number() }).nullable(),
  context: z.object({ originalTokens: z.int(), reducedTokens: z.int() }).nullable(),
  error: AnsweredFailure.nullable(),
};

export const AnsweredTask = z.object({ id: z.string(), ...taskFields }) satisfies SchemaOf<TaskView>;

export const AnsweredSummary = z.object({
  id: z.string(),
  name: z.string().nullable(),
  status: z.enum(WORKFLOW_STATUSES),
  createdAt: z.string(),
  startedAt: time,
  finishedAt: time,
  metadata: z.record(z.string(), z.string()),
  progress: z.object({ total: z.int(), completed: z.int(), failed: z.int(), skipped: z.int(), running: z.int(), percent: z.number() }),
  usage: z.object({ inputTokens: z.int(), outputTokens: z.int(), costUsd: z.number(), baselineUsd: z.number(), savedPercent: z.number() }),
  budget: z.object({
    maxUsd: z.number().nullable(),
    spentUsd: z.number(),
    reservedUsd: z.number(),
    remainingUsd: z.number().nullable(),
    maxTokens: z.int().nullable(),
    spentTokens: z.int(),
    reservedTokens: z.int(),
    remainingTokens: z.int().nullable(),
    forecastUsd: z.number().nullable(),
    forecastTokens: z.int().nullable(),
  }),
  error: AnsweredFailure.nullable(),
  result: z.any(),
  resultBytes: z.int().optional(),
}) satisfies SchemaOf<WorkflowSummary>;

export const AnsweredWorkflow = AnsweredSummary.extend({
  waves: z.array(z.array(z.string())).optional(),
  tasks: z.record(z.string(), z.object(taskFields)).optional(),
}) satisfies SchemaOf<WorkflowView>;

export const AnsweredStatus = z.object({ status: z.enum(WORKFLOW_STATUSES) });

export const AnsweredEvent = z.object({ seq: z.int(), at: z.string(), type: z.string(), taskId: z.string().optional(), data: z.record(z.string(), z.any()) }) satisfies z.ZodType<
  Pick<LoggedEvent, "seq" | "at" | "taskId">
>;

export const AnsweredCall = z.object({
  at: z.string(),
  workflowId: z.string(),
  taskId: z.string(),
  attempt: z.int(),
  provider: z.string(),
  model: z.string(),
  inputTokens: z.int(),
  outputTokens: z.int(),
  cachedTokens: z.int(),
  costUsd: z.number(),
  estimated: z.boolean(),
  late: z.boolean(),
}) satisfies SchemaOf<LedgerLine>;

/** A page of a list. */
export function pageOf<Item extends z.ZodType>(item: Item): z.ZodType<Page<z.infer<Item>>> {
  return z.object({ items: z.array(item), nextCursor: z.string().nullable() });
}
