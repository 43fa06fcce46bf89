import { createTimeline, type Timeline } from "./timeline.ts";
import { simulateSchedule, type TaskGraph } from "./schedule-end.ts";

/** A way to do a task. Whole nano-dollars and whole milliseconds, so that sums are exact. */
export interface TaskOption {
  costNanoUsd: number;
  durationMs: number;
}

export interface SlackRequest {
  graph: TaskGraph;
  /** The ways to do each task; at least one. */
  options: readonly (readonly TaskOption[])[];
  /** What would be taken if each task were looked at alone: positions in `options`. */
  perTask: readonly number[];
  /** Tasks that run at once. */
  slots: number;
  /** Who goes first when slots are short, 0 first. */
  rank: readonly number[];
  /** When all must be done; null: as soon as with the choice per task. */
  deadlineMs: number | null;
}

export interface SlackPlan {
  /** Positions in `options`. */
  choice: number[];
  costNanoUsd: number;
  /** Expected end, from the start. */
  endMs: number;
}

/** Up to so many tasks every change is weighed by itself; it costs the square of them. */
const MAX_CRASHED_TASKS = 200;

/**
 * Chooses for all tasks of a graph together: the discrete time-cost trade-off problem. It is NP-hard, so this is a heuristic, and
 * deterministic. What is certain:
 * - without a deadline the expected end is never later and the cost never higher than with the choice per task;
 * - with a deadline that the choice per task meets, the cost is never higher than its; a deadline that the fastest options meet
 *   is met; one that they do not meet is missed by as little as they do;
 * - when slots are never short, no single task could take a cheaper option without the end moving past its limit.
 * All of it in terms of expected durations.
 */
export function assignBySlack(request: SlackRequest): SlackPlan {
  const frontiers = request.options.map(findFrontier);
  const perTask = evaluate(request, request.perTask);
  const fastest = evaluate(request, frontiers.map((frontier) => frontier.at(-1)!));
  const { deadlineMs } = request;
  const limitMs = deadlineMs === null ? perTask.endMs : Math.max(deadlineMs, Math.min(fastest.endMs, perTask.endMs));
  const known = [perTask, fastest].filter(({ endMs }) => endMs <= limitMs);
  const found = timelinesOf(request, frontiers).flatMap((timeline) => search(request, frontiers, timeline, limitMs));
  const verified = found.map((choice) => evaluate(request, choice)).filter(({ endMs }) => endMs <= limitMs);
  const best = [...verified, ...known].reduce((least, plan) => (isBetter(plan, least) ? plan : least));
  return areSlotsShort(request) && request.graph.size <= MAX_CRASHED_TASKS ? tryCheaper(best, request, frontiers, limitMs) : best;
}

function areSlotsShort({ graph, slots }: Pick<SlackRequest, "graph" | "slots">): boolean {
  return graph.size > slots;
}

/**
 * Where slots are short, slowing a task down may change who runs where and when, and no slack says by how much. So the cheaper options
 * are run through on paper one by one, those that save most first.
 */
function tryCheaper(plan: SlackPlan, request: SlackRequest, frontiers: readonly number[][], limitMs: number): SlackPlan {
  const { options } = request;
  const changes = frontiers.flatMap((frontier, task) => frontier.map((to) => ({ task, to, savedNanoUsd: options[task]![plan.choice[task]!]!.costNanoUsd - options[task]![to]!.costNanoUsd })));
  changes.sort((left, right) => right.savedNanoUsd - left.savedNanoUsd || left.task - right.task || left.to - right.to);
  let best = plan;
  for (const { task, to } of changes) {
    if (options[task]![to]!.costNanoUsd >= options[task]![best.choice[task]!]!.costNanoUsd) continue;
    const changed = evaluate(request, best.choice.with(task, to));
    if (changed.endMs <= limitMs && isBetter(changed, best)) best = changed;
  }
  return best;
}

function isBetter(plan: SlackPlan, best: SlackPlan): boolean {
  return plan.costNanoUsd < best.costNanoUsd || (plan.costNanoUsd === best.costNanoUsd && plan.endMs < best.endMs);
}

/** Positions of the options that no other beats in both cost and time: dearer and faster from one to the next. */
function findFrontier(options: readonly TaskOption[]): number[] {
  const order = [...options.keys()].sort((left, right) => options[left]!.costNanoUsd - options[right]!.costNanoUsd || options[left]!.durationMs - options[right]!.durationMs || left - right);
  let fastestMs = Infinity;
  return order.filter((at) => {
    const isFaster = options[at]!.durationMs < fastestMs;
    fastestMs = Math.min(fastestMs, options[at]!.durationMs);
    return isFaster;
  });
}

function evaluate({ graph, options, slots, rank }: SlackRequest, choice: readonly number[]): SlackPlan {
  const durations = choice.map((at, task) => options[task]![at]!.durationMs);
  const { endMs } = simulateSchedule(graph, durations, slots, rank);
  return { choice: [...choice], costNanoUsd: choice.reduce((sum, at, task) => sum + options[task]![at]!.costNanoUsd, 0), endMs };
}

/**
 * The orders of tasks within which slack is looked for: that of the dependencies, and where slots may be short also those in which
 * tasks take over each other's slots, with the choice per task and with the fastest options.
 */
