import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { describeSecretNames, isAllowedProviderSecretName, isAllowedSecretName } from "../../src/config/secret-names.ts";

describe("secret names of agents and webhooks", () => {
  test.each([
    ["AGENT_DEFAULT__X", "default", "AGENT"],
    ["AGENT_DEFAULT__SIGNING_KEY_2", "default", "AGENT"],
    ["WEBHOOK_DEFAULT__X", "default", "WEBHOOK"],
    ["AGENT_ACME_EU_1__X", "acme-eu-1", "AGENT"],
    ["AGENT_DEFAULT___X", "default", "AGENT"],
  ] as const)("%s is tenant %s's as %s", (name, tenant, kind) => {
    expect(isAllowedSecretName(name, tenant, kind)).toBe(true);
  });

  test.each([
    ["AGENT_DEFAULT__X", "default", "WEBHOOK"],
    ["WEBHOOK_DEFAULT__X", "default", "AGENT"],
    ["AGENT_OTHER__X", "default", "AGENT"],
    ["AGENT_ACME_EU__X", "acme", "AGENT"],
    ["AGENT_ACME__X", "acme-eu", "AGENT"],
    ["AGENT_DEFAULT__", "default", "AGENT"],
    ["AGENT_DEFAULT_X", "default", "AGENT"],
    ["AGENT_DEFAULT__x", "default", "AGENT"],
    ["AGENT_DEFAULT__X-Y", "default", "AGENT"],
    ["AGENT_DEFAULT__X\n", "default", "AGENT"],
    ["agent_default__X", "default", "AGENT"],
    ["ROOT_KEY", "default", "AGENT"],
    ["OPENAI_API_KEY", "default", "AGENT"],
    ["", "default", "AGENT"],
  ] as const)("%s is not tenant %s's as %s", (name, tenant, kind) => {
    expect(isAllowedSecretName(name, tenant, kind)).toBe(false);
  });

  test("no name belongs to two tenants", () => {
    const tenant = fc.stringMatching(/^[ab0]{1,2}(-[ab0]{1,2}){0,2}$/);
    fc.assert(
      fc.property(tenant, tenant, fc.stringMatching(/^[AB0_]{1,6}$/), (mine, other, suffix) => {
        const name = `AGENT_${mine.toUpperCase().replaceAll("-", "_")}__${suffix}`;
        return isAllowedSecretName(name, mine, "AGENT") && (mine === other || !isAllowedSecretName(name, other, "AGENT"));
      }),
    );
  });

  test("a refusal says which names are allowed", () => {
    expect(describeSecretNames("acme-eu", "WEBHOOK")).toContain("WEBHOOK_ACME_EU__<NAME>");
  });
});

describe("secret names of providers", () => {
  test.each(["OPENAI_API_KEY", "X", "AGENTS_KEY", "ROOT_KEY_2", "MY_AGENT_KEY", "A".repeat(128)])("%s is allowed", (name) => {
    expect(isAllowedProviderSecretName(name)).toBe(true);
  });

  test.each(["ROOT_KEY", "AGENT_DEFAULT__X", "AGENT_", "WEBHOOK_DEFAULT__X", "openai_key", "A-B", "A B", "", "ROOT_KEY\n", "A".repeat(129)])("%j is refused", (name) => {
    expect(isAllowedProviderSecretName(name)).toBe(false);
  });
});
