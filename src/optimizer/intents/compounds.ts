import type { Action } from "./action.ts";
import { findAction } from "./action-words.ts";
import { CARRIERS, CHANNELS, COMPARATIVES, DETERMINERS, DOERS, FORMATS, LINKS, LOOKUPS, MESSAGES, PREDICATES, RANKS, STATES, SUMMARIES, VIRTUES } from "./object-words.ts";
import { isDigits } from "./reading.ts";

/** "Message parser", "post summarization", "email is missing": the first word is a thing, not a deed. */
export function opensWithThing(words: readonly string[], at: number, action: Action): boolean {
  const next = words[at + 1] ?? "";
  // "Match found", "summary is empty", "extraction succeeded".
  if ((action.nounLike || action.form === "noun") && (happens(words, at) || COPULAS.has(next) || comparesNext(words, at) || next === "equals" || next === "exists")) return true;
  if ((action.nounLike || action.thing || action.form === "noun") && next === "not" && action.role !== "answer" && (HAPPENED.has(words[at + 2] ?? "") || STATES.has(words[at + 2] ?? ""))) return true;
  // "Newsletter writer" writes.
  if (action.form === "noun" && (at + 2 === words.length || (at + 3 === words.length && CARRIERS.has(words[at + 2]!))) && (findAction(words, at + 1)?.form === "noun" || TESTS.has(next) || LOOKUPS.has(next))) return true;
  // "Hash is different": no order goes on like this.
  if (COPULAS.has(next) && action.role !== "check" && action.role !== "verify") return true;
  if (action.role === "make" && next === "failed") return true;
  if (!action.thing && !action.nounLike) return false;
  if (comparesBehind(words, at)) return true;
  // "First match": in front of it stand only fillers.
  if (at > 0 && at === words.length - 1 && RANKS.has(words[at - 1]!)) return true;
  if (at + 2 === words.length && CHANNELS.has(words[at]!) && MESSAGES.has(next)) return true;
  if (at + 2 === words.length && (VIRTUES.has(next) || ((action.thing || action.role === "answer") && WORDINGS.has(next)))) return true;
  // "Email is missing", "report ready", "list to text": a thing and what is said of it.
  if (action.thing && (PREDICATES.has(next) || (STATES.has(next) && next !== "error" && (at + 2 === words.length || LINKS.has(words[at + 2]!) || STATES.has(words[at + 2]!))) || next === "not" || next === "or" || next === "vs")) return true;
  if (action.role === "answer" && at + 2 === words.length && DECIDERS.has(next)) return true;
  // "Chat summary".
  if (SUMMED_UP.has(words[at]!) && at + 2 === words.length && SUMMARIES.has(next)) return true;
  if ((action.thing || action.role === "answer") && (DOERS.has(words[words.length - 1]!) || (at + 2 === words.length && findAction(words, at + 1)?.form === "noun"))) return true;
  if ((next === "to" || next === "into") && FORMATS.has(words[at + 2] ?? "") && FORMATS.has(words[at]!)) return true;
  // "Tag string to array".
  if (FORMATS.has(next) && words[at + 2] === "to" && FORMATS.has(words[at + 3] ?? "")) return true;
  return endsInDoer(nounPhrase(words, at), at, action);
}

/** "Message parser", "spam filter", "upload validation for the shop": what stands last does, what stands first is its object. */
function endsInDoer(words: readonly string[], at: number, action: Action): boolean {
  const next = words[at + 1] ?? "";
  if (words.some((word, index) => index > at && (LINKS.has(word) || DETERMINERS.has(word)))) return false;
  for (let end = words.length - 1; end > at && (end === words.length - 1 || CARRIERS.has(words[end + 1]!)); end -= 1) {
    const word = words[end]!;
    const last = findAction(words, end);
    if (action.nounLike && end === at + 1 && isMadeOfNoun(words[at]!, word, last)) return true;
    if (!action.thing && ORDERS.has(words[at]!) && THING_DOERS.has(word)) return false;
    if (last?.form === "noun" && SUMMARIES.has(word) && PERIODIC.has(next)) return false;
    if (last?.form === "noun" && (action.thing || word.endsWith("er") || word.endsWith("or") || namesProcess(word, last))) return true;
    if (last?.role === "check" || (action.thing && last?.form === "base" && DECIDERS.has(word))) return true;
    if (action.thing && LOOKUPS.has(word)) return true;
  }
  return false;
}

