import { findAction } from "./action-words.ts";
import { HINT } from "./clause-facts.ts";
import type { Scores } from "./intent.ts";
import { AUXILIARIES, CHANNELS, MESSAGES } from "./object-words.ts";
import type { Clause } from "./reading.ts";

/** Kinds of nodes that can do anything: what they do stands behind them. */
const NODE_LABELS = new Set(["code", "function", "function item", "set", "edit fields", "http request", "http", "execute workflow", "call workflow", "script", "javascript", "python", "query", "create", "update", "get", "add", "output", "input"]);

/** Of the points of a clause of one word before an order ("Filter - keep new"): it may be no more than a kind of node. */
export const LABEL_SHARE = 0.85;

/** "Code: format the date": a label that says nothing. */
export function isNodeLabel({ words }: Clause): boolean {
  return words.length <= 2 && NODE_LABELS.has(words.join(" "));
}

export function labelsOrder({ words }: Clause, next: Clause | undefined): boolean {
  const action = words.length === 1 && next !== undefined ? findAction(next.words, 0) : undefined;
  return action?.form === "base" && !action.thing;
}

/** "Slack: not authorized": behind a messenger's name a statement is what the message says, no condition. */
export function addLabelCues(scores: Scores, label: Clause, clause: Clause): void {
  const first = clause.words[0]!;
  if (clause.asks || first === "if" || first === "when" || AUXILIARIES.has(first) || !labelsMessage(label)) return;
  scores.conditional = 0;
  if (first === "not") scores.filter = 0;
  scores.send += HINT;
}

function labelsMessage({ words }: Clause): boolean {
  return words.length === 1 && (MESSAGES.has(words[0]!) || (CHANNELS.has(words[0]!) && words[0] !== "webhook"));
}
