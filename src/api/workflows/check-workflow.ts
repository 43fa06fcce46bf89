import { isAllowedSecretName } from "../../config/secret-names.ts";
import type { Fault } from "../../errors.ts";
import type { AgentDefinition } from "../../workflow/spec/agent.ts";
import { WorkflowId } from "../../workflow/spec/spec.ts";
import { validateSpec, type AcceptedSpec } from "../../workflow/spec/validate-spec.ts";
import { callerOf, type Api, type ApiContext } from "../endpoint.ts";
import { fillDefaults } from "./fill-defaults.ts";

/** Checks a posted workflow against the tenant's agents and the configured models, once: what these copies do not know is looked up before. */
export async function checkWorkflow(context: ApiContext, api: Api, json: unknown): Promise<AcceptedSpec | { faults: Fault[] }> {
  const { tenant } = callerOf(context);
  const agentNames = collectNames(json, "agent");
  const resultAgent = fieldOf(fieldOf(json, "result"), "agent");
  if (typeof resultAgent === "string") agentNames.add(resultAgent);
  const [agents, { orchestration }] = await Promise.all([api.agents.read(tenant, agentNames), api.deps.settings.read(tenant)]);
  const models = await readModels(api, [...collectNames(json, "model"), ...pinnedModels(agents, agentNames)]);
  return validateSpec(fillDefaults(json, orchestration), {
    agents: (name) => agents[name] ?? null,
    agentNames: () => Object.keys(agents),
    models,
    isAllowedUrl: api.deps.checkUrl,
    isAllowedSecretName: (name, kind) => isAllowedSecretName(name, tenant, kind),
  });
}

/** The id that a body asks for, whatever else may be wrong with it. */
export function readOwnId(json: unknown): string | null {
  return WorkflowId.safeParse(fieldOf(json, "id")).data ?? null;
}

async function readModels(api: Api, needed: Iterable<string>): Promise<ReadonlySet<string>> {
  const { document } = await api.deps.tiers.read();
  const known = new Set(document.models.map(({ id }) => id));
  if ([...needed].every((name) => known.has(name))) return known;
  const newest = await api.deps.tiers.refresh();
  return new Set(newest.document.models.map(({ id }) => id));
}

function pinnedModels(agents: Readonly<Record<string, AgentDefinition>>, names: ReadonlySet<string>): string[] {
  return [...names].flatMap((name) => {
    const agent = agents[name];
    return agent?.kind === "llm" && agent.model !== null ? [agent.model] : [];
  });
}

/** What the tasks of an unchecked body name, as far as it can be read. */
function collectNames(json: unknown, field: "agent" | "model"): Set<string> {
  const tasks = fieldOf(json, "tasks");
  const names = Array.isArray(tasks) ? tasks.map((task: unknown) => fieldOf(task, field)) : [];
  return new Set(names.filter((name) => typeof name === "string"));
}

function fieldOf(value: unknown, field: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, field) ? (value as Record<string, unknown>)[field] : undefined;
}
