/** What the workers without our engine are told to run. */
export interface LayeredRequest {
  id: string;
  widths: number[];
  agentUrl: string;
  /** Where the end is reported to; null: the answer of the request is the end. */
  doneUrl: string | null;
}

/** Calls an agent as the engine does, with the outputs that it depends on. Answers its output. */
export async function callAgent(request: Pick<LayeredRequest, "id" | "agentUrl">, taskId: string, dependencies: Record<string, unknown>): Promise<unknown> {
  const body = { workflowId: request.id, taskId, attempt: 1, agent: "echo", input: { text: "ping" }, dependencies };
  const headers = { "content-type": "application/json", "idempotency-key": `${request.id}.${taskId}`, "x-attempt": "1" };
  const answer = await fetch(request.agentUrl, { method: "POST", headers, body: JSON.stringify(body) });
  if (answer.status !== 200) throw new Error(`the agent answered ${answer.status}`);
  return ((await answer.json()) as { output: unknown }).output;
}
