import { findAction } from "./action-words.ts";
import { CLEAR, type ClauseFacts, has, hasAny, HINT, lastWord, mainNoun, namesKeyPoints, STRONG } from "./clause-facts.ts";
import { addEvidence, type Scores } from "./intent.ts";
import { addObjectCues } from "./object-cues.ts";
import {
  AUXILIARIES, CHANNELS, COMPARATIVES, CONTAINERS, CONTENT, DETERMINERS, FACTS, FORMATS, LOOKUPS, MESSAGES, MODELS, PREDICATES, QUALITIES, QUESTION_WORDS,
  RANKS, RECIPIENTS, STATES, SUMMARIES, WAYS, WHOLES,
} from "./object-words.ts";
import { isDigits } from "./reading.ts";

/** Adds what the words around the action say. */
export function addCues(scores: Scores, facts: ClauseFacts): void {
  addQuestionCues(scores, facts);
  addConditionCues(scores, facts);
  addFilterCues(scores, facts);
  addBrevityCues(scores, facts);
  addObjectCues(scores, facts);
  if (facts.isName) addMessageCues(scores, facts);
  if (facts.isName || facts.addressed) addNounCues(scores, facts);
  addFormatCues(scores, facts);
  addAggregateCues(scores, facts);
}

/** Questions for something: what is asked for tells the work of answering. */
function addQuestionCues(scores: Scores, facts: ClauseFacts): void {
  const at = facts.words.findIndex((word, index) => QUESTION_WORDS.has(word) && (index === facts.head || facts.action?.role === "tell"));
  if (at < 0) return;
  const [word, next] = [facts.words[at]!, facts.words[at + 1] ?? ""];
  if (hasAny(facts, MENTIONS, at)) scores.extract += STRONG;
  else if (hasAny(facts, HAPPENINGS, at)) scores.summarize += CLEAR;
  else if (word === "how" && (next === "many" || next === "much")) scores.aggregate += CLEAR;
  else if (facts.isName && (hasAny(facts, WAYS, at) || (word === "which" && facts.words.length <= 3))) scores.conditional += CLEAR;
  else if (word === "where" && (next === "should" || next === "to")) scores.conditional += CLEAR;
  else if (facts.asks) scores.generate += facts.action === undefined ? CLEAR : HINT;
}

const MENTIONS = new Set("mentioned named listed contained stated written quoted cited given hidden included appear appears mention contain list name".split(" "));
const HAPPENINGS = new Set("happened said discussed decided agreed happen important".split(" "));

function addConditionCues(scores: Scores, facts: ClauseFacts): void {
  const first = facts.words[facts.head] ?? "";
  const tests = facts.action?.role === "check" || facts.action?.role === "verify";
  if (facts.asks && !QUESTION_WORDS.has(first)) scores.conditional += facts.isName ? STRONG : HINT;
  const ifAt = facts.words.indexOf("if");
  if (ifAt === facts.head) scores.conditional += facts.isName ? STRONG + CLEAR : CLEAR;
  else if (ifAt > facts.head) scores.conditional += facts.action?.role === "check" ? STRONG : tests ? CLEAR : HINT;
  if (has(facts, "whether") || hasAny(facts, ALTERNATIVES)) scores.conditional += CLEAR;
  if (!facts.isName || facts.addressed || QUESTION_WORDS.has(first)) return;
  if (choosesDeed(facts)) scores.conditional += STRONG + CLEAR;
  if (statesFinding(facts)) scores.conditional += STRONG;
  if (AUXILIARIES.has(first)) scores.conditional += STRONG;
  else if (facts.action === undefined) addStatementCues(scores, facts, first);
}

const ALTERNATIVES = new Set(["else", "otherwise", "unless", "depending", "condition", "conditions", "equals", "versus", "vs"]);

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
  if (hasAny(facts, PREDICATES)) scores.conditional += CLEAR;
  if (hasAny(facts, COMPARATIVES)) scores.conditional += CLEAR;
  if (has(facts, "or")) scores.conditional += STRONG;
  if (first === "any" || (first === "not" && DETERMINERS.has(words[facts.head + 1] ?? ""))) scores.conditional += CLEAR;
  if (STATES.has(first)) scores.conditional += HINT;
  if (last > 0 && (STATES.has(words[last]!) || isPast(facts, last))) scores.conditional += CLEAR;
}

