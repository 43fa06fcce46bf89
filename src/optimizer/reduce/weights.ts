import type { ContentKind } from "./kind.ts";

/**
 * How the parts of relevance are weighed for one kind of content. Found by coordinate search on question-answering passages,
 * meetings, logs and agent runs; values near each other score alike, so round ones were taken.
 */
export interface RelevanceWeights {
  /** BM25 of the unit's section, against 1 for the unit's own. */
  section: number;
  /** How many times over the words of a label count. */
  labelWords: number;
  /** How fully a section's label is asked for. */
  title: number;
  /** Two words of the query that follow each other here too. */
  pair: number;
  /** Share by which a section counts more for its first units. */
  lead: number;
  /** The better of the two neighbours. */
  neighbour: number;
  /** The topic around: scores of all units, fading with distance. */
  topic: number;
  /** Characters over which the topic fades to a third. */
  topicChars: number;
  /** Holds the kind of thing that is asked for: a number, a time, a name. */
  answer: number;
  /** Names a value of the kind that is asked for: `MAX_PAGES = 40`. A share of the unit's own score. */
  definition: number;
  /** A line whose template is rare. */
  rarity: number;
  /** A line that speaks of an error. */
  severity: number;
  /** A turn of the user. */
  user: number;
  /** The end of the text. */
  recency: number;
  /** Spread over the members of long arrays. */
  sample: number;
  /** Weight of names and numbers found in what was kept, for the next hop of a question. */
  widen: number;
  /** A unit needs this share of content words that were not kept yet. */
  novelty: number;
  /** Share of the budget for naming the identifiers of what is dropped. */
  identifiers: number;
}

const PASSAGES: RelevanceWeights = {
  section: 0.5,
  labelWords: 2.5,
  title: 2.5,
  pair: 0.25,
  lead: 1,
  neighbour: 0.4,
  topic: 0,
  topicChars: 1,
  answer: 0.3,
  definition: 0,
  rarity: 0,
  severity: 0,
  user: 0,
  recency: 0,
  sample: 0,
  widen: 1.5,
  novelty: 0.25,
  identifiers: 0,
};

export const RELEVANCE_WEIGHTS: Record<ContentKind, RelevanceWeights> = {
  documents: PASSAGES,
  prose: PASSAGES,
  // What was said about a topic stands together, and much of it has no word of the question.
  transcript: { ...PASSAGES, labelWords: 0.2, title: 1.5, lead: 0.3, pair: 0.75, neighbour: 0, topic: 0.3, topicChars: 2_500, widen: 0.2, novelty: 0.12 },
  // A later step has to repeat ids exactly; the user's own words and the latest state matter most.
  trajectory: { ...PASSAGES, user: 1, recency: 1, sample: 0.1, widen: 0.5, identifiers: 0.4 },
  // The rare line is the one that is asked for; neighbours were written by others.
  log: { ...PASSAGES, section: 0, title: 0, lead: 0, neighbour: 0.1, rarity: 0.5, severity: 1, widen: 0, novelty: 0 },
  json: { ...PASSAGES, lead: 0, neighbour: 0, sample: 1, widen: 0.5, novelty: 0, identifiers: 0 },
  code: { ...PASSAGES, neighbour: 0, definition: 0.5, widen: 0.5, novelty: 0 },
};
