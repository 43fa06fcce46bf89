import { callAgent, type LayeredRequest } from "./call-agent.ts";

/** The calls without any engine: nothing is stored, a kill loses all. The floor that engines are compared with. */
async function runLayers(request: LayeredRequest): Promise<void> {
  let outputs: Record<string, unknown> = {};
  for (const [layer, width] of request.widths.entries()) {
    const ids = Array.from({ length: width }, (_, number) => `${layer}-${number}`);
    const dependencies = outputs;
    outputs = Object.fromEntries(await Promise.all(ids.map(async (id) => [id, await callAgent(request, id, dependencies)] as const)));
  }
}

// oxlint-disable-next-line import/no-default-export -- the runtime looks for a worker there
export default {
  async fetch(request: Request): Promise<Response> {
    if (request.method === "POST") await runLayers((await request.json()) as LayeredRequest);
    return Response.json({ ok: true });
  },
};
