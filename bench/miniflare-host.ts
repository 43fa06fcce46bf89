/** The process that holds Miniflare for `startHost`. Argument: a file with `MiniflareHostOptions` as JSON. */
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import { unstable_getMiniflareWorkerOptions } from "wrangler";
import { projectRoot } from "../scripts/local-worker.ts";
import type { MiniflareHostOptions } from "./start-host.ts";

const [optionsFile] = process.argv.slice(2);
if (optionsFile === undefined) throw new Error("usage: miniflare-host.ts OPTIONS");
const options = JSON.parse(readFileSync(optionsFile, "utf8")) as MiniflareHostOptions;

const { workerOptions, main } = unstable_getMiniflareWorkerOptions(join(projectRoot, options.config));
const miniflare = new Miniflare(
  // The configuration comes in the shape of Miniflare 4, which Miniflare 5 converts.
  convertV4MiniflareOptions({
    host: "127.0.0.1",
    port: options.isDirect ? 0 : options.port,
    resourcePersistencePath: options.stateFolder,
    log: new Log(LogLevel.ERROR),
    ...(options.inspectorPort === null ? {} : { inspectorPort: options.inspectorPort }),
    workers: [
      {
        ...workerOptions,
        rootPath: projectRoot,
        bindings: options.vars,
        ...(options.isDirect ? { unsafeDirectSockets: [{ host: "127.0.0.1", port: options.port }] } : {}),
        modules: [{ type: "ESModule", path: join(options.bundleFolder, `${basename(main ?? "worker.ts", ".ts")}.js`) }],
        modulesRoot: options.bundleFolder,
      },
    ],
  }),
);
await miniflare.ready;
process.once("SIGTERM", () => void miniflare.dispose().then(() => process.exit(0)));
