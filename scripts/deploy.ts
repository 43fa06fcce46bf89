/**
 * Deploys to Cloudflare. Wrangler makes the namespace and the queues that are not there yet; the first deployment gets a root key, printed
 * once. Usage: npm run deploy [-- <options of wrangler deploy>], with `wrangler login` done before, or CLOUDFLARE_API_TOKEN set.
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectRoot, randomRootKey, wranglerBin } from "./local-worker.ts";

/** What Wrangler says of a Worker that was never deployed. */
const NO_SUCH_WORKER = /Worker ".*" not found/;

const args = process.argv.slice(2);
const isDryRun = args.includes("--dry-run");
const scratch = mkdtempSync(join(tmpdir(), "weft-deploy-"));
try {
  const rootKey = isDryRun || hasRootKey() ? null : randomRootKey();
  process.exitCode = await deploy(rootKey);
  // Also after a failure: what failed may have come after the upload, and the next run would find the key set and not show it.
  if (rootKey !== null) console.log(`\nROOT_KEY${process.exitCode === 0 ? "" : ", if the upload got through"}, shown only now: ${rootKey}`);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

/** Throws where the answer is not known: a key that is in use must not be replaced. */
function hasRootKey(): boolean {
  const { status, stdout, stderr } = spawnSync(process.execPath, [wranglerBin, "secret", "list", "--format=json", ...targetOf(args)], {
    cwd: projectRoot,
    env: { ...process.env, WRANGLER_HIDE_BANNER: "true" },
    encoding: "utf8",
    // A login that has run out is asked for on the terminal.
    stdio: ["inherit", "pipe", "pipe"],
  });
  if (status === 0) return (JSON.parse(stdout) as { name: string }[]).some(({ name }) => name === "ROOT_KEY");
  if (NO_SUCH_WORKER.test(stdout + stderr)) return false;
  throw new Error(`Cannot tell whether there is a ROOT_KEY already, so nothing was deployed.\n${stdout}${stderr}`);
}

/** Those of wrangler's options that say which Worker of which account is meant. */
function targetOf(options: readonly string[]): string[] {
  return options.flatMap((option, index) => {
    const [name, value] = option.split("=", 2);
    if (!["--env", "-e", "--name", "--config", "-c", "--env-file", "--profile"].includes(name!)) return [];
    return value !== undefined ? [option] : [option, options[index + 1] ?? ""];
  });
}

async function deploy(rootKey: string | null): Promise<number> {
  const secrets = rootKey === null ? [] : ["--secrets-file", writeSecrets(rootKey)];
  const child = spawn(process.execPath, [wranglerBin, "deploy", ...args, ...secrets], { cwd: projectRoot, stdio: "inherit" });
  return await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => resolve(code ?? 1));
  });
}

function writeSecrets(rootKey: string): string {
  const path = join(scratch, "secrets.json");
  writeFileSync(path, JSON.stringify({ ROOT_KEY: rootKey }), { mode: 0o600 });
  return path;
}
