import type { AgentDefinition } from "../workflow/spec/agent.ts";

/** What discovery looks at, and how much a word found there counts. */
const FIELD_WEIGHTS = { name: 4, capabilities: 3, description: 2 } as const;
/** A word that only begins like one of the agent's ("test" and "testing") counts this share. */
const PREFIX_SHARE = 0.6;
const MIN_PREFIX_CHARS = 3;

export interface FoundAgent<Entry> {
  entry: Entry;
  /** 0–1, three decimals: 1 means that every word of the query is in the agent's name, or that there was no query. */
  score: number;
}

interface Describable {
  name: string;
  agent: Pick<AgentDefinition, "description" | "capabilities">;
}

/**
 * Agents that match, best first; equal ones stay in the order given. `capability` must be one of the agent's, whatever its case.
 * Each word of `query` counts by the best place where it is found, and the more the fewer agents have it.
 */
export function rankAgents<Entry extends Describable>(entries: readonly Entry[], query: string | null, capability: string | null): FoundAgent<Entry>[] {
  const wanted = capability?.toLowerCase();
  const candidates = entries.filter(({ agent }) => wanted === undefined || agent.capabilities.some((name) => name.toLowerCase() === wanted));
  const queryWords = [...new Set(wordsOf(query ?? ""))];
  if (query === null) return candidates.map((entry) => ({ entry, score: 1 }));
  const matches = candidates.map((entry) => {
    const fields = indexWords(entry);
    return { entry, weights: queryWords.map((word) => weighWord(word, fields)) };
  });
  const rarity = queryWords.map((_, at) => Math.log(1 + candidates.length / (1 + matches.filter(({ weights }) => weights[at]! > 0).length)));
  const best = rarity.reduce((sum, value) => sum + value * FIELD_WEIGHTS.name, 0);
  return matches
    .map(({ entry, weights }) => ({ entry, score: Math.round((weights.reduce((sum, weight, at) => sum + weight * rarity[at]!, 0) / best) * 1_000) / 1_000 }))
    .filter(({ score }) => score > 0)
    .sort((left, right) => right.score - left.score);
}

type Field = keyof typeof FIELD_WEIGHTS;

function indexWords({ name, agent }: Describable): Record<Field, string[]> {
  return { name: wordsOf(name), capabilities: agent.capabilities.flatMap(wordsOf), description: wordsOf(agent.description) };
}

function weighWord(word: string, fields: Record<Field, string[]>): number {
  let best = 0;
  for (const field of Object.keys(FIELD_WEIGHTS) as Field[]) {
    for (const candidate of fields[field]) best = Math.max(best, FIELD_WEIGHTS[field] * likeness(word, candidate));
  }
  return best;
}

function likeness(word: string, candidate: string): number {
  if (word === candidate) return 1;
  const [short, long] = word.length < candidate.length ? [word, candidate] : [candidate, word];
  return short.length >= MIN_PREFIX_CHARS && long.startsWith(short) ? PREFIX_SHARE : 0;
}

function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
}
