import { type ClauseFacts, CLEAR, has, hasAny, HINT, lastWord, mainNoun, namesKeyPoints, STRONG } from "./clause-facts.ts";
import { addConditionCues, isPlural } from "./condition-cues.ts";
import { addFilterCues, EXCLUSIONS } from "./filter-cues.ts";
import { addEvidence, type Scores } from "./intent.ts";
import { addObjectCues } from "./object-cues.ts";
import { CHANNELS, COLLECTIONS, CONTAINERS, CONTENT, DETERMINERS, DOERS, FACTS, FORMATS, LENGTHS, LOOKUPS, MARKUP, MENTIONS, MESSAGES, MODELS, PARTS, QUESTION_WORDS, RANKS, RECIPIENTS, STATES, STRUCTURES, SUMMARIES, VIRTUES, WAYS, WHOLES, WHOLE_LISTS } from "./object-words.ts";
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
  else if (facts.isName && CHOICES.has(word) && facts.words.length <= 3 && next !== "is" && next !== "are") scores.conditional += CLEAR;
  else if (word === "where" && (next === "should" || next === "to")) scores.conditional += CLEAR;
  else if (facts.asks) scores.generate += facts.action === undefined ? CLEAR : HINT;
}

/** "Which button was pressed?": a name of up to so many words asks itself. */
const ASIDE_QUESTION_WORDS = 5;

const CHOICES = new Set(["which", "who", "whose", "what"]);
const HAPPENINGS = new Set("happened said discussed decided agreed concluded happen say discuss decide agree conclude important".split(" "));

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
  // "Ask the host for slides".
  if (first === "ask" && has(facts, "for") && !hasAny(facts, MODELS)) scores.send += CLEAR;
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
  if (hasAny(facts, LOOKUPS) || hasAny(facts, LOOKUP_PRODUCTS)) scores.enrich += facts.action === undefined || (facts.action.role !== undefined && facts.action.role !== "compute") ? CLEAR : HINT;
  if (facts.action !== undefined) return;
  if (has(facts, "from") && hasAny(facts, CONTAINERS, facts.words.indexOf("from")) && !namesKeyPoints(facts)) scores.extract += CLEAR;
  if (facts.addressed && facts.whole.some((word) => MENTIONS.has(word))) scores.extract += CLEAR;
  if (SUMMARIES.has(last) || namesKeyPoints(facts) || (last === "version" && hasAny(facts, SHORT))) scores.summarize += CLEAR;
  if (CONTENT.has(last) && !hasAny(facts, LOOKUPS) && !facts.words.slice(0, facts.head + 1).some((word) => RANKS.has(word))) scores.generate += CLEAR;
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
  if (action === undefined && words.length <= 2 && FORM_NAMES.has(lastWord(facts))) scores.transform += HINT;
  if (action === undefined && words.length - facts.head === 2 && FORMATS.has(words[facts.head]!) && STRUCTURES.has(lastWord(facts))) scores.transform += HINT;
}

const FORM_NAMES = new Set("json jsonl csv tsv xml html markdown md yaml pdf xlsx xls excel base64 binary hex slug timestamp utc iso".split(" "));
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
  else if (into >= 0 && (action?.evidence.send !== undefined || action?.evidence.aggregate !== undefined || action?.role === "add") && words[words.length - 1] === "array" && !FORMATS.has(words[into - 1]!)) scores.aggregate += STRONG;
  if (action !== undefined || !facts.isName) return;
  // "One row per guest" parts what was together, "one per guest" chooses.
  if (words[facts.head] === "one" && (has(facts, "per") || has(facts, "each"))) {
    addEvidence(scores, FORMATS.has(words[facts.head + 1] ?? "") || words[facts.head + 2] === "per" ? { transform: STRONG } : { filter: STRONG });
    return;
  }
  if (words.some((word, at) => WHOLES.has(word) && !RANKS.has(words[at - 1] ?? "")) || (COLLECTIONS.has(lastWord(facts)) && hasAny(facts, WHOLE_LISTS))) scores.aggregate += CLEAR;
  if (has(facts, "both") || has(facts, "per") || hasAny(facts, STATISTICS)) scores.aggregate += CLEAR;
}

const STATISTICS = new Set(["statistics", "stats", "totals", "subtotal", "subtotals"]);