function timelinesOf({ graph, options, perTask, slots, rank }: SlackRequest, frontiers: readonly number[][]): Timeline[] {
  const timelines = [createTimeline(graph, null)];
  if (!areSlotsShort({ graph, slots })) return timelines;
  for (const choice of [perTask, frontiers.map((frontier) => frontier.at(-1)!)]) {
    const durations = choice.map((at, task) => options[task]![at]!.durationMs);
    timelines.push(createTimeline(graph, simulateSchedule(graph, durations, slots, rank).slotBefore));
  }
  return timelines;
}

/** Choices that end in time if slots are taken over as the timeline says. Each start is slowed down wherever there is slack, from the front and from the back. */
function search({ options, perTask }: SlackRequest, frontiers: readonly number[][], timeline: Timeline, limitMs: number): number[][] {
  const endOf = (choice: readonly number[]): number => timeline.findEnd(choice.map((at, task) => options[task]![at]!.durationMs));
  const starts = [
    // What another option beats in both is given up at once.
    perTask.map((at, task) => frontiers[task]!.find((other) => options[task]![other]!.costNanoUsd <= options[task]![at]!.costNanoUsd && options[task]![other]!.durationMs <= options[task]![at]!.durationMs)!),
    frontiers.map((frontier) => frontier[0]!),
    frontiers.map((frontier) => frontier.at(-1)!),
    priceTime(options, frontiers, endOf, limitMs),
    ...(options.length <= MAX_CRASHED_TASKS ? [crash(options, frontiers, timeline, limitMs)] : []),
  ];
  return starts.filter((choice) => endOf(choice) <= limitMs).flatMap((choice) => [relax(choice, options, frontiers, timeline, limitMs, false), relax(choice, options, frontiers, timeline, limitMs, true)]);
}

/** One price of a millisecond for all tasks, as low as the limit allows: each takes what costs least in money and time together. */
function priceTime(options: SlackRequest["options"], frontiers: readonly number[][], endOf: (choice: readonly number[]) => number, limitMs: number): number[] {
  const prices = new Set<number>();
  frontiers.forEach((frontier, task) => {
    for (let at = 1; at < frontier.length; at += 1) prices.add(priceOfSpeedUp(options[task]![frontier[at - 1]!]!, options[task]![frontier[at]!]!));
  });
  const sorted = [...prices].sort((left, right) => left - right);
  const choose = (price: number): number[] => frontiers.map((frontier, task) => {
    const weigh = (at: number): number => options[task]![at]!.costNanoUsd + price * options[task]![at]!.durationMs;
    // The later of equals is the faster.
    return frontier.reduce((best, at) => (weigh(at) <= weigh(best) ? at : best));
  });
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (endOf(choose(sorted[middle]!)) <= limitMs) high = middle;
    else low = middle + 1;
  }
  const price = sorted[low];
  return price === undefined ? frontiers.map((frontier) => frontier.at(-1)!) : choose(price);
}

function priceOfSpeedUp(slower: TaskOption, faster: TaskOption): number {
  return (faster.costNanoUsd - slower.costNanoUsd) / (slower.durationMs - faster.durationMs);
}

/** From the cheapest options on: speeds up the critical task that costs least per millisecond gained, until the limit holds or nothing critical can be faster. */
function crash(options: SlackRequest["options"], frontiers: readonly number[][], timeline: Timeline, limitMs: number): number[] {
  const position = frontiers.map(() => 0);
  const durations = frontiers.map((frontier, task) => options[task]![frontier[0]!]!.durationMs);
  for (;;) {
    const { endMs, slackMs } = timeline.measure(durations, null);
    if (endMs <= limitMs) break;
    let best: { task: number; to: number; price: number } | null = null;
    for (let task = 0; task < durations.length; task += 1) {
      const frontier = frontiers[task]!;
      if (slackMs(task) > 0) continue;
      for (let to = position[task]! + 1; to < frontier.length; to += 1) {
        const price = priceOfSpeedUp(options[task]![frontier[position[task]!]!]!, options[task]![frontier[to]!]!);
        if (best === null || price < best.price) best = { task, to, price };
      }
    }
    if (best === null) break;
    position[best.task] = best.to;
    durations[best.task] = options[best.task]![frontiers[best.task]![best.to]!]!.durationMs;
  }
  return frontiers.map((frontier, task) => frontier[position[task]!]!);
}

/**
 * Gives each task in turn the cheapest option that its slack allows. One pass is enough: what a task was refused, the slack that the
 * later ones take does not give back.
 */
function relax(choice: readonly number[], options: SlackRequest["options"], frontiers: readonly number[][], timeline: Timeline, limitMs: number, fromEnd: boolean): number[] {
  const relaxed = [...choice];
  const durations = choice.map((at, task) => options[task]![at]!.durationMs);
  timeline.sweep(durations, limitMs, fromEnd, (task, roomMs) => {
    relaxed[task] = frontiers[task]!.find((at) => options[task]![at]!.durationMs <= roomMs) ?? relaxed[task]!;
    return options[task]![relaxed[task]!]!.durationMs;
  });
  return relaxed;
}
