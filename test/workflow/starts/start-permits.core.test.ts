import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { countRunning, listLacking, refillBucket, shareStarts, sumWanted, trimGrant, type StartDemand, type StartGrant, type WaitingStarts } from "../../../src/workflow/starts/start-permits.ts";

type Wanted = WaitingStarts<string>["wanted"];

const normal = (count: number): Wanted => [0, 0, count, 0];
const NONE = { tasksPerSecond: null, concurrentTasks: null };

function share(waiting: readonly [string, Wanted, number?][], { running = 0, concurrent = null as number | null, perSecond = null as number | null, left = undefined as number | undefined, now = 0 }) {
  const list = waiting.map(([key, wanted, servedAt = 0]) => ({ key, wanted, servedAt }));
  const result = shareStarts(list, running, { ...NONE, concurrentTasks: concurrent, tasksPerSecond: perSecond }, left === undefined ? null : { left, at: 0 }, now);
  return { ...result, granted: Object.fromEntries(result.granted) };
}

describe("what is free", () => {
  test.each([
    ["to each in turn", [["a", normal(9)], ["b", normal(9)], ["c", normal(9)]], 7, { a: 3, b: 2, c: 2 }],
    ["first to who was served longest ago", [["a", normal(9), 5], ["b", normal(9), 3], ["c", normal(9), 4]], 2, { b: 1, c: 1 }],
    ["to who wants more, when the others have enough", [["a", normal(9)], ["b", normal(1)]], 6, { a: 5, b: 1 }],
    ["to the urgent before the others", [["a", normal(9)], ["b", [1, 2, 0, 9]]], 5, { b: 3, a: 2 }],
    ["to the low ones last", [["a", [0, 0, 0, 5]], ["b", normal(2)]], 4, { b: 2, a: 2 }],
    ["to all, when there is enough", [["a", normal(2)], ["b", [1, 1, 1, 1]]], 50, { a: 2, b: 4 }],
    ["to nobody, when there is nothing", [["a", normal(2)]], 0, {}],
  ] as const)("goes %s", (_, waiting, concurrent, expected) => {
    expect(share(waiting as never, { concurrent }).granted).toEqual(expected);
  });

  test("is what is not running, and never less than nothing", () => {
    expect(share([["a", normal(9)]], { concurrent: 5, running: 3 }).granted).toEqual({ a: 2 });
    expect(share([["a", normal(9)]], { concurrent: 5, running: 8 }).granted).toEqual({});
  });

  test("says who was served last, so that the next round begins with the others", () => {
    expect(share([["a", normal(9)], ["b", normal(9)]], { concurrent: 3 }).served).toEqual(["b", "a"]);
  });
});

describe("the bucket of starts", () => {
  test("holds a second's worth, one start at least, and fills with time", () => {
    expect(refillBucket(null, 20, 7)).toEqual({ left: 20, at: 7 });
    expect(refillBucket({ left: 0, at: 0 }, 20, 500)).toEqual({ left: 10, at: 500 });
    expect(refillBucket({ left: 15, at: 0 }, 20, 5_000)).toEqual({ left: 20, at: 5_000 });
    expect(refillBucket(null, 0.1, 0)).toEqual({ left: 1, at: 0 });
    expect(refillBucket({ left: 0.5, at: 9_000 }, 20, 8_000)).toEqual({ left: 0.5, at: 8_000 });
  });

  test("gives whole starts, and says when the next one is there", () => {
    const { granted, bucket, nextAt } = share([["a", normal(9)]], { perSecond: 10, left: 2.5, now: 0 });
    expect([granted, bucket, nextAt]).toEqual([{ a: 2 }, { left: 0.5, at: 0 }, 50]);
    expect(share([["a", normal(9)]], { perSecond: 10, left: 0.5, now: 50 }).granted).toEqual({ a: 1 });
  });

  test("waits for nothing when nobody does, or when places are what is lacking", () => {
    expect(share([["a", normal(2)]], { perSecond: 10, left: 2 }).nextAt).toBeNull();
    expect(share([["a", normal(9)]], { perSecond: 10, concurrent: 1, left: 5 }).nextAt).toBeNull();
  });
});

describe("a grant", () => {
  const demand = (started: number, ended: number, wanted: Wanted): StartDemand => ({ started, ended, wanted });

  test.each([
    ["begins with what runs already", null, demand(5, 2, normal(3)), { upTo: 5, ended: 2 }],
    ["keeps what is still wanted", { upTo: 8, ended: 0 }, demand(5, 2, normal(3)), { upTo: 8, ended: 2 }],
    ["gives back what is not", { upTo: 8, ended: 0 }, demand(5, 2, normal(1)), { upTo: 6, ended: 2 }],
    ["gives all back at the end", { upTo: 8, ended: 0 }, demand(5, 5, normal(0)), { upTo: 5, ended: 5 }],
    ["counts what was started without it", { upTo: 3, ended: 0 }, demand(5, 2, normal(1)), { upTo: 5, ended: 2 }],
  ])("%s", (_, known, asked, expected) => {
    expect(trimGrant(known, asked)).toEqual(expected);
  });

  test("goes to what is urgent first", () => {
    expect(listLacking(demand(5, 0, [2, 0, 3, 1]), { upTo: 8, ended: 0 })).toEqual([0, 0, 2, 1]);
    expect(listLacking(demand(5, 0, [2, 0, 3, 1]), { upTo: 5, ended: 0 })).toEqual([2, 0, 3, 1]);
  });
});

