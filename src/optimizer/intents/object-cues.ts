import { CLEAR, type ClauseFacts, has, hasAny, HINT, lastWord, mainNoun, namesKeyPoints, namesSummary, STRONG } from "./clause-facts.ts";
import { addEvidence, type Scores } from "./intent.ts";
import { CHANNELS, COLLECTIONS, CONTAINERS, CONTENT, DEFECTS, FACTS, FORMATS, LENGTHS, LINKS, LOOKUPS, MARKUP, MENTIONS, MODELS, PARTS, QUALITIES, RANKS, RECIPIENTS, STATES, STORES, STRUCTURES, SUMMARIES, WAYS, WHOLES } from "./object-words.ts";

/** Verbs that say little alone, read with what they act on. */
export function addObjectCues(scores: Scores, facts: ClauseFacts): void {
  const { objectAt } = facts;
  // "Message a model".
  if (facts.action?.thing === true && facts.action.evidence.send !== undefined && facts.words.slice(objectAt, objectAt + 2).some((word) => ASKED.has(word))) addEvidence(scores, { generate: STRONG, send: -HINT });
  switch (facts.action?.role) {
    case "make":
      addMadeThing(scores, facts);
      break;
    case "write":
      if (namesSummary(facts)) addEvidence(scores, { summarize: STRONG, generate: -HINT });
      break;
    case "extract":
      if (namesSummary(facts) || namesKeyPoints(facts)) addEvidence(scores, { summarize: STRONG, extract: -HINT });
      break;
    case "get":
    case "tell":
      addGottenThing(scores, facts);
      break;
    case "search":
      if (hasAny(facts, DEFECTS, objectAt)) addEvidence(scores, { validate: STRONG, enrich: -HINT });
      else if (!hasAny(facts, STORES, objectAt) && findsInText(facts)) addEvidence(scores, { extract: CLEAR, enrich: -HINT });
      break;
    case "add":
      if (addsField(facts)) scores.transform += CLEAR;
      else if (has(facts, "to", objectAt) || has(facts, "with", objectAt) || hasAny(facts, FACTS, objectAt)) scores.enrich += HINT;
      break;
    case "check":
      addCheckedThing(scores, facts);
      break;
    case "remove":
      if (hasAny(facts, MARKUP, objectAt) || cleansText(facts)) addEvidence(scores, { transform: CLEAR, filter: -HINT });
      break;
    case "choose":
      if (hasAny(facts, WAYS, objectAt)) addEvidence(scores, { conditional: CLEAR, filter: -HINT });
      else if (takesOut(facts)) addEvidence(scores, { extract: CLEAR, filter: -HINT });
      break;
    case "confirm":
      if (facts.words.some((word, at) => at >= objectAt && ((REPORTING_LINKS.has(facts.words[at - 1]!) && CHANNELS.has(word)) || (word === "to" && hasAny(facts, RECIPIENTS, at))))) addEvidence(scores, { send: STRONG });
      break;
    case "append":
      if (hasAny(facts, KNOWLEDGE, objectAt) || hasAny(facts, LOOKUPS, objectAt)) addEvidence(scores, { enrich: STRONG });
      break;
    case "answer":
      if (hasAny(facts, CHANNELS, objectAt)) scores.send += CLEAR;
      else if (facts.words[objectAt] === "to" && hasAny(facts, RECIPIENTS, objectAt)) scores.send += STRONG;
      else if (has(facts, "to", objectAt) || hasAny(facts, RECIPIENTS, objectAt)) scores.send += HINT;
      break;
    case "post":
      if (has(facts, "to", objectAt) || hasAny(facts, CHANNELS, objectAt)) scores.send += HINT;
      break;
    case "fix":
      if ([lastWord(facts), mainNoun(facts)].some((word) => FORMATS.has(word) || STRUCTURES.has(word))) addEvidence(scores, { transform: CLEAR, generate: -HINT });
      break;
    case "compute":
      if (hasAny(facts, TOTALS, objectAt)) addEvidence(scores, { aggregate: CLEAR });
      break;
    case "sum":
      if (hasAny(facts, TOTALS, objectAt) || hasAny(facts, AMOUNTS, objectAt)) addEvidence(scores, { aggregate: STRONG + HINT });
      break;
    case "prepare":
      if (namesSummary(facts)) scores.summarize += CLEAR;
      if ((facts.words[objectAt] === "a" || facts.words[objectAt] === "an") && hasAny(facts, CONTENT, objectAt)) addEvidence(scores, { generate: CLEAR });
      break;
    case "compress":
      if (hasAny(facts, ADDRESSES, objectAt)) addEvidence(scores, { transform: STRONG, summarize: -HINT });
      if (hasAny(facts, PROSE, objectAt) || hasAny(facts, SUMMARIES, objectAt)) addEvidence(scores, { summarize: CLEAR, transform: -HINT });
      break;
    case "detect":
      if (hasAny(facts, DEFECTS, facts.action.form === "noun" ? facts.head : objectAt)) addEvidence(scores, { validate: CLEAR, extract: -HINT });
      break;
    case "parse":
    case "store":
    case "put":
    case "update":
    case "verify":
    case undefined:
      break;
  }
}

