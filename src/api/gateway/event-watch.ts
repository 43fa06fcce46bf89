import { measureTokens } from "../../optimizer/tokens/tokens.ts";

/** What is learnt from a streamed chat completion while its bytes go by. */
export interface EventWatch {
  /** Takes whole events and gives what of them is passed on, mostly the same bytes; null for nothing. */
  take: (events: Uint8Array) => Uint8Array | null;
  /** What is missing of an answer that is complete and over: the usage that the client asked for, and the end mark, which some providers leave out. */
  finish: () => Uint8Array | null;
  /** Whether there has been something of an answer: until then another model can still take over. */
  readonly hasBegun: boolean;
  /** Whether the provider said that the answer is complete. */
  readonly isComplete: boolean;
  /** The provider's count; null until it comes. */
  readonly usage: object | null;
  /** The `error` of an event that reported one; null when none did. */
  readonly error: unknown;
  /** Estimated from the text that went by. */
  readonly outputTokens: number;
}

export interface EventWatchOptions {
  /** The client asked for several answers at once: one of them that is finished does not say that all are. */
  hasSeveral?: boolean;
  /** The client asked for the usage chunk. Otherwise it is taken out: it was asked for on our own account. */
  isUsageWanted: boolean;
  /** Cost in US dollars by the provider's `usage`; null: none was reported, so by the estimates. */
  costOf: (usage: object | null) => number;
  /** The `usage` of a provider that reported none. */
  estimateUsage: () => object;
}

/** One event that carries data. */
interface WireChunk {
  choices?: unknown;
  usage?: unknown;
  error?: unknown;
  [key: string]: unknown;
}

/** Signs of what must be looked at closely. Inside JSON strings quotes are escaped, so that a model's words match none of them but the last. */
const NEEDS_READING = /"usage"\s*:\s*\{|"error"\s*:\s*[{"]|\[DONE\]/;
const IS_FINISHED = /"finish_reason"\s*:\s*"/;
const START_OF_TEXT = /(?:content|arguments|reasoning|refusal)"\s*:\s*"/g;
const DONE = "[DONE]";

/** Reads as little as it can: once the answer has begun, a chunk without usage or error is decoded and searched, but never parsed. */
export function createEventWatch(options: EventWatchOptions): EventWatch {
  const decoder = new TextDecoder();
  const encoder = new TextEncoder();
  let hasBegun = false;
  let isComplete = false;
  let isMarked = false;
  let usage: object | null = null;
  let error: unknown = null;
  let outputTokens = 0;
  let head: WireChunk = {};

  const missingUsage = (): string => {
    if (!options.isUsageWanted || usage !== null || !hasBegun) return "";
    return frame(usageChunk(head, { ...options.estimateUsage(), cost_usd: options.costOf(null) }));
  };
  const readEvent = (event: string): string => {
    const data = dataOf(event);
    if (data === null) return event;
    if (data === DONE) {
      isComplete = true;
      isMarked = true;
      return missingUsage() + event;
    }
    const chunk = parseChunk(data);
    if (chunk === null) return event;
    if (!hasBegun) head = chunk;
    hasBegun ||= hasAnswer(chunk);
    if (chunk.error != null) error = chunk.error;
    if (!isRecord(chunk.usage)) return event;
    usage = chunk.usage;
    if (options.isUsageWanted) return frame({ ...chunk, usage: { ...chunk.usage, cost_usd: options.costOf(chunk.usage) } });
    const isUsageOnly = Array.isArray(chunk.choices) && chunk.choices.length === 0;
    return isUsageOnly ? "" : event;
  };

  return {
    take(events) {
      const text = decoder.decode(events);
      isComplete ||= options.hasSeveral !== true && IS_FINISHED.test(text);
      outputTokens += measureDeltas(text);
      if (hasBegun && !NEEDS_READING.test(text)) return events;
      const passedOn = splitEvents(text).map(readEvent).join("");
      if (passedOn === "") return null;
      return passedOn === text ? events : encoder.encode(passedOn);
    },
    finish() {
      return isMarked ? null : encoder.encode(`${missingUsage()}data: ${DONE}\n\n`);
    },
    get hasBegun() {
      return hasBegun;
    },
    get isComplete() {
      return isComplete;
    },
    get usage() {
      return usage;
    },
    get error() {
      return error;
    },
    get outputTokens() {
      return Math.ceil(outputTokens);
    },
  };
}

/** Tokens of the texts in events that were not parsed. An expression for whole strings would run out of stack on an image. */
function measureDeltas(text: string): number {
  let tokens = 0;
  START_OF_TEXT.lastIndex = 0;
  // `matchAll` would copy the expression and make objects, for every chunk.
  while (START_OF_TEXT.test(text)) {
    const start = START_OF_TEXT.lastIndex;
    let end = text.indexOf('"', start);
    while (end > 0 && text[end - 1] === "\\") end = text.indexOf('"', end + 1);
    tokens += measureTokens(text.slice(start, end < 0 ? text.length : end));
  }
  return tokens;
}

/** An event of a chat completion's stream. */
export function frame(chunk: object): string {
  return `data: ${JSON.stringify(chunk)}\n\n`;
}

/** Each with the blank line that ends it. */
function splitEvents(text: string): string[] {
  return text.split(/(?<=\r?\n\r?\n)/);
}

/** The data of an event; null for comments and empty ones. */
function dataOf(event: string): string | null {
  const lines = event.split(/\r?\n/).flatMap((line) => (line.startsWith("data:") ? [line.slice(line.startsWith("data: ") ? 6 : 5)] : []));
  return lines.length === 0 ? null : lines.join("\n").trim();
}

function parseChunk(data: string): WireChunk | null {
  try {
    const value: unknown = JSON.parse(data);
    return isRecord(value) ? value : null;
  } catch {
    return null;
  }
}

/** Something that a reader would see: a role alone, or a plain end without a word before it, is no answer. */
function hasAnswer({ choices }: WireChunk): boolean {
  if (!Array.isArray(choices)) return false;
  return choices.filter(isRecord).some((choice) => {
    if (typeof choice["finish_reason"] === "string" && choice["finish_reason"] !== "stop") return true;
    return isRecord(choice["delta"]) && hasContent(choice["delta"]);
  });
}

/** Whether a message or a delta says anything beside whose it is. */
export function hasContent(message: Record<string, unknown>): boolean {
  return Object.entries(message).some(([key, value]) => key !== "role" && saysSomething(value));
}

/** Some providers send every field that they know, filled with nothing. White space alone is no answer either, as in workflows. */
function saysSomething(value: unknown): boolean {
  if (typeof value === "string") return value.trim() !== "";
  if (typeof value !== "object" || value === null) return value !== null && value !== false;
  return Object.values(value).some(saysSomething);
}

function usageChunk(head: WireChunk, usage: object): object {
  return { id: head["id"], object: "chat.completion.chunk", created: head["created"], model: head["model"], choices: [], usage };
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
