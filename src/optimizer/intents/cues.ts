import { type Action, findAction } from "./action-words.ts";
import { addEvidence, type Scores } from "./intent.ts";
import {
  AUXILIARIES, CHANNELS, COMPARATIVES, CONTAINERS, CONTENT, FACTS, FORMATS, KEY_ADJECTIVES, LOOKUPS, MARKUP, MESSAGES, MODELS, POINTS, PREDICATES,
  LINKS, PARTS, QUALITIES, QUESTION_WORDS, RANKS, RECIPIENTS, STATES, STRUCTURES, SUMMARIES,
} from "./object-words.ts";
import { isDigits } from "./reading.ts";

/** What the rules know of a clause. */
export interface ClauseFacts {
  words: readonly string[];
  asks: boolean;
  /** Index of the first word that is no filler. */
  head: number;
  /** The action the clause is about, if it stands in front, and the index of the word behind it. */
  action: Action | undefined;
  objectAt: number;
  /** Of the step: in a long text a word says less than in a name of four. */
  isName: boolean;
}

/** Adds what the words around the action say. Points: 3 are worth a plain verb in front. */
export function addCues(scores: Scores, facts: ClauseFacts): void {
  addConditionCues(scores, facts);
  addFilterCues(scores, facts);
  addObjectCues(scores, facts);
  if (facts.isName) {
    addMessageCues(scores, facts);
    addNounCues(scores, facts);
  }
  addFormatCues(scores, facts);
  addAggregateCues(scores, facts);
}

function hasAny(facts: ClauseFacts, set: ReadonlySet<string>, from = facts.head): boolean {
  for (let at = from; at < facts.words.length; at += 1) if (set.has(facts.words[at]!)) return true;
  return false;
}

function has(facts: ClauseFacts, word: string, from = 0): boolean {
  return facts.words.includes(word, from);
}

/** The noun that a name is about: the last word before "for", "of", "about" and the like. */
function mainNoun(facts: ClauseFacts): string {
  for (let at = facts.head + 1; at < facts.words.length; at += 1) if (LINKS.has(facts.words[at]!)) return facts.words[at - 1]!;
  return lastWord(facts);
}

function lastWord(facts: ClauseFacts): string {
  return facts.words[facts.words.length - 1] ?? "";
}

function addConditionCues(scores: Scores, facts: ClauseFacts): void {
  const first = facts.words[facts.head] ?? "";
  if (facts.asks) {
    if (QUESTION_WORDS.has(first)) scores.generate += 1.2;
    else scores.conditional += facts.isName ? 3.4 : 1;
  }
  const ifAt = facts.words.indexOf("if");
  if (ifAt === facts.head) scores.conditional += facts.isName ? 4.2 : 1.4;
  else if (ifAt > facts.head) scores.conditional += facts.action?.role === "check" || facts.action?.role === "verify" ? 2.6 : 0.8;
  if (has(facts, "whether")) scores.conditional += 1.6;
  if (has(facts, "else") || has(facts, "otherwise") || has(facts, "unless")) scores.conditional += 1.2;
  if (has(facts, "or") && (has(facts, "not") || facts.action === undefined)) scores.conditional += facts.isName ? 0.8 : 0.1;
  if (has(facts, "equals")) scores.conditional += 1.4;
  if (has(facts, "condition") || has(facts, "conditions")) scores.conditional += 1.6;
  if (!facts.isName || QUESTION_WORDS.has(first)) return;
  if (AUXILIARIES.has(first)) scores.conditional += PRONOUNS.has(facts.words[facts.head - 1] ?? "") ? 0 : 3.2;
  else if (facts.action === undefined) {
    if (hasAny(facts, PREDICATES)) scores.conditional += 1.8;
    if (hasAny(facts, COMPARATIVES)) scores.conditional += 1.2;
    if (first === "no") scores.conditional += 1.2;
    if (STATES.has(first)) scores.conditional += 0.8;
    if (facts.words.length > 1 && isPast(facts, facts.words.length - 1)) scores.conditional += 1;
    if (facts.words.length > 1 && STATES.has(lastWord(facts))) scores.conditional += 1.1;
  }
}

/** "You are a writer" asks nothing. */
const PRONOUNS = new Set(["you", "i", "we"]);

function isPast(facts: ClauseFacts, at: number): boolean {
  const action = findAction(facts.words, at);
  return action === undefined ? facts.words[at]!.endsWith("ed") : action.form === "past";
}

