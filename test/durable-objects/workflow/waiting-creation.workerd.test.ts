import { exports } from "cloudflare:workers";
import { expect, test } from "vitest";
import type { WorkflowView } from "../../../src/api/ports/workflow-port.ts";
import { answer, calls, kill, listen, never, openWorkflow, requestOf, sentMessages } from "../open-workflow.ts";

const authorization = "Bearer root-key-of-tests";

const REQUESTS: { name: string; headers: Record<string, string>; id?: string; isRepeated: boolean }[] = [
  { name: "neither id nor key", headers: {}, isRepeated: false },
  { name: "a key", headers: { "idempotency-key": "kept" }, isRepeated: true },
  { name: "an id and a key", headers: { "idempotency-key": "kept-too" }, id: "kept", isRepeated: true },
];

test.each(REQUESTS)("a creation with $name whose object is reset while it waits loses nothing: it, or its repetition, is answered the end", async ({ headers, id, isRepeated }) => {
  let isBack = false;
  const url = listen(() => (isBack ? answer("done") : never()));
  const called = () => calls.filter((call) => call.url === url);
  await exports.default.fetch("https://weft.test/v1/agents/web", { method: "PUT", headers: { authorization }, body: JSON.stringify({ kind: "http", url }) });
  const post = () => exports.default.fetch("https://weft.test/v1/workflows?wait=30000", { method: "POST", headers: { authorization, ...headers }, body: JSON.stringify({ id, tasks: [{ id: "a", agent: "web" }] }) });
  const first = post();
  await expect.poll(() => called().length).toBe(1);
  const { workflowId } = called()[0]!.body;
  isBack = true;
  await kill(openWorkflow(`default:${workflowId}`));
  expect((await first).status).toBe(isRepeated ? 500 : 201);
  const last = isRepeated ? await post() : await first;
  expect(last.status).toBe(201);
  expect(await last.json<WorkflowView>()).toMatchObject({ id: workflowId, status: "completed", tasks: { a: { output: "done" } } });
  expect(called()).toHaveLength(2);
});

test("who waits for a workflow that is removed with its tenant hears so at once", async () => {
  const workflow = openWorkflow();
  const creation = workflow.create(requestOf(workflow, [{ id: "a", agent: "llm" }], { isLimited: false, answer: { waitMs: 120_000, withTasks: false } }));
  await expect.poll(() => sentMessages(workflow)).toHaveLength(1);
  const reading = workflow.read({ waitMs: 120_000, withTasks: false });
  await workflow.purge();
  expect(await creation).toMatchObject({ problem: "not_found" });
  expect(await reading).toMatchObject({ problem: "not_found" });
});
