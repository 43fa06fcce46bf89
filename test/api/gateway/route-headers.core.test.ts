import { expect, test } from "vitest";
import { createRouteHeaders, describeRoute } from "../../../src/api/gateway/route-headers.ts";
import type { CallCandidate } from "../../../src/consumer/agents/call-with-fallback.ts";
import { DOCUMENT } from "./chat-world.ts";

function candidateOf(id: string, tier: CallCandidate["tier"] = "weak"): CallCandidate {
  return { model: { ...DOCUMENT.models[0]!, id }, provider: DOCUMENT.providers[0]!, tier, needsProbe: false };
}

test("an answer that changes its headers changes no other's, and a model that is asked as one of another tier has those of that tier", () => {
  const headersOf = createRouteHeaders("application/json");
  const candidate = candidateOf("one");
  const first = new Response("", { headers: headersOf(candidate, []) });
  first.headers.set("x-cost-usd", "1");
  const second = new Response("", { headers: headersOf(candidate, []) });
  expect(second.headers.get("x-cost-usd")).toBeNull();
  expect(second.headers.get("x-fallbacks")).toBe("");
  expect(headersOf(candidate, ["two", "three"]).get("x-fallbacks")).toBe("two,three");
  expect(headersOf({ ...candidate, tier: "strong" }, []).get("x-tier")).toBe("strong");
  expect(headersOf(candidate, []).get("x-tier")).toBe("weak");
});

test.each([
  ["claude-4.5", "claude-4.5"],
  ["@cf/meta/llama", "@cf/meta/llama"],
  ["modèle", "mod%C3%A8le"],
  ["模型😀", "%E6%A8%A1%E5%9E%8B%F0%9F%98%80"],
  ["a\u0000b\ud800", "a%00b%EF%BF%BD"],
])("the name of any model can stand in a header: %j as %s", (id, expected) => {
  expect(describeRoute(candidateOf(id), [id])).toMatchObject({ "x-model": expected, "x-fallbacks": expected });
  expect(createRouteHeaders("application/json")(candidateOf(id), []).get("x-model")).toBe(expected);
});
