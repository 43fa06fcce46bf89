import type { ContentKind } from "./kind.ts";
import { stringEnd } from "./json-scan.ts";

/** What is looked at, from the beginning. */
const SAMPLED_CHARS = 60_000;
/** Members that say so must be as many. */
const MIN_TURNS = 3;
/** A longer string is a text, of which sentences can be told apart. */
const MIN_TEXT_CHARS = 200;

const ROLE = /"(?:role|from)"\s{0,4}:\s{0,4}"(user|human|assistant|ai|gpt|model|system|developer|tool|function)"/gi;
const SPEAKER = /"(?:speaker(?:_?name|_?id)?|who|from|sender|author|user(?:_?name)?|name|participant)"\s{0,4}:\s{0,4}"([^"\\]{1,60})"/gi;
const SAID = /"(?:text|content|message|body|utterance|transcript|sentence|said|words)"\s{0,4}:\s{0,4}"/gi;
const TIME = /"(?:@?timestamp|ts|time)"\s{0,4}:/gi;
const LEVEL = /"(?:level|severity|lvl|log_?level)"\s{0,4}:/gi;
const LOGGED = /"(?:msg|message|log|event)"\s{0,4}:/gi;

/** What the texts in a JSON value, or in lines of JSON, are: an agent's run, talk, documents or log entries; else data. */
export function readContent(json: string): ContentKind {
  const sample = json.slice(0, SAMPLED_CHARS);
  const roles = Array.from(sample.matchAll(ROLE), ([, role]) => role);
  if (roles.length >= MIN_TURNS && new Set(roles).size >= 2) return "trajectory";
  const speakers = Array.from(sample.matchAll(SPEAKER), ([, speaker]) => speaker);
  const said = countMatches(sample, SAID);
  if (speakers.length > MIN_TURNS && said >= speakers.length * 0.8 && new Set(speakers).size <= speakers.length * 0.6) return "transcript";
  const isLogged = countMatches(sample, LOGGED) >= MIN_TURNS;
  if (isLogged && countMatches(sample, LEVEL) >= MIN_TURNS) return "log";
  if (shareOfTexts(sample) > 0.5) return "documents";
  return isLogged && countMatches(sample, TIME) >= MIN_TURNS ? "log" : "json";
}

function countMatches(text: string, pattern: RegExp): number {
  let count = 0;
  for (const _ of text.matchAll(pattern)) count += 1;
  return count;
}

/** Share of the characters that stand in long strings with spaces. */
function shareOfTexts(json: string): number {
  let inTexts = 0;
  for (let at = json.indexOf('"'); at !== -1; ) {
    const end = stringEnd(json, at);
    if (end - at > MIN_TEXT_CHARS && json.slice(at, at + MIN_TEXT_CHARS).includes(" ")) inTexts += end - at;
    at = json.indexOf('"', end);
  }
  return inTexts / Math.max(1, json.length);
}
