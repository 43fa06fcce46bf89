/** The process that holds Miniflare for `startLocalMiniflare`. Argument: a file with `MiniflareHostOptions` as JSON. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import { type MiniflareHostOptions, OPTIONS_FILE } from "./local-miniflare.ts";
import { projectRoot } from "./local-worker.ts";

// Whoever started it is gone, and left no time to stop it: the whole group goes, the runtime too.
process.once("disconnect", () => process.kill(-process.pid, "SIGKILL"));

const [optionsFile] = process.argv.slice(2);
if (optionsFile === undefined) throw new Error("usage: miniflare-host.ts OPTIONS");
const { buildFolder, stateFolder, port, vars } = JSON.parse(readFileSync(optionsFile, "utf8")) as MiniflareHostOptions;

const miniflare = new Miniflare(
  // The configuration comes in the shape of Miniflare 4, which Miniflare 5 converts.
  convertV4MiniflareOptions({
    host: "127.0.0.1",
    port,
    resourcePersistencePath: stateFolder,
    log: new Log(LogLevel.ERROR),
    workers: [
      {
        ...(JSON.parse(readFileSync(join(buildFolder, OPTIONS_FILE), "utf8")) as object),
        name: "weft",
        rootPath: projectRoot,
        bindings: vars,
        modules: [{ type: "ESModule", path: join(buildFolder, "worker.js") }],
        modulesRoot: buildFolder,
      },
    ],
  }),
);
await miniflare.ready;
process.once("SIGTERM", () => void miniflare.dispose().then(() => process.exit(0)));
