import { describe, expect, it } from "vitest";
import { reduceContext } from "../../../src/optimizer/reduce-context.ts";
import { selectByBm25 } from "../bm25-sentences.ts";
import { makeEntries, makePassages, makeRun, makeTalk, type Asked, type Passage, type Step, type Utterance } from "../planted-facts.ts";

/** Texts of each shape, and the share of them of which every needed string must survive. */
const SEEDS = Array.from({ length: 12 }, (_, seed) => seed);
const LEAST_SURVIVING = 8;
const BUDGETS = [0.25, 0.5];

function fold(text: string): string {
  return text.toLowerCase().replaceAll('\\"', '"').split(/\s+/).join(" ");
}

/** Of how many texts every needed string is in what `reduce` leaves. */
function countSurviving(texts: readonly (Asked & { text: string })[], reduce: (asked: Asked & { text: string }) => string): number {
  return texts.filter((asked) => {
    const reduced = fold(reduce(asked));
    return asked.needed.every((string) => reduced.includes(fold(string)));
  }).length;
}

function expectFactsToSurvive(texts: readonly (Asked & { text: string })[]): void {
  expect(countSurviving(texts, ({ text }) => text)).toBe(texts.length);
  for (const budget of BUDGETS) {
    const surviving = countSurviving(texts, ({ text, query }) => {
      const reduction = reduceContext(text, { query, targetReduction: 1 - budget });
      expect(reduction.achieved).toBe(true);
      return reduction.text;
    });
    const baseline = countSurviving(texts, ({ text, query }) => selectByBm25(text, query, budget));
    // One text apart is chance.
    expect(surviving, `at ${budget}; BM25 over sentences: ${baseline}`).toBeGreaterThanOrEqual(Math.max(LEAST_SURVIVING, baseline - 1));
  }
}

const clock = (at: number): string => new Date(at * 7_000).toISOString().slice(11, 19);

const PASSAGES: Record<string, (passages: readonly Passage[]) => string> = {
  "Document [3] (Title: …)": (of) => of.map(({ title, text }, at) => `Document [${at + 1}] (Title: ${title}) ${text}`).join("\n"),
  "### Source 3: title": (of) => of.map(({ title, text }, at) => `### Source ${at + 1}: ${title}\n${text}`).join("\n\n"),
  "### Source 3": (of) => of.map(({ text }, at) => `### Source ${at + 1}\n${text}`).join("\n\n"),
  "<doc id=3>": (of) => of.map(({ text }, at) => `<doc id=${at + 1}>\n${text}\n</doc>`).join("\n"),
  "<document><source>title": (of) => `<documents>\n${of.map(({ title, text }, at) => `<document index="${at + 1}">\n<source>${title}</source>\n<document_content>\n${text}\n</document_content>\n</document>`).join("\n")}\n</documents>`,
  "numbered paragraphs": (of) => of.map(({ text }, at) => `${at + 1}. ${text}`).join("\n"),
  "numbered paragraphs with titles": (of) => of.map(({ title, text }, at) => `${at + 1}. ${title}: ${text}`).join("\n\n"),
  "list items": (of) => of.map(({ title, text }) => `- ${title}: ${text}`).join("\n"),
  "(3) …": (of) => of.map(({ text }, at) => `(${at + 1}) ${text}`).join("\n\n"),
  "[3] title: …": (of) => of.map(({ title, text }, at) => `[${at + 1}] ${title}: ${text}`).join("\n"),
  "Title: …": (of) => of.map(({ title, text }) => `Title: ${title}\nContent: ${text}`).join("\n\n"),
  "Title: and URL: above": (of) => of.map(({ title, text }) => `Title: ${title}\nURL: https://example.org/${encodeURIComponent(title)}\n\n${text}`).join("\n---\n"),
  "=== title ===": (of) => of.map(({ title, text }) => `===== ${title} =====\n${text}`).join("\n\n"),
  "# title": (of) => of.map(({ title, text }) => `# ${title}\n\n${text}`).join("\n\n"),
  "**title**": (of) => of.map(({ title, text }) => `**${title}**\n${text}`).join("\n\n"),
  "a title above": (of) => of.map(({ title, text }) => `${title}\n${text}`).join("\n\n"),
  "wrapped lines": (of) => of.map(({ title, text }) => `${title}\n\n${text.replace(/(.{1,78})(?:\s|$)/g, "$1\n").trimEnd()}`).join("\n\n"),
  "a line a sentence": (of) => of.map(({ title, text }) => `${title}\n${text.replaceAll(". ", ".\n")}`).join("\n\n"),
  "empty lines between": (of) => of.map(({ text }) => text).join("\n\n"),
  "a line each": (of) => of.map(({ text }) => text).join("\n"),
  "JSON": (of) => JSON.stringify(of, null, 2),
  "results in JSON": (of) => JSON.stringify({ results: of.map(({ title, text }, id) => ({ id, title, content: text, score: 1 - id / 50 })) }),
  "JSON lines": (of) => of.map((passage) => JSON.stringify(passage)).join("\n"),
};

