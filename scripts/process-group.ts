import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

/** What is kept of a process's output: enough for a failure's story, bounded for a long run. */
const MAX_LOG_CHARS = 1_000_000;
/** A runtime that got SIGTERM has this long to write out its state before it is killed. */
const STOP_GRACE_MS = 5_000;
/** How long to look for members of a killed group; one that cannot be reaped must not hold up the caller. */
const GONE_DEADLINE_MS = 3_000;
const POLL_MS = 20;

export interface ProcessGroup {
  /** Process id of the leader, which is the id of the group. */
  pid: number;
  /** Settles with the leader's exit code (null after a signal). */
  exited: Promise<number | null>;
  child: ChildProcess;
  /** Signals every process of the group at once; returns when all are gone if the signal was SIGKILL, else when it was sent. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** SIGTERM, and SIGKILL for what is left after five seconds. Can be called twice. */
  stop(): Promise<void>;
  /** The last million characters of stdout and stderr. */
  logs(): string;
}

/**
 * Starts a command as the leader of a process group of its own, so that its children (a local runtime has several) get every
 * signal too, also one that leaves no time for passing it on. The group is killed when this process exits.
 */
export function startProcessGroup(command: string, args: string[], options: { cwd: string; env: NodeJS.ProcessEnv; ipc?: boolean }): ProcessGroup {
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: options.env,
    detached: true,
    stdio: ["ignore", "pipe", "pipe", ...(options.ipc === true ? (["ipc"] as const) : [])],
  });
  const pid = child.pid;
  if (pid === undefined) throw new Error(`${command} could not be started`);

  let output = "";
  const record = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-MAX_LOG_CHARS);
  };
  child.stdout?.on("data", record);
  child.stderr?.on("data", record);

  const killNow = (): void => signalGroup(pid, "SIGKILL");
  process.once("exit", killNow);
  const exited = new Promise<number | null>((resolve) => {
    child.once("exit", resolve);
    child.once("error", () => resolve(null));
  });

  async function kill(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    signalGroup(pid!, signal);
    if (signal !== "SIGKILL") return;
    await exited;
    await groupIsGone(pid!);
    process.off("exit", killNow);
  }

  async function stop(): Promise<void> {
    signalGroup(pid!, "SIGTERM");
    await Promise.race([exited, delay(STOP_GRACE_MS, undefined, { ref: false })]);
    await kill("SIGKILL");
  }

  return { pid, exited, child, kill, stop, logs: () => output };
}

function signalGroup(pid: number, signal: NodeJS.Signals | 0): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

async function groupIsGone(pid: number): Promise<void> {
  const deadlineAt = Date.now() + GONE_DEADLINE_MS;
  while (hasLiveMembers(pid) && Date.now() < deadlineAt) await delay(POLL_MS);
}

/** Dead processes that nobody reaped yet still count as members for `kill`; they hold neither files nor ports. */
function hasLiveMembers(pid: number): boolean {
  if (process.platform === "linux") return readdirSync("/proc").some((entry) => /^\d+$/.test(entry) && isLiveMember(entry, pid));
  try {
    process.kill(-pid, 0);
    return true;
  } catch {
    return false;
  }
}

function isLiveMember(entry: string, group: number): boolean {
  try {
    const stat = readFileSync(`/proc/${entry}/stat`, "utf8");
    const [state, , groupId] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return Number(groupId) === group && state !== "Z" && state !== "X";
  } catch {
    return false;
  }
}
