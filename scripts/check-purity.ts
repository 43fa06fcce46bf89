/**
 * Finds what the linter cannot express, prints each place and exits 1 if there is any: a `Date` built from the machine's clock in a folder
 * whose code must be a function of its arguments (`new Date(atMs)` is fine), and the platform's `Env`, a global type, outside the shell.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";

interface Rule {
  pattern: RegExp;
  /** Beginnings of paths: where it holds, and where it does not after all. */
  inside: readonly string[];
  outside: readonly string[];
  message: string;
}

const root = join(import.meta.dirname, "..");

const rules: readonly Rule[] = [
  {
    pattern: /\bnew Date(?:\(\s*\)|(?!\s*[(\w]))|(?<!new )\bDate\(/,
    inside: ["src/workflow/", "src/optimizer/", "src/router/"],
    outside: ["src/router/engines/"],
    message: "takes the time from the machine; take `now` as an argument",
  },
  {
    pattern: /\bEnv\b/,
    inside: ["src/"],
    outside: ["src/worker.ts", "src/deps.ts", "src/platform.ts", "src/durable-objects/", "src/router/engines/"],
    message: "sees the platform's Env; take what you need of it as an argument",
  },
];

const findings = listSources("src").flatMap((path) => rules.flatMap((rule) => (appliesTo(rule, path) ? findMatches(rule, path) : [])));
for (const finding of findings) console.error(finding);
process.exitCode = findings.length > 0 ? 1 : 0;

function listSources(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));
}

function appliesTo({ inside, outside }: Rule, path: string): boolean {
  const isUnder = (start: string): boolean => path.startsWith(start);
  return inside.some(isUnder) && !outside.some(isUnder);
}

function findMatches({ pattern, message }: Rule, path: string): string[] {
  const lines = readFileSync(join(root, path), "utf8").split("\n");
  return lines.flatMap((line, index) => (pattern.test(line.replace(/\/\/.*|^\s*\*.*/, "")) ? [`${path}:${index + 1}: ${message}.`] : []));
}
