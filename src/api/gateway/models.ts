import { z } from "zod";
import type { Models } from "../../consumer/load-models.ts";
import { ROUTED_NAMES } from "./chat-route.ts";

export const ModelList = z.object({
  object: z.literal("list"),
  data: z.array(z.object({ id: z.string(), object: z.literal("model"), created: z.int(), owned_by: z.string() })),
});
export type ModelList = z.infer<typeof ModelList>;

/** The names that a request may give: those that stand for a choice, then every model of the document. `created`: when its price was entered. */
export function listModels({ document }: Pick<Models, "document">): ModelList {
  const routed = ROUTED_NAMES.map((id) => ({ id, object: "model" as const, created: 0, owned_by: "weft" }));
  const models = document.models.map(({ id, provider, price }) => ({ id, object: "model" as const, created: price.date === undefined ? 0 : Date.parse(price.date) / 1_000, owned_by: provider }));
  return { object: "list", data: [...routed, ...models] };
}
