import type { StartDemand } from "./start-permits.ts";

/** What a workflow of a tenant with limits knows of the starts that it was granted. In memory only: it asks again. */
export interface StartsKnown {
  /** It may start attempts until it has started so many in total. */
  upTo: number;
  /** The question that is not answered yet, and when it was asked (Unix ms); what is answered to earlier ones counts no more. */
  asked: (StartsQuestion & { askedAt: number }) | null;
  /** What the tenant was told last; null: nothing by this memory. */
  told: StartDemand | null;
  /** Numbers the questions. */
  questions: number;
  /** Questions in a row that brought no start. */
  inVain: number;
  /** Not before this is the tenant asked again for what it had not (Unix ms); 1: at once. */
  askAgainAt: number;
}

/** Asks the tenant for starts; gives back what is not wanted any more. */
export interface StartsQuestion {
  number: number;
  demand: StartDemand;
  /** How long the answer may wait for a start. */
  patienceMs: number;
}

/** `upTo`: so many may have been started in total. `failed`: the tenant could not be asked. */
export type StartsReply = { kind: "unlimited" } | { kind: "granted"; upTo: number } | { kind: "failed" };

export function createStartsKnown(): StartsKnown {
  return { upTo: 0, asked: null, told: null, questions: 0, inVain: 0, askAgainAt: 1 };
}
