/** Runs the worker for local work until it is interrupted. The first start makes an operator's key. Usage: npm run dev [-- --port 8787] [--log-level log] */
import { spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { projectRoot, quietWranglerEnv, randomRootKey, wranglerBin } from "./local-worker.ts";

const READY_POLL_MS = 200;
const PARENT_POLL_MS = 500;

const { values } = parseArgs({
  options: {
    port: { type: "string", default: "8787" },
    // `info` has a line for each request, and failures; `log` also what the worker logs of each event.
    "log-level": { type: "string", default: "info" },
  },
});
const port = Number(values.port);
const origin = `http://127.0.0.1:${port}`;
const varsPath = join(projectRoot, ".dev.vars");

if (await isTaken(port)) {
  console.error(`Port ${port} is taken. Another one: npm run dev -- --port ${port + 1}`);
  process.exit(1);
}
if (!existsSync(varsPath)) writeVars();
console.log("Starting Weft …");

const child = spawn(process.execPath, [wranglerBin, "dev", "--ip", "127.0.0.1", "--port", String(port), `--log-level=${values["log-level"]}`, "--show-interactive-dev-session=false"], {
  cwd: projectRoot,
  env: { ...process.env, ...quietWranglerEnv },
  stdio: "inherit",
});
// A terminal interrupts the whole group by itself; a supervisor signals only this process.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => child.kill(signal));
// A signal to npm ends npm and its shell, and nobody passes it on: who is left behind keeps the port.
const startedBy = process.ppid;
setInterval(() => process.ppid === startedBy || child.kill("SIGTERM"), PARENT_POLL_MS).unref();
child.once("exit", (code, signal) => {
  process.exitCode = code ?? (signal === "SIGINT" || signal === "SIGTERM" ? 0 : 1);
});
if (await isReady()) printUsage();

async function isTaken(wanted: number): Promise<boolean> {
  const server = createServer();
  return await new Promise((resolve) => {
    server.once("error", () => resolve(true));
    server.listen(wanted, "127.0.0.1", () => server.close(() => resolve(false)));
  });
}

function writeVars(): void {
  // With every name of the example: from other names wrangler would conclude that the types of the bindings are out of date.
  const example = readFileSync(join(projectRoot, ".dev.vars.example"), "utf8").replace(/^#.*writes a \.dev\.vars.*\n\n?/, "");
  const vars = example.replace(/^ROOT_KEY=$/m, `ROOT_KEY=${randomRootKey()}`).replace(/^ALLOW_PRIVATE_ORIGINS=$/m, "ALLOW_PRIVATE_ORIGINS=true");
  writeFileSync(varsPath, vars, { mode: 0o600, flag: "wx" });
  console.log("Wrote a new ROOT_KEY to .dev.vars.");
}

/** False when wrangler ended instead. */
async function isReady(): Promise<boolean> {
  while (child.exitCode === null && child.signalCode === null) {
    const answer = await fetch(`${origin}/healthz`, { signal: AbortSignal.timeout(5_000) }).catch(() => null);
    await answer?.body?.cancel();
    if (answer?.status === 200) return true;
    await delay(READY_POLL_MS);
  }
  return false;
}

function printUsage(): void {
  const hasRootKey = /^\s*(?:export\s+)?ROOT_KEY\s*=\s*\S/m.test(readFileSync(varsPath, "utf8"));
  if (!hasRootKey) console.log(".dev.vars has no ROOT_KEY: every call that needs a key will answer 503.");
  console.log(`
Weft is up on ${origin}; Ctrl-C stops it. Try it from another terminal in this folder:

  export ROOT_KEY=$(sed -n 's/^ROOT_KEY=//p' .dev.vars)

  # a workflow, and its outcome; without ?wait= the answer comes at once
  curl "${origin}/v1/workflows?wait=10000" -H "Authorization: Bearer $ROOT_KEY" \\
    -d '{"name": "hello", "tasks": [{"id": "scout", "agent": "scout", "input": {"prompt": "Summarize: Weft runs graphs of agents on Workers."}}]}'

  # the gateway
  curl ${origin}/v1/chat/completions -H "Authorization: Bearer $ROOT_KEY" \\
    -d '{"model": "auto", "messages": [{"role": "user", "content": "Summarize: Weft is also a gateway."}]}'

Every route: ${origin}/docs. For real models add to .dev.vars ANTHROPIC_API_KEY=… (all tiers) or GOOGLE_API_KEY=… (weak and base), and start again.
`);
}