/** The words before "for", "from" and the like, where two or more stand there. */
function nounPhrase(words: readonly string[], at: number): readonly string[] {
  for (let index = at + 2; index < words.length; index += 1) if (ASIDES.has(words[index]!)) return SUMMARIES.has(words[index - 1]!) ? words : words.slice(0, index);
  return words;
}

export const ASIDES = new Set(["for", "from", "via", "using", "with", "in"]);

/** "Upload validation": a process, not a thing that could be uploaded ("upload translation"). */
function namesProcess(word: string, deed: Action): boolean {
  if (MADE_THINGS.has(word) || !(word.endsWith("ion") || word.endsWith("ing"))) return false;
  return deed.evidence.send === undefined && deed.evidence.conditional === undefined;
}

/** Deeds whose names also name what comes of them. */
const MADE_THINGS = new Set(["translation", "calculation", "selection", "collection", "combination", "transcription", "suggestion", "recommendation", "explanation", "prediction", "composition", "replacement"]);

/** "Stock below 5", "rating less than 3". */
export function comparesNext(words: readonly string[], at: number): boolean {
  const next = words[at + 1] ?? "";
  return COMPARATIVES.has(next) && at + 2 < words.length && (!MEASURES.has(next) || words[at + 2] === "than" || words[at + 2] === "to");
}

const MEASURES = new Set(["greater", "less", "more", "higher", "lower", "equal"]);

/** "Message length > 40": names what is compared. */
export function comparesBehind(words: readonly string[], at: number): boolean {
  for (let index = at + 1; index < words.length - 1; index += 1) if (words[index] === "equals" || ((words[index] === "above" || words[index] === "below") && isDigits(words[index + 1]!))) return index - at <= 2 && words.length - index <= 3 && !ORDERS.has(words[at]!);
  return false;
}

/** Nouns as well, but in front of a step's name always orders. */
const ORDERS = new Set("set update save store upsert archive sync return share collect gather join keep include attach insert add inject restrict list check filter limit drop remove".split(" "));
/** Named like doers, yet things that are set or added. */
const THING_DOERS = new Set(["counter", "reminder", "newsletter", "sender", "folder", "number"]);

/** "Score filter", "branch merge", "import notification": the first word is a noun here, unless it orders most of the time. */
function isMadeOfNoun(first: string, last: string, deed: Action | undefined): boolean {
  if (ORDERS.has(first)) return false;
  if (TESTS.has(last)) return true;
  if (WORKS.has(first)) return false;
  return LOOKUPS.has(last) || (deed?.form === "base" && !deed.thing && !deed.nounLike) || (deed?.form === "noun" && deed.evidence.send !== undefined && last.endsWith("ion"));
}

export const LIKENESSES = new Set(["no", "any", "same", "different", "another"]);
const WORKS = new Set("format process map design draft review plan check test group route switch limit".split(" "));
const TESTS = new Set(["filter", "switch", "gate", "guard"]);
const PERIODIC = new Set(["daily", "weekly", "monthly", "new", "final", "short"]);

/** "Match found", "rate limit exceeded". */
function happens(words: readonly string[], at: number): boolean {
  const length = words.length - at;
  return HAPPENED.has(words[words.length - 1]!) && (length === 2 || (length === 3 && !ORDERS.has(words[at]!) && !LINKS.has(words[at + 1]!) && words[at + 1] !== "if" && words[at + 1] !== "not"));
}

/** What a message is made of before it is sent ("email copy"). */
const WORDINGS = new Set("copy title titles headline headlines caption captions ideas idea description outline hashtags prompt script text wording slogan".split(" "));

/** Of these a summary is made more often than they are done to one. */
const SUMMED_UP = new Set("review chat plan search research audit test match order call project status".split(" "));

/** What became of something: behind a noun it states, behind a verb it would mean nothing. */
const HAPPENED = new Set(["found", "exists", "exist", "succeeded", "reached", "exceeded", "happened", "occurred", "hit", "passed", "enabled", "disabled", "ready", "available", "needed", "required"]);
export const COPULAS = new Set(["is", "are", "was", "were", "has", "isnt", "arent", "starts", "ends", "contains", "exceeds"]);

/** Last words that make a compound of a thing before them ("message switch"). */
const DECIDERS = new Set(["switch", "filter", "gate", "branch", "test", "guard", "review", "audit", "split", "map", "draft"]);
