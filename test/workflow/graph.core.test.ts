import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { buildGraph, createAncestry, findCycles, findDescendants, findLastTasks, findUnsortable, type Graph } from "../../src/workflow/graph.ts";

function build(dependencies: number[][]): Graph {
  const graph = buildGraph(dependencies);
  if ("cycle" in graph) throw new Error(`cycle ${graph.cycle.join(" ")}`);
  return graph;
}

/** Random graphs whose edges point to smaller numbers, so they have no cycle; relabelled, so that the order says nothing. */
const acyclic = fc
  .integer({ min: 1, max: 40 })
  .chain((size) =>
    fc.record({
      edges: fc.array(fc.tuple(fc.nat(size - 1), fc.nat(size - 1)), { maxLength: 120 }),
      labels: fc.shuffledSubarray(
        Array.from({ length: size }, (_, index) => index),
        { minLength: size, maxLength: size },
      ),
    }),
  )
  .map(({ edges, labels }) => {
    const sets = labels.map(() => new Set<number>());
    for (const [one, other] of edges) if (one !== other) sets[labels[Math.max(one, other)]!]!.add(labels[Math.min(one, other)]!);
    return sets.map((set) => [...set]);
  });

const anyGraph = fc
  .integer({ min: 1, max: 12 })
  .chain((size) => fc.array(fc.uniqueArray(fc.nat(size - 1), { maxLength: 3 }), { minLength: size, maxLength: size }));

/** Reachability by brute force. */
function reaches(dependencies: number[][], from: number, to: number): boolean {
  const seen = new Set(dependencies[from]);
  for (const task of seen) for (const next of dependencies[task]!) seen.add(next);
  return seen.has(to);
}

describe("buildGraph", () => {
  test("a task's wave is one more than its highest dependency's", () => {
    fc.assert(
      fc.property(acyclic, (dependencies) => {
        const { wave } = build(dependencies);
        for (const [task, list] of dependencies.entries()) expect(wave[task]).toBe(1 + Math.max(-1, ...list.map((dependency) => wave[dependency]!)));
      }),
    );
  });

  test("waves hold every task once, in spec order", () => {
    fc.assert(
      fc.property(acyclic, (dependencies) => {
        const { waves, wave } = build(dependencies);
        expect(waves.flat().toSorted((a, b) => a - b)).toEqual(dependencies.map((_, index) => index));
        for (const [level, tasks] of waves.entries()) {
          expect(tasks).toEqual(tasks.toSorted((a, b) => a - b));
          for (const task of tasks) expect(wave[task]).toBe(level);
        }
      }),
    );
  });

  test("dependents mirror dependencies", () => {
    fc.assert(
      fc.property(acyclic, (dependencies) => {
        const { dependents } = build(dependencies);
        for (let task = 0; task < dependencies.length; task += 1) {
          expect(dependents[task]).toEqual(dependencies.flatMap((list, index) => (list.includes(task) ? [index] : [])));
        }
      }),
    );
  });

  test("a cycle is found exactly when a task reaches itself, and is a path of dependencies", () => {
    fc.assert(
      fc.property(anyGraph, (dependencies) => {
        const graph = buildGraph(dependencies);
        const isCyclic = dependencies.some((_, task) => reaches(dependencies, task, task));
        expect("cycle" in graph).toBe(isCyclic);
        if (!("cycle" in graph)) return;
        expect(graph.cycle[0]).toBe(graph.cycle.at(-1));
        for (let at = 1; at < graph.cycle.length; at += 1) expect(dependencies[graph.cycle[at - 1]!]).toContain(graph.cycle[at]);
      }),
    );
  });

  test.each([
    ["two tasks", [[1], [0]], [0, 1, 0]],
    ["a task on itself", [[], [1]], [1, 1]],
    ["the shortest way round", [[1], [2, 0], [1]], [0, 1, 0]],
    ["behind other tasks", [[], [0, 3], [1], [2]], [1, 3, 2, 1]],
  ])("names the cycle: %s", (_, dependencies, cycle) => {
    expect(buildGraph(dependencies)).toEqual({ cycle });
  });

  test("chains and rings of 5,000 tasks do not use up the stack", () => {
    const chain = Array.from({ length: 5_000 }, (_, task) => (task === 0 ? [] : [task - 1]));
    expect(build(chain).waves).toHaveLength(5_000);
    const ring = chain.with(0, [4_999]);
    expect(findCycles(ring)[0]).toHaveLength(5_001);
  });

  test("an empty graph has no waves", () => {
    expect(build([])).toMatchObject({ size: 0, waves: [] });
  });
});

describe("findCycles", () => {
  test("gives one cycle for each set of tasks that depend on each other", () => {
    fc.assert(
      fc.property(anyGraph, (dependencies) => {
        const cycles = findCycles(dependencies);
        for (const [task] of dependencies.entries()) {
          if (!reaches(dependencies, task, task)) continue;
          const own = cycles.filter(([first]) => task === first || (reaches(dependencies, task, first!) && reaches(dependencies, first!, task)));
          expect(own).toHaveLength(1);
        }
      }),
    );
  });
});

test("unsortable are the tasks that reach a cycle", () => {
  fc.assert(
    fc.property(anyGraph, (dependencies) => {
      const cyclic = dependencies.flatMap((_, task) => (reaches(dependencies, task, task) ? [task] : []));
      const expected = dependencies.flatMap((_, task) => (cyclic.some((other) => task === other || reaches(dependencies, task, other)) ? [task] : []));
      expect([...findUnsortable(dependencies)]).toEqual(expected);
    }),
  );
});

describe("questions to a graph", () => {
  // 0 → 1 → 3, 0 → 2 → 3, 4 alone
  const diamond = build([[], [0], [0], [1, 2], []]);

  test("descendants include the start", () => {
    expect([...findDescendants(diamond, [1])]).toEqual([1, 3]);
    expect([...findDescendants(diamond, [0])].toSorted()).toEqual([0, 1, 2, 3]);
    expect([...findDescendants(diamond, [])]).toEqual([]);
  });

  test("last tasks are those that nothing depends on", () => {
    expect(findLastTasks(diamond)).toEqual([3, 4]);
  });

  test("ancestry agrees with following dependencies", () => {
    fc.assert(
      fc.property(acyclic, (dependencies) => {
        const dependsOn = createAncestry(build(dependencies));
        for (const [task] of dependencies.entries()) {
          for (const [other] of dependencies.entries()) expect(dependsOn(task, other)).toBe(reaches(dependencies, task, other));
        }
      }),
      { numRuns: 50 },
    );
  });
});
