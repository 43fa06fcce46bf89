import { DurableObject } from "cloudflare:workers";
import { callAgent, type LayeredRequest } from "./call-agent.ts";

interface ObjectEnv {
  LAYERS: DurableObjectNamespace<LayersObject>;
}

/** How late an object would look after a workflow whose runtime died: any time, as it is only there to be stored. */
const ALARM_MS = 60_000;

/**
 * The least that is durable on this platform: an object for each workflow, one table, one row for each finished layer and an
 * alarm. No graph, no events, no retries, no lists: what an engine of objects cannot be faster than.
 */
export class LayersObject extends DurableObject<ObjectEnv> {
  async run(request: LayeredRequest): Promise<void> {
    const { sql } = this.ctx.storage;
    sql.exec("CREATE TABLE layers (layer INTEGER PRIMARY KEY, outputs TEXT NOT NULL)");
    void this.ctx.storage.setAlarm(Date.now() + ALARM_MS);
    let outputs: Record<string, unknown> = {};
    for (const [layer, width] of request.widths.entries()) {
      const ids = Array.from({ length: width }, (_, number) => `${layer}-${number}`);
      const dependencies = outputs;
      outputs = Object.fromEntries(await Promise.all(ids.map(async (id) => [id, await callAgent(request, id, dependencies)] as const)));
      sql.exec("INSERT INTO layers VALUES (?, ?)", layer, JSON.stringify(outputs));
    }
  }

  override async alarm(): Promise<void> {
    // Nothing is left to do.
  }
}

// oxlint-disable-next-line import/no-default-export -- the runtime looks for a worker there
export default {
  async fetch(request: Request, env: ObjectEnv): Promise<Response> {
    if (request.method === "POST") {
      const layered = (await request.json()) as LayeredRequest;
      await env.LAYERS.getByName(layered.id).run(layered);
    }
    return Response.json({ ok: true });
  },
};
