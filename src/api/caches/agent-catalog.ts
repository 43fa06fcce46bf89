import { BUILT_IN_AGENTS } from "../../config/built-in-agents.ts";
import type { AgentDefinition } from "../../workflow/spec/agent.ts";
import type { ApiDeps } from "../api-deps.ts";
import { RecentMap } from "../../recent-map.ts";

/** How long this isolate believes what it read of a tenant's agents. */
export const CATALOG_LIFE_MS = 10_000;
/** Tenants held at once; the one read longest ago goes first. */
const MAX_TENANTS = 1_000;

/** The agents that a tenant's workflows can name: its own before the built-in ones. Records have no prototype, so that any name can be looked up in them. */
export interface AgentCatalog {
  /** Up to 10 s old, but asked again of the tenant's object when one of `names` is missing. */
  read(tenant: string, names: Iterable<string>): Promise<Readonly<Record<string, AgentDefinition>>>;
  /** After a change made here. */
  forget(tenant: string): void;
}

interface Copy {
  agents: Record<string, AgentDefinition>;
  readAt: number;
}

export function createAgentCatalog(deps: Pick<ApiDeps, "tenant" | "now">): AgentCatalog {
  const copies = new RecentMap<string, Copy>(MAX_TENANTS);
  /** Counts changes, so that a read which began before one is not kept after it. */
  let changes = 0;
  return {
    async read(tenant, names) {
      const copy = copies.get(tenant);
      if (copy !== undefined && deps.now() - copy.readAt < CATALOG_LIFE_MS && hasAll(copy.agents, names)) return copy.agents;
      const before = changes;
      const readAt = deps.now();
      const registered = await deps.tenant(tenant).listAgents();
      const agents: Record<string, AgentDefinition> = Object.assign(Object.create(null), BUILT_IN_AGENTS);
      for (const { name, agent } of registered) agents[name] = agent;
      if (before === changes) copies.set(tenant, { agents, readAt });
      return agents;
    },
    forget(tenant) {
      changes += 1;
      copies.delete(tenant);
    },
  };
}

function hasAll(agents: Record<string, AgentDefinition>, names: Iterable<string>): boolean {
  for (const name of names) if (agents[name] === undefined) return false;
  return true;
}