function addFilterCues(scores: Scores, facts: ClauseFacts): void {
  const { words, action } = facts;
  if (has(facts, "only")) scores.filter += facts.isName ? (words[words.length - 1] === "only" && action !== undefined ? 1.2 : 2.8) : 0.4;
  if (hasAny(facts, DUPLICATES)) scores.filter += action?.evidence.transform === undefined ? 1.5 : 3;
  if (facts.isName && words[0] === "only") scores.filter += 1;
  const rank = words.findIndex((word) => RANKS.has(word));
  const counts = rank >= 0 && words.some(isDigits);
  if (counts && facts.isName) scores.filter += action === undefined || action.role === "get" || action.role === "choose" ? 2 : 0.5;
  if (action === undefined && facts.isName) {
    const first = words[facts.head] ?? "";
    if (RANKS.has(first)) scores.filter += 1;
    if (first === "new" || has(facts, "today") || has(facts, "yesterday")) scores.filter += 0.4;
    if (first === "where") scores.filter += 2;
    if (has(facts, "older") || has(facts, "newer")) scores.filter += 0.8;
    if (NEGATIONS.has(first)) scores.filter += 1.2;
  }
  if (hasAny(facts, RESTRICTIONS, facts.objectAt)) scores.filter += action?.role === "get" || action?.role === "choose" || action === undefined ? 0.7 : 0.15;
}

const DUPLICATES = new Set(["duplicate", "duplicates", "duplicated", "dupes", "dups"]);
const NEGATIONS = new Set(["not", "non", "without", "except", "unique", "distinct"]);
const RESTRICTIONS = new Set(["older", "newer", "than", "matching", "unprocessed", "unread", "relevant", "irrelevant", "unwanted", "excluding", "except", "within", "active", "inactive"]);

/** Verbs that say little alone, read with what they act on. */
function addObjectCues(scores: Scores, facts: ClauseFacts): void {
  const { words, objectAt } = facts;
  switch (facts.action?.role) {
    case "make":
      addMadeThing(scores, facts);
      break;
    case "write":
      if (namesSummary(facts)) addEvidence(scores, { summarize: 3.6, generate: -1 });
      break;
    case "extract":
      if (namesSummary(facts) || namesKeyPoints(facts)) addEvidence(scores, { summarize: 3.6, extract: -0.6 });
      break;
    case "get":
      if (namesSummary(facts)) scores.summarize += 1.8;
      if (has(facts, "from", objectAt) && hasAny(facts, CONTAINERS, words.indexOf("from"))) addEvidence(scores, { extract: 1.8 });
      else if (PARTS.has(words[objectAt] ?? "") && has(facts, "from", objectAt)) scores.extract += 0.9;
      if (has(facts, "by", objectAt) || has(facts, "for", objectAt)) scores.enrich += 0.9;
      else if (PARTS.has(lastWord(facts))) addEvidence(scores, { extract: 0.9 });
      if (hasAny(facts, FACTS, objectAt)) scores.enrich += 0.5;
      if (has(facts, "only", objectAt)) scores.filter += 0.6;
      if (has(facts, "first", objectAt)) scores.filter += 1.8;
      if (has(facts, "out", objectAt) && has(facts, "of", objectAt)) scores.extract += 1.6;
      break;
    case "search":
      if (hasAny(facts, TEXTS, objectAt)) addEvidence(scores, { extract: 2.2, enrich: -0.6 });
      if (hasAny(facts, FACTS, objectAt)) scores.enrich += 0.5;
      break;
    case "add":
      if (has(facts, "to", objectAt) || has(facts, "with", objectAt)) scores.enrich += 0.9;
      if (hasAny(facts, ADDED_FIELDS, objectAt)) scores.transform += 1;
      break;
    case "check":
      if (hasAny(facts, QUALITIES) && !has(facts, "if")) addEvidence(scores, { validate: 2.2, conditional: -0.2 });
      else if (facts.isName) scores.conditional += 0.8;
      break;
    case "remove":
      if (hasAny(facts, MARKUP, objectAt)) addEvidence(scores, { transform: 2.6, filter: -1 });
      break;
    case "choose":
      if (hasAny(facts, RANKS, objectAt) || words.some(isDigits)) scores.filter += 0.6;
      break;
    case "answer":
      if (hasAny(facts, RECIPIENTS, objectAt) || hasAny(facts, CHANNELS, objectAt)) scores.send += 1;
      break;
    case "post":
      if (has(facts, "to", objectAt) || hasAny(facts, CHANNELS, objectAt)) scores.send += 1;
      break;
    case "store":
    case "update":
    case "verify":
    case undefined:
      break;
  }
}

const TEXTS = new Set(["text", "texts", "html", "body", "document", "message", "string", "markdown", "pdf", "transcript", "log", "logs", "page"]);
const ADDED_FIELDS = new Set(["field", "fields", "column", "columns", "timestamp", "property", "prefix", "suffix", "index", "key", "keys", "variable", "variables"]);
const ONE = new Set(["one", "single", "combined", "merged", "unified", "common", "consolidated"]);

