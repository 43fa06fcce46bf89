import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { buildForMiniflare } from "../../scripts/build-for-miniflare.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Folder of the worker that all end-to-end files start. */
    buildFolder: string;
  }
}

/** Before the first end-to-end file: builds the worker, once for all of them. */
export function setup(project: TestProject): () => void {
  const buildFolder = mkdtempSync(join(tmpdir(), "weft-build-"));
  buildForMiniflare(buildFolder);
  project.provide("buildFolder", buildFolder);
  return () => rmSync(buildFolder, { recursive: true, force: true });
}
