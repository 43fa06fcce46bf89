import { findAction } from "./action-words.ts";
import { DETERMINERS, FILLERS, LEAD_INS, QUESTION_WORDS } from "./object-words.ts";
import type { Clause } from "./reading.ts";

/** A clause without what only wraps, leads in, forbids or qualifies: what is left says what is to be done. */
export interface Frame {
  words: readonly string[];
  /** Index of the first word that is no filler. */
  head: number;
  /** A yes-or-no question; one that only asks politely ("could you …?") is an order. */
  asks: boolean;
  /** "I need …", "could you …": said to someone, so that nothing in it is a name's state or condition. */
  addressed: boolean;
  /** What is wanted is only a part ("I only want …"). */
  restricts: boolean;
  /** The clause with its relative clauses. */
  whole: readonly string[];
  /** The clause forbids what its first verb says ("do not pass on …"). */
  forbids: boolean;
}

/** Reads a clause's frame. `undefined` where the clause only sets the scene ("You are an editor", "Below is a contract"). */
export function readFrame(clause: Clause): Frame | undefined {
  const whole = clause.words;
  const start = skipLeadIn(whole, clause.comma);
  if (setsScene(whole, start)) return undefined;
  const { at: order, addressed } = skipAddress(whole, start);
  const forbids = isForbidding(whole, order);
  const at = forbids && whole[order] === "do" ? order + 1 : order;
  const words = whole.slice(at, endOfMain(whole, at));
  const head = skipProduct(words, skipFillers(words, 0));
  return { words, head, asks: clause.asks && !(addressed && !QUESTION_WORDS.has(words[head] ?? "")), addressed, restricts: addressed && whole.lastIndexOf("only", order) >= 0, whole, forbids };
}

/** "From the list below, keep …", "without changing it, put …", "do not rewrite it, just …": the order stands behind the comma. */
function skipLeadIn(words: readonly string[], comma: number): number {
  if (comma === 0) return 0;
  const opensAside = LEAD_INS.has(words[0]!) || isForbidding(words, 0) || words[0] === "no" || NOTHING.has(words[1] ?? "");
  return opensAside ? comma : 0;
}

const NOTHING = new Set(["nothing", "none", "neither"]);

/** "You are a writer", "here is the log", "below is a contract". */
function setsScene(words: readonly string[], start: number): boolean {
  const first = words[start];
  const second = words[start + 1] ?? "";
  if (first === "you") return second === "are" && ARTICLES.has(words[start + 2] ?? "");
  return SCENE_OPENERS.has(first ?? "") && (second === "is" || second === "are");
}

const ARTICLES = new Set(["a", "an", "the", "my", "our"]);
const SCENE_OPENERS = new Set(["here", "below", "above", "following", "attached"]);

/** Longest way to the "to" of a wish ("I would like you please to …"). */
const WISH_WORDS = 7;

/** Skips what addresses the reader before the order itself: "could you", "I need you to", "your task is to", "do not forget to". */
function skipAddress(words: readonly string[], start: number): { at: number; addressed: boolean } {
  const front = skipFillers(words, start);
  const addressed = MODALS.has(words[front]!) && ADDRESSEES.has(words[front + 1] ?? "") && !(ASKING.has(words[front]!) && SPEAKERS.has(words[front + 1]!));
  const at = addressed ? skipFillers(words, front + 2) : start;
  const wish = words.findIndex((word, index) => index >= start && index < start + WISH_WORDS && WISHES.has(word));
  if (wish < 0 || !opensWish(words, start, wish)) return { at, addressed };
  const to = words.indexOf("to", wish);
  // "Your task is a dialogue" wishes for a thing, "I need you to …" for a deed.
  if (to > 0 && to - wish <= 3) return { at: to + 1, addressed: true };
  return { at: Math.max(at, words[wish + 1] === "is" ? wish + 2 : wish + 1), addressed: true };
}

const MODALS = new Set(["can", "could", "will", "would", "might", "may", "shall", "should"]);
/** "Should we reply" asks for a decision, "could we have a list" politely for a list. */
const ASKING = new Set(["should", "shall", "may"]);
const ADDRESSEES = new Set(["you", "we", "i", "u", "someone", "somebody", "anyone"]);
const SPEAKERS = new Set(["we", "i"]);
const WISHES = new Set(["like", "love", "want", "wants", "need", "needs", "wish", "have", "task", "job", "goal", "aim", "forget", "remember", "ought", "supposed", "required", "necessary", "expected", "try", "going", "help", "sure"]);

