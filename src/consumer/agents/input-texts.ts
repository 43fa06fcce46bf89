import type { Json } from "../../errors.ts";

type JsonRecord = { [key: string]: Json };

/** The texts of a task's input that may be long, what they ask, and the same input with other texts. */
export interface InputTexts {
  texts: string[];
  question: string;
  /** Takes as many texts as were given, in their order. */
  write: (texts: readonly string[]) => Json;
}

/**
 * Reads an LLM task's input as `buildPrompt` does: `messages` (without system texts, which instruct; the last words of the user ask),
 * else `prompt`, else a bare string, else the strings of an object (the shortest of which ask). What has another shape has no texts.
 */
export function readInputTexts(input: Json): InputTexts {
  if (typeof input === "string") return { texts: [input], question: input, write: ([text]) => text! };
  if (!isRecord(input)) return { texts: [], question: "", write: () => input };
  if (input["messages"] !== undefined) return readMessages(input, input["messages"]);
  const keys = typeof input["prompt"] === "string" ? ["prompt"] : Object.keys(input).filter((key) => typeof input[key] === "string");
  const texts = keys.map((key) => input[key] as string);
  return {
    texts,
    question: texts.toSorted((left, right) => left.length - right.length).join("\n"),
    write: (written) => ({ ...input, ...Object.fromEntries(keys.map((key, at) => [key, written[at]!])) }),
  };
}

function readMessages(input: JsonRecord, messages: Json): InputTexts {
  if (!Array.isArray(messages)) return { texts: [], question: "", write: () => input };
  const read = messages.map(readContent);
  const lastOfUser = messages.findLastIndex((message) => isRecord(message) && message["role"] === "user");
  return {
    texts: read.flatMap(({ texts }) => texts),
    question: (read[lastOfUser]?.texts ?? []).join(""),
    write: (written) => {
      let next = 0;
      return { ...input, messages: read.map(({ texts, write }) => write(written.slice(next, (next += texts.length)))) };
    },
  };
}

function readContent(message: Json): Omit<InputTexts, "question"> {
  const content = isRecord(message) && message["role"] !== "system" ? message["content"] : undefined;
  if (!isRecord(message) || content === undefined) return { texts: [], write: () => message };
  if (typeof content === "string") return { texts: [content], write: ([text]) => ({ ...message, content: text! }) };
  if (!Array.isArray(content)) return { texts: [], write: () => message };
  const isText = (part: Json): part is JsonRecord & { text: string } => isRecord(part) && typeof part["text"] === "string";
  return {
    texts: content.filter(isText).map(({ text }) => text),
    write: (written) => {
      let next = 0;
      return { ...message, content: content.map((part) => (isText(part) ? { ...part, text: written[next++]! } : part)) };
    },
  };
}

function isRecord(value: Json): value is JsonRecord {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
