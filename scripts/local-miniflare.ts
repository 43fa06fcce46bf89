import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findFreePort, type LocalWorker, type LocalWorkerOptions, localVars, projectRoot, whenReady } from "./local-worker.ts";
import { startProcessGroup } from "./process-group.ts";

/** File in the folder of `buildForMiniflare` with what `wrangler.toml` says, in Miniflare's words. */
export const OPTIONS_FILE = "miniflare.json";

/** What `miniflare-host.ts` reads from the file that it is given. */
export interface MiniflareHostOptions {
  /** Made by `buildForMiniflare`. */
  buildFolder: string;
  stateFolder: string;
  port: number;
  vars: Record<string, string>;
}

/**
 * Starts a worker that was built before in Miniflare alone: the same runtime, bindings and queue settings as `startLocalWorker`, in a
 * quarter of the processor's time, without the proxy and the file watcher of `wrangler dev` in front. Serves that build, whatever
 * happens to the sources.
 */
export async function startLocalMiniflare(buildFolder: string, options: Omit<LocalWorkerOptions, "logLevel"> = {}): Promise<LocalWorker> {
  const scratch = await mkdtemp(join(tmpdir(), "weft-"));
  const port = options.port ?? (await findFreePort());
  const vars = localVars(options.vars);
  const optionsFile = join(scratch, "options.json");
  const hostOptions: MiniflareHostOptions = { buildFolder, stateFolder: options.persistTo ?? join(scratch, "state"), port, vars };
  await writeFile(optionsFile, JSON.stringify(hostOptions), { mode: 0o600 });

  const group = startProcessGroup(process.execPath, [join(import.meta.dirname, "miniflare-host.ts"), optionsFile], {
    cwd: projectRoot,
    env: { ...process.env, TMPDIR: scratch, CLOUDFLARE_CF_FETCH_ENABLED: "false" },
    ipc: true,
  });
  return await whenReady(group, { scratch, port, rootKey: vars["ROOT_KEY"] ?? "" });
}