describe("passages, however they are told apart: what answers a question survives", () => {
  it.each(Object.entries(PASSAGES))("%s", (_how, write) => {
    expectFactsToSurvive(SEEDS.map(makePassages).map(({ passages, ...asked }) => ({ ...asked, text: write(passages) })));
  });
});

const TALK: Record<string, (name: string, text: string, at: number) => string> = {
  "Name: …": (name, text) => `${name}: ${text}`,
  "SPEAKER_02: …": (name, text) => `SPEAKER_0${name.length % 4}: ${text}`,
  "[00:01:23] Name: …": (name, text, at) => `[${clock(at)}] ${name}: ${text}`,
  "00:01:23.4 Name: …": (name, text, at) => `${clock(at)}.400 ${name}: ${text}`,
  "Name (00:01:23): …": (name, text, at) => `${name} (${clock(at)}): ${text}`,
  "NAME (CEO): …": (name, text) => `${name.toUpperCase()} (CEO): ${text}`,
  "a name and a time above": (name, text, at) => `${name}  ${clock(at)}\n${text}\n`,
  "a name above": (name, text) => `${name}\n${text}\n`,
  "no names": (_name, text) => text,
  "**Name:** …": (name, text) => `**${name}:** ${text}\n`,
  "name: …": (name, text) => `${name.toLowerCase()}: ${text}`,
  "[10:32] <name> …": (name, text, at) => `[${clock(at).slice(0, 5)}] <${name.split(" ")[0]!.toLowerCase()}> ${text}`,
  "a chat's export": (name, text, at) => `12/03/2026, ${clock(at).slice(0, 5)} - ${name}: ${text}`,
  "subtitles": (name, text, at) => `${at + 1}\n${clock(at)},000 --> ${clock(at + 1)},000\n${name}: ${text}\n`,
  "JSON lines": (speaker, text) => JSON.stringify({ speaker, text }),
};

describe("talk, however it is written down: what was said about a topic survives", () => {
  const told = SEEDS.map(makeTalk);
  const write = (turn: (name: string, text: string, at: number) => string) => (talk: readonly Utterance[]): string => talk.map(({ name, text }, at) => turn(name, text, at)).join("\n");
  it.each(Object.entries(TALK))("%s", (_how, turn) => {
    expectFactsToSurvive(told.map(({ talk, ...asked }) => ({ ...asked, text: write(turn)(talk) })));
  });

  it("JSON", () => {
    expectFactsToSurvive(told.map(({ talk, ...asked }) => ({ ...asked, text: JSON.stringify({ segments: talk.map(({ name, text }, at) => ({ start: at * 7, speaker: name, text })) }) })));
  });
});

