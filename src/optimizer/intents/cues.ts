import { findAction } from "./action-words.ts";
import { CLEAR, type ClauseFacts, has, hasAny, HINT, lastWord, mainNoun, namesKeyPoints, STRONG } from "./clause-facts.ts";
import { addEvidence, type Scores } from "./intent.ts";
import { addObjectCues } from "./object-cues.ts";
import {
  AUXILIARIES, CHANNELS, COMPARATIVES, CONTAINERS, CONTENT, DETERMINERS, DOERS, FACTS, FORMATS, LENGTHS, LOOKUPS, MARKUP, MENTIONS, MESSAGES, MODELS, PARTS, PREDICATES, QUESTION_WORDS,
  COLLECTIONS, RANKS, RECIPIENTS, STATES, STRUCTURES, SUMMARIES, VIRTUES, WAYS, WHOLE_LISTS, WHOLES,
} from "./object-words.ts";
import { CONVERSION_PRODUCTS, CREATION_PRODUCTS, EXTRACTION_PRODUCTS, LOOKUP_PRODUCTS } from "./product-words.ts";
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
  else if (hasAny(facts, HAPPENINGS, at) || (word === "what" && lastWord(facts) === "about")) scores.summarize += CLEAR;
  else if (has(facts, "in", at) && hasAny(facts, CONTAINERS, facts.words.indexOf("in", at))) scores.extract += CLEAR;
  else if (word === "how" && (next === "many" || next === "much")) scores.aggregate += CLEAR;
  else if (facts.isName && (hasAny(facts, WAYS, at) || (word === "which" && facts.words.length <= ASIDE_QUESTION_WORDS))) scores.conditional += CLEAR;
  else if (word === "where" && (next === "should" || next === "to")) scores.conditional += CLEAR;
  else if (facts.asks) scores.generate += facts.action === undefined ? CLEAR : HINT;
}

/** "Which button was pressed?": a name of up to so many words asks itself. */
const ASIDE_QUESTION_WORDS = 5;

const HAPPENINGS = new Set("happened said discussed decided agreed concluded happen say discuss decide agree conclude important".split(" "));

