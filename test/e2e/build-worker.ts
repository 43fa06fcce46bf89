import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { buildForMiniflare } from "../../scripts/build-for-miniflare.ts";
import { OPTIONS_FILE } from "../../scripts/local-miniflare.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Folder of the worker that all end-to-end files start. */
    buildFolder: string;
  }
}

/**
 * Before the first end-to-end file: builds the worker, once for all of them. Who runs several groups of files one after the other names a folder
 * in `WEFT_BUILD_FOLDER` and removes it afterwards; what the first group built there the next ones take.
 */
export function setup(project: TestProject): (() => void) | undefined {
  const shared = process.env["WEFT_BUILD_FOLDER"];
  const buildFolder = shared ?? mkdtempSync(join(tmpdir(), "weft-build-"));
  project.provide("buildFolder", buildFolder);
  if (!existsSync(join(buildFolder, OPTIONS_FILE))) buildForMiniflare(buildFolder);
  return shared === undefined ? () => rmSync(buildFolder, { recursive: true, force: true }) : undefined;
}
