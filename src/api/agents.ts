import { z } from "zod";
import { BUILT_IN_AGENTS } from "../config/built-in-agents.ts";
import { checkHttpAgent } from "../consumer/agents/check-http-agent.ts";
import type { Fault } from "../errors.ts";
import { AgentDefinition, AgentName, MAX_HEADERS } from "../workflow/spec/agent.ts";
import { cutFaulty } from "../workflow/faults/cut-faulty.ts";
import { compileExpression } from "../workflow/expressions/expression.ts";
import { describeIssues, PARSE_OPTIONS } from "../workflow/faults/describe-issues.ts";
import { findKeyFault } from "../workflow/json/record-keys.ts";
import { withoutNulls } from "../workflow/json/without-nulls.ts";
import { answerJson } from "./http/answer-json.ts";
import { callerOf, type Api, type ApiContext, type Endpoint } from "./endpoint.ts";
import { refuse, refuseFaults, valueOf } from "./http/problem.ts";
import { rankAgents } from "./rank-agents.ts";
import { NUMBER_CURSOR, PAGE_QUERY, readJson, readQuery } from "./http/read-request.ts";
import type { RegisteredAgent } from "./ports/tenant-port.ts";

/** Fields of the contract whose feature is not there yet: refused in so many words, rather than as unknown or by doing nothing. */
const LATER_FIELDS = ["tools", "maxTurns"];
/** What header values look like in answers: they can hold credentials. */
const HIDDEN_VALUE = "•••";

const ANSWERED = { name: AgentName, builtin: z.boolean(), createdAt: z.string().nullable(), updatedAt: z.string().nullable() };
const AnsweredAgent = describeAnswers(ANSWERED);
const ListedAgents = z.object({ items: z.array(describeAnswers({ ...ANSWERED, score: z.number() })), nextCursor: z.string().nullable() });

const AgentQuery = z.object({
  ...PAGE_QUERY,
  q: z.string().trim().min(1).max(500).nullable().default(null),
  capability: z.string().min(1).max(64).nullable().default(null),
  cursor: NUMBER_CURSOR,
});

/** What stands for a required field that was wrong or missing while the others are checked; nothing is wrong with it. By kind. */
const STAND_INS: Record<string, object> = { http: { url: "https://example.com" }, transform: { expression: "null" } };

/** An agent of the tenant's, or a built-in one, which has no times. */
type ListedAgent = Pick<RegisteredAgent, "name" | "agent"> & { registered: RegisteredAgent | null };

export const AGENT_ENDPOINTS: readonly Endpoint[] = [
  {
    method: "GET",
    path: "/v1/agents",
    tag: "Agents",
    summary: "Find agents, best match first; the tenant's own before the built-in ones when nothing is asked for",
    access: "workflows:read",
    query: AgentQuery,
    answers: { 200: { description: "The agents", schema: ListedAgents } },
    handle: async (context, api) => {
      const { q, capability, limit, cursor } = readQuery(context, AgentQuery);
      const found = rankAgents(await listAll(context, api), q, capability);
      const first = Number(cursor ?? 0);
      const items = found.slice(first, first + limit).map(({ entry, score }) => ({ ...showAgent(entry), score }));
      return answerJson(200, { items, nextCursor: first + limit < found.length ? String(first + limit) : null });
    },
  },
  {
    method: "PUT",
    path: "/v1/agents/:name",
    tag: "Agents",
    summary: "Register an agent, or replace it for workflows created from now on",
    access: "agents:write",
    body: { schema: AgentDefinition },
    answers: { 200: { description: "Replaced", schema: AnsweredAgent }, 201: { description: "New", schema: AnsweredAgent } },
    handle: async (context, api) => {
      const name = context.req.param("name") ?? "";
      const { json } = await readJson(context);
      const agent = checkAgent(name, json, context, api);
      const { tenant } = callerOf(context);
      const { agent: registered, isNew } = valueOf(await api.deps.tenant(tenant).putAgent(name, agent));
      api.agents.forget(tenant);
      return answerJson(isNew ? 201 : 200, showAgent({ name, agent, registered }), isNew ? { location: `/v1/agents/${name}` } : {});
    },
  },
  {
    method: "GET",
    path: "/v1/agents/:name",
    tag: "Agents",
    summary: "One agent",
    access: "workflows:read",
    answers: { 200: { description: "The agent", schema: AnsweredAgent } },
    handle: async (context, api) => {
      const name = context.req.param("name");
      const listed = (await listAll(context, api)).find((entry) => entry.name === name);
      if (listed === undefined) refuse("not_found", "There is no agent of this name.");
      return answerJson(200, showAgent(listed));
    },
  },
  {
    method: "DELETE",
    path: "/v1/agents/:name",
    tag: "Agents",
    summary: "Remove an agent; workflows that were created with it keep their copy",
    access: "agents:write",
    answers: { 204: { description: "Removed" } },
    handle: async (context, api) => {
      const name = context.req.param("name") ?? "";
      const { tenant } = callerOf(context);
      if (!(await api.deps.tenant(tenant).deleteAgent(name))) {
        if (Object.hasOwn(BUILT_IN_AGENTS, name)) refuse("conflict", `${name} is built in and cannot be removed; register an agent of that name to take its place.`);
        refuse("not_found", "There is no agent of this name.");
      }
      api.agents.forget(tenant);
      return answerJson(204, undefined);
    },
  },
];

