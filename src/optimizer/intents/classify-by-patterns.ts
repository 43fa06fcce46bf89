import type { Action } from "./action.ts";
import { findAction, findMisspelledAction, isActionWord, isWeak } from "./action-words.ts";
import { type ClauseFacts, STRONG } from "./clause-facts.ts";
import { ASIDES, comparesBehind, comparesNext, COPULAS, LIKENESSES, opensWithThing } from "./compounds.ts";
import { addCues } from "./cues.ts";
import { findPassive, isDenied, readFrame } from "./frame.ts";
import { addEvidence, emptyScores, type IntentGuess, type IntentRanking, INTENTS, type Scores } from "./intent.ts";
import { addLabelCues, isNodeLabel, LABEL_SHARE, labelsOrder } from "./labels.ts";
import { AUXILIARIES, CARRIERS, CHANNELS, COMPARATIVES, FORMATS, LINKS, LOOKUPS, MESSAGES, MODELS, RANKS, STATES, SUMMARIES, WHOLE_LISTS, WHOLES } from "./object-words.ts";
import { isProduct } from "./product-words.ts";
import { type Clause, readClauses } from "./reading.ts";

/**
 * The intent of a step, from its words alone: what its verb does, where the verb stands, and what the words around it say.
 * Pure and deterministic, no model; cheap enough for every task of a large workflow at its creation: microseconds for a step
 * of usual length, and of a long one only a head and a tail are read (`excerptStep`). `confidence` is the estimated chance that the intent is right;
 * a text without any known word gets `generate` with `NO_EVIDENCE_CONFIDENCE`.
 */
export function classifyByPatterns(text: string): IntentRanking {
  const clauses = readClauses(text, isKnownName);
  const scores = emptyScores();
  const wordCount = clauses.reduce((count, clause) => count + clause.words.length, 0);
  let weight = 1;
  for (const [index, clause] of clauses.entries()) {
    if (weight < LEAST_CLAUSE_WEIGHT) break;
    if (index === 0 && clauses.length > 1 && isNodeLabel(clause)) continue;
    const points = scoreClause(clause, wordCount <= NAME_WORDS);
    if (index > 0 && !points.acts) addLabelCues(points.scores, clauses[0]!, clause);
    const label = labelsOrder(clause, clauses[index + 1]);
    addEvidence(scores, points.scores, label ? weight * LABEL_SHARE : weight);
    if (points.acts && !label) weight *= LATER_CLAUSE_FACTOR;
  }
  return rankScores(scores);
}

/** Texts of up to this many words are names or short orders, in which single nouns tell the intent; longer ones are prompts. */
const NAME_WORDS = 14;

/** Each clause with an action makes the ones behind it count less: the first action is what a step is for. */
const LATER_CLAUSE_FACTOR = 0.5;

/** What counts for less cannot turn the balance any more. */
const LEAST_CLAUSE_WEIGHT = 0.05;

/** Of a text without any known word: `generate`, which every model can do, as a guess not to be relied on. */
export const NO_EVIDENCE_CONFIDENCE = 0.1;

/** Alternatives below this chance are noise. */
const MIN_ALTERNATIVE_CONFIDENCE = 0.02;

/** Points to chances: chosen so that confidence agrees with the share of right answers (docs/quality.md). */
const POINTS_TO_LOG_ODDS = 1.3;

function isKnownName(word: string): boolean {
  return word === "if" || CHANNELS.has(word) || MODELS.has(word) || isProduct(word) || FORMATS.has(word) || isActionWord(word);
}

function scoreClause(clause: Clause, isName: boolean): { scores: Scores; acts: boolean } {
  const scores = emptyScores();
  const frame = readFrame(clause);
  if (frame === undefined) return { scores, acts: false };
  const { words, head } = frame;
  const facts: ClauseFacts = { ...frame, action: undefined, objectAt: head, isName };
  const passiveAt = findPassive(frame);
  for (let at = head; at < words.length; at += 1) {
    const action = findAction(words, at) ?? (at === head ? findMisspelledAction(words[at]!) : undefined);
    if (action === undefined) continue;
    const share = at === passiveAt ? 1 : isDenied(words, at) || (frame.forbids && facts.action === undefined) ? 0 : weighAction(facts, action, at);
    addEvidence(scores, action.evidence, share);
    if (facts.action === undefined && share >= MAIN_ACTION_SHARE && !opensWork(action)) {
      facts.action = action;
      facts.objectAt = at + 1;
    }
  }
  if (keepsInformed(words)) addEvidence(scores, { send: STRONG });
  addCues(scores, facts);
  return { scores, acts: facts.action !== undefined };
}

/** "Let the driver know", "keep the team posted". */
function keepsInformed(words: readonly string[]): boolean {
  for (let at = 0; at + 2 < words.length; at += 1) {
    const ends = words[at] === "let" ? LET_ENDS : words[at] === "keep" ? KEEP_ENDS : undefined;
    if (ends !== undefined && words.slice(at + 2, at + 7).some((word) => ends.has(word))) return true;
  }
  return false;
}

const LET_ENDS = new Set(["know", "hear", "see"]);
const KEEP_ENDS = new Set(["posted", "informed", "updated", "date", "loop", "current"]);

/** "Go through the list and …": the work comes behind. */
function opensWork(action: Action): boolean {
  for (const _ in action.evidence) return false;
  return true;
}

