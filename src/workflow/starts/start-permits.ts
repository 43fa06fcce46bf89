/*
 * Who of a tenant's workflows may start how many tasks, where the tenant has limits. A workflow tells how many attempts it has started
 * and how many of these have ended, in total, and how many more it would start now. What it may start is a total too: so whatever is
 * lost or repeated, nobody counts anything twice, and what it was granted and does not want any more is free again.
 */

/** What a workflow asks for. Totals only grow. */
export interface StartDemand {
  /** Attempts that it has started, and of these those that have ended. */
  started: number;
  ended: number;
  /** Attempts that it would start now, by rank (0 urgent … 3 low). */
  wanted: readonly [number, number, number, number];
}

/** What a workflow was granted. `upTo - ended` counts as running. */
export interface StartGrant {
  /** It may start attempts until it has started so many in total. */
  upTo: number;
  ended: number;
}

/** Starts that are left at a time: a bucket that fills at `tasksPerSecond`. */
export interface StartBucket {
  left: number;
  /** Unix ms. */
  at: number;
}

export interface StartLimits {
  tasksPerSecond: number | null;
  concurrentTasks: number | null;
}

/** One that waits, with the place in the order of those who were served before: lower is longer ago. */
export interface WaitingStarts<Key> {
  key: Key;
  wanted: readonly [number, number, number, number];
  servedAt: number;
}

const RANKS = [0, 1, 2, 3] as const;

/** What a demand leaves of an earlier grant: what is not wanted any more goes back. */
export function trimGrant(known: StartGrant | null, { started, ended, wanted }: StartDemand): StartGrant {
  const most = started + sumWanted(wanted);
  return { upTo: Math.min(Math.max(known?.upTo ?? started, started), most), ended };
}

export function countRunning({ upTo, ended }: StartGrant): number {
  return upTo - ended;
}

/** What is wanted beyond what was granted already: urgent ones were granted first. */
export function listLacking({ started, wanted }: StartDemand, { upTo }: StartGrant): [number, number, number, number] {
  let granted = upTo - started;
  return wanted.map((count) => {
    const taken = Math.min(granted, count);
    granted -= taken;
    return count - taken;
  }) as [number, number, number, number];
}

export function sumWanted(wanted: readonly number[]): number {
  return wanted.reduce((sum, count) => sum + count, 0);
}

/** Fills up what passed since. Holds what comes in one second at most, and one start at least. */
export function refillBucket(bucket: StartBucket | null, tasksPerSecond: number, now: number): StartBucket {
  const size = Math.max(1, tasksPerSecond);
  if (bucket === null) return { left: size, at: now };
  return { left: Math.min(size, bucket.left + (Math.max(0, now - bucket.at) * tasksPerSecond) / 1_000), at: now };
}

/** When the bucket has the next start (Unix ms); null when it has one now. */
export function nextStartAt(bucket: StartBucket | null, tasksPerSecond: number, now: number): number | null {
  const { left } = refillBucket(bucket, tasksPerSecond, now);
  return left + ROUNDING >= 1 ? null : now + Math.ceil(((1 - left) * 1_000) / tasksPerSecond);
}

/**
 * Shares out what the limits leave: the most urgent first; among equals one to each in turn, who was served longest ago first.
 * `nextAt`: when the bucket has the next start, if that is what is lacking. `served`: in what order they got their last one.
 */
export function shareStarts<Key>(waiting: readonly WaitingStarts<Key>[], running: number, limits: StartLimits, bucket: StartBucket | null, now: number): { granted: Map<Key, number>; served: Key[]; bucket: StartBucket | null; nextAt: number | null } {
  const { tasksPerSecond, concurrentTasks } = limits;
  const filled = tasksPerSecond === null ? null : refillBucket(bucket, tasksPerSecond, now);
  const free = concurrentTasks === null ? Infinity : Math.max(0, concurrentTasks - running);
  let room = Math.min(free, filled === null ? Infinity : Math.floor(filled.left + ROUNDING));
  const granted = new Map<Key, number>();
  const served = new Set<Key>();
  for (const rank of RANKS) {
    const inNeed = room > 0 ? waiting.filter(({ wanted }) => wanted[rank] > 0) : [];
    let turn = takeLongestUnserved(inNeed, room).map(({ key, wanted }) => ({ key, left: wanted[rank] }));
    while (turn.length > 0 && room > 0) {
      // Whole rounds at once, as long as each can have as much.
      const least = turn.reduce((fewest, { left }) => Math.min(fewest, left), Infinity);
      const each = Math.max(1, Math.min(Math.floor(room / turn.length), least));
      for (const one of turn) {
        const count = Math.min(each, one.left, room);
        if (count === 0) break;
        one.left -= count;
        room -= count;
        granted.set(one.key, (granted.get(one.key) ?? 0) + count);
        served.delete(one.key);
        served.add(one.key);
      }
      turn = turn.filter(({ left }) => left > 0);
    }
  }
  const given = sumWanted([...granted.values()]);
  const next = filled === null ? null : { left: Math.max(0, filled.left - given), at: now };
  const isLacking = waiting.some(({ key, wanted }) => sumWanted(wanted) > (granted.get(key) ?? 0));
  const isRateBound = isLacking && free > given;
  return { granted, served: [...served], bucket: next, nextAt: isRateBound && tasksPerSecond !== null ? nextStartAt(next, tasksPerSecond, now) : null };
}

/** Up to this many are picked out of all; more are sorted. */
const MAX_PICKED = 16;

/** The first `count` in the order of who was served longest ago. Mostly there is room for one, and thousands wait. */
function takeLongestUnserved<Key>(waiting: readonly WaitingStarts<Key>[], count: number): readonly WaitingStarts<Key>[] {
  if (count > MAX_PICKED || count >= waiting.length) return waiting.toSorted((left, right) => left.servedAt - right.servedAt).slice(0, count);
  const picked: WaitingStarts<Key>[] = [];
  for (const one of waiting) {
    if (picked.length === count && one.servedAt >= picked.at(-1)!.servedAt) continue;
    const place = picked.findIndex(({ servedAt }) => servedAt > one.servedAt);
    picked.splice(place === -1 ? picked.length : place, 0, one);
    picked.length = Math.min(picked.length, count);
  }
  return picked;
}

/** Fractions of a start add up to a little less than one. */
const ROUNDING = 1e-9;