function isPast(facts: ClauseFacts, at: number): boolean {
  const action = findAction(facts.words, at);
  return action === undefined ? facts.words[at]!.endsWith("ed") : action.form === "past";
}

function addFilterCues(scores: Scores, facts: ClauseFacts): void {
  const { words, action } = facts;
  const first = words[facts.head] ?? "";
  const selects = action === undefined || action.role === "get" || action.role === "choose" || action.role === "tell";
  if (has(facts, "only") && !namesKeyPoints(facts)) scores.filter += !facts.isName ? HINT : lastWord(facts) === "only" && action !== undefined ? HINT : STRONG;
  if ((first === "only" && !namesKeyPoints(facts)) || facts.restricts) scores.filter += facts.restricts ? STRONG : CLEAR;
  if (facts.forbids && facts.isName) scores.filter += CLEAR;
  if (hasAny(facts, DUPLICATES)) scores.filter += CLEAR;
  if (selects && facts.isName && words.some(isDigits) && hasAny(facts, RANKS, 0)) scores.filter += CLEAR;
  if (selects && hasAny(facts, RESTRICTIONS, facts.objectAt)) scores.filter += HINT;
  if (action !== undefined || !facts.isName) return;
  if (RANKS.has(first)) scores.filter += HINT;
  if (EXCLUSIONS.has(first) || (has(facts, "except") && words.length > 1)) scores.filter += CLEAR;
}

const DUPLICATES = new Set(["duplicate", "duplicates", "duplicated", "dupes", "dups", "doubles"]);
const EXCLUSIONS = new Set(["not", "non", "without", "except", "unique", "distinct", "where", "just", "unread", "unsent"]);
const RESTRICTIONS = new Set(["older", "newer", "than", "matching", "unprocessed", "unread", "relevant", "irrelevant", "unwanted", "excluding", "except", "within", "active", "inactive", "first", "those", "latest", "newest"]);

/** How long the result may be tells a summary: "in three sentences", "at a glance". */
function addBrevityCues(scores: Scores, facts: ClauseFacts): void {
  const { words } = facts;
  if (hasAny(facts, BREVITY) || (has(facts, "at") && lastWord(facts) === "glance") || (has(facts, "in") && SHORT.has(lastWord(facts)))) scores.summarize += CLEAR;
  for (let at = 1; at < words.length; at += 1) {
    if (!LENGTHS.has(words[at]!) || !(isDigits(words[at - 1]!) || NUMBERS.has(words[at - 1]!))) continue;
    scores.summarize += CLEAR;
    return;
  }
}

const BREVITY = new Set(["briefly", "gist", "nutshell", "concisely", "tldr"]);
const SHORT = new Set(["brief", "short", "condensed", "nutshell"]);
const LENGTHS = new Set("words sentences sentence paragraph paragraphs bullets bullet page pages lines".split(" "));
const NUMBERS = new Set("one two three four five six seven eight ten few fifty hundred single".split(" "));

function addMessageCues(scores: Scores, facts: ClauseFacts): void {
  const { words } = facts;
  const last = mainNoun(facts);
  const first = words[facts.head] ?? "";
  if (facts.action === undefined) {
    if (MESSAGES.has(last) && !EXCLUSIONS.has(first) && !STATES.has(lastWord(facts)) && first !== "any") scores.send += CLEAR;
    if (CHANNELS.has(last) || CHANNELS.has(first)) scores.send += HINT;
    if (first === "text" && (hasAny(facts, RECIPIENTS) || DETERMINERS.has(words[facts.head + 1] ?? ""))) scores.send += CLEAR;
    if (has(facts, "to") && hasAny(facts, RECIPIENTS, words.indexOf("to"))) scores.send += HINT;
  }
  // "Slack the results".
  if (CHANNELS.has(first) && DETERMINERS.has(words[facts.head + 1] ?? "")) scores.send += STRONG;
  const received = words.findIndex((word, at) => RECEIVING.has(word) && at > 1 && RECEIVER_LINKS.has(words[at - 1]!));
  if (received > 0 && words.slice(0, received).some((word) => RECIPIENTS.has(word))) scores.send += STRONG;
  if (CHANNEL_LINKS.some((link) => words.indexOf(link, facts.head + 1) > 0 && CHANNELS.has(words[words.indexOf(link, facts.head + 1) + 1] ?? ""))) scores.send += HINT;
}