/** From this share on a word is the action of its clause. */
const MAIN_ACTION_SHARE = 0.5;

/** How far behind the front a verb can stand behind a product's or a format's name ("HTML Extract …"). */
const LABEL_WORDS = 2;

/** Which share of a word's points counts, by its form and place: an order has its verb in front, a compound its deed at the end. */
function weighAction(facts: ClauseFacts, action: Action, at: number): number {
  const { words, head } = facts;
  const led = facts.action !== undefined;
  // In a prompt ("you are a writer", "here is the log") the last noun of a sentence is not its action.
  const ends = facts.isName && (at === words.length - 1 || ((action.form === "noun" || action.role === "check") && ASIDES.has(words[at + 1]!)) || (at === words.length - 2 && CARRIERS.has(words[at + 1]!)));
  if (AUXILIARIES.has(words[head]!)) return 0.15;
  switch (action.form) {
    case "base":
      if (at === head) return opensWithThing(words, at, action) ? 0.15 : 1;
      if (comparesBehind(words, at) || (at > head && RANKS.has(words[at - 1]!))) return 0.15;
      // "Fetch the score and post it": what was fetched is for the second deed.
      if (!led && isLink(words[at - 1]!) && (action.thing || FORMATS.has(words[at]!))) return 0.2;
      if (isLink(words[at - 1]!)) return led ? (facts.action?.role === "get" ? 0.9 : 0.35) : 0.7;
      if (led) return action.thing || action.nounLike ? 0.08 : 0.2;
      if (LINKS.has(words[at - 1]!) || COMPARATIVES.has(words[at - 1]!) || words[at - 1] === "equals" || COPULAS.has(words[at - 1]!)) return 0.2;
      // "Latest report", "filtered list".
      if (ends && (action.thing || action.nounLike) && (words.slice(0, head + 1).some((word) => RANKS.has(word)) || words.includes("or") || LOOKUPS.has(words[head]!) || LIKENESSES.has(words[head]!) || WHOLES.has(words[head]!) || WHOLE_LISTS.has(words[head]!) || findAction(words, head)?.form === "past")) return 0.3;
      if (ends && (action.thing || action.nounLike)) return action.thing ? 0.4 : 0.8;
      if (at - head > LABEL_WORDS) return action.thing || action.nounLike ? 0.15 : 0.4;
      return action.thing ? 0.15 : action.nounLike ? 0.45 : 0.85;
    case "noun":
      if (led) return 0.12;
      // "Unknown sender" is a person, "mail sender" a machine.
      if (words[at] === "sender" && !MESSAGES.has(words[at - 1] ?? "")) return 0.15;
      if (at === head && opensWithThing(words, at, action)) return 0.15;
      return ends ? 0.95 : at === head ? 0.75 : facts.isName ? 0.4 : 0.2;
    case "ing":
      if (at > 0 && at === words.length - 1 && RANKS.has(words[at - 1]!)) return 0.15;
      if (at === head) return COPULAS.has(words[at + 1] ?? "") || comparesNext(words, at) ? 0.15 : 0.95;
      return led ? 0.12 : ends ? 0.8 : 0.3;
    case "past":
      if (led) return 0.08;
      // "Formatted message" is what its step makes, "approved orders" are some of all.
      if (at === head && facts.isName && namesProduct(words, at, action)) return 0.7;
      return at === head ? 0.4 : CHANNELS.has(words[at - 1]!) ? 0.6 : 0.25;
    case "third":
      if (at === head && !action.thing && !action.nounLike) return 0.85;
      return led ? 0.08 : action.thing || action.nounLike ? 0.15 : 0.4;
  }
}

/** "Merged guest list": longer names state what became of something. */
const PRODUCT_WORDS = 3;

function namesProduct(words: readonly string[], at: number, action: Action): boolean {
  const next = words[at + 1];
  const last = words[words.length - 1]!;
  if (next === undefined || words.length - at > PRODUCT_WORDS || STATES.has(words[at]!) || STATES.has(next) || LINKS.has(next) || next === "or" || isWeak(action)) return false;
  return action.role !== "get" && action.role !== "search" && !SUMMARIES.has(last) && findAction(words, words.length - 1)?.form !== "noun";
}

function isLink(word: string): boolean {
  return word === "and" || word === "then" || word === "to" || word === "or";
}

function rankScores(scores: Scores): IntentRanking {
  const best = Math.max(...INTENTS.map((intent) => scores[intent]));
  if (best <= 0) return { intent: "generate", confidence: NO_EVIDENCE_CONFIDENCE, alternatives: [], known: false };
  const odds = INTENTS.map((intent) => Math.exp((scores[intent] - best) * POINTS_TO_LOG_ODDS));
  // Evidence of one point alone must not look sure: "no intent known" competes with a fixed score.
  const sum = odds.reduce((total, odd) => total + odd, Math.exp(-best * POINTS_TO_LOG_ODDS));
  const guesses: IntentGuess[] = INTENTS.map((intent, index) => ({ intent, confidence: roundChance(odds[index]! / sum) }));
  guesses.sort((left, right) => right.confidence - left.confidence);
  const [first, ...others] = guesses;
  return { ...first!, alternatives: others.filter((guess) => scores[guess.intent] > 0 && guess.confidence >= MIN_ALTERNATIVE_CONFIDENCE), known: true };
}

function roundChance(chance: number): number {
  return Math.round(chance * 1_000) / 1_000;
}