/** The tenant's agents, newest first, then the built-in ones that it has not replaced. Asked of the object: these calls are rare and show what was written last. */
async function listAll(context: ApiContext, api: Api): Promise<ListedAgent[]> {
  const registered = await api.deps.tenant(callerOf(context).tenant).listAgents();
  const names = new Set(registered.map(({ name }) => name));
  const builtIn = Object.entries(BUILT_IN_AGENTS).filter(([name]) => !names.has(name));
  return [...registered.map((entry) => ({ ...entry, registered: entry })), ...builtIn.map(([name, agent]) => ({ name, agent, registered: null }))];
}

/** The definition of each kind, with what is answered besides. */
function describeAnswers<Extra extends z.ZodRawShape>(extra: Extra) {
  const [llm, http, transform] = AgentDefinition.options;
  return z.discriminatedUnion("kind", [z.object({ ...llm.shape, ...extra }), z.object({ ...http.shape, ...extra }), z.object({ ...transform.shape, ...extra })]);
}

function showAgent({ name, agent, registered }: ListedAgent) {
  const shown = agent.kind === "http" ? { ...agent, headers: Object.fromEntries(Object.keys(agent.headers).map((header) => [header, HIDDEN_VALUE])) } : agent;
  return { name, ...shown, builtin: registered === null, createdAt: registered?.createdAt ?? null, updatedAt: registered?.updatedAt ?? null };
}

/** The definition in a body, or a refusal with everything that is wrong with it. */
function checkAgent(name: string, json: unknown, context: ApiContext, api: Api): AgentDefinition {
  const faults: Fault[] = [];
  const checkedName = AgentName.safeParse(name, PARSE_OPTIONS);
  if (!checkedName.success) faults.push(...checkedName.error.issues.map(({ message }) => ({ path: "", message: `the name in the path: ${message}` })));
  const body = readObject(json);
  const keyFault = findKeyFault(body["headers"], MAX_HEADERS);
  if (keyFault !== null) {
    faults.push({ ...keyFault, path: `/headers${keyFault.path}` });
    delete body["headers"];
  }
  const parsed = AgentDefinition.safeParse(body, PARSE_OPTIONS);
  if (!parsed.success) faults.push(...describeIssues(parsed.error).map((fault) => (LATER_FIELDS.includes(fault.path.slice(1)) ? { ...fault, message: "is not available yet: leave it out" } : fault)));
  const agent = parsed.success ? parsed.data : readRest(body, parsed.error);
  if (agent !== null) faults.push(...checkMeaning(agent, context, api));
  if (!parsed.success || faults.length > 0) refuseFaults(faults);
  return parsed.data;
}

/** What is left of a definition without its faults, so that all of them can be told at once; null without a kind. */
function readRest(body: Record<string, unknown>, error: z.ZodError): AgentDefinition | null {
  const rest = AgentDefinition.safeParse({ ...STAND_INS[String(body["kind"])], ...cutFaulty(body, error.issues) });
  return rest.success ? rest.data : null;
}

function checkMeaning(agent: AgentDefinition, context: ApiContext, api: Api): Fault[] {
  switch (agent.kind) {
    case "llm":
      return [];
    case "http":
      return checkHttpAgent(agent, { tenant: callerOf(context).tenant, allowPrivate: api.deps.allowPrivateOrigins });
    case "transform": {
      const compiled = compileExpression(agent.expression, { input: true });
      return "message" in compiled ? [{ path: "/expression", message: compiled.message }] : [];
    }
  }
}

function readObject(json: unknown): Record<string, unknown> {
  if (typeof json !== "object" || json === null || Array.isArray(json)) refuseFaults([{ path: "", message: "must be an object" }]);
  return withoutNulls(json) as Record<string, unknown>;
}
