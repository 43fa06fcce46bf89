import { z } from "zod";
import type { StoredDocument } from "../config/document-cache.ts";
import type { SettingsEdit } from "../config/edit-settings.ts";
import { layerSettings, type SettingsLayer } from "../config/settings-layers.ts";
import { OPERATOR_PATHS, Settings } from "../config/settings.ts";
import type { Json } from "../errors.ts";
import { callerOf, type Api, type ApiContext, type Endpoint } from "./endpoint.ts";
import { answerJson } from "./http/answer-json.ts";
import { refuse, valueOf } from "./http/problem.ts";
import { NUMBER_CURSOR, PAGE_QUERY, readBody, readJson, readQuery } from "./http/read-request.ts";
import { OPERATOR_TENANT } from "./stored-tiers.ts";

const RollbackBody = z.strictObject({ version: z.int().min(0) });
const VersionsQuery = z.object({ ...PAGE_QUERY, cursor: NUMBER_CURSOR });

const AnsweredVersion = z.object({
  version: z.int(),
  at: z.string(),
  author: z.string(),
  changes: z.array(z.object({ path: z.string(), before: z.any(), after: z.any() })),
});

/** The settings' JSON Schema, with the paths that hold for all tenants. It never changes while this code runs. */
const CONFIG_SCHEMA: object = { ...z.toJSONSchema(Settings, { io: "input" }), "x-operator-only": OPERATOR_PATHS };

export const CONFIG_ENDPOINTS: readonly Endpoint[] = [
  {
    method: "GET",
    path: "/v1/config",
    tag: "Configuration",
    summary: "The settings that hold for the tenant, by group; ETag is the version of its own",
    access: "config:read",
    answers: { 200: { description: "The settings", schema: Settings } },
    handle: async (context, api) => {
      const { tenant } = callerOf(context);
      const [below, stored] = await Promise.all([readBelow(api, tenant), api.deps.tenant(tenant).readSettings()]);
      return answerSettings(below, stored);
    },
  },
  {
    method: "PATCH",
    path: "/v1/config",
    tag: "Configuration",
    summary: "Merge into the tenant's own settings, as a new version; null takes a key back to what holds without it",
    access: "config:write",
    body: { schema: Settings },
    answers: { 200: { description: "The settings that hold now", schema: Settings } },
    handle: async (context, api) => {
      checkOperator(context);
      const { json } = await readJson(context);
      return editSettings(context, api, { kind: "patch", patch: json as Json });
    },
  },
  {
    method: "GET",
    path: "/v1/config/schema",
    tag: "Configuration",
    summary: "What can be set: the JSON Schema of the settings, with descriptions and defaults",
    access: "config:read",
    answers: { 200: { description: "A JSON Schema; x-operator-only lists the paths that only the operator may change", schema: z.record(z.string(), z.any()) } },
    handle: async () => answerJson(200, CONFIG_SCHEMA),
  },
  {
    method: "GET",
    path: "/v1/config/versions",
    tag: "Configuration",
    summary: "The versions of the tenant's own settings, newest first",
    access: "config:read",
    query: VersionsQuery,
    answers: { 200: { description: "The versions", schema: z.object({ items: z.array(AnsweredVersion), nextCursor: z.string().nullable() }) } },
    handle: async (context, api) => {
      const { limit, cursor } = readQuery(context, VersionsQuery);
      const found = await api.deps.tenant(callerOf(context).tenant).listSettingsVersions({ limit: limit + 1, before: cursor === null ? null : Number(cursor) });
      const items = found.slice(0, limit);
      return answerJson(200, { items, nextCursor: found.length > limit ? String(items.at(-1)!.version) : null });
    },
  },
  {
    method: "POST",
    path: "/v1/config/rollback",
    tag: "Configuration",
    summary: "Make the settings of the tenant that the root key acts for again what they were as of a version, as a new version; 0: none of its own",
    access: "root",
    body: { schema: RollbackBody },
    answers: { 200: { description: "The settings that hold now", schema: Settings }, 404: { description: "The version is not kept" } },
    handle: async (context, api) => {
      const { version } = await readBody(context, RollbackBody);
      return editSettings(context, api, { kind: "rollback", version });
    },
  },
];

/** What no scope opens: the operator's own settings. */
function checkOperator(context: ApiContext): void {
  const { tenant, isRoot } = callerOf(context);
  if (tenant === OPERATOR_TENANT && !isRoot) refuse("forbidden", "The settings of this tenant lie below those of all others: only the root key may change them.");
}

async function editSettings(context: ApiContext, api: Api, edit: SettingsEdit["edit"]): Promise<Response> {
  const { tenant, keyId } = callerOf(context);
  const below = await readBelow(api, tenant);
  const stored = valueOf(await api.deps.tenant(tenant).editSettings({ edit, below, author: keyId ?? "root", isOperator: tenant === OPERATOR_TENANT }));
  await api.deps.settings.publish(tenant, stored);
  return answerSettings(below, stored);
}

/** What lies below a tenant's own settings, asked of the operator's object. */
async function readBelow(api: Api, tenant: string): Promise<Settings> {
  const { baseSettings } = api.deps;
  if (tenant === OPERATOR_TENANT) return baseSettings;
  return layerSettings(baseSettings, (await api.deps.tenant(OPERATOR_TENANT).readSettings()).document);
}

function answerSettings(below: Settings, { version, document }: StoredDocument<SettingsLayer>): Response {
  return answerJson(200, layerSettings(below, document), { etag: `"${version}"` });
}
