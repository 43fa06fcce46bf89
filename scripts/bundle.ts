/** Bundles the worker as a deployment would, prints its size and exits 1 from 1 MiB gzipped on. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { bundleWorker } from "./bundle-worker.ts";

/** The platform allows 3 MiB on the free plan; a third of it keeps cold starts short and leaves room. */
const MAX_GZIP_BYTES = 1024 * 1024;

const outDir = mkdtempSync(join(tmpdir(), "weft-bundle-"));
try {
  bundleWorker(outDir);
  checkSize();
} finally {
  rmSync(outDir, { recursive: true, force: true });
}

function checkSize(): void {
  const modules = readdirSync(outDir)
    .filter((name) => /\.(js|mjs|wasm|bin|txt|html|sql)$/.test(name))
    .map((name) => readFileSync(join(outDir, name)));
  const bytes = modules.reduce((sum, module) => sum + module.length, 0);
  const gzipBytes = modules.reduce((sum, module) => sum + gzipSync(module).length, 0);
  console.log(`bundle: ${kib(bytes)}, ${kib(gzipBytes)} gzipped (limit: under ${kib(MAX_GZIP_BYTES)})`);
  if (modules.length === 0 || gzipBytes >= MAX_GZIP_BYTES) process.exitCode = 1;
}

function kib(bytes: number): string {
  return `${(bytes / 1024).toFixed(0)} KiB`;
}
