import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RecentMap } from "../src/recent-map.ts";

describe("a map of bounded size", () => {
  test("loses the entry that was set longest ago, whether or not it was read since", () => {
    const map = new RecentMap<string, number>(2);
    map.set("a", 1);
    map.set("b", 2);
    expect(map.get("a")).toBe(1);
    map.set("c", 3);
    expect([map.get("a"), map.get("b"), map.get("c")]).toEqual([undefined, 2, 3]);
    map.set("b", 4);
    map.set("d", 5);
    expect([map.get("b"), map.get("c"), map.get("d")]).toEqual([4, undefined, 5]);
  });

  test("holds what a list of the latest entries would, whatever is done with it", () => {
    const key = fc.integer({ min: 0, max: 5 });
    const step = fc.oneof(fc.record({ set: key }), fc.record({ remove: key }), fc.record({ removeFrom: key }));
    fc.assert(fc.property(fc.integer({ min: 1, max: 4 }), fc.array(step, { maxLength: 30 }), (maxEntries, steps) => {
      const map = new RecentMap<number, number>(maxEntries);
      let latest: [number, number][] = [];
      for (const [at, next] of steps.entries()) {
        if ("set" in next) {
          map.set(next.set, at);
          latest = [...latest.filter(([known]) => known !== next.set), [next.set, at] as [number, number]].slice(-maxEntries);
        } else if ("remove" in next) {
          map.delete(next.remove);
          latest = latest.filter(([known]) => known !== next.remove);
        } else {
          map.deleteWhere((known, value) => known >= next.removeFrom && value % 2 === 0);
          latest = latest.filter(([known, value]) => known < next.removeFrom || value % 2 !== 0);
        }
        expect([0, 1, 2, 3, 4, 5].map((known) => map.get(known))).toEqual([0, 1, 2, 3, 4, 5].map((known) => latest.find(([name]) => name === known)?.[1]));
      }
    }));
  });
});
