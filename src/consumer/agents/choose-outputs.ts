import { reduceContext } from "../../optimizer/reduce-context.ts";
import type { ReductionCache } from "./reduction-cache.ts";

export interface OutputText {
  taskId: string;
  text: string;
}

/**
 * Of outputs that are too many for each to have a share worth having, those that say most about the query, whole or not at all, in their
 * order, within `maxTokens`. Never none of them: the best one stays though it alone be over.
 */
export function chooseOutputs(outputs: readonly OutputText[], query: string, maxTokens: number, cache: ReductionCache): OutputText[] {
  const reduced = cache.reduce(JSON.stringify(outputs.map(({ text }) => text)), query, maxTokens, reduceContext);
  // As JSON, each text is there byte for byte or gone; what else is there are omission marks.
  const kept = JSON.parse(reduced.text) as unknown[];
  const chosen: OutputText[] = [];
  let next = 0;
  for (const text of kept) {
    let at = next;
    while (at < outputs.length && outputs[at]!.text !== text) at += 1;
    if (at === outputs.length) continue;
    chosen.push(outputs[at]!);
    next = at + 1;
  }
  return chosen;
}
