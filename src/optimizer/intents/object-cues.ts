import { CLEAR, type ClauseFacts, has, hasAny, HINT, lastWord, namesKeyPoints, namesSummary, STRONG } from "./clause-facts.ts";
import { addEvidence, type Scores } from "./intent.ts";
import { CHANNELS, CONTAINERS, CONTENT, FACTS, FORMATS, LOOKUPS, MARKUP, PARTS, QUALITIES, RECIPIENTS, STRUCTURES, WAYS, WHOLES } from "./object-words.ts";

/** Verbs that say little alone, read with what they act on. */
export function addObjectCues(scores: Scores, facts: ClauseFacts): void {
  const { objectAt } = facts;
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
      if (hasAny(facts, TEXTS, objectAt) && !has(facts, "for", objectAt)) addEvidence(scores, { extract: CLEAR, enrich: -HINT });
      break;
    case "add":
      if (hasAny(facts, ADDED_FIELDS, objectAt)) scores.transform += CLEAR;
      else if (has(facts, "to", objectAt) || has(facts, "with", objectAt) || hasAny(facts, FACTS, objectAt)) scores.enrich += HINT;
      else scores.transform += HINT;
      break;
    case "check":
      if (hasAny(facts, QUALITIES) && !has(facts, "if")) addEvidence(scores, { validate: CLEAR });
      else if (facts.isName && !hasAny(facts, LOOKUPS, objectAt)) scores.conditional += HINT;
      break;
    case "remove":
      if (hasAny(facts, MARKUP, objectAt)) addEvidence(scores, { transform: CLEAR, filter: -HINT });
      break;
    case "choose":
      if (hasAny(facts, WAYS, objectAt)) addEvidence(scores, { conditional: CLEAR, filter: -HINT });
      break;
    case "append":
      if (hasAny(facts, KNOWLEDGE, objectAt)) addEvidence(scores, { enrich: STRONG });
      break;
    case "answer":
      if (hasAny(facts, CHANNELS, objectAt)) scores.send += CLEAR;
      else if (has(facts, "to", objectAt) || hasAny(facts, RECIPIENTS, objectAt)) scores.send += HINT;
      break;
    case "post":
      if (has(facts, "to", objectAt) || hasAny(facts, CHANNELS, objectAt)) scores.send += HINT;
      break;
    case "fix":
      if (FORMATS.has(lastWord(facts)) || STRUCTURES.has(lastWord(facts))) addEvidence(scores, { transform: CLEAR, generate: -HINT });
      break;
    case "compute":
      if (hasAny(facts, TOTALS, objectAt)) addEvidence(scores, { aggregate: CLEAR });
      break;
    case "store":
    case "put":
    case "update":
    case "verify":
    case undefined:
      break;
  }
}

/** What is known of a thing, as against the things themselves. */
const KNOWLEDGE = new Set(["info", "information", "details", "detail", "profile", "profiles", "metadata", "context", "history"]);
const CHOSEN = new Set(["latest", "newest", "oldest", "first", "last", "recent", "best", "cheapest", "largest", "smallest", "unique", "distinct", "random", "unread", "unprocessed"]);
const TEXTS = new Set(["text", "texts", "html", "body", "document", "message", "string", "markdown", "pdf", "transcript", "log", "logs", "page"]);
const ADDED_FIELDS = new Set(["field", "fields", "column", "columns", "timestamp", "property", "prefix", "suffix", "index", "key", "keys", "variable", "variables"]);
const TOTALS = new Set(["average", "averages", "sum", "sums", "total", "totals", "mean", "median", "count", "counts", "subtotals"]);

function addMadeThing(scores: Scores, facts: ClauseFacts): void {
  if (namesSummary(facts) || hasAny(facts, SHORTER, facts.objectAt)) addEvidence(scores, { summarize: STRONG, generate: -HINT });
  else if (hasAny(facts, WHOLES, facts.objectAt)) addEvidence(scores, { aggregate: STRONG, generate: -HINT });
  else if (STRUCTURES.has(lastWord(facts)) && !hasAny(facts, CONTENT, facts.objectAt)) addEvidence(scores, { transform: STRONG, generate: -HINT });
  else if (hasAny(facts, CONTENT, facts.objectAt)) scores.generate += HINT;
}

const SHORTER = new Set(["shorter", "concise", "briefer", "brief"]);

/** Something gotten from a file or a text is taken out of it; something gotten by or for another thing is looked up. */
function addGottenThing(scores: Scores, facts: ClauseFacts): void {
  const { words, objectAt } = facts;
  if (namesSummary(facts) || namesKeyPoints(facts)) scores.summarize += STRONG;
  // "Get the latest file": one of many is chosen.
  if (words.slice(objectAt, objectAt + 2).some((word) => CHOSEN.has(word))) scores.filter += CLEAR;
  const out = words.indexOf("out", objectAt);
  const from = words.indexOf("from", objectAt);
  if ((out >= 0 && words.includes("of", out)) || (from >= 0 && hasAny(facts, CONTAINERS, from))) addEvidence(scores, { extract: CLEAR });
  else if (has(facts, "by", objectAt) || has(facts, "for", objectAt)) scores.enrich += HINT;
  else if (FACTS.has(lastWord(facts))) scores.enrich += HINT;
  else if (PARTS.has(lastWord(facts))) scores.extract += HINT;
}