function addMadeThing(scores: Scores, facts: ClauseFacts): void {
  if (namesSummary(facts)) addEvidence(scores, { summarize: 3, generate: -0.5 });
  else if (hasAny(facts, ONE, facts.objectAt)) addEvidence(scores, { aggregate: 2.8, generate: -0.6 });
  else if (STRUCTURES.has(lastWord(facts)) && !hasAny(facts, CONTENT, facts.objectAt)) addEvidence(scores, { transform: 2.6, generate: -0.8 });
  else if (hasAny(facts, CONTENT, facts.objectAt)) scores.generate += 1;
}

/** "Write a summary of …" makes one; "write a summary email" makes an email. */
function namesSummary(facts: ClauseFacts): boolean {
  for (let at = facts.objectAt; at < facts.words.length; at += 1) {
    if (!SUMMARIES.has(facts.words[at]!)) continue;
    const next = facts.words[at + 1];
    if (next === undefined || SUMMARY_LINKS.has(next)) return true;
  }
  return false;
}

const SUMMARY_LINKS = new Set(["of", "for", "from", "in", "with", "and", "about", "on", "to", "using", "by", "as", "based", "via", "that"]);

function namesKeyPoints(facts: ClauseFacts): boolean {
  return facts.words.some((word, at) => KEY_ADJECTIVES.has(word) && POINTS.has(facts.words[at + 1] ?? ""));
}

function addMessageCues(scores: Scores, facts: ClauseFacts): void {
  const last = mainNoun(facts);
  const first = facts.words[facts.head] ?? "";
  if (facts.action === undefined) {
    if (MESSAGES.has(last)) scores.send += hasAny(facts, CHANNELS) ? 2.4 : 2;
    else if (CHANNELS.has(last)) scores.send += 0.9;
    if (CHANNELS.has(first)) scores.send += 0.7;
    if (first === "text" && hasAny(facts, RECIPIENTS)) scores.send += 2;
    if (has(facts, "to") && hasAny(facts, RECIPIENTS, facts.words.indexOf("to"))) scores.send += 0.9;
  }
  const via = Math.max(facts.words.indexOf("via"), facts.words.indexOf("on"), facts.words.indexOf("to"), facts.words.indexOf("in"));
  if (via > facts.head && CHANNELS.has(facts.words[via + 1] ?? "")) scores.send += 0.8;
}

/** What a name without an action in front is about. */
function addNounCues(scores: Scores, facts: ClauseFacts): void {
  if (hasAny(facts, LOOKUPS)) scores.enrich += facts.action === undefined || facts.action.role !== undefined ? 2.4 : 0.6;
  if (facts.action !== undefined) return;
  const last = mainNoun(facts);
  if (has(facts, "from") && hasAny(facts, CONTAINERS, facts.words.indexOf("from"))) scores.extract += 1.8;
  if (SUMMARIES.has(last)) scores.summarize += 0.8;
  if (namesKeyPoints(facts)) scores.summarize += 2;
  if (facts.words.length === 1 && FORMATS.has(last)) scores.transform += 1;
  if (CONTENT.has(last)) scores.generate += 1.2;
  if (hasAny(facts, MODELS, 0)) scores.generate += 1.1;
  if (last === "search") scores.enrich += 0.8;
}

function addFormatCues(scores: Scores, facts: ClauseFacts): void {
  const { words, action } = facts;
  if (facts.isName && STYLES.has(lastWord(facts)) && action?.role !== "check") scores.transform += 1;
  for (let at = 0; at + 1 < words.length; at += 1) {
    const word = words[at]!;
    if (word !== "to" && word !== "as" && word !== "into" && word !== "2") continue;
    const target = FORMATS.has(words[at + 1]!) || (words[at + 1] === "a" && FORMATS.has(words[at + 2] ?? ""));
    if (!target) continue;
    scores.transform += FORMATS.has(words[at - 1] ?? "") && action === undefined ? 3.2 : action === undefined ? 2 : 0.4;
    return;
  }
}

const STYLES = new Set(["format", "formats", "encoding", "casing", "style", "structure"]);

function addAggregateCues(scores: Scores, facts: ClauseFacts): void {
  const { words, action } = facts;
  if (has(facts, "together")) scores.aggregate += 1.8;
  const into = Math.max(words.indexOf("into"), words.indexOf("to"));
  if (into >= 0 && hasAny(facts, ONE, into)) scores.aggregate += 1.6;
  else if (into > 0 && words[into - 1] === "items" && action === undefined) addEvidence(scores, { aggregate: 2.6, transform: -1 });
  else if (hasAny(facts, ONE, facts.objectAt) && facts.isName && action === undefined) scores.aggregate += 0.7;
  if (action !== undefined || !facts.isName) return;
  if (has(facts, "and")) scores.aggregate += 0.2;
  if (has(facts, "both")) scores.aggregate += 0.8;
  if (has(facts, "per") || has(facts, "statistics") || has(facts, "stats")) scores.aggregate += 1;
}
