import { z } from "zod";
import { formatKey, hashKey } from "./auth/key-format.ts";
import { DEFAULT_SCOPES, Scope, SCOPES } from "./auth/scopes.ts";
import { headerFault, type Endpoint } from "./endpoint.ts";
import { answerJson } from "./http/answer-json.ts";
import { refuseFaults, valueOf } from "./http/problem.ts";
import { PAGE_QUERY, readOptions, readQuery } from "./http/read-request.ts";
import { pageOf } from "./openapi/workflow-schemas.ts";
import { readTenantId } from "./tenants.ts";

const KeyBody = z.strictObject({
  name: z.string().trim().min(1).max(200).nullish(),
  scopes: z
    .array(Scope)
    .min(1, "name at least one scope")
    .max(SCOPES.length)
    .refine((scopes) => new Set(scopes).size === scopes.length, "names a scope twice")
    .nullish(),
});
const ListQuery = z.object(PAGE_QUERY);

const CreatedKey = z.object({ id: z.string(), key: z.string().describe("Shown this once: only its hash is kept"), scopes: z.array(Scope) });
const AnsweredKey = z.object({
  id: z.string(),
  name: z.string().nullable(),
  scopes: z.array(Scope),
  createdAt: z.string(),
  lastUsedAt: z.string().nullable().describe("To within a minute or so"),
});

export const KEY_ENDPOINTS: readonly Endpoint[] = [
  {
    method: "POST",
    path: "/v1/tenants/:id/keys",
    tag: "Tenants",
    summary: "Make a key. It works at once; without `scopes` it has all but config:write",
    access: "root",
    body: { schema: KeyBody, isOptional: true },
    answers: { 201: { description: "The key", schema: CreatedKey } },
    handle: async (context, api) => {
      const tenant = await readTenantId(context, api);
      const { options } = await readOptions(context, KeyBody);
      if (context.req.header("idempotency-key") !== undefined) refuseFaults([headerFault("Idempotency-Key", "is not taken here: the key could not be shown again")]);
      const key = formatKey(tenant, api.deps.randomId());
      const id = `key_${api.deps.randomId()}`;
      const scopes = SCOPES.filter((scope) => (options.scopes ?? DEFAULT_SCOPES).includes(scope));
      valueOf(await api.deps.tenant(tenant).addKey({ id, hash: await hashKey(key), name: options.name ?? null, scopes }));
      return answerJson(201, { id, key, scopes });
    },
  },
  {
    method: "GET",
    path: "/v1/tenants/:id/keys",
    tag: "Tenants",
    summary: "A tenant's keys, newest first, without the keys themselves",
    access: "root",
    query: ListQuery,
    answers: { 200: { description: "A page", schema: pageOf(AnsweredKey) } },
    handle: async (context, api) => {
      const tenant = await readTenantId(context, api);
      return answerJson(200, valueOf(await api.deps.tenant(tenant).listKeys(readQuery(context, ListQuery))));
    },
  },
  {
    method: "DELETE",
    path: "/v1/tenants/:id/keys/:keyId",
    tag: "Tenants",
    summary: "Revoke a key: it stops working within 60 seconds everywhere",
    access: "root",
    answers: { 204: { description: "Revoked" } },
    handle: async (context, api) => {
      const tenant = await readTenantId(context, api);
      const id = context.req.param("keyId") ?? "";
      valueOf(await api.deps.tenant(tenant).revokeKey(id));
      api.keys.end(id);
      return answerJson(204, undefined);
    },
  },
];
