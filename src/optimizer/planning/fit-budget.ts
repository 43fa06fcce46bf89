/** A way to do a task: whole nano-dollars, and quality, more is better. */
export interface QualityOption {
  costNanoUsd: number;
  quality: number;
}

interface Step {
  task: number;
  to: number;
  /** How many steps of its task come before it. */
  depth: number;
  /** Nano-dollars saved for each point of quality lost; Infinity where none is. */
  worth: number;
  savedNanoUsd: number;
}

/**
 * Cheaper options until all tasks together cost no more than the budget, or nothing cheaper is left: what saves most for the quality that it
 * costs comes first. Positions in `options`; a task with one option keeps it. Deterministic, O(options · log options) and the square of a task's own.
 */
export function fitBudget(options: readonly (readonly QualityOption[])[], choice: readonly number[], budgetNanoUsd: number): number[] {
  const fitted = [...choice];
  let cost = choice.reduce((sum, at, task) => sum + options[task]![at]!.costNanoUsd, 0);
  if (cost <= budgetNanoUsd) return fitted;
  const steps = choice.flatMap((at, task) => listSteps(options[task]!, at, task));
  // Within a task the worth of steps never rises, so this order takes each after those before it.
  steps.sort((left, right) => compare(right.worth, left.worth) || left.depth - right.depth || right.savedNanoUsd - left.savedNanoUsd || left.task - right.task);
  for (const { task, to, savedNanoUsd } of steps) {
    if (cost <= budgetNanoUsd) break;
    fitted[task] = to;
    cost -= savedNanoUsd;
  }
  return fitted;
}

/** The way down from an option: each step the one that is worth most, until nothing is cheaper. */
function listSteps(options: readonly QualityOption[], from: number, task: number): Step[] {
  const steps: Step[] = [];
  for (let at = from; ; ) {
    let best: Step | null = null;
    for (const [to, option] of options.entries()) {
      const savedNanoUsd = options[at]!.costNanoUsd - option.costNanoUsd;
      if (savedNanoUsd <= 0) continue;
      const lost = options[at]!.quality - option.quality;
      const step = { task, to, depth: steps.length, worth: lost <= 0 ? Infinity : savedNanoUsd / lost, savedNanoUsd };
      if (best === null || step.worth > best.worth || (step.worth === best.worth && isBetter(options, step, best))) best = step;
    }
    if (best === null) return steps;
    steps.push(best);
    at = best.to;
  }
}

/** Of steps that are worth the same: with nothing to lose the better option, else the longer step. */
function isBetter(options: readonly QualityOption[], step: Step, best: Step): boolean {
  if (step.worth === Infinity && options[step.to]!.quality !== options[best.to]!.quality) return options[step.to]!.quality > options[best.to]!.quality;
  return step.savedNanoUsd > best.savedNanoUsd;
}

/** Infinity and Infinity are equal. */
function compare(left: number, right: number): number {
  return left === right ? 0 : left - right;
}
