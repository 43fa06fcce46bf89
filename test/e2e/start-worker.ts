import { inject } from "vitest";
import { startLocalMiniflare } from "../../scripts/local-miniflare.ts";
import type { LocalWorker, LocalWorkerOptions } from "../../scripts/local-worker.ts";

/** Starts the worker that was built before the first file, in a runtime of its own. */
export function startWorker(options: Omit<LocalWorkerOptions, "logLevel"> = {}): Promise<LocalWorker> {
  return startLocalMiniflare(inject("buildFolder"), options);
}
