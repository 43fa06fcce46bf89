import { createUnit, KEPT, weighUnit } from "./reduce/document.ts";
import { MEASURE_WORDS } from "./reduce/measures.ts";
import { selectRelevant } from "./reduce/select-relevant.ts";
import { indexTerms } from "./reduce/terms.ts";
import { RELEVANCE_WEIGHTS } from "./reduce/weights.ts";

/** `results` stand beside each other; of a `conversation` the latest says most, and the last part is always kept: what comes next answers it. */
export type TextsAre = "results" | "conversation";

/** What is dropped of these names nothing, so that nothing is held back for it. */
const WEIGHTS = { results: RELEVANCE_WEIGHTS.json, conversation: { ...RELEVANCE_WEIGHTS.trajectory, user: 0, sample: 0, identifiers: 0 } };

/**
 * Of texts that are kept whole or not at all, the positions of those that say most about the query, in order, within `maxTokens`
 * (estimated, with a mark for each gap). Never none: the best stays though it alone be over.
 */
export function chooseTexts(texts: readonly string[], query: string, maxTokens: number, are: TextsAre): number[] {
  const units = texts.map((text, at) => {
    const unit = createUnit(text, "record", at);
    unit.gap = "\n";
    unit.locked = are === "conversation" && at === texts.length - 1;
    weighUnit(unit);
    return unit;
  });
  const document = { kind: "json" as const, weights: WEIGHTS[are], units, dropped: new Uint8Array(units.length), named: new Map() };
  const index = indexTerms([...texts, query, MEASURE_WORDS]);
  const { dropped } = selectRelevant(document, { text: query, index }, { maxTokens, maxChars: Number.POSITIVE_INFINITY });
  return texts.flatMap((_, at) => (dropped[at] === KEPT ? [at] : []));
}