function addConditionCues(scores: Scores, facts: ClauseFacts): void {
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
  if (last === 0 && STATES.has(first)) scores.conditional += CLEAR;
  if (last > 0 && (STATES.has(words[last]!) || isPast(facts, last) || (last > 1 && OUTCOMES.has(words[last]!) && isPast(facts, last - 1)))) scores.conditional += CLEAR;
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
function statesDeed(facts: ClauseFacts): boolean {
  const { words, head } = facts;
  return !isPlural(words[head]!) && words.some((_, at) => at + 1 < words.length && ((at > head && AFTERWARDS.has(words[at + 1]!)) || (at === head && words[at + 1] === "since")) && isPast(facts, at));
}

function isPlural(word: string): boolean {
  return word.endsWith("s") && !word.endsWith("ss") && !word.endsWith("us") && !word.endsWith("is");
}

const AFTERWARDS = new Set(["since", "on", "after", "before", "in", "by", "already", "yet"]);
const BEING = new Set(["is", "are", "was", "were", "isnt", "arent"]);
/** "In stock", "over limit": a place or a bound said of something. */
const SITUATIONS = new Set(["in", "on", "out", "over", "under", "within", "outside", "past"]);
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
function namesMany({ words, head, asks }: ClauseFacts): boolean {
  const last = words[words.length - 1]!;
  return !asks && STATES.has(words[head]!) && words.length - head >= 2 && words.length - head <= 3 && isPlural(last) && !STATES.has(last) && !MESSAGES.has(last);
}

function addFilterCues(scores: Scores, facts: ClauseFacts): void {
  const { words, action } = facts;
  const first = words[facts.head] ?? "";
  const selects = action === undefined || action.role === "get" || action.role === "choose" || action.role === "tell";
  const onlyAt = words.indexOf("only");
  // "…, keeping only the names" says how.
  const only = onlyAt >= 0 && !namesKeyPoints(facts) && !(onlyAt > facts.head + 1 && words[onlyAt - 1]!.endsWith("ing"));
  if (only) scores.filter += !facts.isName ? HINT : lastWord(facts) === "only" && ((action?.evidence.extract ?? 0) > HINT || (action?.evidence.transform ?? 0) > HINT) ? HINT : STRONG;
  if ((first === "only" && !namesKeyPoints(facts)) || facts.restricts) scores.filter += facts.restricts ? STRONG : CLEAR;
  if (facts.forbids && facts.isName) scores.filter += CLEAR;
  if (hasAny(facts, DUPLICATES) && !facts.asks) scores.filter += (action?.evidence.transform ?? 0) > 0 ? STRONG : CLEAR;
  if (words[facts.head + 1] === "just") scores.filter += CLEAR;
  if (TOTALITIES.has(first) && has(facts, "but")) scores.filter += STRONG + CLEAR;
  if (selects && facts.isName && words.some(isDigits) && hasAny(facts, RANKS, 0)) scores.filter += CLEAR;
  if (selects && hasAny(facts, RESTRICTIONS, facts.objectAt)) scores.filter += HINT;
  if (action !== undefined || !facts.isName) return;
  if (words.slice(0, facts.head + 1).some((word) => RANKS.has(word))) scores.filter += CLEAR;
  if (!facts.asks && words.length > 1 && words.some((word, at) => TIMES.has(word) && !PERIODS.has(words[at - 1] ?? "")) && !SUMMARIES.has(mainNoun(facts)) && !statesDeed(facts)) scores.filter += PERIOD_LINKS.some((link) => has(facts, link)) ? STRONG : CLEAR;
  if (!facts.asks && words.length > 1 && UNDONE.test(first) && findAction(words, facts.head) === undefined) scores.filter += lastWord(facts).endsWith("s") ? STRONG : CLEAR;
  if (!facts.asks && isPlural(first) && (has(facts, "since") || words.some((word, at) => RANKS.has(word) && (words[at - 1] === "in" || words[at - 1] === "within")))) scores.filter += CLEAR;
  if (namesMany(facts)) scores.filter += CLEAR;
  // "Rows with errors".
  if (!facts.asks && first.endsWith("s") && (words[facts.head + 1] === "with" || words[facts.head + 1] === "without")) scores.filter += CLEAR;
  if (!facts.asks && words.length > 1 && RESTRICTIONS.has(first) && lastWord(facts).endsWith("s")) scores.filter += CLEAR;
  if (words.slice(0, facts.head + 1).some((word) => EXCLUSIONS.has(word)) || (has(facts, "except") && words.length > 1)) scores.filter += CLEAR;
}

const DUPLICATES = new Set(["duplicate", "duplicates", "duplicated", "dupes", "dups", "doubles"]);
const TOTALITIES = new Set(["all", "everything", "everyone", "everybody", "anything", "anyone", "nothing"]);
const PERIODS = new Set(["by", "per", "each", "every"]);
const PERIOD_LINKS = ["from", "since", "of", "within", "newer", "older"];
/** "Unpaid", "unanswered", "unseen": what nothing was done to yet. */
const UNDONE = /^un(?!it)[a-z]+(?:ed|en|aid|ent)$/;
const TIMES = new Set(["today", "yesterday", "tomorrow", "tonight", "week", "month", "year", "weekend"]);
const EXCLUSIONS = new Set(["not", "non", "without", "except", "unique", "uniques", "uniq", "distinct", "where", "just", "unread", "unsent"]);
const RESTRICTIONS = new Set(["older", "newer", "than", "matching", "unprocessed", "unread", "relevant", "irrelevant", "unwanted", "excluding", "except", "within", "active", "inactive", "first", "those", "latest", "newest"]);

/** How long the result may be tells a summary: "in three sentences", "at a glance". */
function addBrevityCues(scores: Scores, facts: ClauseFacts): void {
  const words = facts.whole;
  if (hasAny(facts, BREVITY) || (words.includes("tl") && words[words.indexOf("tl") + 1] === "dr")) scores.summarize += STRONG;
  else if ( (has(facts, "at") && lastWord(facts) === "glance") || (has(facts, "in") && SHORT.has(lastWord(facts)))) scores.summarize += CLEAR;
  // "Summary writer".
  if (facts.action?.form === "noun" && facts.action.evidence.generate !== undefined && hasAny(facts, SUMMARIES)) addEvidence(scores, { summarize: STRONG, generate: -HINT });
  if (namesKeyPoints(facts) && ((facts.action?.evidence.generate ?? 0) > 0 || (facts.action?.evidence.transform ?? 0) > 0)) addEvidence(scores, { summarize: STRONG, generate: -HINT });
  for (let at = 1; at < words.length && facts.action?.evidence.filter === undefined; at += 1) {
    if (!LENGTHS.has(words[at]!) || !(isDigits(words[at - 1]!) || NUMBERS.has(words[at - 1]!))) continue;
    scores.summarize += EXTENTS.has(words[at - 2] ?? "") ? STRONG : CLEAR;
    return;
  }
  if (facts.action === undefined && SHORT.has(words[facts.head] ?? "") && has(facts, "of")) scores.summarize += STRONG;
}

/** "In two sentences", "to three lines", "at most 50 words". */
const EXTENTS = new Set(["in", "to", "into", "within", "most", "under"]);
const BREVITY = new Set(["briefly", "nutshell", "concisely", "tldr", "essence", "upshot"]);
const SHORT = new Set(["brief", "short", "condensed", "nutshell"]);
const NUMBERS = new Set("one two three four five six seven eight ten few fifty hundred single".split(" "));

function addMessageCues(scores: Scores, facts: ClauseFacts): void {
  const { words } = facts;
  const last = mainNoun(facts);
  const first = words[facts.head] ?? "";
  if (facts.action === undefined) {
    if (MESSAGES.has(last) && !EXCLUSIONS.has(first) && !JUDGED.has(first) && !STATES.has(lastWord(facts)) && first !== "any" && first !== "no" && !words.slice(0, facts.head + 1).some((word) => RANKS.has(word))) scores.send += CLEAR;
    if (MESSAGES.has(last) && hasAny(facts, OUTGOING)) scores.send += HINT;
    if (CHANNELS.has(last) || CHANNELS.has(first)) scores.send += HINT;
    if (MESSENGERS.has(first) && CONTENT.has(last)) scores.send += CLEAR;
    if (first === "text" && (hasAny(facts, RECIPIENTS) || DETERMINERS.has(words[facts.head + 1] ?? ""))) scores.send += CLEAR;
  }
  // "Receipt to guest", "output to user".
  if ((facts.action === undefined || facts.action.thing) && has(facts, "to") && hasAny(facts, RECIPIENTS, words.indexOf("to"))) scores.send += facts.action === undefined ? HINT : CLEAR;
  // "AI reply", "GPT post": what a model is named before is its answer.
  if ((facts.action?.thing === true || facts.action?.role === "answer") && words.length <= 2 && WRITING_MODELS.has(words[words.length - 2] ?? "")) addEvidence(scores, { generate: STRONG, send: -HINT });
  // "Email reply agent".
  if (facts.action?.role === "answer" && DOERS.has(lastWord(facts))) addEvidence(scores, { generate: STRONG, send: -HINT });
  if (ADDRESSING.has(first) && words.slice(facts.head + 1, facts.head + 4).some((word) => RECIPIENTS.has(word))) scores.send += STRONG;
  // "Slack the results".
  if (CHANNELS.has(first) && DETERMINERS.has(words[facts.head + 1] ?? "")) scores.send += STRONG;
  const received = words.findIndex((word, at) => RECEIVING.has(word) && at > 1 && RECEIVER_LINKS.has(words[at - 1]!));
  if (received > 0 && words.slice(0, received).some((word) => RECIPIENTS.has(word))) scores.send += STRONG;
  if (CHANNEL_LINKS.some((link) => words.indexOf(link, facts.head + 1) > 0 && CHANNELS.has(words[words.indexOf(link, facts.head + 1) + 1] ?? ""))) scores.send += HINT;
}

/** "Valid email" is what a message is, "final response" which one is given. */
const JUDGED = new Set(["valid", "invalid", "existing", "different", "same", "empty", "missing"]);
const OUTGOING = new Set("final success error failure failed ok webhook fallback default welcome http".split(" "));

const MESSENGERS = new Set(["telegram", "whatsapp", "slack", "discord", "signal", "teams", "twilio", "sms"]);
const WRITING_MODELS = new Set([...MODELS].filter((model) => !DOERS.has(model)));

/** In front of a person these turn to them: "call the customer", "update the team". */
const ADDRESSING = new Set(["call", "phone", "ring", "contact", "brief", "update", "chase", "mail", "text", "hit", "ask", "dm", "page"]);
const RECEIVING = new Set(["get", "receive", "hear", "know", "learn", "see"]);
const RECEIVER_LINKS = new Set(["to", "should", "must", "shall", "will"]);
const CHANNEL_LINKS = ["via", "on", "to", "in", "by", "over"];

/** What a name without an action is about. */
function addNounCues(scores: Scores, facts: ClauseFacts): void {
  const last = mainNoun(facts);
  if (hasAny(facts, LOOKUPS) || hasAny(facts, LOOKUP_PRODUCTS)) scores.enrich += facts.action === undefined || facts.action.role !== undefined ? CLEAR : HINT;
  if (facts.action !== undefined) return;
  if (has(facts, "from") && hasAny(facts, CONTAINERS, facts.words.indexOf("from")) && !namesKeyPoints(facts)) scores.extract += CLEAR;
  if (facts.addressed && facts.whole.some((word) => MENTIONS.has(word))) scores.extract += CLEAR;
  if (SUMMARIES.has(last) || namesKeyPoints(facts) || (last === "version" && hasAny(facts, SHORT))) scores.summarize += CLEAR;
  if (CONTENT.has(last) && !hasAny(facts, LOOKUPS)) scores.generate += CLEAR;
  // "Details on product", "forecast by city".
  if (DETAILS.has(last) && last !== lastWord(facts)) scores.enrich += CLEAR;
  if (LOOKUP_KEYS.has(facts.words[facts.words.indexOf("by") + 1] ?? "") && facts.words.indexOf("by") > facts.head) scores.enrich += STRONG;
  if (hasAny(facts, MODELS, 0) || hasAny(facts, CREATION_PRODUCTS, 0)) scores.generate += HINT;
  if (hasAny(facts, EXTRACTION_PRODUCTS, 0)) scores.extract += HINT;
  if (hasAny(facts, CONVERSION_PRODUCTS, 0)) scores.transform += HINT;
  // "PDF text".
  if (CONTAINERS.has(facts.words[facts.head]!) && PARTS.has(last) && !STRUCTURES.has(last) && last !== facts.words[facts.head]) scores.extract += HINT;
  if (VIRTUES.has(last)) scores.validate += CLEAR;
  if (last !== facts.words[0] && FACTS.has(last)) scores.enrich += HINT;
}

const DETAILS = new Set(["details", "info", "information", "background"]);
const LOOKUP_KEYS = new Set("email id ids ip name domain city zip postcode ticker sku phone isbn handle username coordinates".split(" "));

function addFormatCues(scores: Scores, facts: ClauseFacts): void {
  const { words, action } = facts;
  if (gathersMany(facts)) return;
  // "Comma separated list".
  if (has(facts, "separated") || has(facts, "delimited")) scores.transform += CLEAR;
  // "Order rows by price".
  if (action === undefined && words[facts.head] === "order" && has(facts, "by")) scores.transform += STRONG;
  // "As plain text", "to title case".
  if (action === undefined && FORM_LINKS.has(words[facts.head]!) && (FORMATS.has(lastWord(facts)) || lastWord(facts) === "case")) {
    scores.transform += STRONG;
    return;
  }
  for (let at = facts.head; at + 1 < words.length; at += 1) {
    const word = words[at]!;
    if (word !== "to" && word !== "as" && word !== "into" && word !== "2" && word !== "in") continue;
    if (word === "in" && CASES.has(words[at + 1]!) && action !== undefined) {
      addEvidence(scores, { transform: STRONG });
      return;
    }
    const target = FORMATS.has(words[at + 1]!) || (action === undefined && MARKUP.has(words[at + 1]!) && MARKUP.has(words[at - 1] ?? "")) || (DETERMINERS.has(words[at + 1]!) && FORMATS.has(words[at + 2] ?? ""));
    if (!target || (word === "in" && action?.role !== "put")) continue;
    const pair = at - 1 === facts.head || FORMATS.has(words[at - 1] ?? "");
    if (action?.role === "put" || ((action?.role === "extract" || action?.role === "parse") && word !== "as")) addEvidence(scores, { transform: STRONG });
    else scores.transform += action !== undefined ? HINT : pair ? STRONG : CLEAR;
    return;
  }
  if (action === undefined && words.length <= 2 && FORMATS.has(lastWord(facts))) scores.transform += HINT;
  if (action === undefined && words.length - facts.head === 2 && FORMATS.has(words[facts.head]!) && STRUCTURES.has(lastWord(facts))) scores.transform += HINT;
}

const FORM_LINKS = new Set(["to", "as", "into"]);

/** Spellings: what is written in them is not written anew. */
const CASES = new Set(["upper", "lower", "capital", "capitals", "uppercase", "lowercase", "italics", "bold"]);

/** "Items into a list", "rows to array": many become one. */
function gathersMany(facts: ClauseFacts): boolean {
  if (facts.action !== undefined && facts.action.role !== "put") return false;
  // "Array from rows".
  if (ONE_OF_MANY.has(facts.words[facts.head]!) && facts.words[facts.head + 1] === "from" && hasAny(facts, MANY)) return true;
  const link = facts.words.findIndex((word) => word === "to" || word === "into" || (word === "in" && facts.action !== undefined));
  return link > 0 && (MANY.has(facts.words[link - 1]!) || (facts.action !== undefined && isPlural(facts.words[link - 1]!))) && facts.words.slice(link + 1, link + 4).some((word) => ONE_OF_MANY.has(word));
}

const MANY = new Set(["items", "rows", "records", "results", "lines", "messages", "pages", "values", "entries", "answers"]);
const ONE_OF_MANY = new Set(["list", "array", "item", "object", "string", "text", "row"]);

function addAggregateCues(scores: Scores, facts: ClauseFacts): void {
  const { words, action } = facts;
  if (gathersMany(facts)) scores.aggregate += CLEAR;
  if (has(facts, "together")) scores.aggregate += action?.role === "put" ? STRONG : CLEAR;
  const puts = action?.role === "put" || action?.role === "add";
  const into = Math.max(words.indexOf("into"), words.indexOf("to"), action?.role === "put" || action?.role === "get" ? words.indexOf("in") : -1);
  if (into >= 0 && words.some((word, at) => at > into && WHOLES.has(word) && !isPlural(words[at + 1] ?? ""))) scores.aggregate += puts || (action?.evidence.transform ?? 0) > CLEAR ? STRONG + CLEAR : CLEAR;
  else if (into >= 0 && (action?.evidence.send !== undefined || action?.role === "add") && words[words.length - 1] === "array" && !FORMATS.has(words[into - 1]!)) scores.aggregate += STRONG;
  if (action !== undefined || !facts.isName) return;
  // "One row per guest" parts what was together.
  if (words[facts.head] === "one" && has(facts, "per")) {
    scores.transform += STRONG;
    return;
  }
  if (hasAny(facts, WHOLES) || (COLLECTIONS.has(lastWord(facts)) && hasAny(facts, WHOLE_LISTS))) scores.aggregate += CLEAR;
  if (has(facts, "both") || has(facts, "per") || hasAny(facts, STATISTICS)) scores.aggregate += CLEAR;
}

const STATISTICS = new Set(["statistics", "stats", "totals", "subtotal", "subtotals"]);
