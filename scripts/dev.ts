/** Runs the worker for local work until it is interrupted. The first start makes an operator's key. Usage: npm run dev [-- --port 8787] */
import { spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { projectRoot, quietWranglerEnv, randomRootKey, wranglerBin } from "./local-worker.ts";

const { values } = parseArgs({ options: { port: { type: "string", default: "8787" } } });
const varsPath = join(projectRoot, ".dev.vars");

if (!existsSync(varsPath)) {
  // With every name of the example: from other names wrangler would conclude that the types of the bindings are out of date.
  const example = readFileSync(join(projectRoot, ".dev.vars.example"), "utf8").replace(/^#.*writes a \.dev\.vars.*\n\n?/, "");
  const vars = example.replace(/^ROOT_KEY=$/m, `ROOT_KEY=${randomRootKey()}`).replace(/^ALLOW_PRIVATE_ORIGINS=$/m, "ALLOW_PRIVATE_ORIGINS=true");
  writeFileSync(varsPath, vars, { mode: 0o600, flag: "wx" });
  console.log("Wrote a new ROOT_KEY to .dev.vars.");
}
printUsage(`http://127.0.0.1:${values.port}`);

const child = spawn(process.execPath, [wranglerBin, "dev", "--ip", "127.0.0.1", "--port", values.port, "--show-interactive-dev-session=false"], {
  cwd: projectRoot,
  env: { ...process.env, ...quietWranglerEnv },
  stdio: "inherit",
});
// A terminal interrupts the whole group by itself; a supervisor signals only this process.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => child.kill(signal));
child.once("exit", (code, signal) => {
  process.exitCode = code ?? (signal === "SIGINT" || signal === "SIGTERM" ? 0 : 1);
});

function printUsage(origin: string): void {
  const hasRootKey = /^\s*(?:export\s+)?ROOT_KEY\s*=\s*\S/m.test(readFileSync(varsPath, "utf8"));
  if (!hasRootKey) console.log(".dev.vars has no ROOT_KEY: every call that needs a key will answer 503.");
  console.log(`
Weft is starting on ${origin}. Try it from another terminal:

  export ROOT_KEY=$(sed -n 's/^ROOT_KEY=//p' .dev.vars)
  curl ${origin}/v1/workflows -H "Authorization: Bearer $ROOT_KEY" -H "Content-Type: application/json" \\
    -d '{"name": "hello", "tasks": [{"id": "scout", "agent": "scout", "input": {"prompt": "Summarize: Weft runs graphs of agents on Workers."}}]}'

The routes are described at ${origin}/docs.
`);
}
