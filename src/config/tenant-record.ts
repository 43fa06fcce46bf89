import { z } from "zod";
import type { Fault, Json } from "../errors.ts";
import { NANO_USD_PER_USD } from "../nano-usd.ts";
import { describeIssues, PARSE_OPTIONS } from "../workflow/faults/describe-issues.ts";

/** Largest budget: its nano-dollars are still integers that a number holds exactly. */
export const MAX_BUDGET_USD = 9_000_000;
/** Largest limits: beyond them nothing is limited any more, on any machine. */
export const MAX_TASKS_PER_SECOND = 100_000;
export const MAX_CONCURRENT_TASKS = 1_000_000;
export const MAX_REQUESTS_PER_MINUTE = 10_000_000;

/** Also part of key and secret names: no double, leading or trailing hyphen (contract). */
export const TenantId = z.string().max(32, "use at most 32 characters").regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, "use a–z and 0–9, in words joined by single hyphens");

const BudgetPeriod = z.enum(["day", "month", "total"]);

/** What a client sends. Keys that are null or left out stand for no limit. */
export const BudgetInput = z.strictObject({ maxUsd: z.number().min(0).max(MAX_BUDGET_USD), period: BudgetPeriod });
export const LimitsInput = z.strictObject({
  tasksPerSecond: z.number().min(0.001).max(MAX_TASKS_PER_SECOND).nullish(),
  concurrentTasks: z.int().min(1).max(MAX_CONCURRENT_TASKS).nullish(),
  requestsPerMinute: z.int().min(1).max(MAX_REQUESTS_PER_MINUTE).nullish(),
});

/** What the operator allows a tenant, as sent: the body of a PATCH is a part of it. */
export const AllowanceInput = z.strictObject({ budget: BudgetInput.nullish(), limits: LimitsInput.nullish() });
export type AllowanceInput = z.infer<typeof AllowanceInput>;

/** Periods are those of UTC; a budget of `total` never starts anew. */
export interface TenantBudget {
  maxNanoUsd: number;
  period: z.infer<typeof BudgetPeriod>;
}

/** Null: not limited. */
export interface TenantLimits {
  tasksPerSecond: number | null;
  concurrentTasks: number | null;
  requestsPerMinute: number | null;
}

/** What the operator allows a tenant, as stored. */
export interface Allowance {
  budget: TenantBudget | null;
  limits: TenantLimits;
}

/** Whether workflows have to be let start their tasks. */
export function limitsTasks({ tasksPerSecond, concurrentTasks }: TenantLimits): boolean {
  return tasksPerSecond !== null || concurrentTasks !== null;
}

export const NO_LIMITS: TenantLimits = { tasksPerSecond: null, concurrentTasks: null, requestsPerMinute: null };
export const NO_ALLOWANCE: Allowance = { budget: null, limits: NO_LIMITS };

/** Whether a tenant's data is being removed (`removing`), or was (`removed`: its object remembers that, so that nothing comes back). */
export type TenantState = "active" | "removing" | "removed";

/** What a tenant's own object knows of the tenant. Times are Unix milliseconds. */
export interface TenantRecord extends Allowance {
  id: string;
  /** Null for the operator's own tenant, which always was. */
  createdAt: number | null;
  state: TenantState;
  /** When `state` became what it is. */
  changedAt: number;
}

export function readAllowance({ budget, limits }: AllowanceInput): Allowance {
  return {
    budget: budget == null ? null : { maxNanoUsd: Math.round(budget.maxUsd * NANO_USD_PER_USD), period: budget.period },
    limits: { tasksPerSecond: limits?.tasksPerSecond ?? null, concurrentTasks: limits?.concurrentTasks ?? null, requestsPerMinute: limits?.requestsPerMinute ?? null },
  };
}

/** The same in the words of the contract. */
export function showAllowance({ budget, limits }: Allowance): { budget: z.infer<typeof BudgetInput> | null; limits: TenantLimits } {
  return { budget: budget === null ? null : { maxUsd: budget.maxNanoUsd / NANO_USD_PER_USD, period: budget.period }, limits };
}

/** Merges a patch (RFC 7396: null removes) and checks the outcome as a whole: a budget needs both of its parts. Faults are JSON Pointers into the patch. */
export function patchAllowance(allowance: Allowance, patch: Json): Allowance | { faults: Fault[] } {
  if (!isRecord(patch)) return { faults: [{ path: "", message: "must be an object" }] };
  const shown = showAllowance(allowance);
  const merged = new Map<string, Json>(Object.entries({ ...shown, limits: { ...shown.limits } }));
  for (const [key, value] of Object.entries(patch)) {
    const known = merged.get(key);
    merged.set(key, isRecord(value) && isRecord(known) ? { ...known, ...value } : value);
  }
  // Defines each key as the object's own, whatever its name.
  const parsed = AllowanceInput.safeParse(Object.fromEntries(merged), PARSE_OPTIONS);
  return parsed.success ? readAllowance(parsed.data) : { faults: describeIssues(parsed.error) };
}

/** When the budget's current period began (UTC); null where no period begins. */
export function periodStart(budget: TenantBudget | null, now: number): number | null {
  const day = new Date(now);
  switch (budget?.period) {
    case "day":
      return Date.UTC(day.getUTCFullYear(), day.getUTCMonth(), day.getUTCDate());
    case "month":
      return Date.UTC(day.getUTCFullYear(), day.getUTCMonth(), 1);
    case "total":
    case undefined:
      return null;
  }
}

function isRecord(value: Json | undefined): value is { [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
