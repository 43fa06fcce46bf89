import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundleWorker } from "./bundle-worker.ts";
import { findFreePort, type LocalWorker, type LocalWorkerOptions, localVars, projectRoot, whenReady } from "./local-worker.ts";
import { startProcessGroup } from "./process-group.ts";

/**
 * Starts the worker in Miniflare alone: the same runtime, bindings and queue settings as `startLocalWorker`, without the proxy
 * and the file watcher of `wrangler dev` in front, so measurements show the worker rather than the tool. Bundles first (about
 * a second) and then serves that bundle, whatever happens to the sources.
 */
export async function startLocalMiniflare(options: Omit<LocalWorkerOptions, "logLevel"> = {}): Promise<LocalWorker> {
  const scratch = await mkdtemp(join(tmpdir(), "weft-"));
  const port = options.port ?? (await findFreePort());
  const vars = localVars(options.vars);
  const varsFile = join(scratch, "vars.json");
  await writeFile(varsFile, JSON.stringify(vars), { mode: 0o600 });
  bundleWorker(join(scratch, "bundle"));

  const group = startProcessGroup(
    process.execPath,
    [join(import.meta.dirname, "miniflare-host.ts"), join(scratch, "bundle"), options.persistTo ?? join(scratch, "state"), String(port), varsFile],
    { cwd: projectRoot, env: { ...process.env, TMPDIR: scratch, CLOUDFLARE_CF_FETCH_ENABLED: "false" } },
  );
  return await whenReady(group, { scratch, port, rootKey: vars["ROOT_KEY"] ?? "" });
}
