/** The process that holds Miniflare for `startLocalMiniflare`. Arguments: bundle folder, state folder, port, file with the variables as JSON. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import { unstable_getMiniflareWorkerOptions } from "wrangler";
import { projectRoot } from "./local-worker.ts";

const [bundleFolder, stateFolder, port, varsFile] = process.argv.slice(2);
if (bundleFolder === undefined || stateFolder === undefined || varsFile === undefined) throw new Error("usage: miniflare-host.ts BUNDLE STATE PORT VARS");

// Read from the one configuration, so that queue and object settings cannot drift from it.
const { workerOptions } = unstable_getMiniflareWorkerOptions(join(projectRoot, "wrangler.toml"));
const miniflare = new Miniflare(
  // The configuration comes in the shape of Miniflare 4, which Miniflare 5 converts.
  convertV4MiniflareOptions({
    host: "127.0.0.1",
    port: Number(port),
    resourcePersistencePath: stateFolder,
    log: new Log(LogLevel.ERROR),
    workers: [
      {
        ...workerOptions,
        name: "weft",
        rootPath: projectRoot,
        bindings: JSON.parse(readFileSync(varsFile, "utf8")) as Record<string, string>,
        modules: [{ type: "ESModule", path: join(bundleFolder, "worker.js") }],
        modulesRoot: bundleFolder,
      },
    ],
  }),
);
await miniflare.ready;
process.once("SIGTERM", () => void miniflare.dispose().then(() => process.exit(0)));
