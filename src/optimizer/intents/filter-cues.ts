import { findAction } from "./action-words.ts";
import { type ClauseFacts, CLEAR, has, hasAny, HINT, lastWord, mainNoun, namesKeyPoints, STRONG } from "./clause-facts.ts";
import { BEFOREHAND, isPlural, namesMany, statesDeed, UNDONE } from "./condition-cues.ts";
import type { Scores } from "./intent.ts";
import { RANKS, STATES, SUMMARIES } from "./object-words.ts";
import { isDigits } from "./reading.ts";

/** Adds what speaks for a choice: restrictions, exceptions, ranks, periods, a plural with its property. */
export function addFilterCues(scores: Scores, facts: ClauseFacts): void {
  const { words, action } = facts;
  const first = words[facts.head] ?? "";
  const selects = action === undefined || action.role === "get" || action.role === "choose" || action.role === "tell";
  const onlyAt = words.indexOf("only");
  // "…, keeping only the names" says how.
  const only = onlyAt >= 0 && !namesKeyPoints(facts) && !(onlyAt > facts.head + 1 && words[onlyAt - 1]!.endsWith("ing"));
  if (only) scores.filter += !facts.isName ? HINT : lastWord(facts) === "only" && ((action?.evidence.extract ?? 0) > HINT || (action?.evidence.transform ?? 0) > HINT) ? HINT : STRONG;
  if ((first === "only" && !namesKeyPoints(facts)) || facts.restricts) scores.filter += facts.restricts ? STRONG : CLEAR;
  if (facts.forbids && facts.isName) scores.filter += CLEAR;
  if (hasAny(facts, DUPLICATES) && !facts.asks && !STATES.has(lastWord(facts))) scores.filter += (action?.evidence.transform ?? 0) > 0 ? STRONG : CLEAR;
  if (words[facts.head + 1] === "just") scores.filter += CLEAR;
  if (TOTALITIES.has(first) && has(facts, "but")) scores.filter += STRONG + CLEAR;
  if (selects && facts.isName && words.some(isDigits) && hasAny(facts, RANKS, 0)) scores.filter += CLEAR;
  if (selects && hasAny(facts, RESTRICTIONS, facts.objectAt)) scores.filter += HINT;
  if (action !== undefined || !facts.isName) return;
  if (words.slice(0, facts.head + 1).some((word) => RANKS.has(word))) scores.filter += CLEAR;
  if (!facts.asks && words.length > 1 && words.some((word, at) => TIMES.has(word) && !PERIODS.has(words[at - 1] ?? "")) && !SUMMARIES.has(mainNoun(facts)) && !statesDeed(facts) && !BEFOREHAND.has(words[0]!)) scores.filter += PERIOD_LINKS.some((link) => has(facts, link)) ? STRONG : CLEAR;
  if (!facts.asks && words.length > 1 && UNDONE.test(first) && findAction(words, facts.head) === undefined) scores.filter += lastWord(facts).endsWith("s") ? STRONG : CLEAR;
  if (!facts.asks && isPlural(first) && (has(facts, "since") || has(facts, "after") || has(facts, "before") || words.some((word, at) => RANKS.has(word) && (words[at - 1] === "in" || words[at - 1] === "within")))) scores.filter += CLEAR;
  if (!facts.asks && words[0] === "new" && first === "since") scores.filter += CLEAR;
  if (namesMany(facts)) scores.filter += CLEAR;
  // "Bots out", "with attachments".
  if (!facts.asks && ((lastWord(facts) === "out" && words.length === 2 && isPlural(first)) || (words.length > 1 && HAVING.has(first)))) scores.filter += CLEAR;
  // "Rows with errors".
  if (!facts.asks && first.endsWith("s") && (words[facts.head + 1] === "with" || words[facts.head + 1] === "without")) scores.filter += STRONG;
  if (!facts.asks && words.length > 1 && RESTRICTIONS.has(first) && lastWord(facts).endsWith("s")) scores.filter += CLEAR;
  if (words.slice(0, facts.head + 1).some((word) => EXCLUSIONS.has(word)) || (has(facts, "except") && words.length > 1)) scores.filter += CLEAR;
}

const DUPLICATES = new Set(["duplicate", "duplicates", "duplicated", "dupes", "dups", "doubles"]);
const TOTALITIES = new Set(["all", "everything", "everyone", "everybody", "anything", "anyone", "nothing"]);
const HAVING = new Set(["with", "having", "containing"]);
const PERIODS = new Set(["by", "per", "each", "every"]);
const PERIOD_LINKS = ["from", "since", "of", "within", "newer", "older"];
const TIMES = new Set(["today", "yesterday", "tomorrow", "tonight", "week", "month", "year", "weekend"]);
export const EXCLUSIONS = new Set(["not", "non", "without", "except", "unique", "uniques", "uniq", "distinct", "where", "just", "unread", "unsent"]);
const RESTRICTIONS = new Set(["older", "newer", "than", "matching", "unprocessed", "unread", "relevant", "irrelevant", "unwanted", "excluding", "except", "within", "active", "inactive", "first", "those", "latest", "newest"]);
