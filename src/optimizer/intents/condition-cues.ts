import { findAction, isWeak } from "./action-words.ts";
import { type ClauseFacts, CLEAR, has, hasAny, HINT, mainNoun, STRONG } from "./clause-facts.ts";
import type { Scores } from "./intent.ts";
import { AUXILIARIES, COMPARATIVES, DETERMINERS, MESSAGES, PREDICATES, QUESTION_WORDS, RANKS, STATES } from "./object-words.ts";
import { isDigits } from "./reading.ts";

/** Adds what speaks for a decision: a question, a condition, a statement that may be true or false. */
export function addConditionCues(scores: Scores, facts: ClauseFacts): void {
  const first = facts.words[facts.head] ?? "";
  const tests = facts.action?.role === "check" || facts.action?.role === "verify";
  if (facts.asks && !QUESTION_WORDS.has(first)) scores.conditional += facts.isName ? (facts.words.length - facts.head <= SHORT_QUESTION_WORDS ? STRONG + CLEAR : STRONG) : HINT;
  const ifAt = facts.words.indexOf("if");
  if (ifAt === facts.head) scores.conditional += facts.isName ? STRONG + CLEAR : CLEAR;
  else if (ifAt > facts.head) scores.conditional += facts.action?.role === "check" ? STRONG : tests ? CLEAR : HINT;
  const assigns = facts.action !== undefined && !facts.action.thing && !tests && facts.action.evidence.conditional === undefined;
  if (has(facts, "whether") || hasAny(facts, assigns ? PLAIN_ALTERNATIVES : ALTERNATIVES)) scores.conditional += assigns && facts.isName ? HINT : CLEAR;
  if (first === "when" && !facts.asks) scores.conditional += facts.isName ? STRONG : CLEAR;
  if (!facts.isName || facts.addressed || QUESTION_WORDS.has(first) || first === "only") return;
  if (choosesDeed(facts)) scores.conditional += STRONG + CLEAR;
  if (statesFinding(facts)) scores.conditional += STRONG;
  if (AUXILIARIES.has(first)) scores.conditional += STRONG;
  else if (facts.action === undefined) addStatementCues(scores, facts, first);
}

/** "Send?", "Generate summary?": so short that a verb in it is what is asked about. */
const SHORT_QUESTION_WORDS = 3;

const PLAIN_ALTERNATIVES = new Set(["else", "otherwise", "unless", "depending", "condition", "conditions", "versus", "vs"]);
/** Behind a verb "equals" may as well assign ("set state = done"). */
const ALTERNATIVES = new Set([...PLAIN_ALTERNATIVES, "equals"]);

/** "Send or skip", "create or update". */
function choosesDeed({ words, head }: ClauseFacts): boolean {
  return words[head + 1] === "or" && findAction(words, head)?.form === "base" && findAction(words, head + 2)?.form === "base";
}

/** "Found a match", "got results": in front of a thing the past of a verb tells what came of it. */
function statesFinding({ words, head }: ClauseFacts): boolean {
  const action = findAction(words, head);
  return action?.form === "past" && (action.role === "get" || action.role === "search") && head + 1 < words.length;
}

