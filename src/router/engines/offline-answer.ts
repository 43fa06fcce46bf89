import type { JSONSchema7 } from "@ai-sdk/provider";
import { estimateTokens } from "../../optimizer/tokens/tokens.ts";
import { classify, labelsOf } from "./offline-classify.ts";
import { documentLines, planLines } from "./offline-document.ts";
import { extractAsked, findingsOf } from "./offline-extract.ts";
import { inferIntent } from "./offline-intent.ts";
import { fillSchema } from "./offline-json.ts";
import type { OfflineRequest, Source } from "./offline-request.ts";
import { reviewLines } from "./offline-review.ts";
import { pickSentences } from "./offline-summary.ts";
import { cutText } from "./offline-text.ts";

/** Room for one bullet, by the longest that are written. */
const TOKENS_PER_FINDING = 60;

/** The answer as text, deterministic, sized to about `maxTokens`; the model cuts what is still over. */
export function answer(request: OfflineRequest, maxTokens: number): string {
  const sources: Source[] = request.sources.length > 0 ? request.sources : [{ name: null, text: request.instruction }];
  const perSource = (count: number) => Math.max(1, Math.min(12, Math.floor(maxTokens / Math.max(1, count) / TOKENS_PER_FINDING)));
  switch (inferIntent(request.instruction, request.system, request.sources.length > 0)) {
    case "classify":
      return classifyAnswer(request, sources, maxTokens);
    case "summarize":
      return fitLines(summaryLines(request, sources, maxTokens), maxTokens);
    case "extract":
      return fitLines(extractLines(request.instruction, sources, perSource(sources.length)), maxTokens);
    case "plan":
      return fitLines(planLines(sources, request.instruction, perSource(4)), maxTokens);
    case "build":
      return fitLines(documentLines(request.sources, request.instruction, perSource(6)), maxTokens);
    case "review":
      return fitLines(reviewLines(sources), maxTokens);
  }
}

/** The answer as JSON: of the schema's shape, or `{"answer": …}` when any JSON will do. */
export function answerJson(request: OfflineRequest, schema: JSONSchema7 | undefined, maxTokens: number): string {
  const text = request.sources.length > 0 ? request.sources.map((source) => source.text).join("\n\n") : request.instruction;
  if (schema === undefined) return JSON.stringify({ answer: answer(request, Math.floor(maxTokens / 2)) });
  return JSON.stringify(fillSchema(schema, text, request.instruction));
}

function classifyAnswer(request: OfflineRequest, sources: Source[], maxTokens: number): string {
  const labels = labelsOf(request.instruction).length > 0 ? labelsOf(request.instruction) : labelsOf(request.system);
  const choices = labels.length > 0 ? labels : ["positive", "negative", "neutral"];
  if (sources.length === 1) return classify(sources[0]?.text ?? "", choices);
  return fitLines(sources.map((source, index) => `${source.name ?? index + 1}: ${classify(source.text, choices)}`), maxTokens);
}

function summaryLines({ instruction, sources: given }: OfflineRequest, sources: Source[], maxTokens: number): string[] {
  const asked = /\b(one|two|three|four|five|six|seven|eight|nine|ten|\d{1,2})[\s-]+(?:short\s+)?(sentences?|bullets?|points?|lines?)\b/i.exec(instruction);
  const total = asked === null ? Math.max(1, Math.min(8, Math.floor(maxTokens / TOKENS_PER_FINDING))) : countOf(asked[1] ?? "");
  const bulleted = /bullet|point/i.test(asked?.[2] ?? "");
  const query = given.length > 0 ? instruction : "";
  const lines: string[] = [];
  const each = asked === null ? Math.max(1, Math.ceil(total / sources.length)) : total;
  for (const source of sources) {
    const sentences = pickSentences(source.text, each, query);
    const shown = sentences.length > 0 ? sentences : [cutText(source.text.replaceAll(/\s+/g, " ").trim(), 300)];
    if (sources.length > 1 && source.name !== null) lines.push(...(lines.length > 0 ? [""] : []), `### ${source.name}`, "");
    lines.push(...(bulleted ? shown.map((sentence) => `- ${sentence}`) : [shown.join(" ")]));
  }
  return lines;
}

const NUMBER_WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];

function countOf(word: string): number {
  const named = NUMBER_WORDS.indexOf(word.toLowerCase());
  return Math.max(1, named >= 0 ? named : Number.parseInt(word, 10));
}

function extractLines(instruction: string, sources: Source[], perSource: number): string[] {
  const lines: string[] = [];
  for (const source of sources) {
    const asked = extractAsked(instruction, source.text);
    const findings = asked ?? firstFindings(findingsOf(source, instruction), perSource);
    if (source.name !== null) lines.push(...(lines.length > 0 ? [""] : []), `### ${source.name}`, "");
    lines.push(...(findings.length > 0 ? findings.map((finding) => `- ${finding}`) : ["- nothing found"]));
  }
  return lines;
}

/** A title says what the findings are of, so it does not count as one. */
function firstFindings(findings: string[], count: number): string[] {
  return findings.slice(0, findings[0]?.startsWith("Title: ") === true ? count + 1 : count);
}

/** Whole lines while they fit, then how many are left out. A single line that is too long stays, for the model to cut. */
function fitLines(lines: string[], maxTokens: number): string {
  const kept: string[] = [];
  // Room for the closing note.
  let left = maxTokens - 12;
  for (const [index, line] of lines.entries()) {
    left -= estimateTokens(`${line}\n`);
    if (left < 0 && kept.length > 0) return [...kept, "", `[… ${lines.length - index} lines omitted]`].join("\n");
    kept.push(line);
  }
  return kept.join("\n");
}
