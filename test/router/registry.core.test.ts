import { describe, expect, test } from "vitest";
import type { ProviderEntry } from "../../src/config/tiers.ts";
import { createEngineRegistry, type Engine, requiredNames } from "../../src/router/registry.ts";

const engine: Engine = () => Promise.reject(new Error("not called"));
const anthropic: ProviderEntry = { id: "anthropic", kind: "anthropic", secretName: "ANTHROPIC_API_KEY" };
const offline: ProviderEntry = { id: "offline", kind: "offline" };

describe("the engine registry", () => {
  test("an id is registered once; the first one stays", () => {
    const registry = createEngineRegistry(() => "x");
    expect(registry.register(anthropic, engine)).toBe(true);
    expect(registry.register({ ...anthropic, secretName: "OTHER" }, engine)).toBe(false);
    expect(registry.list().map((entry) => entry.provider)).toEqual([anthropic]);
  });

  test("a provider without its secret is listed as unconfigured and gives no engine", () => {
    const registry = createEngineRegistry((name) => (name === "EMPTY" ? "" : undefined));
    registry.register(anthropic, engine);
    registry.register({ ...anthropic, id: "empty", secretName: "EMPTY" }, engine);
    registry.register(offline, engine);
    expect(registry.list().map(({ status, missing }) => ({ status, missing }))).toEqual([
      { status: "unconfigured", missing: ["ANTHROPIC_API_KEY"] },
      { status: "unconfigured", missing: ["EMPTY"] },
      { status: "configured", missing: [] },
    ]);
    expect(registry.get("anthropic")).toBeNull();
    expect(registry.isConfigured("empty")).toBe(false);
    expect(registry.get("offline")).toBe(engine);
  });

  test("a secret that is set later counts from then on", () => {
    const secrets = new Map<string, string>();
    const registry = createEngineRegistry((name) => secrets.get(name));
    registry.register(anthropic, engine);
    expect(registry.isConfigured("anthropic")).toBe(false);
    secrets.set("ANTHROPIC_API_KEY", "k");
    expect(registry.get("anthropic")).toBe(engine);
  });

  test("what is unregistered is unknown, and its id free again", () => {
    const registry = createEngineRegistry(() => undefined);
    registry.register(offline, engine);
    expect(registry.unregister("offline")).toBe(true);
    expect(registry.unregister("offline")).toBe(false);
    expect(registry.get("offline")).toBeNull();
    expect(registry.isConfigured("offline")).toBe(false);
    expect(registry.register(offline, engine)).toBe(true);
  });
});

test.each<[ProviderEntry, string[]]>([
  [offline, []],
  [anthropic, ["ANTHROPIC_API_KEY"]],
  [{ id: "w", kind: "workers-ai", secretName: "CLOUDFLARE_API_TOKEN" }, ["CLOUDFLARE_API_TOKEN", "CLOUDFLARE_ACCOUNT_ID"]],
  [{ id: "w", kind: "workers-ai", secretName: "T", options: { accountId: "abc" } }, ["T"]],
])("%j needs %j", (provider, names) => {
  expect(requiredNames(provider)).toEqual(names);
});