describe("whatever is wanted", () => {
  const count = fc.integer({ min: 0, max: 30 });
  const waiting = fc.array(fc.tuple(count, count, count, count, fc.nat(20)), { maxLength: 8 }).map((list) => list.map(([a, b, c, d, servedAt], key): WaitingStarts<number> => ({ key, wanted: [a, b, c, d], servedAt })));
  const limit = fc.option(fc.integer({ min: 0, max: 60 }));

  test("no limit is passed, nothing that could be given is kept, and nobody goes before the more urgent", () => {
    fc.assert(
      fc.property(waiting, count, limit, limit, (list, running, concurrentTasks, left) => {
        fc.pre(concurrentTasks !== null || left !== null);
        const { granted, bucket } = shareStarts(list, running, { concurrentTasks, tasksPerSecond: left === null ? null : 100 }, left === null ? null : { left, at: 0 }, 0);
        const given = sumWanted([...granted.values()]);
        const room = Math.min(concurrentTasks === null ? Infinity : Math.max(0, concurrentTasks - running), left ?? Infinity);
        expect(given).toBe(Math.min(room, sumWanted(list.map(({ wanted }) => sumWanted(wanted)))));
        if (bucket !== null) expect(bucket.left).toBe(left! - given);
        let rest = given;
        for (const rank of [0, 1, 2, 3] as const) {
          const wanted = sumWanted(list.map((one) => one.wanted[rank]));
          const more = sumWanted(list.map(({ key, wanted: all }) => Math.max(0, (granted.get(key) ?? 0) - sumWanted(all.slice(0, rank + 1)))));
          if (rest < wanted) expect(more).toBe(0);
          rest = Math.max(0, rest - wanted);
        }
      }),
    );
  });

  test("among equals nobody has two more than another who would take them", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(count, fc.nat(20)), { minLength: 1, maxLength: 8 }), fc.integer({ min: 0, max: 100 }), (list, concurrentTasks) => {
        const { granted } = shareStarts(list.map(([wanted, servedAt], key) => ({ key, wanted: normal(wanted), servedAt })), 0, { concurrentTasks, tasksPerSecond: null }, null, 0);
        const unsatisfied = list.flatMap(([wanted], key) => ((granted.get(key) ?? 0) < wanted ? [granted.get(key) ?? 0] : []));
        expect(Math.max(0, ...granted.values()) - Math.min(Infinity, ...unsatisfied)).toBeLessThanOrEqual(1);
      }),
    );
  });

  test("where not all get one, those do who were served longest ago", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(100), { minLength: 1, maxLength: 40 }), fc.integer({ min: 0, max: 40 }), (servedAt, concurrentTasks) => {
        const list = servedAt.map((at, key) => ({ key, wanted: normal(1), servedAt: at }));
        const { served } = shareStarts(list, 0, { concurrentTasks, tasksPerSecond: null }, null, 0);
        const inOrder = list.toSorted((left, right) => left.servedAt - right.servedAt).map(({ key }) => key);
        expect(served).toEqual(inOrder.slice(0, concurrentTasks));
      }),
    );
  });

  /** Workflows that ask over a network that loses questions and answers, and forget at times what they were granted. */
  interface Holder {
    started: number;
    ended: number;
    wants: number;
    upTo: number;
  }
  const step = fc.record({ holder: fc.nat(3), act: fc.constantFrom("want", "end", "start", "ask", "ask", "loseAnswer", "loseQuestion", "forget"), by: fc.integer({ min: 0, max: 9 }), afterMs: fc.integer({ min: 0, max: 300 }) });

  test("never more run than may, nor start faster, whatever questions and answers are lost, and whoever forgets what it was granted", () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 30, maxLength: 200 }), fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 30 }), (steps, concurrentTasks, tasksPerSecond) => {
        const holders: Holder[] = Array.from({ length: 4 }, () => ({ started: 0, ended: 0, wants: 0, upTo: 0 }));
        const grants = new Map<number, StartGrant>();
        let bucket: { left: number; at: number } | null = null;
        let now = 0;
        const starts: number[] = [];
        const ask = (key: number, isHeard: boolean): void => {
          const holder = holders[key]!;
          const demand = { started: holder.started, ended: holder.ended, wanted: normal(holder.wants) };
          const trimmed = trimGrant(grants.get(key) ?? null, demand);
          grants.set(key, trimmed);
          const running = sumWanted([...grants.values()].map(countRunning));
          const result = shareStarts([{ key, wanted: listLacking(demand, trimmed), servedAt: 0 }], running, { concurrentTasks, tasksPerSecond }, bucket, now);
          bucket = result.bucket;
          grants.set(key, { ...trimmed, upTo: trimmed.upTo + (result.granted.get(key) ?? 0) });
          if (isHeard) holder.upTo = grants.get(key)!.upTo;
        };
        for (const { holder: key, act, by, afterMs } of steps) {
          const holder = holders[key]!;
          now += afterMs;
          if (act === "want") holder.wants = by;
          if (act === "end") holder.ended += Math.min(by, holder.started - holder.ended);
          if (act === "forget") holder.upTo = holder.started;
          if (act === "ask") ask(key, true);
          if (act === "loseAnswer") {
            // Who told something new does not count on an older answer.
            holder.upTo = holder.started;
            ask(key, false);
          }
          if (act === "start") {
            const count = Math.max(0, Math.min(holder.wants, holder.upTo - holder.started));
            holder.started += count;
            holder.wants -= count;
            starts.push(...Array.from({ length: count }, () => now));
          }
          expect(sumWanted(holders.map(({ started, ended }) => started - ended))).toBeLessThanOrEqual(concurrentTasks);
        }
        // Permits may be kept for a while, so starts are counted from the beginning on.
        expect(starts.length).toBeLessThanOrEqual(Math.max(1, tasksPerSecond) + (now * tasksPerSecond) / 1_000 + ROUNDING);
      }),
      { numRuns: 300 },
    );
  });
});

const ROUNDING = 1e-6;
