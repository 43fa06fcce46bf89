import type { Json } from "../../errors.ts";

type JsonRecord = { [key: string]: Json };

/** A message of the user with the answers to it: left out together or not at all, so that no answer stands without its question. */
export interface Exchange {
  /** Positions of its messages among the input's. */
  positions: number[];
  /** How many texts (as `readInputTexts` gives them, in order) its messages have. */
  texts: number;
}

/** The exchanges of a task's `messages` before the user's last message, without system texts. None where the input has no messages. */
export function readExchanges(input: Json): Exchange[] {
  const messages = messagesOf(input);
  const lastQuestion = messages.findLastIndex((message) => roleOf(message) === "user");
  const exchanges: Exchange[] = [];
  messages.slice(0, Math.max(0, lastQuestion)).forEach((message, at) => {
    if (roleOf(message) === "system") return;
    const exchange = exchanges.at(-1);
    const texts = countTexts(message);
    if (exchange === undefined || roleOf(message) === "user") return exchanges.push({ positions: [at], texts });
    exchange.positions.push(at);
    exchange.texts += texts;
  });
  return exchanges;
}

/** The input without these messages, which stood before the user's last; the next one that is sent says how many are missing. */
export function dropMessages(input: Json, dropped: ReadonlySet<number>): Json {
  let omitted = 0;
  const messages = messagesOf(input).flatMap((message, at) => {
    if (dropped.has(at)) omitted += 1;
    if (dropped.has(at)) return [];
    if (omitted === 0 || roleOf(message) === "system") return [message];
    const mark = `[… ${omitted} ${omitted === 1 ? "message" : "messages"} omitted]\n`;
    omitted = 0;
    return [prepend(mark, message)];
  });
  return { ...(input as JsonRecord), messages };
}

/** What has no text stays as it is: what is wrong with it is the prompt's to say. */
function prepend(mark: string, message: Json): Json {
  const content = isRecord(message) ? message["content"] : undefined;
  if (typeof content === "string") return { ...(message as JsonRecord), content: `${mark}${content}` };
  return Array.isArray(content) ? { ...(message as JsonRecord), content: [{ type: "text", text: mark }, ...content] } : message;
}

function messagesOf(input: Json): readonly Json[] {
  const messages = isRecord(input) ? input["messages"] : undefined;
  return Array.isArray(messages) ? messages : [];
}

function roleOf(message: Json): Json | undefined {
  return isRecord(message) ? message["role"] : undefined;
}

function countTexts(message: Json): number {
  const content = isRecord(message) ? message["content"] : undefined;
  return Array.isArray(content) ? content.filter((part) => isRecord(part) && typeof part["text"] === "string").length : typeof content === "string" ? 1 : 0;
}

function isRecord(value: Json): value is JsonRecord {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
