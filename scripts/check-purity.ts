/**
 * Finds what the linter cannot express: a `Date` built from the machine's clock in a folder whose code must be a function of
 * its arguments. (`new Date(atMs)` is fine.) Prints each place and exits 1 if there is any.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";

const root = join(import.meta.dirname, "..");
const pureFolders = ["src/workflow", "src/optimizer", "src/router"];
const excludedFolders = ["src/router/engines"];
const clockRead = /\bnew Date(?:\(\s*\)|(?!\s*[(\w]))|(?<!new )\bDate\(/;

const findings = pureFolders.flatMap(findClockReads);
for (const finding of findings) console.error(`${finding}: takes the time from the machine; take \`now\` as an argument.`);
process.exitCode = findings.length > 0 ? 1 : 0;

function findClockReads(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((path) => !excludedFolders.some((excluded) => path.startsWith(`${excluded}/`)))
    .flatMap((path) =>
      readFileSync(join(root, path), "utf8")
        .split("\n")
        .flatMap((line, index) => (clockRead.test(line.replace(/\/\/.*|^\s*\*.*/, "")) ? [`${path}:${index + 1}`] : [])),
    );
}