/** "Find dates in the letter", "search this log". */
function findsInText(facts: ClauseFacts): boolean {
  const { words, objectAt } = facts;
  const inAt = wordsIndex(facts, "in", objectAt);
  if (hasAny(facts, CONTAINERS, inAt) || (inAt < words.length && PARTS.has(words[inAt - 1] ?? ""))) return true;
  const names = SEARCHED.some((word) => has(facts, word, objectAt)) || (words[objectAt] === "the" && TEXTS.has(words[objectAt + 1] ?? ""));
  return names && hasAny(facts, TEXTS, objectAt) && !has(facts, "for", objectAt);
}

function addsField(facts: ClauseFacts): boolean {
  if (has(facts, "from", facts.objectAt) || has(facts, "by", facts.objectAt)) return false;
  return hasAny(facts, ADDED_FIELDS, facts.objectAt) || (hasAny(facts, ADDED_KEYS, facts.objectAt) && !has(facts, "to", facts.objectAt));
}

/** "Spam check" is the name of a test, "check spam" a question. */
function addCheckedThing(scores: Scores, facts: ClauseFacts): void {
  const { words, head, objectAt } = facts;
  if ((words.length === objectAt || LINKS.has(words[objectAt]!)) && objectAt - 1 > head) addEvidence(scores, hasAny(facts, SITUATIONS) ? { conditional: STRONG } : { validate: STRONG });
  else if (hasAny(facts, DEFECTS, objectAt) && words[objectAt] !== "for") addEvidence(scores, { validate: STRONG });
  if (STATES.has(lastWord(facts)) && words.length > objectAt + 1) scores.conditional += CLEAR;
  else if ((words.some((word, at) => at >= head && QUALITIES.has(word) && !MEANS.has(words[at - 1] ?? "")) || QUALITY.test(mainNoun(facts))) && !has(facts, "if")) addEvidence(scores, { validate: CLEAR });
  else if (facts.isName && !hasAny(facts, LOOKUPS, objectAt)) scores.conditional += HINT;
}

/** "Get the body of the letter". */
function takesPart(facts: ClauseFacts): boolean {
  const of = wordsIndex(facts, "of", facts.objectAt);
  return PARTS.has(facts.words[of - 1] ?? "") && hasAny(facts, CONTAINERS, of);
}

/** "Remove times from the transcript": a text stays a text. */
function cleansText(facts: ClauseFacts): boolean {
  const from = wordsIndex(facts, "from", facts.objectAt);
  return facts.words.slice(from + 1).some((word) => TEXTS.has(word) || CLEANSED.has(word));
}

/** Where `link` stands behind `from`, or behind the last word where it does not. */
function wordsIndex({ words }: ClauseFacts, link: string, from: number): number {
  const at = words.indexOf(link, from);
  return at < 0 ? words.length : at;
}

/** What is known of a thing, as against the things themselves. */
const KNOWLEDGE = new Set(["info", "information", "details", "detail", "profile", "profiles", "metadata", "context", "history"]);
const ASKED = new Set([...MODELS, "model"]);
/** "Deliverability", "uniqueness": what a thing is measured by. */
const QUALITY = /^(?!availability|business|facility|capability).+(?:ility|ness)$/;
/** Behind these stands with what a check is made, not what is checked. */
const MEANS = new Set(["via", "using", "with", "from", "by"]);
/** What a check of only tells which way to go ("weekday check"). */
const SITUATIONS = new Set("status state existence exists weekday weekend day hours limit threshold role loop type language admin".split(" "));
const ADDRESSES = new Set(["url", "urls", "link", "links"]);
const CLEANSED = new Set(["title", "name", "filename", "description", "output", "answer", "response", "caption"]);
const REPORTING_LINKS = new Set(["by", "via", "per", "over", "on", "in"]);
const SEARCHED = ["in", "within", "inside", "from", "through", "this"];
const CHOSEN = new Set(["latest", "newest", "oldest", "first", "last", "recent", "best", "cheapest", "largest", "smallest", "unique", "distinct", "random", "unread", "unprocessed", "active", "inactive"]);
const TEXTS = new Set(["text", "texts", "html", "body", "document", "message", "string", "markdown", "pdf", "transcript", "log", "logs", "page"]);
/** Texts that people read. */
const PROSE = new Set(["text", "transcript", "history", "thread", "conversation", "chat", "notes", "article", "report", "essentials"]);
const ADDED_FIELDS = new Set(["field", "fields", "column", "columns", "timestamp", "property", "prefix", "suffix", "index", "params", "parameters", "offset", "variable", "variables", "header", "footer", "day", "days", "hour", "hours", "minutes", "month", "months", "quotes", "zeros", "line", "newline"]);
/** Of another thing's record when they are added to something. */
const ADDED_KEYS = new Set(["key", "keys", "number", "numbers"]);
const TOTALS = new Set(["average", "averages", "sum", "sums", "total", "totals", "mean", "median", "count", "counts", "subtotals"]);
const AMOUNTS = new Set("numbers amounts costs hours prices scores figures values expenses invoices revenue sales points votes items lines".split(" "));

