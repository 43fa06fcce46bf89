import { describe, expect, it } from "vitest";
import { detectKind } from "../../../src/optimizer/reduce/content-kind.ts";
import { CODE, GUIDE, LOG, MEETING, ORDERS, PASSAGES, TRAJECTORY } from "../sample-texts.ts";

const PYTHON = `import os\n\ndef read_lamp(path):\n    with open(path) as file:\n        return file.read().strip()\n\nclass Keeper:\n    def __init__(self, name):\n        self.name = name\n\n    def light(self):\n        return f"{self.name} lights the lamp"\n`;
const SYSLOG = `Nov  9 12:01:01 skerry crond[2913]: session opened for user root\n`.repeat(6);
const JSON_LINES = `{"level":"info","msg":"lit","ms":12}\n{"level":"warn","msg":"fog","ms":90}\n{"level":"info","msg":"out","ms":7}\n`;
const CHAT = `Human: When is the lamp lit?\nAI: An hour before sunset.\nHuman: And in fog?\nAI: At once.\n`;
const SOURCES = `[1] Gull Point: The station was built first.\n[2] North Skerry: The second one.\n[3] Landing: Where the boats come in.\n`;
const NOTES = `Note: bring the wick\nThe boat leaves at nine.\nTo do: potatoes\nIt rained for three days, and the wall has fallen.\nNobody was hurt.\n`;

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
});
