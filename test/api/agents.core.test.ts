import { describe, expect, test } from "vitest";
import { BUILT_IN_AGENTS } from "../../src/config/built-in-agents.ts";
import { createTestApi } from "./fake-ports.ts";

const LLM = { kind: "llm", description: "Sorts stones", capabilities: ["geology"], system: "You sort." };
const HTTP = { kind: "http", url: "https://agents.example/run", headers: { "x-key": "sesame" } };

interface Answered {
  name: string;
  builtin: boolean;
  score: number;
  errors: { path: string; message: string }[];
  items: Answered[];
  nextCursor: string | null;
  headers: Record<string, string>;
}

async function read(response: Response): Promise<Answered> {
  return (await response.json()) as Answered;
}

describe("registration", () => {
  test("PUT is 201 for a new agent, 200 for a known one; GET shows it; DELETE is 204, then 404", async () => {
    const { ask } = createTestApi();
    const made = await ask("PUT", "/v1/agents/sorter", LLM);
    expect(made.status).toBe(201);
    expect(made.headers.get("location")).toBe("/v1/agents/sorter");
    expect((await ask("PUT", "/v1/agents/sorter", { ...LLM, temperature: 0 })).status).toBe(200);
    expect(await read(await ask("GET", "/v1/agents/sorter"))).toMatchObject({ name: "sorter", builtin: false, temperature: 0, maxOutputTokens: 1_024, taskType: null });
    expect((await ask("DELETE", "/v1/agents/sorter")).status).toBe(204);
    for (const method of ["GET", "DELETE"]) expect((await ask(method, "/v1/agents/sorter")).status).toBe(404);
  });

  test("a built-in agent can be shadowed, and comes back when its shadow is deleted; itself it cannot be", async () => {
    const { ask } = createTestApi();
    expect(await read(await ask("GET", "/v1/agents/scout"))).toMatchObject({ builtin: true });
    expect((await ask("DELETE", "/v1/agents/scout")).status).toBe(409);
    expect((await ask("PUT", "/v1/agents/scout", LLM)).status).toBe(201);
    expect(await read(await ask("GET", "/v1/agents/scout"))).toMatchObject({ builtin: false, description: "Sorts stones" });
    expect((await read(await ask("GET", "/v1/agents?limit=200"))).items.filter(({ name }) => name === "scout")).toHaveLength(1);
    expect((await ask("DELETE", "/v1/agents/scout")).status).toBe(204);
    expect(await read(await ask("GET", "/v1/agents/scout"))).toMatchObject({ builtin: true });
  });

  test("header values are never shown", async () => {
    const { ask } = createTestApi();
    for (const response of [await ask("PUT", "/v1/agents/h", HTTP), await ask("GET", "/v1/agents/h"), await ask("GET", "/v1/agents")]) {
      const text = await response.text();
      expect(text).not.toContain("sesame");
      expect(text).toContain(`"x-key":"•••"`);
    }
  });

  test.each([
    ["an unknown kind", { kind: "robot" }, ["/kind"]],
    ["no object", [], [""]],
    ["an unknown key", { ...LLM, colour: 1, shape: 2 }, ["/colour", "/shape"]],
    ["features that are not there yet", { ...LLM, tools: ["get_state"], maxTurns: 3 }, ["/tools", "/maxTurns"]],
    ["all faults of an HTTP agent", { ...HTTP, url: "http://127.0.0.1/", headers: { host: "x", "idempotency-key": "x", "webhook-id": "x" }, secretName: "AGENT_OTHER__X" }, ["/url", "/headers/host", "/headers/idempotency-key", "/headers/webhook-id", "/secretName"]],
    [
      "all faults of an HTTP agent, of shape and of meaning,",
      { ...HTTP, url: "ftp://x", headers: { host: "x", n: 5 }, mode: "later", secretName: "ROOT_KEY", colour: 1 },
      ["/colour", "/headers/host", "/headers/n", "/mode", "/secretName", "/url"],
    ],
    ["an HTTP agent without a URL and with a secret of nobody", { kind: "http", secretName: "ROOT_KEY" }, ["/secretName", "/url"]],
    ["a transform with a wrong expression and an unknown key", { kind: "transform", expression: "1 +", url: "https://x" }, ["/expression", "/url"]],
    ["an expression that does not compile", { kind: "transform", expression: "1 +" }, ["/expression"]],
    ["an expression that reads what is not there", { kind: "transform", expression: "secrets.x" }, ["/expression"]],
  ])("refuses %s at its place", async (_, body, paths) => {
    const response = await createTestApi().ask("PUT", "/v1/agents/x", body);
    expect(response.status).toBe(422);
    expect((await read(response)).errors.map(({ path }) => path).sort()).toEqual([...paths].sort());
  });

  test("a feature that is not there yet is said to be so", async () => {
    const { errors } = await read(await createTestApi().ask("PUT", "/v1/agents/x", { ...LLM, tools: [] }));
    expect(errors[0]!.message).toContain("not available yet");
  });

  test("null means absent", async () => {
    expect((await createTestApi().ask("PUT", "/v1/agents/x", { ...LLM, tools: null, maxOutputTokens: null, tier: null })).status).toBe(201);
  });

  test.each([["a".repeat(64), 201], ["a".repeat(65), 422], ["-a", 422], ["a%20b", 422], ["a.b", 422]])("the name %s answers %i", async (name, status) => {
    expect((await createTestApi().ask("PUT", `/v1/agents/${name}`, LLM)).status).toBe(status);
  });

  test.each([[1_048_576, 201], [1_048_577, 413]])("a body of %i bytes answers %i", async (size, status) => {
    const json = JSON.stringify(LLM);
    expect((await createTestApi().ask("PUT", "/v1/agents/x", json + " ".repeat(size - json.length))).status).toBe(status);
  });
});

