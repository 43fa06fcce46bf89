import { describe, expect, it } from "vitest";
import { detectKind } from "../../../src/optimizer/reduce/content-kind.ts";
import { CODE, GUIDE, LOG, MEETING, ORDERS, PASSAGES, TRAJECTORY } from "../sample-texts.ts";

const PYTHON = `import os\n\ndef read_lamp(path):\n    with open(path) as file:\n        return file.read().strip()\n\nclass Keeper:\n    def __init__(self, name):\n        self.name = name\n\n    def light(self):\n        return f"{self.name} lights the lamp"\n`;
const SYSLOG = `Nov  9 12:01:01 skerry crond[2913]: session opened for user root\n`.repeat(6);
const JSON_LINES = `{"level":"info","msg":"lit","ms":12}\n{"level":"warn","msg":"fog","ms":90}\n{"level":"info","msg":"out","ms":7}\n`;
const CHAT = `Human: When is the lamp lit?\nAI: An hour before sunset.\nHuman: And in fog?\nAI: At once.\n`;
const SOURCES = `[1] Gull Point: The station was built first.\n[2] North Skerry: The second one.\n[3] Landing: Where the boats come in.\n`;
const NOTES = `Note: bring the wick\nThe boat leaves at nine.\nTo do: potatoes\nIt rained for three days, and the wall has fallen.\nNobody was hurt.\n`;

/** Five turns of three people, each with what they say and how often so far. */
function writeTalk(turn: (name: string, said: string, at: number) => string): string {
  const said = ["The lamp went out again at four.", "Was it the wick, or the oil?", "The wick, as far as I could see.", "Then we need another one before Monday.", "I will ask in the village."];
  return Array.from({ length: 15 }, (_, at) => turn(["Ada Merrow", "Tom Weller", "Ilse Brandt"][at % 3] as string, said[at % 5] as string, at)).join("\n");
}
const clock = (at: number): string => `00:${10 + at}:0${at % 10}`;

/** Ways to write down who said what. */
const TALKS: Record<string, string> = {
  "speakers by number": writeTalk((_name, said, at) => `Speaker ${1 + (at % 3)}: ${said}`),
  "speakers by code": writeTalk((_name, said, at) => `SPEAKER_0${at % 3}: ${said}`),
  "names with their offices": writeTalk((name, said) => `${name.toUpperCase()} (Keeper): ${said}`),
  "bold names": writeTalk((name, said) => `**${name}:** ${said}\n`),
  "names in a list": writeTalk((name, said) => `- ${name}: ${said}`),
  "small names": writeTalk((name, said) => `${name.toLowerCase()}: ${said}`),
  "times in brackets": writeTalk((name, said, at) => `[${clock(at)}] ${name}: ${said}`),
  "times with fractions": writeTalk((name, said, at) => `${clock(at)}.250 ${name}: ${said}`),
  "times behind names": writeTalk((name, said, at) => `${name} (${clock(at)}): ${said}`),
  "names and times above": writeTalk((name, said, at) => `${name}  ${clock(at)}\n${said}\n`),
  "a chat's export": writeTalk((name, said, at) => `12/03/2026, 10:${10 + at} - ${name}: ${said}`),
  "a chat's nicknames": writeTalk((name, said, at) => `[10:${10 + at}] <${name.slice(0, 3).toLowerCase()}> ${said}`),
  "subtitles": writeTalk((name, said, at) => `${at + 1}\n${clock(at)},000 --> ${clock(at + 1)},000\n${name}: ${said}\n`),
  "long subtitles": Array.from({ length: 40 }, (_, at) => writeTalk((name, said) => `${at}\n${clock(at % 50)},000 --> ${clock(at % 50)},900\n${name}: ${said}\n`)).join("\n"),
};

/** Ways to write down whose turn it is. */
const RUNS: Record<string, string> = {
  "roles in brackets": "[USER]\nLight it.\n\n[ASSISTANT]\nWhich one?\n\n[USER]\nThe northern one.\n",
  "roles as headings": "### User\nLight it.\n\n### Assistant\nWhich one?\n\n### User\nThe northern one.\n",
  "roles of a chat template": "<|im_start|>user\nLight it.<|im_end|>\n<|im_start|>assistant\nWhich one?<|im_end|>\n<|im_start|>user\nThe northern one.<|im_end|>\n",
  "numbered thoughts and actions": "Thought 1: It is dark.\nAction 1: light[north]\nObservation 1: lit\nThought 2: Done.\n",
  "roles with times": "[2026-01-02T10:00:00Z] user: Light it.\n[2026-01-02T10:00:09Z] assistant: Which one?\n[2026-01-02T10:01:00Z] user: The northern one.\n",
};

/** What has names before colons, or times, and is no talk. */
const NO_TALK: Record<string, [text: string, kind: string]> = {
  "results with titles": [Array.from({ length: 9 }, (_, at) => `Title: Lamp ${at}\nContent: A lamp that burns ${at} hours.`).join("\n\n"), "documents"],
  "settings": [Array.from({ length: 9 }, (_, at) => `host: pier-${at}\nport: ${at}`).join("\n"), "prose"],
  "rows with times": [`id,when,what\n${Array.from({ length: 9 }, (_, at) => `${at},2026-01-02 10:00:0${at},lit`).join("\n")}`, "prose"],
  "a table with times": [`| when | what |\n|---|---|\n${Array.from({ length: 9 }, (_, at) => `| 2026-01-02 10:00:0${at} | lit |`).join("\n")}`, "prose"],
  "a page that says you": [`# How to light it\n\n${Array.from({ length: 30 }, (_, at) => `When you come to lamp number ${at}, you wind the clockwork first.`).join("\n\n")}`, "prose"],
  "a log with names": [Array.from({ length: 9 }, (_, at) => `10:00:0${at} INFO Keeper: lamp ${at} lit\n10:00:0${at} WARN Weather: fog ${at}`).join("\n"), "log"],
};

describe("the kind of a text", () => {
  it.each([
    ["Markdown", GUIDE, "prose"],
    ["numbered passages with titles", PASSAGES, "documents"],
    ["numbered sources in brackets", SOURCES, "documents"],
    ["a meeting's transcript", MEETING, "transcript"],
    ["an agent's run", TRAJECTORY, "trajectory"],
    ["a chat of two roles", CHAT, "trajectory"],
    ["a server's log", LOG, "log"],
    ["a system log", SYSLOG, "log"],
    ["JSON lines", JSON_LINES, "log"],
    ["JSON", ORDERS, "json"],
    ["TypeScript", CODE, "code"],
    ["Python", PYTHON, "code"],
    ["a program that speaks of fences", `${CODE}\nconst FENCE = "\`\`\`";\n`, "code"],
    ["notes with some colons", NOTES, "prose"],
    ["broken JSON", ORDERS.slice(0, -5), "prose"],
    ["an answer with a code block", `Here is how:\n\n\`\`\`ts\n${CODE}\`\`\`\n\nThat is all.`, "prose"],
    ["one line", "just some words in a row", "prose"],
    ["nothing", "", "prose"],
  ])("%s", (_what, text, kind) => {
    expect(detectKind(text)).toBe(kind);
  });

  it.each(Object.entries(TALKS))("talk with %s is a transcript", (_how, text) => {
    expect(detectKind(text)).toBe("transcript");
  });

  it.each(Object.entries(RUNS))("an agent's run with %s is one", (_how, text) => {
    expect(detectKind(text)).toBe("trajectory");
  });

  it.each(Object.entries(NO_TALK))("%s are no talk", (_what, [text, kind]) => {
    expect(detectKind(text)).toBe(kind);
  });
});
