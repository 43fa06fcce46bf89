import { z } from "zod";
import { AllowanceInput, BudgetInput, readAllowance, showAllowance, TenantId } from "../config/tenant-record.ts";
import type { Json } from "../errors.ts";
import { NANO_USD_PER_USD } from "../nano-usd.ts";
import { answerJson } from "./http/answer-json.ts";
import { callerOf, type Api, type ApiContext, type Endpoint } from "./endpoint.ts";
import { hashBytes } from "./http/hash-bytes.ts";
import { readIdempotencyKey } from "./http/idempotency.ts";
import { refuse, valueOf } from "./http/problem.ts";
import { checkShape, PAGE_QUERY, readJson, readQuery } from "./http/read-request.ts";
import { OPERATOR_TENANT } from "./stored-tiers.ts";
import type { TenantStatus } from "./ports/directory-port.ts";
import { pageOf } from "./openapi/workflow-schemas.ts";

/** Objects of a page's tenants that are asked at once. */
const READ_BATCH = 25;

const CreateBody = AllowanceInput.extend({ id: TenantId });
/** A part of what a tenant is allowed, merged into the rest: only together must a budget be whole. */
const PatchBody = AllowanceInput.extend({ budget: BudgetInput.partial().nullish() });
const ListQuery = z.object(PAGE_QUERY);

const limit = z.number().nullable();
const AnsweredTenant = z.object({
  id: z.string(),
  createdAt: z.string().nullable().describe("Null for the tenant `default`, which always was"),
  budget: BudgetInput.nullable(),
  limits: z.object({ tasksPerSecond: limit, concurrentTasks: limit, requestsPerMinute: limit }),
  spend: z.object({ usd: z.number(), reservedUsd: z.number(), periodStart: z.string().nullable() }).describe("In the current period of the budget (UTC); without one, or with the period `total`, ever"),
});

export const TENANT_ENDPOINTS: readonly Endpoint[] = [
  {
    method: "POST",
    path: "/v1/tenants",
    tag: "Tenants",
    summary: "Create a tenant",
    access: "root",
    extraParameters: [{ name: "Idempotency-Key", in: "header", description: "Makes a repetition within 24 hours answer what the first request made" }],
    body: { schema: CreateBody },
    answers: { 201: { description: "The tenant", schema: AnsweredTenant } },
    handle: async (context, api) => {
      const { json, bytes } = await readJson(context);
      const key = readIdempotencyKey(context);
      const { id, ...allowance } = checkShape(json, CreateBody);
      const idempotency = key === null ? null : { key: JSON.stringify([callerOf(context).tenant, key]), bodyHash: await hashBytes(bytes) };
      const { kind, tenant } = valueOf(await directory(api).createTenant({ id, allowance: readAllowance(allowance), idempotency }));
      const headers = { location: `/v1/tenants/${id}`, ...(kind === "replayed" ? { "idempotent-replay": "true" } : {}) };
      return answerJson(201, showTenant(tenant), headers);
    },
  },
  {
    method: "GET",
    path: "/v1/tenants",
    tag: "Tenants",
    summary: "The tenants, newest first",
    access: "root",
    query: ListQuery,
    answers: { 200: { description: "A page", schema: pageOf(AnsweredTenant) } },
    handle: async (context, api) => {
      const { items: ids, nextCursor } = valueOf(await directory(api).listTenants(readQuery(context, ListQuery)));
      const tenants: TenantStatus[] = [];
      for (let start = 0; start < ids.length; start += READ_BATCH) {
        tenants.push(...(await Promise.all(ids.slice(start, start + READ_BATCH).map((id) => readTenant(api, id)))));
      }
      // One may have been removed since its id was listed.
      return answerJson(200, { items: tenants.filter(({ state }) => state === "active").map(showTenant), nextCursor });
    },
  },
  {
    method: "GET",
    path: "/v1/tenants/:id",
    tag: "Tenants",
    summary: "One tenant",
    access: "root",
    answers: { 200: { description: "The tenant", schema: AnsweredTenant } },
    handle: async (context, api) => answerJson(200, showTenant(await readTenant(api, await readTenantId(context, api)))),
  },
  {
    method: "PATCH",
    path: "/v1/tenants/:id",
    tag: "Tenants",
    summary: "Merge into a tenant's budget and limits; null removes",
    access: "root",
    body: { schema: PatchBody },
    answers: { 200: { description: "The tenant", schema: AnsweredTenant } },
    handle: async (context, api) => {
      const id = await readTenantId(context, api);
      const { json } = await readJson(context);
      const tenant = valueOf(await api.deps.tenant(id).patchTenant(json as Json));
      api.deps.allowances.forget(id);
      return answerJson(200, showTenant(tenant));
    },
  },
  {
    method: "DELETE",
    path: "/v1/tenants/:id",
    tag: "Tenants",
    summary: "Remove a tenant and all of its data. Its keys stop at once; the data goes in the background, and until all is gone the id cannot be used again",
    access: "root",
    answers: { 204: { description: "Removed" } },
    handle: async (context, api) => {
      const id = TenantId.safeParse(context.req.param("id"));
      if (!id.success) refuse("not_found", "There is no such tenant.");
      valueOf(await directory(api).removeTenant(id.data));
      api.deps.allowances.forget(id.data);
      api.tenants.forget(id.data);
      api.keys.end(id.data);
      return answerJson(204, undefined);
    },
  },
];

/** With what was spent through this isolate a moment ago. */
async function readTenant(api: Api, id: string): Promise<TenantStatus> {
  await api.deps.gateway.flush(id);
  return await api.deps.tenant(id).readTenant();
}

/** The id in the path, of a tenant that is there. Asked of the directory itself, before anything else is looked at. */
export async function readTenantId(context: ApiContext, api: Api): Promise<string> {
  const id = TenantId.safeParse(context.req.param("id"));
  if (!id.success || !(await directory(api).hasTenant(id.data))) refuse("not_found", "There is no such tenant.");
  return id.data;
}

function directory({ deps }: Api) {
  return deps.tenant(OPERATOR_TENANT);
}

function showTenant({ id, createdAt, budget, limits, spend }: TenantStatus): z.infer<typeof AnsweredTenant> {
  return {
    id,
    createdAt: createdAt === null ? null : new Date(createdAt).toISOString(),
    ...showAllowance({ budget, limits }),
    spend: {
      usd: spend.spentNanoUsd / NANO_USD_PER_USD,
      reservedUsd: spend.reservedNanoUsd / NANO_USD_PER_USD,
      periodStart: spend.periodStart === null ? null : new Date(spend.periodStart).toISOString(),
    },
  };
}
