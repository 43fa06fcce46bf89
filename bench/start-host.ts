import { spawnSync } from "node:child_process";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findFreePort, type LocalWorker, localVars, projectRoot, quietWranglerEnv, whenReady, wranglerBin } from "../scripts/local-worker.ts";
import { startProcessGroup } from "../scripts/process-group.ts";

/** The two ways to run a worker on this machine: with the developer tool's proxy and watcher in front, and the runtime alone. */
export const HOST_KINDS = ["wrangler dev", "Miniflare"] as const;
export type HostKind = (typeof HOST_KINDS)[number];

export interface HostOptions {
  /** A wrangler configuration, as a path in the project. */
  config: string;
  /** Folder for objects, KV and alarms. */
  stateFolder: string;
  vars?: Record<string, string>;
  port?: number;
  /** Miniflare only: where the runtime's inspector listens. */
  inspectorPort?: number;
  /** Miniflare only: requests reach the worker itself. Otherwise Miniflare's own worker stands in front, which takes as long as a small worker does. */
  isDirect?: boolean;
}

/** What `miniflare-host.ts` reads from the file that it is given. */
export interface MiniflareHostOptions extends Required<Omit<HostOptions, "inspectorPort" | "isDirect">> {
  bundleFolder: string;
  inspectorPort: number | null;
  isDirect: boolean;
}

/** Starts a worker by its configuration, ours or one to compare with, and waits until `GET /healthz` answers 200. */
export async function startHost(kind: HostKind, options: HostOptions): Promise<LocalWorker> {
  const scratch = await mkdtemp(join(tmpdir(), "weft-bench-"));
  const port = options.port ?? (await findFreePort());
  const vars = localVars({ LOG_LEVEL: "warn", ...options.vars });
  const command = kind === "Miniflare" ? await prepareMiniflare(scratch, { ...options, port, vars }) : prepareWranglerDev({ ...options, port, vars });
  const env = { ...process.env, ...quietWranglerEnv, WRANGLER_LOG_PATH: join(scratch, "logs"), WRANGLER_REGISTRY_PATH: join(scratch, "registry") };
  const group = startProcessGroup(process.execPath, command, { cwd: projectRoot, env });
  return await whenReady(group, { scratch, port, rootKey: vars["ROOT_KEY"] ?? "" });
}

type Prepared = HostOptions & { port: number; vars: Record<string, string> };

function prepareWranglerDev({ config, stateFolder, port, vars }: Prepared): string[] {
  return [
    wranglerBin,
    "dev",
    ...["--config", join(projectRoot, config), "--ip", "127.0.0.1", "--port", String(port), "--inspector-port", "0"],
    ...["--persist-to", stateFolder, "--log-level=error", "--show-interactive-dev-session=false"],
    ...Object.entries(vars).flatMap(([name, value]) => ["--var", `${name}:${value}`]),
  ];
}

async function prepareMiniflare(scratch: string, options: Prepared): Promise<string[]> {
  const { config, stateFolder, port, vars, inspectorPort = null, isDirect = false } = options;
  const bundleFolder = join(scratch, "bundle");
  const built = spawnSync(process.execPath, [wranglerBin, "deploy", "--dry-run", "--config", join(projectRoot, config), "--outdir", bundleFolder], {
    cwd: projectRoot,
    env: { ...process.env, ...quietWranglerEnv, WRANGLER_LOG_PATH: join(scratch, "logs") },
    encoding: "utf8",
  });
  if (built.status !== 0) throw new Error(`${config} does not build:\n${built.stdout}${built.stderr}`);
  const optionsFile = join(scratch, "options.json");
  const hostOptions: MiniflareHostOptions = { config, stateFolder, port, vars, inspectorPort, isDirect, bundleFolder };
  await writeFile(optionsFile, JSON.stringify(hostOptions), { mode: 0o600 });
  return [join(import.meta.dirname, "miniflare-host.ts"), optionsFile];
}
