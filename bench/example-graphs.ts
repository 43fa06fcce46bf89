import type { TierName } from "../src/workflow/spec/agent.ts";

/** A task of an example: what it is sent, what it answers, and whom it waits for. */
export interface ExampleTask {
  tier: TierName;
  inputTokens: number;
  outputTokens: number;
  dependsOn: number[];
}

export interface ExampleGraph {
  name: string;
  slots: number;
  tasks: ExampleTask[];
}

const SIZES: Record<TierName, [number, number]> = { weak: [2_000, 300], base: [4_000, 800], strong: [8_000, 1_500] };

/** `scale` multiplies both sizes. */
function task(tier: TierName, dependsOn: number[] = [], scale = 1): ExampleTask {
  const [inputTokens, outputTokens] = SIZES[tier];
  return { tier, inputTokens: Math.round(inputTokens * scale), outputTokens: Math.round(outputTokens * scale), dependsOn };
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, index) => from + index);

/** Ten shapes that workflows of agents have. Sizes of parallel tasks differ, as they do in life; a chain has no slack and is there to show it. */
export const EXAMPLE_GRAPHS: readonly ExampleGraph[] = [
  { name: "chain of six", slots: 5, tasks: range(0, 6).map((index) => task("base", index === 0 ? [] : [index - 1])) },
  { name: "scout, plan, build", slots: 5, tasks: [...range(0, 4).map((index) => task("weak", [], 1 + index)), task("base", [0, 1, 2, 3]), task("strong", [4]), task("base", [4]), task("weak", [5, 6])] },
  { name: "one long branch, one short", slots: 5, tasks: [task("weak"), task("base", [0]), task("base", [1]), task("base", [2]), task("base", [0]), task("base", [3, 4])] },
  { name: "diamond", slots: 5, tasks: [task("base"), task("strong", [0]), task("weak", [0]), task("base", [1, 2])] },
  { name: "map over 20, reduce", slots: 20, tasks: [task("weak"), ...range(0, 20).map((index) => task("base", [0], 0.4 + (index % 5) * 0.3)), task("strong", range(1, 21))] },
  { name: "map over 20, five at once", slots: 5, tasks: [task("weak"), ...range(0, 20).map((index) => task("base", [0], 0.4 + (index % 5) * 0.3)), task("strong", range(1, 21))] },
  { name: "review by four, then revise", slots: 5, tasks: [task("base"), task("strong", [0]), task("base", [0]), task("base", [0], 0.5), task("weak", [0]), task("base", [1, 2, 3, 4]), task("weak", [5])] },
  { name: "tree of summaries", slots: 8, tasks: [...range(0, 8).map((index) => task("weak", [], 1 + (index % 4))), ...range(0, 4).map((index) => task("weak", [2 * index, 2 * index + 1], 2)), task("base", [8, 9]), task("base", [10, 11], 0.6), task("strong", [12, 13])] },
  { name: "pipeline with side tasks", slots: 5, tasks: [task("base"), task("weak", [0]), task("base", [0]), task("weak", [2]), task("base", [2]), task("weak", [4]), task("base", [4]), task("weak", [1, 3, 5, 6])] },
  { name: "six layers of five", slots: 5, tasks: range(0, 30).map((index) => task(index % 7 === 0 ? "strong" : index % 2 === 0 ? "base" : "weak", index < 5 ? [] : [index - 5, 5 * Math.floor((index - 5) / 5) + ((index * 3) % 5)].filter((other, at, all) => all.indexOf(other) === at), 0.6 + (index % 4) * 0.4)) },
];
