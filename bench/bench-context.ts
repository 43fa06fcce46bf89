import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What every benchmark gets. */
export interface BenchContext {
  /** A new, empty state folder at the place that the run was told to use. */
  newStateFolder: () => string;
}

/** `place`: the folder for all state; the system's temporary folder by default. `cleanUp` removes what was made in it. */
export function createBenchContext(place: string | null): BenchContext & { cleanUp: () => void } {
  const folders: string[] = [];
  return {
    newStateFolder: () => {
      const folder = mkdtempSync(join(place ?? tmpdir(), "weft-bench-state-"));
      folders.push(folder);
      return folder;
    },
    cleanUp: () => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true, maxRetries: 3 })),
  };
}
