import { describe, expect, it } from "vitest";
import { detectKind } from "../../../src/optimizer/reduce/content-kind.ts";
import { readDocument } from "../../../src/optimizer/reduce/read-document.ts";
import { fileLabelPath } from "../../../src/optimizer/reduce/source-files.ts";
import { reduceContext } from "../../../src/optimizer/reduce-context.ts";

function unitsOf(text: string) {
  return readDocument(text, "code", []).units;
}

function pathOf(line: string): string {
  return fileLabelPath(line, { start: 0, end: line.length, next: line.length });
}

const CONSTANTS = `import { a } from "./a.ts";
import { b } from "./b.ts";
/** Most lamps of one pier. */
export const MAX_LAMPS = 12;
/** How long a lamp glows after it was put out. */
const GLOW_MS = 900;
const PLAIN = 1;
`;

/** A class too long to be kept whole: `count` methods of about 260 characters. */
function writeClass(count: number): string {
  const methods = Array.from({ length: count }, (_, at) => `  /** Works on winch ${at}. */\n  turn${at}(load: number): number {\n    const first = load * ${at};\n    const second = first + ${at} * load;\n    if (second > 100) throw new Error("winch ${at} is over its load and must be stopped at once");\n\n    return first + second + ${"load + ".repeat(8)}0;\n  }`);
  return `/** All winches. */\nexport class Winches {\n${methods.join("\n\n")}\n}\n`;
}

describe("a program's units", () => {
  it("are its declarations with the comments above them; imports stay together", () => {
    expect(unitsOf(CONSTANTS).map(({ text }) => text)).toEqual([
      'import { a } from "./a.ts";\nimport { b } from "./b.ts";',
      "/** Most lamps of one pier. */\nexport const MAX_LAMPS = 12;",
      "/** How long a lamp glows after it was put out. */\nconst GLOW_MS = 900;",
      "const PLAIN = 1;",
    ]);
  });

  it("are the members of a long class, each with the class's head", () => {
    const units = unitsOf(writeClass(20));
    expect(units[0]).toMatchObject({ role: "label", text: "/** All winches. */\nexport class Winches {" });
    expect(units).toHaveLength(21);
    expect(units.slice(1).every(({ needs, role }) => needs === 0 && role === "code")).toBe(true);
    expect(units[5]!.text).toMatch(/^\s*\/\*\* Works on winch 4\. \*\/\n.*turn4/);
  });

  it("are whole declarations where these are short", () => {
    expect(unitsOf(writeClass(2))).toHaveLength(1);
  });

  it("are lines where a long declaration has no members", () => {
    const table = `const TABLE = [\n${Array.from({ length: 900 }, (_, at) => `  [${at}, "row ${at}"],`).join("\n")}\n];\n`;
    const units = unitsOf(table);
    expect(units.length).toBeGreaterThan(8);
    expect(units.every(({ text }) => text.endsWith("],") || text.endsWith("];"))).toBe(true);
    expect(units.map(({ text, gap }) => text + gap).join("")).toBe(table);
  });

  it("stand under the name of their file, and files of prose are read as prose", () => {
    const units = unitsOf(`src/a.ts\n\n${CONSTANTS}\ndocs/a.md\n\n# Lamps\n\nThey glow. They go out.\n`);
    const labels = units.filter(({ role }) => role === "label").map(({ text }) => text);
    expect(labels).toEqual(["src/a.ts", "docs/a.md", "# Lamps"]);
    expect(units.filter(({ role }) => role === "code").every(({ needs }) => needs === 0)).toBe(true);
    expect(units.filter(({ role }) => role === "sentence").map(({ text }) => text)).toEqual(["They glow.", "They go out."]);
  });
});

describe("lines that name a file", () => {
  it.each([
    ["src/a.ts", "src/a.ts"],
    ["// src/a.ts", "src/a.ts"],
    ["# pkg/mod.py", "pkg/mod.py"],
    ["// File: lib/a_b.go", "lib/a_b.go"],
    ["=== a.c ===", "a.c"],
    ["--- a/b.rs", "a/b.rs"],
    ["## `app/main.rb`", "app/main.rb"],
    ['<file path="x/y.java">', "x/y.java"],
    ["/* util.h */", "util.h"],
  ])("%s", (line, path) => expect(pathOf(line)).toBe(path));

  it.each(["return a.b;", "  src/a.ts", "import a.b", "// see src/a.ts for more", "x = a.b", "a.b.c()", "e.g.", "", `${"a/".repeat(200)}b.ts`])("is not: %s", (line) => expect(pathOf(line)).toBe(""));
});

describe("Python with long comments", () => {
  it("is code", () => {
    const text = `"""Lamps of the pier.\n\nThey are lit at dusk.\n"""\n\nimport time\n\n# How long a lamp glows\nGLOW = 3\n\n\nclass Lamp:\n    """One lamp."""\n\n    def light(self, oil):\n        """Lights it.\n\n        Needs oil.\n        """\n        if oil < 1:\n            raise ValueError("no oil")\n        self.lit = True\n        self.since = time.time()\n`;
    expect(detectKind(text)).toBe("code");
  });
});

describe("questions to a program of many files", () => {
  const files = Array.from({ length: 40 }, (_, at) => `src/part-${at}/winch.ts\n\n${writeClass(3).replaceAll("Winches", `Winches${at}`)}`);
  files.splice(17, 0, `src/pier/lamps.ts\n\n${CONSTANTS}`);
  files.splice(31, 0, `src/pier/boats.ts\n\n/** Boats that may lie at one pier. */\nexport const MAX_BOATS = 7;\n\nexport class Boats {}\n`);
  const text = files.join("\n");

  it.each([
    ["How many boats may lie at a pier at most?", "MAX_BOATS = 7", "src/pier/boats.ts"],
    ["For how long does a lamp glow?", "GLOW_MS = 900", "src/pier/lamps.ts"],
  ])("%s", (query, answer, path) => {
    const reduced = reduceContext(text, { query, maxTokens: 300 });
    expect(reduced.achieved).toBe(true);
    expect(reduced.text).toContain(answer);
    expect(reduced.text).toContain(path);
  });

  it("keep two functions that are nearly the same", () => {
    const twin = (name: string) => `export function ${name}(load: number, height: number, speed: number): number {\n  const work = load * height * speed;\n  return work > 10 ? work : load;\n}\n`;
    const program = `${twin("liftLoad")}\n${twin("dropLoad")}\n${writeClass(3)}`;
    const reduced = reduceContext(program, { query: "what do liftLoad and dropLoad do with load, height and speed", targetReduction: 0.5 });
    expect(reduced.text).toContain("liftLoad");
    expect(reduced.text).toContain("dropLoad");
  });
});
