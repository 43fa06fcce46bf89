import { z } from "zod";
import type { CallRecord } from "../consumer/work-order.ts";
import { NANO_USD_PER_USD } from "../nano-usd.ts";
import { answerJson } from "./http/answer-json.ts";
import { decodeBase64UrlText, encodeBase64Url } from "./http/base64url.ts";
import { callerOf, type Api, type Endpoint } from "./endpoint.ts";
import { PAGE_QUERY, queryCursor, readQuery } from "./http/read-request.ts";
import { pageOf } from "./openapi/workflow-schemas.ts";
import type { LedgerLine, Page } from "./ports/workflow-port.ts";

/** Workflows that are asked for one page: a page that is not full by then is answered as it is, with a cursor. */
const MAX_ASKED = 40;
/** Workflows whose names are read at once. */
const WORKFLOWS_AT_ONCE = 20;

const LedgerQuery = z.object({
  ...PAGE_QUERY,
  cursor: queryCursor((text) => parseCursor(text) !== null),
  since: z.iso.datetime({ offset: true, error: "must be an ISO 8601 time, like 2026-01-31T00:00:00Z" }).nullable().default(null).describe("Calls that ended at or after this; without it, all that are kept"),
});

/** A call that was made for a tenant. Those of the gateway belong to no workflow. */
interface TenantLedgerLine extends Omit<LedgerLine, "workflowId" | "taskId" | "attempt"> {
  workflowId: string | null;
  taskId: string | null;
  attempt: number | null;
}

const AnsweredLine = z.object({
  at: z.string(),
  workflowId: z.string().nullable().describe("Null for calls of the gateway"),
  taskId: z.string().nullable(),
  attempt: z.int().nullable(),
  provider: z.string(),
  model: z.string(),
  inputTokens: z.int(),
  outputTokens: z.int(),
  cachedTokens: z.int(),
  costUsd: z.number(),
  estimated: z.boolean(),
  late: z.boolean(),
}) satisfies z.ZodType<TenantLedgerLine>;

/** The place in a workflow's ledger behind all of its calls. */
const DONE = "end";

/** Where a page ended: before the call of that number of a request to the gateway. */
const GatewayCursor = z.object({ source: z.literal("gateway"), at: z.int(), id: z.string().max(200), calls: z.int().min(0) });
type GatewayCursor = z.infer<typeof GatewayCursor>;
/** Or at a place of a workflow's ledger; null is its start. */
const WorkflowCursor = z.object({ source: z.literal("workflows"), at: z.int(), id: z.string().max(200), place: z.union([z.string().regex(/^\d{1,9}$/), z.literal(DONE)]).nullable() });
type WorkflowCursor = z.infer<typeof WorkflowCursor>;
const Cursor = z.union([GatewayCursor, WorkflowCursor]);
type Cursor = z.infer<typeof Cursor>;

export const LEDGER_ENDPOINTS: readonly Endpoint[] = [
  {
    method: "GET",
    path: "/v1/ledger",
    tag: "Workflows",
    summary: "Every call that was made for the tenant: the gateway's, then those of its workflows, the newest workflow first; of each the newest call first",
    access: "workflows:read",
    query: LedgerQuery,
    answers: { 200: { description: "A page; it may be short of the limit while there is a cursor", schema: pageOf(AnsweredLine) } },
    handle: async (context, api) => {
      const { limit, cursor, since } = readQuery(context, LedgerQuery);
      const from = since === null ? 0 : Date.parse(since);
      return answerJson(200, await readPage(api, callerOf(context).tenant, from, limit, cursor === null ? null : parseCursor(cursor)));
    },
  },
];

async function readPage(api: Api, tenant: string, since: number, limit: number, cursor: Cursor | null): Promise<Page<TenantLedgerLine>> {
  const lines: TenantLedgerLine[] = [];
  let next: Cursor | null = cursor;
  if (next === null || next.source === "gateway") next = await addGatewayLines(api, tenant, since, limit, next, lines);
  if (next === null || next.source === "workflows") next = await addWorkflowLines(api, tenant, since, limit, next, lines);
  return { items: lines, nextCursor: next === null ? null : encodeBase64Url(new TextEncoder().encode(JSON.stringify(next))) };
}

/** Where the page ended, or null when the gateway's calls are through. */
async function addGatewayLines(api: Api, tenant: string, since: number, limit: number, cursor: GatewayCursor | null, lines: TenantLedgerLine[]): Promise<Cursor | null> {
  for (let from = cursor; ; ) {
    const entries = await api.deps.tenant(tenant).listGatewayCalls({ since, from, limit: limit + 1 });
    for (const { at, id, calls } of entries) {
      for (let place = id === from?.id ? from.calls : 0; place < calls.length; place += 1) {
        if (lines.length === limit) return { source: "gateway", at, id, calls: place };
        lines.push(describeCall(calls[place]!));
      }
    }
    const last = entries.at(-1);
    if (last === undefined || entries.length <= limit) return null;
    from = { source: "gateway", at: last.at, id: last.id, calls: last.calls.length };
  }
}

/** Where the page ended, or null when there are no more calls. */
async function addWorkflowLines(api: Api, tenant: string, since: number, limit: number, cursor: WorkflowCursor | null, lines: TenantLedgerLine[]): Promise<Cursor | null> {
  let asked = 0;
  for (let from = cursor; ; ) {
    const workflows = await api.deps.tenant(tenant).listWorkflowsWithCalls({ since, from, limit: WORKFLOWS_AT_ONCE });
    for (const { id, at } of workflows) {
      for (let place = id === from?.id && at === from.at ? from.place : null; place !== DONE; asked += 1) {
        if (lines.length === limit || asked === MAX_ASKED) return { source: "workflows", at, id, place };
        const page = await api.deps.workflow(tenant, id).readLedger({ limit: limit - lines.length, cursor: place });
        // Removed meanwhile, and its ledger with it.
        if ("problem" in page) break;
        lines.push(...page.items.filter((line) => Date.parse(line.at) >= since));
        place = page.nextCursor ?? DONE;
      }
    }
    const last = workflows.at(-1);
    if (last === undefined || workflows.length < WORKFLOWS_AT_ONCE) return null;
    from = { source: "workflows", ...last, place: DONE };
  }
}

function describeCall(call: CallRecord): TenantLedgerLine {
  const { provider, model, inputTokens, outputTokens, cachedTokens, costNanoUsd, estimated } = call;
  return { at: new Date(call.at).toISOString(), workflowId: null, taskId: null, attempt: null, provider, model, inputTokens, outputTokens, cachedTokens, costUsd: costNanoUsd / NANO_USD_PER_USD, estimated, late: false };
}

function parseCursor(text: string): Cursor | null {
  const json = decodeBase64UrlText(text);
  return Cursor.safeParse(json === null ? null : parseJson(json)).data ?? null;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
