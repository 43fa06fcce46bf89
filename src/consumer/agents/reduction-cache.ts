import type { Reduction, ReduceOptions } from "../../optimizer/reduce-context.ts";

/** Characters that one isolate keeps of reduced and original texts; the entry used longest ago goes first. */
export const MAX_CACHED_CHARS = 4_000_000;

type Reduce = (text: string, options: ReduceOptions) => Reduction;

/** Keeps reductions, so that the same text is not reduced twice for the same question: retries, fallbacks, fan-outs over one source. */
export class ReductionCache {
  readonly #entries = new Map<string, Reduction>();
  #chars = 0;

  reduce(text: string, query: string, maxTokens: number, reduce: Reduce): Reduction {
    const name = `${maxTokens}\n${query.length}\n${query}\n${text}`;
    const known = this.#entries.get(name);
    if (known !== undefined) {
      this.#entries.delete(name);
      this.#entries.set(name, known);
      return known;
    }
    const reduction = reduce(text, { query, maxTokens });
    this.#keep(name, reduction);
    return reduction;
  }

  #keep(name: string, reduction: Reduction): void {
    const chars = name.length + reduction.text.length;
    if (chars > MAX_CACHED_CHARS) return;
    this.#entries.set(name, reduction);
    this.#chars += chars;
    for (const [oldest, entry] of this.#entries) {
      if (this.#chars <= MAX_CACHED_CHARS) return;
      this.#entries.delete(oldest);
      this.#chars -= oldest.length + entry.text.length;
    }
  }
}
