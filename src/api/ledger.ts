import { z } from "zod";
import type { CallRecord } from "../consumer/work-order.ts";
import { NANO_USD_PER_USD } from "../nano-usd.ts";
import { answerJson } from "./http/answer-json.ts";
import { decodeBase64UrlText, encodeBase64Url } from "./http/base64url.ts";
import { callerOf, type Api, type Endpoint } from "./endpoint.ts";
import { PAGE_QUERY, queryCursor, readQuery } from "./http/read-request.ts";
import { pageOf } from "./openapi/workflow-schemas.ts";
import type { LedgerPosition } from "./ports/stats-port.ts";
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

/** Where a page ended in what a request to the gateway called: so many of its calls were shown. */
const GatewayCursor = z.object({ source: z.literal("gateway"), at: z.int(), id: z.string().max(200), shown: z.int().min(0) });
/** Or in a workflow's ledger, at a place of its own; null is its beginning. */
const WorkflowCursor = z.object({ source: z.literal("workflows"), at: z.int(), id: z.string().max(200), place: z.string().regex(/^\d{1,9}$/).nullable() });
const Cursor = z.union([GatewayCursor, WorkflowCursor]);
type Cursor = z.infer<typeof Cursor>;

/** Comes after every id. */
const LAST_ID = "~";

export const LEDGER_ENDPOINTS: readonly Endpoint[] = [
  {
    method: "GET",
    path: "/v1/ledger",
    tag: "Workflows",
    summary: "Every call that was made for the tenant: of requests to the gateway and workflows the newest first, and of each its newest call first",
    access: "workflows:read",
    query: LedgerQuery,
    answers: { 200: { description: "A page; it may be short of the limit while there is a cursor", schema: pageOf(AnsweredLine) } },
    handle: async (context, api) => {
      const { limit, cursor, since } = readQuery(context, LedgerQuery);
      const from = since === null ? 0 : Date.parse(since);
      await api.deps.gateway.flush(callerOf(context).tenant);
      return answerJson(200, await readPage(api, callerOf(context).tenant, from, limit, cursor === null ? null : parseCursor(cursor)));
    },
  },
];

async function readPage(api: Api, tenant: string, since: number, limit: number, cursor: Cursor | null): Promise<Page<TenantLedgerLine>> {
  const port = api.deps.tenant(tenant);
  const requests = new BlockReader((from) => port.listGatewayCalls({ since, from, limit: limit + 1 }), limit + 1, startOf("gateway", cursor));
  const workflows = new BlockReader((from) => port.listWorkflowsWithCalls({ since, from, limit: WORKFLOWS_AT_ONCE }), WORKFLOWS_AT_ONCE, startOf("workflows", cursor));
  const lines: TenantLedgerLine[] = [];
  let asked = 0;
  for (;;) {
    const [request, workflow] = await Promise.all([requests.peek(), workflows.peek()]);
    if (request !== null && (workflow === null || request.at >= workflow.at)) {
      const { at, id, calls } = request;
      const before = cursor?.source === "gateway" && isAt(cursor, request) ? cursor.shown : 0;
      const shown = calls.toReversed().slice(before, before + limit - lines.length);
      lines.push(...shown.map(describeCall));
      if (before + shown.length < calls.length) return endPage(lines, { source: "gateway", at, id, shown: before + shown.length });
      requests.skip();
    } else if (workflow !== null) {
      const { at, id } = workflow;
      let place = cursor?.source === "workflows" && isAt(cursor, workflow) ? cursor.place : null;
      do {
        if (lines.length === limit || asked === MAX_ASKED) return endPage(lines, { source: "workflows", at, id, place });
        const page = await api.deps.workflow(tenant, id).readLedger({ limit: limit - lines.length, cursor: place });
        asked += 1;
        // Removed meanwhile, and its ledger with it.
        if ("problem" in page) break;
        lines.push(...page.items.filter((line) => Date.parse(line.at) >= since));
        place = page.nextCursor;
      } while (place !== null);
      workflows.skip();
    } else {
      return { items: lines, nextCursor: null };
    }
  }
}

function endPage(lines: TenantLedgerLine[], cursor: Cursor): Page<TenantLedgerLine> {
  return { items: lines, nextCursor: encodeBase64Url(new TextEncoder().encode(JSON.stringify(cursor))) };
}

/** Where a source goes on after a page. Of requests and workflows of the same time the requests come first. */
function startOf(source: Cursor["source"], cursor: Cursor | null): LedgerPosition | null {
  if (cursor === null) return null;
  const { at, id } = cursor;
  if (cursor.source === source) return { at, id };
  return { at: source === "workflows" ? at : at - 1, id: LAST_ID };
}

function isAt(one: LedgerPosition, other: LedgerPosition): boolean {
  return one.at === other.at && one.id === other.id;
}

/** What made calls, one after the other, read some at a time. */
class BlockReader<Block extends LedgerPosition> {
  readonly #list: (from: LedgerPosition | null) => Promise<Block[]>;
  readonly #atOnce: number;
  readonly #from: LedgerPosition | null;
  #blocks: Block[] = [];
  #next = 0;
  #isRead = false;

  /** `list` answers up to `atOnce` (two at least) from a position on, which is included. */
  constructor(list: (from: LedgerPosition | null) => Promise<Block[]>, atOnce: number, from: LedgerPosition | null) {
    this.#list = list;
    this.#atOnce = atOnce;
    this.#from = from;
  }

  async peek(): Promise<Block | null> {
    if (this.#next === this.#blocks.length && !this.#isRead) {
      const last = this.#blocks.at(-1) ?? null;
      const blocks = await this.#list(last ?? this.#from);
      this.#isRead = blocks.length < this.#atOnce;
      this.#blocks = last === null ? blocks : blocks.filter((block) => !isAt(block, last));
      this.#next = 0;
    }
    return this.#blocks[this.#next] ?? null;
  }

  skip(): void {
    this.#next += 1;
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
