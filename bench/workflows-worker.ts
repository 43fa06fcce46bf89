import { WorkflowEntrypoint, type WorkflowEvent, type WorkflowStep } from "cloudflare:workers";
import { callAgent, type LayeredRequest } from "./call-agent.ts";

interface WorkflowsEnv {
  LAYERS: Workflow<LayeredRequest>;
}

/** The calls as a Cloudflare Workflow: one durable step each. */
export class LayersWorkflow extends WorkflowEntrypoint<WorkflowsEnv, LayeredRequest> {
  override async run(event: WorkflowEvent<LayeredRequest>, step: WorkflowStep): Promise<void> {
    const request = event.payload;
    let outputs: Record<string, unknown> = {};
    for (const [layer, width] of request.widths.entries()) {
      const ids = Array.from({ length: width }, (_, number) => `${layer}-${number}`);
      const dependencies = outputs;
      const results = await Promise.all(ids.map(async (id) => [id, await step.do(id, async () => JSON.stringify(await callAgent(request, id, dependencies)))] as const));
      outputs = Object.fromEntries(results.map(([id, json]) => [id, JSON.parse(json) as unknown]));
    }
    // Outside of any step: the client hears of the end without polling, before the instance itself is marked as complete.
    if (request.doneUrl !== null) await fetch(request.doneUrl, { method: "POST", body: request.id });
  }
}

// oxlint-disable-next-line import/no-default-export -- the runtime looks for a worker there
export default {
  async fetch(request: Request, env: WorkflowsEnv): Promise<Response> {
    if (request.method !== "POST") return Response.json({ ok: true });
    const params = (await request.json()) as LayeredRequest;
    await env.LAYERS.create({ id: params.id, params });
    return Response.json({ id: params.id }, { status: 201 });
  },
};