/** A wish has a person in front of it ("I want", "your task", "we would like"), or is itself the order ("remember to"). */
function opensWish(words: readonly string[], start: number, wish: number): boolean {
  if (PERSONS.has(words[start]!)) return true;
  if (words[wish + 1] !== "to") return false;
  return wish === start || NEGATORS.has(words[wish - 1]!) || words[wish - 1] === "be" || words[wish - 1] === "make";
}

const PERSONS = new Set(["i", "id", "ill", "im", "we", "wed", "you", "your", "youre", "my", "our", "the", "there"]);

const NEGATORS = new Set(["dont", "never", "not", "without", "avoid"]);

/** Whether the word at `at` opens a prohibition: "do not send", "never send", "without sending". "Not empty" is none. */
function isForbidding(words: readonly string[], at: number): boolean {
  const first = words[at] ?? "";
  if (first === "do") return words[at + 1] === "not" && words[at + 2] !== "forget";
  return first !== "not" && NEGATORS.has(first) && words[at + 1] !== "forget";
}

/** Whether the verb at `at` is denied: "do not send", "without dropping". */
export function isDenied(words: readonly string[], at: number): boolean {
  return at > 0 && NEGATORS.has(words[at - 1]!);
}

/** A relative clause says of what, not what to do: it is cut, unless it stands alone in front. */
function endOfMain(words: readonly string[], from: number): number {
  for (let at = from + 2; at < words.length; at += 1) {
    const word = words[at]!;
    if (word === "that" || word === "who" || word === "whose" || (word === "which" && !PREPOSITIONS.has(words[at - 1]!))) return at;
  }
  return words.length;
}

const PREPOSITIONS = new Set(["on", "in", "to", "from", "of", "by", "me", "us", "out", "determine", "decide", "check", "see"]);

/**
 * The index of the participle of a passive that says what is to be done, or -1: "must be checked", "is sent to the guest",
 * "the rows are sorted". "Order was paid" and "address is verified" state what is, and are none.
 */
export function findPassive(frame: Frame): number {
  const { words, head, asks } = frame;
  if (asks) return -1;
  for (let at = head + 1; at + 1 < words.length; at += 1) {
    const ordered = words[at] === "be" && (ORDERING.has(words[at - 1]!) || words[at - 1] === "to");
    const told = words[at] === "is" || words[at] === "are" || words[at] === "gets" || words[at] === "get";
    if (!ordered && !told) continue;
    const participle = skipAdverbs(words, at + 1);
    if (findAction(words, participle)?.form !== "past") continue;
    if (ordered || words[at] === "are" || words.slice(0, head + 1).some((word) => DETERMINERS.has(word)) || OBLIQUES.has(words[participle + 1] ?? "")) return participle;
  }
  return -1;
}

const ORDERING = new Set(["should", "must", "shall", "can", "may", "will", "would"]);
const OBLIQUES = new Set(["by", "with", "to", "into", "from", "over", "in", "as"]);

function skipAdverbs(words: readonly string[], start: number): number {
  return words[start]?.endsWith("ly") === true || words[start] === "then" || words[start] === "first" ? start + 1 : start;
}

/** "Airtable update row", "Telegram post photo": in front of an order a product's name only says where. */
function skipProduct(words: readonly string[], head: number): number {
  if (head + 2 >= words.length || !PRODUCTS.has(words[head]!)) return head;
  const next = findAction(words, head + 1);
  return next?.form === "base" && !next.thing ? head + 1 : head;
}

const PRODUCTS = new Set("slack telegram gmail discord whatsapp outlook airtable notion hubspot salesforce pipedrive zendesk jira shopify stripe supabase postgres mysql mongodb redis github gitlab linear asana trello clickup monday todoist dropbox drive sheets calendar wordpress twilio mailchimp sendgrid odoo zoho freshdesk intercom baserow nocodb quickbooks xero openai gemini claude anthropic".split(" "));

/** "Batch rows" makes batches, "batch update rows" updates. */
function batches(words: readonly string[], at: number): boolean {
  if (words[at] !== "batch") return false;
  const next = findAction(words, at + 1);
  return next === undefined || next.thing || next.form === "third";
}

function skipFillers(words: readonly string[], start: number): number {
  let at = start;
  while (at < words.length - 1 && FILLERS.has(words[at]!) && !batches(words, at)) at += 1;
  return at;
}
