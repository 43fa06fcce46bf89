import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { unstable_getMiniflareWorkerOptions } from "wrangler";
import { bundleWorker } from "./bundle-worker.ts";
import { OPTIONS_FILE } from "./local-miniflare.ts";
import { projectRoot } from "./local-worker.ts";

/**
 * Puts into a folder what `startLocalMiniflare` starts: the worker as a deployment would upload it, and its bindings and queue settings, read
 * from the one configuration so that they cannot drift from it. Takes some seconds of the processor, once for any number of starts.
 */
export function buildForMiniflare(folder: string): void {
  bundleWorker(folder);
  writeFileSync(join(folder, OPTIONS_FILE), JSON.stringify(unstable_getMiniflareWorkerOptions(join(projectRoot, "wrangler.toml")).workerOptions));
}