const RECEIVING = new Set(["get", "receive", "hear", "know", "learn", "see"]);
const RECEIVER_LINKS = new Set(["to", "should", "must", "shall", "will"]);
const CHANNEL_LINKS = ["via", "on", "to", "in", "by", "over"];

/** What a name without an action is about. */
function addNounCues(scores: Scores, facts: ClauseFacts): void {
  const last = mainNoun(facts);
  if (hasAny(facts, LOOKUPS)) scores.enrich += facts.action === undefined || facts.action.role !== undefined ? CLEAR : HINT;
  if (facts.action !== undefined) return;
  if (has(facts, "from") && hasAny(facts, CONTAINERS, facts.words.indexOf("from"))) scores.extract += CLEAR;
  if (facts.addressed && facts.whole.some((word) => MENTIONS.has(word))) scores.extract += CLEAR;
  if (SUMMARIES.has(last) || namesKeyPoints(facts) || (last === "version" && hasAny(facts, SHORT))) scores.summarize += CLEAR;
  if (CONTENT.has(last)) scores.generate += CLEAR;
  if (hasAny(facts, MODELS, 0)) scores.generate += HINT;
  if (last !== facts.words[0] && FACTS.has(last)) scores.enrich += HINT;
  if (last === "check" && hasAny(facts, QUALITIES)) scores.validate += CLEAR;
}

function addFormatCues(scores: Scores, facts: ClauseFacts): void {
  const { words, action } = facts;
  if (gathersMany(facts)) return;
  for (let at = facts.head; at + 1 < words.length; at += 1) {
    const word = words[at]!;
    if (word !== "to" && word !== "as" && word !== "into" && word !== "2" && word !== "in") continue;
    if (word === "in" && CASES.has(words[at + 1]!) && action !== undefined) {
      addEvidence(scores, { transform: STRONG });
      return;
    }
    const target = FORMATS.has(words[at + 1]!) || (DETERMINERS.has(words[at + 1]!) && FORMATS.has(words[at + 2] ?? ""));
    if (!target || (word === "in" && action?.role !== "put")) continue;
    const pair = FORMATS.has(words[at - 1] ?? "");
    if (action?.role === "put" || (action?.role === "extract" && word !== "as")) addEvidence(scores, { transform: STRONG });
    else scores.transform += action !== undefined ? HINT : pair ? STRONG : CLEAR;
    return;
  }
}

/** Spellings: what is written in them is not written anew. */
const CASES = new Set(["upper", "lower", "capital", "capitals", "uppercase", "lowercase", "italics", "bold"]);

/** "Items into a list", "rows to array": many become one. */
function gathersMany(facts: ClauseFacts): boolean {
  if (facts.action !== undefined) return false;
  const link = facts.words.findIndex((word) => word === "to" || word === "into");
  return link > 0 && MANY.has(facts.words[link - 1]!) && facts.words.slice(link + 1, link + 4).some((word) => ONE_OF_MANY.has(word));
}

const MANY = new Set(["items", "rows", "records", "results", "lines", "messages", "pages", "values", "entries", "answers"]);
const ONE_OF_MANY = new Set(["list", "array", "item", "object", "string", "text", "row"]);

function addAggregateCues(scores: Scores, facts: ClauseFacts): void {
  const { words, action } = facts;
  if (gathersMany(facts)) scores.aggregate += CLEAR;
  if (has(facts, "together")) scores.aggregate += action?.role === "put" ? STRONG : CLEAR;
  const into = Math.max(words.indexOf("into"), words.indexOf("to"));
  if (into >= 0 && hasAny(facts, WHOLES, into)) scores.aggregate += CLEAR;
  if (action !== undefined || !facts.isName) return;
  if (hasAny(facts, WHOLES)) scores.aggregate += HINT;
  if (has(facts, "both") || has(facts, "per") || hasAny(facts, STATISTICS)) scores.aggregate += CLEAR;
}

const STATISTICS = new Set(["statistics", "stats", "totals", "subtotal"]);
