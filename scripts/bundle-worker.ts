import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { projectRoot, quietWranglerEnv, wranglerBin } from "./local-worker.ts";

/** Writes what a deployment would upload into `outDir` (its main module is `worker.js`). Throws with wrangler's output when the worker does not build. */
export function bundleWorker(outDir: string): void {
  const built = spawnSync(process.execPath, [wranglerBin, "deploy", "--dry-run", "--outdir", outDir, "--env-file", ".dev.vars.example"], {
    cwd: projectRoot,
    env: { ...process.env, ...quietWranglerEnv, WRANGLER_LOG_PATH: join(outDir, "logs") },
    encoding: "utf8",
  });
  if (built.status !== 0) throw new Error(`The worker does not build:\n${built.stdout}${built.stderr}`);
}