/** A name that states what may be true or false, and does nothing. */
function addStatementCues(scores: Scores, facts: ClauseFacts, first: string): void {
  const { words } = facts;
  const last = words.length - 1;
  if (hasAny(facts, PREDICATES)) scores.conditional += words.some((word, at) => at > facts.head && at < last && BEING.has(word)) ? STRONG : CLEAR;
  if (boundsMany(facts)) scores.filter += STRONG;
  else if (words.some((_, at) => at < last && comparesAt(words, at))) scores.conditional += CLEAR;
  if (statesDeed(facts)) scores.conditional += STRONG;
  if (has(facts, "nothing") || has(facts, "none") || (has(facts, "between") && words.some(isDigits))) scores.conditional += CLEAR;
  if (has(facts, "too") || (words.indexOf("not") > facts.head && first !== "only") || first === "depends") scores.conditional += CLEAR;
  if (has(facts, "or") || first === "either") scores.conditional += STRONG;
  if (first === "any" || first === "no" || (first === "not" && DETERMINERS.has(words[facts.head + 1] ?? ""))) scores.conditional += CLEAR;
  if ((STATES.has(first) && !namesMany(facts)) || KINDS.has(mainNoun(facts))) scores.conditional += HINT;
  if (SITUATIONS.has(first) && last > facts.head && last <= facts.head + 2) scores.conditional += HINT;
  if ((last === 0 && STATES.has(first)) || words[last] === "enough") scores.conditional += CLEAR;
  if (BEFOREHAND.has(words[0]!) && last > 0) scores.conditional += STRONG;
  if (last === 1 && OUTCOMES.has(words[last]!) && isPast(facts, 0)) scores.conditional += CLEAR;
  if (last > 0 && !(last === 1 && words.slice(0, facts.head + 1).some((word) => RANKS.has(word))) && (STATES.has(words[last]!) || isPast(facts, last) || (last > 1 && OUTCOMES.has(words[last]!) && isPast(facts, last - 1)))) scores.conditional += CLEAR;
}

/** "Deals over 10k": which of many. */
function boundsMany({ words, head, asks }: ClauseFacts): boolean {
  if (asks || !isPlural(words[head]!)) return false;
  return words.some((word, at) => at > head && COMPARATIVES.has(word) && !((word === "above" || word === "below") && isDigits(words[at + 1] ?? "")));
}

function comparesAt(words: readonly string[], at: number): boolean {
  return COMPARATIVES.has(words[at]!) && (words[at] !== "more" || words[at + 1] === "than" || isDigits(words[at + 1] ?? ""));
}

/** "Page changed since yesterday", of one thing. */
export function statesDeed(facts: ClauseFacts): boolean {
  const { words, head } = facts;
  return !isPlural(words[head]!) && words.some((_, at) => at + 1 < words.length && ((at > head && AFTERWARDS.has(words[at + 1]!)) || (at === head && (words[at + 1] === "since" || (words[at + 1] === "by" && STATES.has(words[at]!))))) && isPast(facts, at));
}

export function isPlural(word: string): boolean {
  return word.endsWith("s") && !word.endsWith("ss") && !word.endsWith("us") && !word.endsWith("is");
}

const AFTERWARDS = new Set(["since", "on", "after", "before", "in", "by", "already", "yet"]);
const BEING = new Set(["is", "are", "was", "were", "isnt", "arent"]);
/** "In stock", "over limit": a place or a bound said of something. */
const SITUATIONS = new Set(["in", "on", "out", "over", "under", "within", "outside", "past", "after", "during"]);
export const BEFOREHAND = new Set(["already", "previously"]);
/** Behind a participle these belong to it ("user opted out"). */
const OUTCOMES = new Set(["out", "in", "up", "off", "down", "away"]);
/** Last words of names that hold what a switch turns on ("message type"). */
const KINDS = new Set(["type", "kind", "status", "state", "mode"]);
/** Participles of common verbs that no ending tells. */
const IRREGULAR_PARTICIPLES = new Set("won lost left met gone done bought sold given known held built begun spent hit born driven eaten fallen felt grown heard led laid lent meant risen shown shut slept spoken stolen stuck swept taught torn understood worn".split(" "));

function isPast(facts: ClauseFacts, at: number): boolean {
  const action = findAction(facts.words, at);
  return action === undefined ? facts.words[at]!.endsWith("ed") || UNDONE.test(facts.words[at]!) || IRREGULAR_PARTICIPLES.has(facts.words[at]!) : action.form === "past";
}

/** "Open tickets", "paid orders": an adjective and a plural. */
export function namesMany({ words, head, asks }: ClauseFacts): boolean {
  const last = words[words.length - 1]!;
  return !asks && (STATES.has(words[head]!) || (words[head]!.endsWith("ed") && isWeak(findAction(words, head)))) && words.length - head >= 2 && words.length - head <= 3 && isPlural(last) && !STATES.has(last) && !MESSAGES.has(last);
}

/** "Unpaid", "unanswered", "unseen": what nothing was done to yet. */
export const UNDONE = /^un(?!it)[a-z]+(?:ed|en|aid|ent)$/;
