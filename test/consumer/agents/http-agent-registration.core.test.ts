import { describe, expect, test } from "vitest";
import { checkHttpAgent } from "../../../src/consumer/agents/check-http-agent.ts";
import { AgentDefinition } from "../../../src/workflow/spec/agent.ts";
import type { HttpAgent } from "../../../src/workflow/spec/agent.ts";

function agentWith(fields: Partial<HttpAgent>): HttpAgent {
  const agent = AgentDefinition.parse({ kind: "http", url: "https://agents.example.com/run", ...fields });
  if (agent.kind !== "http") throw new Error("not an HTTP agent");
  return agent;
}

const check = (fields: Partial<HttpAgent>, allowPrivate = false) => checkHttpAgent(agentWith(fields), { tenant: "acme-eu", allowPrivate });

describe("registering an HTTP agent", () => {
  test("accepts a public https URL, headers of its own and a secret of its tenant", () => {
    const headers = { Authorization: "Bearer x", "X-Team": "größe", "x_!#$%&'*+.^`|~0": "", "content-type": "application/vnd.acme+json" };
    expect(check({ headers, secretName: "AGENT_ACME_EU__SIGNING" })).toEqual([]);
  });

  test("accepts a private URL only where that is allowed", () => {
    expect(check({ url: "http://127.0.0.1:9/" })).toEqual([{ path: "/url", message: expect.any(String) }]);
    expect(check({ url: "http://127.0.0.1:9/" }, true)).toEqual([]);
  });

  test.each([
    "connection",
    "Keep-Alive",
    "proxy-authenticate",
    "Proxy-Authorization",
    "proxy-connection",
    "TE",
    "trailer",
    "Transfer-Encoding",
    "upgrade",
    "Host",
    "Content-Length",
    "webhook-id",
    "Webhook-Signature",
    "webhook-anything",
    "Idempotency-Key",
    "X-Attempt",
    "",
    "two words",
    "colon:",
    "ümlaut",
    "line\r\nbreak",
  ])("refuses the header name %j", (name) => {
    expect(check({ headers: { [name]: "x" } })).toEqual([{ path: `/headers/${name}`, message: expect.any(String) }]);
  });

  test.each(["a\r\nx-other: b", "a\nb", "\u0000", "日本", "\u007f"])("refuses the header value %j", (value) => {
    expect(check({ headers: { "x-a": value } })).toEqual([{ path: "/headers/x-a", message: expect.any(String) }]);
  });

  test("never repeats a header value in its answer", () => {
    expect(JSON.stringify(check({ headers: { "x-a": "s3cret\n" } }))).not.toContain("s3cret");
  });

  test.each(["AGENT_ACME__X", "AGENT_DEFAULT__X", "WEBHOOK_ACME_EU__X", "ROOT_KEY", "AGENT_ACME_EU__"])("refuses the secret name %s", (secretName) => {
    expect(check({ secretName })).toEqual([{ path: "/secretName", message: expect.stringContaining("AGENT_ACME_EU__") }]);
  });

  test("tells everything at once, with escaped pointers", () => {
    const faults = check({ url: "ftp://x", headers: { host: "x", "a/b~c": "x" }, secretName: "X" });
    expect(faults.map(({ path }) => path)).toEqual(["/url", "/headers/host", "/headers/a~1b~0c", "/secretName"]);
  });
});
