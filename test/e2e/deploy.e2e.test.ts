import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { projectRoot, quietWranglerEnv } from "../../scripts/local-worker.ts";
import { type FakeCloudflare, startFakeCloudflare } from "../fixtures/fake-cloudflare.ts";

const ACCOUNT = "account-of-tests";

let cloudflare: FakeCloudflare;
let scratch: string;

beforeEach(async () => {
  cloudflare = await startFakeCloudflare(ACCOUNT);
  scratch = await mkdtemp(join(tmpdir(), "weft-"));
});

afterEach(async () => {
  await cloudflare.close();
  await rm(scratch, { recursive: true, force: true });
});

async function deploy(...args: string[]): Promise<{ exitCode: number | null; output: string; shownKey: string | undefined }> {
  const child = spawn(process.execPath, ["scripts/deploy.ts", ...args], {
    cwd: projectRoot,
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      ...process.env,
      ...quietWranglerEnv,
      CI: "true",
      CLOUDFLARE_API_BASE_URL: cloudflare.baseUrl,
      CLOUDFLARE_ACCOUNT_ID: ACCOUNT,
      CLOUDFLARE_API_TOKEN: "token-of-tests",
      WRANGLER_LOG_PATH: join(scratch, "logs"),
    },
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const exitCode = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { exitCode, output, shownKey: /ROOT_KEY.*shown only now: (root_\S+)/.exec(output)?.[1] };
}

function rootKeysUploaded(): (string | undefined)[] {
  return cloudflare.uploads.map(({ bindings }) => bindings.find(({ name, type }) => name === "ROOT_KEY" && type === "secret_text")?.text);
}

describe("npm run deploy", () => {
  test("makes all that the worker needs in an empty account, and shows its root key once", async () => {
    const first = await deploy();
    expect(first.output).toContain("Deployed weft");
    expect(first.exitCode).toBe(0);
    expect(cloudflare.kvNamespaces).toEqual(["weft-config"]);
    expect(cloudflare.queues.toSorted()).toEqual(["weft-tasks-dead", "weft-tasks-high", "weft-tasks-normal"]);
    expect(cloudflare.consumed.toSorted()).toEqual(cloudflare.queues.toSorted());
    expect(cloudflare.crons).toEqual(["*/15 * * * *"]);
    expect(rootKeysUploaded()).toEqual([first.shownKey]);
    expect(first.shownKey).toMatch(/^root_.{32}$/);

    const second = await deploy();
    expect(second.exitCode).toBe(0);
    expect(second.shownKey).toBeUndefined();
    expect(rootKeysUploaded()).toEqual([first.shownKey, undefined]);
    expect(cloudflare.kvNamespaces).toHaveLength(1);
    expect(cloudflare.queues).toHaveLength(3);
  });

  test("deploys nothing when it cannot tell whether a root key is in use", async () => {
    cloudflare.failWith(403);
    const { exitCode, output, shownKey } = await deploy();
    expect(exitCode).toBe(1);
    expect(output).toContain("Cannot tell whether there is a ROOT_KEY already");
    expect(shownKey).toBeUndefined();
    expect(cloudflare.uploads).toEqual([]);
  });
});
