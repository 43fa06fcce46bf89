import type { Json } from "../../errors.ts";
import type { FaultList } from "../faults/fault-list.ts";
import { escapePointer } from "../json/json-pointer.ts";

const ROLES = ["system", "user", "assistant"];

/**
 * Checks the input of a task of an LLM agent: `{prompt}` or `{messages: [{role, content}]}`. With `canBeEmpty` it may be `{}`:
 * the agent then works on the outputs of its dependencies.
 */
export function checkLlmInput(input: Json, canBeEmpty: boolean, path: string, faults: FaultList): void {
  if (!isObject(input)) return faults.add(path, "must be an object with prompt or messages, because the agent is a language model");
  for (const key of Object.keys(input)) {
    if (key !== "prompt" && key !== "messages") faults.add(`${path}/${escapePointer(key)}`, "unknown key; a language model takes prompt or messages");
  }
  const { prompt, messages } = input;
  if (prompt !== undefined && messages !== undefined) return faults.add(path, "must have either prompt or messages, not both");
  if (prompt !== undefined) return checkText(prompt, `${path}/prompt`, faults);
  if (messages !== undefined) return checkMessages(messages, `${path}/messages`, faults);
  if (canBeEmpty && Object.keys(input).length === 0) return;
  faults.add(path, "must have prompt or messages; only a task that sees the outputs of its dependencies can do without");
}

function checkMessages(messages: Json, path: string, faults: FaultList): void {
  if (!Array.isArray(messages) || messages.length === 0) return faults.add(path, "must be a list of at least one {role, content}");
  for (const [index, message] of messages.entries()) checkMessage(message, `${path}/${index}`, faults);
}

function checkMessage(message: Json, path: string, faults: FaultList): void {
  if (!isObject(message)) return faults.add(path, "must be an object with role and content");
  for (const key of Object.keys(message)) {
    if (key !== "role" && key !== "content") faults.add(`${path}/${escapePointer(key)}`, "unknown key; a message has role and content");
  }
  if (!ROLES.includes(message["role"] as string)) faults.add(`${path}/role`, `must be one of ${ROLES.map((role) => `"${role}"`).join(", ")}`);
  checkText(message["content"], `${path}/content`, faults);
}

function checkText(text: Json | undefined, path: string, faults: FaultList): void {
  if (typeof text !== "string" || text === "") faults.add(path, "must be a text that is not empty");
}

function isObject(value: Json): value is { [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
