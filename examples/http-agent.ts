/**
 * An agent of your own, as an HTTP service, in a workflow with a language model: `npm run dev` in one terminal, then in another
 *
 *   ROOT_KEY=$(sed -n 's/^ROOT_KEY=//p' .dev.vars) npx node examples/http-agent.ts
 *
 * Weft calls the agent with POST; a 200 with `{output}` completes the task. Calls may be repeated, so an agent that changes something
 * goes by the `Idempotency-Key`, which is the same for every attempt of a task. ORIGIN: another server than http://127.0.0.1:8787.
 */
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { createWorkflowClient } from "../scripts/workflow-client.ts";

const origin = process.env["ORIGIN"] ?? "http://127.0.0.1:8787";
const rootKey = process.env["ROOT_KEY"];
if (rootKey === undefined || rootKey === "") throw new Error("ROOT_KEY is not set");

const agent = createServer((request, response) => {
  void readText(request).then((body) => {
    const { taskId, input } = JSON.parse(body) as { taskId: string; input: { text: string } };
    console.log(`${taskId}, attempt ${String(request.headers["x-attempt"])}, ${String(request.headers["idempotency-key"])}`);
    const words = input.text.split(/\s+/).filter((word) => word !== "");
    response.setHeader("content-type", "application/json").end(JSON.stringify({ output: { words: words.length, longest: words.sort((a, b) => b.length - a.length)[0] ?? null } }));
  });
});
await new Promise<void>((resolve) => agent.listen(0, "127.0.0.1", resolve));

const registered = await fetch(`${origin}/v1/agents/word-counter`, {
  method: "PUT",
  headers: { authorization: `Bearer ${rootKey}` },
  body: JSON.stringify({ kind: "http", description: "Counts words", capabilities: ["text"], url: `http://127.0.0.1:${(agent.address() as AddressInfo).port}/`, mode: "sync" }),
});
if (!registered.ok) throw new Error(`the agent was not registered: ${await registered.text()}`);

const client = createWorkflowClient({ origin, key: rootKey });
const { id } = await client.createWorkflow({
  name: "words",
  input: { text: "Weft runs workflows of agents on Cloudflare Workers." },
  tasks: [
    { id: "summary", agent: "scout", input: { prompt: "Summarize: ${workflow.input.text}" } },
    { id: "count", agent: "word-counter", dependsOn: ["summary"], input: { text: "${tasks.summary.output}" } },
  ],
});
for await (const event of client.followEvents(id)) console.log(event.type, event.taskId ?? "");
const { status, tasks } = await client.getWorkflow(id);
console.log(status, tasks["count"]?.output);
agent.close();
agent.closeAllConnections();

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}
