import { cloudflareTest } from "@cloudflare/vitest-pool-workers";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    // The worker logs a line for each event; show them only for a test that failed.
    silent: "passed-only",
    coverage: { provider: "istanbul", include: ["src/**/*.ts"] },
    projects: [
      {
        test: {
          name: "core",
          environment: "node",
          include: ["test/**/*.core.test.ts"],
          // Property tests compute for seconds, and longer where other work takes the machine's time.
          testTimeout: 60_000,
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
          include: ["test/**/*.workerd.test.ts"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: "e2e",
          environment: "node",
          include: ["test/e2e/**/*.e2e.test.ts"],
          // Each file owns a local runtime of several processes; two at a time starve each other on two cores.
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
