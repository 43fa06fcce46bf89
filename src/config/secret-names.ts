/** Who may name a secret of a tenant's. */
export type SecretKind = "AGENT" | "WEBHOOK";

/**
 * Whether an agent or a webhook of `tenant` may name this secret: `AGENT_<TENANT>__<NAME>`, `WEBHOOK_<TENANT>__<NAME>`.
 * Tenant ids have no double, leading or trailing hyphen, so the first `__` ends the tenant and no two tenants share a name.
 */
export function isAllowedSecretName(name: string, tenant: string, kind: SecretKind): boolean {
  const prefix = secretPrefix(tenant, kind);
  return name.startsWith(prefix) && /^[A-Z0-9_]+$/.test(name.slice(prefix.length));
}

/** Whether a provider may name this secret: any but the root key and those of tenants. */
export function isAllowedProviderSecretName(name: string): boolean {
  return /^[A-Z0-9_]{1,128}$/.test(name) && name !== "ROOT_KEY" && !name.startsWith("AGENT_") && !name.startsWith("WEBHOOK_");
}

/** What to tell a client whose secret name was refused. */
export function describeSecretNames(tenant: string, kind: SecretKind): string {
  return `name a secret of your own: ${secretPrefix(tenant, kind)}<NAME>, with A–Z 0–9 _ in <NAME>`;
}

function secretPrefix(tenant: string, kind: SecretKind): string {
  return `${kind}_${tenant.toUpperCase().replaceAll("-", "_")}__`;
}