const RUNS: Record<string, (run: readonly Step[]) => string> = {
  "role: …": (run) => run.map(({ role, tool, text }) => (tool === undefined ? `${role}: ${text}` : role === "tool" ? `tool[${tool}]: ${text}` : `assistant -> ${tool}(${text})`)).join("\n"),
  "Thought, Action, Observation": (run) => run.map(({ role, tool, text }) => (role === "user" ? `Question: ${text}` : role === "tool" ? `Observation: ${text}` : tool === undefined ? `Final Answer: ${text}` : `Thought: I need to look it up.\nAction: ${tool}\nAction Input: ${text}`)).join("\n"),
  "numbered actions": (run) => run.map(({ role, tool, text }, at) => (role === "user" ? `User: ${text}` : role === "tool" ? `Observation ${at}: ${text}` : tool === undefined ? `Assistant: ${text}` : `Thought ${at}: I need to look it up.\nAction ${at}: ${tool}[${text}]`)).join("\n"),
  "[ROLE]": (run) => run.map(({ role, text }) => `[${role.toUpperCase()}]\n${text}`).join("\n\n"),
  "### Role": (run) => run.map(({ role, text }) => `### ${role.charAt(0).toUpperCase()}${role.slice(1)}\n${text}`).join("\n\n"),
  "a chat template": (run) => run.map(({ role, text }) => `<|im_start|>${role}\n${text}<|im_end|>`).join("\n"),
  "steps": (run) => run.map(({ role, text }, at) => `Step ${at + 1} (${role}): ${text}`).join("\n"),
  "[time] role: …": (run) => run.map(({ role, text }, at) => `[2026-01-02T${clock(at)}Z] ${role}: ${text}`).join("\n"),
  "JSON messages": (run) => JSON.stringify(run.map(({ role, tool, text }) => (role === "assistant" && tool !== undefined ? { role, content: null, tool_calls: [{ type: "function", function: { name: tool, arguments: text } }] } : { role, content: text }))),
  "JSON content blocks": (run) => JSON.stringify(run.map(({ role, tool, text }) => (role === "tool" ? { role: "user", content: [{ type: "tool_result", content: text }] } : { role, content: [tool === undefined ? { type: "text", text } : { type: "tool_use", name: tool, input: JSON.parse(text) as unknown }] })), null, 1),
  "JSON lines": (run) => run.map(({ role, tool, text }) => JSON.stringify({ role, name: tool, content: text })).join("\n"),
};

describe("an agent's run, however it is written down: ids that a later step repeats survive", () => {
  it.each(Object.entries(RUNS))("%s", (_how, write) => {
    expectFactsToSurvive(SEEDS.map(makeRun).map(({ run, ...asked }) => ({ ...asked, text: write(run) })));
  });
});

const ENTRIES: Record<string, (level: string, text: string, at: number) => string> = {
  "time LEVEL text": (level, text, at) => `2026-01-02 ${clock(at)},123 ${level.toUpperCase()} [main] ${text}`,
  "syslog": (_level, text, at) => `Jan  2 ${clock(at)} pier-1 orders[2913]: ${text}`,
  "Kubernetes": (level, text, at) => `${level.charAt(0).toUpperCase()}0102 ${clock(at)}.123456       1 orders.go:${100 + (at % 9)}] ${text}`,
  "logfmt": (level, text, at) => `time=2026-01-02T${clock(at)}Z level=${level} msg="${text}"`,
  "compose": (_level, text) => `orders-1  | ${text}`,
  "access": (_level, text, at) => `10.0.0.${at % 9} - - [02/Jan/2026:${clock(at)} +0000] "GET /${encodeURIComponent(text)} HTTP/1.1" 200 ${at} "${text}"`,
  "event viewer": (level, text, at) => `1/2/2026 ${clock(at)} AM,${level === "error" ? "Error" : "Information"},Orders,${1000 + (at % 9)},${text}`,
  "a listing": (level, text, at) => `${String(at + 1).padStart(6)}\t${clock(at)} ${level}: ${text}`,
  "numbered": (level, text, at) => `${at + 1}: ${clock(at)} ${level}: ${text}`,
  "stack traces": (level, text, at) => `2026-01-02 ${clock(at)} ${level.toUpperCase()} ${text}${at % 20 === 7 ? `\njava.lang.IllegalStateException: slow answer\n    at orders.Pool.take(Pool.java:${at})\n    at orders.Worker.run(Worker.java:77)` : ""}`,
  "JSON lines": (level, text, at) => JSON.stringify({ ts: `2026-01-02T${clock(at)}Z`, level, msg: text }),
};

describe("a log, whoever wrote it: the entry that tells what went wrong survives", () => {
  it.each(Object.entries(ENTRIES))("%s", (_how, entry) => {
    expectFactsToSurvive(SEEDS.map(makeEntries).map(({ entries, ...asked }) => ({ ...asked, text: entries.map(({ level, text }, at) => entry(level, text, at)).join("\n") })));
  });

  it("JSON", () => {
    expectFactsToSurvive(SEEDS.map(makeEntries).map(({ entries, ...asked }) => ({ ...asked, text: JSON.stringify({ hits: entries.map(({ level, text }, at) => ({ "@timestamp": clock(at), level, message: text })) }) })));
  });
});
