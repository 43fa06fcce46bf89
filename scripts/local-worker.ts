import { randomBytes, randomInt } from "node:crypto";
import { rmSync } from "node:fs";
import { mkdtemp, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type ProcessGroup, startProcessGroup } from "./process-group.ts";

export const projectRoot = join(import.meta.dirname, "..");
export const wranglerBin = join(projectRoot, "node_modules/wrangler/bin/wrangler.js");

/** Keeps wrangler quiet, without a network, and fast: the local trace recorder alone halves the throughput of objects. */
export const quietWranglerEnv = {
  CLOUDFLARE_CF_FETCH_ENABLED: "false",
  WRANGLER_SEND_METRICS: "false",
  WRANGLER_SEND_ERROR_REPORTS: "false",
  WRANGLER_HIDE_BANNER: "true",
  X_LOCAL_OBSERVABILITY: "false",
};

/** A cold start takes 2–3 s on an idle machine; a loaded one may take ten times that. */
const READY_DEADLINE_MS = 45_000;
const READY_POLL_MS = 50;
/** Ports for workers, below those that systems give to outgoing connections: one of them could be taken in the seconds until a worker listens. */
const [FIRST_PORT, END_OF_PORTS] = [20_000, 32_000];
const PORT_ATTEMPTS = 100;

export interface LocalWorkerOptions {
  /** Folder for objects, KV and alarms, kept by the caller. Start again on the same folder to go on after a kill. Default: a scratch folder, removed by `stop`. */
  persistTo?: string;
  /** Default: a free one. Give the earlier port when clients must reach the restarted worker at the same address. */
  port?: number;
  /** Secrets and variables, over `ROOT_KEY` (random) and `ALLOW_PRIVATE_ORIGINS=true`. Values hold no line break. `.dev.vars` is not read. */
  vars?: Record<string, string>;
  /** What wrangler itself and the worker's console may write. Default "error". */
  logLevel?: "debug" | "info" | "log" | "warn" | "error" | "none";
}

export interface LocalWorker {
  /** `http://127.0.0.1:<port>` */
  origin: string;
  port: number;
  rootKey: string;
  /** Leader of the process group that wrangler and the runtime run in. */
  pid: number;
  /** Signals the whole group. With "SIGKILL" it settles when all are gone: nothing was flushed, as after a power cut. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Ends the group gently, then removes what `startLocalWorker` created. Can be called after `kill`, and twice. */
  stop(): Promise<void>;
  /** What the group wrote, the last million characters. */
  logs(): string;
}

/**
 * Starts the worker with `wrangler dev` on the loopback interface and waits until `GET /healthz` answers 200. Needs no account,
 * key, network or prompt. Rejects, with the output so far, when it ends or stays silent.
 */
export async function startLocalWorker(options: LocalWorkerOptions = {}): Promise<LocalWorker> {
  const scratch = await mkdtemp(join(tmpdir(), "weft-"));
  const port = options.port ?? (await findFreePort());
  const vars = localVars(options.vars);
  const varsFile = join(scratch, "vars");
  await writeFile(varsFile, formatVars(vars), { mode: 0o600 });

  const group = startProcessGroup(
    process.execPath,
    [
      wranglerBin,
      "dev",
      ...["--ip", "127.0.0.1", "--port", String(port), "--inspector-port", "0"],
      ...["--persist-to", options.persistTo ?? join(scratch, "state"), "--env-file", varsFile],
      ...[`--log-level=${options.logLevel ?? "error"}`, "--show-interactive-dev-session=false"],
    ],
    { cwd: projectRoot, env: { ...process.env, ...quietWranglerEnv, ...wranglerFolders(scratch) } },
  );
  return await whenReady(group, { scratch, port, rootKey: vars["ROOT_KEY"] ?? "" });
}

/** Everything that wrangler would write outside the project, below `scratch`: the home folder may be read-only. */
function wranglerFolders(scratch: string): Record<string, string> {
  return { TMPDIR: scratch, XDG_CONFIG_HOME: join(scratch, "config"), WRANGLER_LOG_PATH: join(scratch, "logs"), WRANGLER_REGISTRY_PATH: join(scratch, "registry") };
}

/** The variables of a local worker: a random root key, private origins allowed, then the caller's. */
export function localVars(vars: Record<string, string> = {}): Record<string, string> {
  return { ROOT_KEY: randomRootKey(), ALLOW_PRIVATE_ORIGINS: "true", ...vars };
}

export function randomRootKey(): string {
  return `root_${randomBytes(24).toString("base64url")}`;
}

/** Wraps a started group as a `LocalWorker` once it is healthy; removes `scratch` when it never is, or is stopped. */
export async function whenReady(group: ProcessGroup, at: { scratch: string; port: number; rootKey: string }): Promise<LocalWorker> {
  const origin = `http://127.0.0.1:${at.port}`;
  // After the hook of the group, which has killed it by then.
  const removeScratch = (): void => rmSync(at.scratch, { recursive: true, force: true, maxRetries: 3 });
  process.once("exit", removeScratch);
  const stop = async (): Promise<void> => {
    await group.stop();
    removeScratch();
    process.off("exit", removeScratch);
  };
  try {
    await isHealthy(origin, group);
  } catch (error) {
    await stop();
    throw error;
  }
  return { origin, port: at.port, rootKey: at.rootKey, pid: group.pid, kill: group.kill, stop, logs: group.logs };
}

async function isHealthy(origin: string, group: ProcessGroup): Promise<void> {
  const deadlineAt = Date.now() + READY_DEADLINE_MS;
  let ended = false;
  void group.exited.then(() => (ended = true));
  while (Date.now() < deadlineAt) {
    if (ended) throw new Error(`The local worker ended before it was ready:\n${group.logs()}`);
    const answer = await fetch(`${origin}/healthz`, { signal: AbortSignal.timeout(5_000) }).catch(() => null);
    await answer?.body?.cancel();
    if (answer?.status === 200) return;
    await delay(READY_POLL_MS);
  }
  throw new Error(`The local worker did not answer GET /healthz within ${READY_DEADLINE_MS / 1_000} s:\n${group.logs()}`);
}

/** A port of the loopback interface that nobody listens on now. */
export async function findFreePort(): Promise<number> {
  for (let attempt = 0; attempt < PORT_ATTEMPTS; attempt += 1) {
    const port = randomInt(FIRST_PORT, END_OF_PORTS);
    if (await canListen(port)) return port;
  }
  throw new Error(`no free port of ${PORT_ATTEMPTS} that were tried from ${FIRST_PORT} to ${END_OF_PORTS - 1}`);
}

async function canListen(port: number): Promise<boolean> {
  const server = createServer();
  const isListening = await new Promise<boolean>((resolve) => server.once("error", () => resolve(false)).listen(port, "127.0.0.1", () => resolve(true)));
  if (isListening) await new Promise((resolve) => server.close(resolve));
  return isListening;
}

/** The dotenv form: values in a quote that they do not contain; a bare `$` would be expanded. */
function formatVars(vars: Record<string, string>): string {
  return Object.entries(vars)
    .map(([name, value]) => {
      const quote = ["'", "`", '"'].find((candidate) => !value.includes(candidate));
      if (quote === undefined || value.includes("\n")) throw new Error(`${name} holds a line break or all kinds of quotes`);
      return `${name}=${quote}${value.replaceAll("$", "\\$")}${quote}\n`;
    })
    .join("");
}
