import { cloudflareTest } from "@cloudflare/vitest-pool-workers";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

const endToEnd = (name: string): string => `test/e2e/${name}.e2e.test.ts`;

/** It holds one time against another of the same machine: nothing else runs beside it. */
const ALONE = ["neighbours"].map(endToEnd);
/** They put a thousand calls at once on the machine, or bound how long a restart takes: nothing runs beside them but each other. */
const LATE = ["gateway-load", "kill"].map(endToEnd);
/** What takes longest begins first, so that the others fill up the time until it is over. */
const FIRST = [
  ...["budget-load", "deploy", "tenant-limits"].map(endToEnd),
  ...["optimizer/bounded-memory", "simulation/mutants", "simulation/simulation"].map((name) => `test/${name}.core.test.ts`),
  "test/durable-objects/workflow/storage-faults.workerd.test.ts",
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const rank = ({ moduleId }: TestSpecification): number => FIRST.concat(moduleId).findIndex((path) => moduleId.endsWith(path));
    return sorted.toSorted((left, right) => rank(left) - rank(right));
  }
}

/** For `expect.poll`. What is waited for comes in milliseconds, but a machine with other work to do may take very long over that. */
const PATIENT = { poll: { timeout: 30_000 } };

const isCounted = process.argv.some((argument) => argument.startsWith("--coverage"));

export default defineConfig({
  test: {
    // The worker logs a line for each event; show them only for a test that failed.
    silent: "passed-only",
    sequence: { sequencer: LongestFirst },
    coverage: { provider: "istanbul", include: ["src/**/*.ts"] },
    projects: [
      {
        test: {
          name: "core",
          environment: "node",
          include: ["test/**/*.core.test.ts"],
          // Pure functions and what is handed to them: files share nothing that one could spoil for another, and each module is loaded once.
          isolate: false,
          // Node runs TypeScript by itself, a quarter faster than what Vite makes of it; only Vite can count what was run.
          experimental: { viteModuleRunner: isCounted, nodeLoader: false },
          // Begins beside the other lanes and is the last to end: by then there is nothing else for the second processor.
          maxWorkers: 2,
          // Property tests compute for seconds, and longer where other work takes the machine's time.
          testTimeout: 60_000,
          // Projects with a bound of their own on files at once run one after the other, in this order.
          sequence: { groupOrder: 0 },
        },
      },
      {
        plugins: [
          cloudflareTest({
            wrangler: { configPath: "./wrangler.toml" },
            // Over whatever a .dev.vars holds, so that a test sees the same on every machine.
            miniflare: { bindings: { ROOT_KEY: "root-key-of-tests", ALLOW_PRIVATE_ORIGINS: "true", PUBLIC_URL: "" } },
          }),
        ],
        test: {
          name: "workerd",
          expect: PATIENT,
          include: ["test/**/*.workerd.test.ts"],
          // They wait for alarms and evictions more than they compute.
          maxWorkers: 2,
          testTimeout: 60_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: "e2e",
          expect: PATIENT,
          environment: "node",
          globalSetup: "test/e2e/build-worker.ts",
          include: ["test/e2e/**/*.e2e.test.ts"],
          exclude: [...ALONE, ...LATE],
          // Each file has a local runtime of its own, and mostly waits: for leases, retries, and what a slow agent does.
          maxWorkers: 2,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          name: "e2e-late",
          expect: PATIENT,
          environment: "node",
          globalSetup: "test/e2e/build-worker.ts",
          include: LATE,
          maxWorkers: LATE.length,
          testTimeout: 300_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 3 },
        },
      },
      {
        test: {
          name: "e2e-alone",
          expect: PATIENT,
          environment: "node",
          globalSetup: "test/e2e/build-worker.ts",
          include: ALONE,
          maxWorkers: 1,
          testTimeout: 300_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 4 },
        },
      },
    ],
  },
});