function addMadeThing(scores: Scores, facts: ClauseFacts): void {
  if (namesSummary(facts) || hasAny(facts, SHORTER, facts.objectAt)) addEvidence(scores, { summarize: STRONG, generate: -HINT });
  else if (facts.words.some((word, at) => at >= facts.objectAt && word === "of" && COLLECTIONS.has(facts.words[at - 1]!)) && !hasAny(facts, CONTENT, facts.objectAt)) addEvidence(scores, { aggregate: STRONG, generate: -HINT });
  else if (facts.words.some((word, at) => at >= facts.objectAt && WHOLES.has(word) && !LENGTHS.has(facts.words[at + 1] ?? ""))) addEvidence(scores, { aggregate: STRONG, generate: -HINT });
  else if (COLLECTIONS.has(lastWord(facts))) addEvidence(scores, { aggregate: STRONG, generate: -HINT });
  else if (DATA_FORMATS.has(facts.words[facts.objectAt] ?? "") || DATA_FORMATS.has(lastWord(facts))) addEvidence(scores, { transform: STRONG, generate: -HINT });
  else if (CASES.some((word) => has(facts, word, facts.objectAt))) addEvidence(scores, { transform: STRONG, generate: -HINT });
  else if ((STRUCTURES.has(lastWord(facts)) && !hasAny(facts, CONTENT, facts.objectAt)) || (mainNoun(facts) !== lastWord(facts) && STRUCTURES.has(mainNoun(facts)))) addEvidence(scores, { transform: STRONG, generate: -HINT });
  else if (hasAny(facts, CONTENT, facts.objectAt)) scores.generate += HINT;
  else if (facts.action?.evidence.transform !== undefined && FORMATS.has(lastWord(facts))) scores.transform += CLEAR;
}

const DATA_FORMATS = new Set(["json", "jsonl", "csv", "tsv", "xml", "yaml", "xlsx", "binary"]);
const CASES = ["lower", "upper", "lowercase", "uppercase"];
const SHORTER = new Set(["shorter", "concise", "briefer", "brief"]);

/** By these a thing is looked up, even where they are written "from". */
const KEYS = new Set(["coordinates", "ip", "phone", "zip", "postcode", "sku"]);

const LEAD_IN_WORDS = 6;

/** "List the people who appear in the minutes". */
function isMentioned({ whole }: ClauseFacts): boolean {
  const relative = whole.findIndex((word) => word === "who" || word === "that" || word === "which");
  return relative > 0 && whole.slice(relative + 1).some((word) => MENTIONS.has(word) && word !== "list" && word !== "name");
}

/** "Take the number from the letter"; "pick the best from the list" chooses. */
function takesOut({ words, objectAt }: ClauseFacts): boolean {
  const from = words.indexOf("from", objectAt);
  if (from < 0 || words.slice(objectAt).some((word) => word === "list" || RANKS.has(word) || CHOSEN.has(word))) return false;
  return words.slice(from + 1, from + 4).some((word) => CONTAINERS.has(word));
}

/** Something gotten from a file or a text is taken out of it; something gotten by or for another thing is looked up. */
function addGottenThing(scores: Scores, facts: ClauseFacts): void {
  const { words, objectAt } = facts;
  if ((namesSummary(facts) && !has(facts, "by", objectAt)) || namesKeyPoints(facts)) scores.summarize += STRONG;
  // "Get the latest file": one of many is chosen.
  if (words.slice(objectAt, objectAt + 2).some((word) => CHOSEN.has(word))) scores.filter += CLEAR;
  const out = words.indexOf("out", objectAt);
  const from = words.indexOf("from", objectAt);
  const source = from >= 0 ? from : Math.max(words.indexOf("in", objectAt), words.indexOf("on", objectAt));
  // "From the letter, list …": the source stands before the order.
  const led = (facts.whole[0] === "from" || facts.whole[0] === "in") && facts.whole !== words && facts.whole.slice(1, LEAD_IN_WORDS).some((word) => CONTAINERS.has(word));
  if (has(facts, "count", objectAt)) scores.aggregate += CLEAR;
  if (source >= 0 && (hasAny(facts, STORES, source) || hasAny(facts, KEYS, source))) scores.enrich += CLEAR;
  else if (led || isMentioned(facts) || (out >= 0 && words.includes("of", out)) || takesPart(facts) || (source >= 0 && (hasAny(facts, CONTAINERS, source) || (from > 0 && PARTS.has(words[from - 1]!))))) addEvidence(scores, { extract: CLEAR });
  else if (has(facts, "by", objectAt) || has(facts, "for", objectAt)) scores.enrich += HINT;
  else if (FACTS.has(lastWord(facts))) scores.enrich += HINT;
  else if (PARTS.has(lastWord(facts))) addEvidence(scores, RECIPIENTS.has(words[words.length - 2]!) ? { enrich: HINT } : { extract: HINT });
}
