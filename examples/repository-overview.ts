import { existsSync, readdirSync, readFileSync } from "node:fs";
import { extname, join, relative } from "node:path";

/** Per scout: enough for the outline of a part, and far below the 1 MiB that one value may have. */
const MAX_SOURCE_BYTES = 64 * 1024;

interface Part {
  id: string;
  title: string;
  /** Files and folders, relative to the repository. */
  paths: string[];
}

const parts: Part[] = [
  { id: "documents", title: "its documents", paths: ["README.md", "docs", "package.json"] },
  { id: "core", title: "its workflow core", paths: ["src/workflow"] },
  { id: "runtime", title: "its runtime", paths: ["src/worker.ts", "src/durable-objects", "src/consumer"] },
  { id: "surface", title: "its HTTP interface and routing", paths: ["src/api", "src/router"] },
];

/**
 * Scout → plan → build over this repository: one scout for each part, which sees the text of its files, a planner that sees
 * what the scouts found, and a builder that sees the plan. The texts travel as the workflow's input, so that a `${` in a source
 * file stays what it is: values put into a prompt are not scanned again.
 *
 * @returns a body for `POST /v1/workflows`
 */
export function describeRepositoryOverview(repositoryRoot: string) {
  const sources = parts
    .map((part) => ({ ...part, text: readSources(repositoryRoot, part.paths) }))
    .filter((part) => part.text !== "");
  const scouts = sources.map((part) => ({
    id: `scout_${part.id}`,
    agent: "scout",
    phase: "scout",
    type: "file_scan",
    input: { prompt: `List what matters in these files of a repository (${part.title}).\n\n\${workflow.input.sources.${part.id}}` },
  }));

  return {
    name: "repository-overview",
    metadata: { example: "repository-overview" },
    input: { sources: Object.fromEntries(sources.map((part) => [part.id, part.text])) },
    tasks: [
      ...scouts,
      {
        id: "plan",
        agent: "planner",
        phase: "plan",
        type: "planning",
        dependsOn: scouts.map((scout) => scout.id),
        input: { prompt: "Plan a one-page overview of this repository from the scouts' findings. Name its sections and what each must say." },
      },
      {
        id: "build",
        agent: "builder",
        phase: "build",
        type: "documentation",
        dependsOn: ["plan"],
        input: { prompt: "Write the overview that the plan describes." },
      },
    ],
  };
}

function readSources(root: string, paths: string[]): string {
  let text = "";
  for (const path of paths.flatMap((entry) => listFiles(root, entry))) {
    const section = `## ${path}\n\n${readFileSync(join(root, path), "utf8")}\n`;
    if (Buffer.byteLength(text) + Buffer.byteLength(section) <= MAX_SOURCE_BYTES) text += section;
  }
  return text;
}

/** Text files below a path, sorted; none if there is no such path. */
function listFiles(root: string, path: string): string[] {
  if (!existsSync(join(root, path))) return [];
  if (isText(path)) return [path];
  return readdirSync(join(root, path), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && isText(entry.name))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .sort();
}

function isText(path: string): boolean {
  return [".md", ".ts", ".json"].includes(extname(path));
}