describe("discovery", () => {
  test("lists the tenant's own first, then the built-in ones, by pages", async () => {
    const { ask } = createTestApi();
    await ask("PUT", "/v1/agents/sorter", LLM);
    const names: string[] = [];
    let cursor: string | null = "0";
    while (cursor !== null) {
      const page: Answered = await read(await ask("GET", `/v1/agents?limit=5&cursor=${cursor}`));
      expect(page.items.length).toBeLessThanOrEqual(5);
      names.push(...page.items.map(({ name }) => name));
      cursor = page.nextCursor;
    }
    expect(names).toEqual(["sorter", ...Object.keys(BUILT_IN_AGENTS)]);
    expect(await read(await ask("GET", `/v1/agents?limit=${names.length}`))).toMatchObject({ nextCursor: null });
  });

  test.each([
    ["q=security", "security-auditor"], ["q=write+documentation", "docs-writer"], ["q=test", "qa-engineer"], ["q=deploy+monitoring", "devops-specialist"],
    ["q=user+interfaces", "frontend-specialist"], ["q=Database", "backend-engineer"], ["q=scout", "scout"], ["capability=RETRIEVAL", "search-architect"], ["q=review&capability=security", "security-auditor"],
  ])("?%s finds %s first", async (query, first) => {
    const { items } = await read(await createTestApi().ask("GET", `/v1/agents?${query}`));
    expect(items[0]!.name).toBe(first);
    expect(items.map(({ score }) => score)).toEqual(items.map(({ score }) => score).sort((left, right) => right - left));
    for (const { score } of items) {
      expect(score).toBeGreaterThan(0);
      expect(score).toBeLessThanOrEqual(1);
    }
  });

  test.each([["q=zebra", 200], ["q=%21%21", 200], ["capability=nothing", 200], ["q=", 422], ["cursor=x", 422], ["limit=0", 422]])("?%s answers %i and no agent", async (query, status) => {
    const response = await createTestApi().ask("GET", `/v1/agents?${query}`);
    expect(response.status).toBe(status);
    if (status === 200) expect(await read(response)).toEqual({ items: [], nextCursor: null });
  });
});

test("a header called __proto__ is refused rather than left out", async () => {
  const response = await createTestApi().ask("PUT", "/v1/agents/x", '{"kind":"http","url":"https://a.example/","headers":{"__proto__":"x"}}');
  expect(response.status).toBe(422);
  expect(await response.json()).toMatchObject({ errors: [{ path: "/headers/__proto__" }] });
});
